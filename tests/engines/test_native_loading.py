"""When the kernels are loaded: never in the way of a search, of a fork, or of the end of a process."""

import logging
import os
import subprocess
import sys
import time
from importlib.util import find_spec

import numpy as np
import pytest

from sparseembed.engines import native_loading
from sparseembed.engines.base import Hit
from sparseembed.engines.native import NativeEngine
from sparseembed.engines.native_loading import BATCH, Kind
from sparseembed.index.block import Block
from sparseembed.index.segment import SegmentReader, SegmentWriter

OPEN = """
import sys
from pathlib import Path
from sparseembed.engines.native import NativeEngine
from sparseembed.index.segment.reader import SegmentReader

engine = NativeEngine([SegmentReader(Path(sys.argv[1]))], [None])
assert sys.modules.get("numba") is None
def search():
    assert engine.search({"a": 2, "b": 1}, 5) == [("2", 13.0, 1), ("1", 6.0, 2)]
search()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("loading") / "s"
    block = Block(
        ["1", "2"],
        ["one", "two"],
        np.array([0, 1, 3]),
        np.array([0, 0, 1], dtype=np.int32),
        np.array([3, 5, 3], dtype=np.uint16),
        ("a", "b"),
        (),
    )
    with SegmentWriter(place) as writer:
        writer.add(block)
        writer.finish()
    return place


def run(folder, script, first="", **environment):
    """Run a script in a process of its own, after what comes first; it must end well and say nothing."""
    done = subprocess.run(
        [sys.executable, "-c", first + OPEN + script, str(folder)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, **environment},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("pause", [0, 0.1, 0.2, 0.4, 0.8])
def test_a_process_ends_well_while_kernels_are_loaded(folder, pause):
    run(folder, f"import time; time.sleep({pause})")


@pytest.mark.parametrize("pause", [0.5, 1.5, 3])
def test_a_process_ends_well_while_kernels_are_compiled(folder, pause, tmp_path):
    run(folder, f"import time; time.sleep({pause})", NUMBA_CACHE_DIR=str(tmp_path))


# The first is imported by compiled code while that is imported itself.
@pytest.mark.parametrize("module", ["numba._devicearray", "numba", "numba.core.types", "numba.core.registry"])
def test_a_process_ends_well_while_a_module_is_imported(folder, module):
    run(
        folder,
        f"""
import threading
from sparseembed.engines import native_loading
native_loading.DELAY = 0
reached = threading.Event()
class Ends:
    @staticmethod
    def find_spec(name, *_):
        if name == {module!r} and not reached.is_set():
            native_loading._state.ends.set()
            sys.meta_path.insert(1, native_loading._Stopper())
            reached.set()
sys.meta_path.insert(0, Ends())
search()
assert reached.wait(60)
""",
    )


def test_kernels_come_in_the_background(folder):
    run(
        folder,
        """
import time
from importlib.util import find_spec
from sparseembed.engines import native_loading
kind = native_loading.Kind(False)
while not native_loading.has(kind):
    search()
    time.sleep(0.01)
search()
""",
    )


def test_a_fork_waits_for_what_is_loaded(folder):
    run(
        folder,
        """
import os, time
for pause in (0, 0.15, 0.1, 0.1):
    time.sleep(pause)
    search()
    child = os.fork()
    if not child:
        search()
        os._exit(0 if engine.load() and engine.search({"b": 1}, 1) == [("2", 3.0, 1)] else 1)
    assert os.waitpid(child, 0)[1] == 0
""",
    )


def test_a_child_loads_for_itself_what_its_parent_was_about_to(folder):
    run(
        folder,
        """
import os, time
from sparseembed.engines import native_loading
child = os.fork()
if not child:
    for _ in range(6000):
        search()
        if native_loading.has(native_loading.Kind(False)):
            os._exit(0)
        time.sleep(0.01)
    os._exit(1)
assert os.waitpid(child, 0)[1] == 0
""",
    )


def test_a_cold_engine_loads_nothing(folder):
    script = (
        OPEN.replace("[None])", "[None], warm=False)")
        + "import time; time.sleep(0.5); assert 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script, str(folder)], check=True, timeout=300)


def test_without_numba_everything_is_searched_and_nothing_written(folder, tmp_path):
    run(
        folder,
        f"""
for _ in range(3):
    search()
assert not engine.load()
assert engine.search_batch([{{"a": 1}}] * 40, 1, 2) == [[("2", 5.0, 1)]] * 40
reader = SegmentReader(Path(sys.argv[1]))
assert (reader.number("2"), reader.text(0), reader.impacts(1, ["b", "a", "x"])) == (1, "one", [3, 5, 0])
assert (reader.vector(1), reader.document_frequency(["a", "x"])) == ({{"a": 5, "b": 3}}, [2, 0])
import numpy as np
from sparseembed.errors import EngineError
from sparseembed.index.block import Block
from sparseembed.index.segment.writer import SegmentWriter
one = np.array([1], dtype=np.uint16)
try:
    with SegmentWriter(Path({str(tmp_path / "t")!r})) as writer:
        writer.add(Block(["1"], [""], np.array([0, 1]), np.array([0], dtype=np.int32), one, ("a",), ()))
        writer.finish()
except EngineError as error:
    assert "pip install" in str(error)
else:
    raise AssertionError
assert not Path({str(tmp_path / "t")!r}).exists()
""",
        first="import sys; sys.modules['numba'] = None",
    )


@pytest.fixture
def fresh(monkeypatch):
    """Nothing is loaded yet."""
    monkeypatch.setattr(native_loading, "_state", native_loading._State())


def test_a_batch_waits_for_the_kernels(folder, fresh):
    engine = NativeEngine([SegmentReader(folder)], [None], warm=False)
    assert engine.search_batch([{"a": 1}] * BATCH, 1) == [[Hit("2", 5.0, 1)]] * BATCH
    assert not native_loading.has(Kind(False))
    assert engine.search_batch([{"a": 1}] * (BATCH + 1), 1) == [[Hit("2", 5.0, 1)]] * (BATCH + 1)
    assert native_loading.has(Kind(False))


def test_an_engine_that_is_closed_while_kernels_are_loaded(folder, fresh, monkeypatch):
    monkeypatch.setattr(native_loading, "DELAY", 0.0)
    engine = NativeEngine([SegmentReader(folder)], [None])
    with native_loading._alone():
        engine.search({"a": 1}, 1)
        engine.close()
    for thread in native_loading._state.threads.values():
        thread.join()
    assert native_loading._state.usable
    assert not native_loading.has(Kind(False))


def test_numba_that_fails_is_told_once_and_searches_go_on(folder, fresh, monkeypatch):
    engine = NativeEngine([SegmentReader(folder)], [None])
    told = []

    def fails(*_):
        raise ValueError("no such\nprocessor")

    monkeypatch.setattr(engine, "_compiled", fails)
    # Not by pytest's capture: the command line, which other tests have called, sets levels and handlers of its own.
    logger = logging.getLogger(native_loading.__name__)
    monkeypatch.setattr(logger, "warning", lambda message, *values: told.append(message % values))
    assert not engine.load()
    assert not engine.load()
    assert engine.search({"a": 1}, 1) == [Hit("2", 5.0, 1)]
    assert told == ["searches go on without machine code, for numba fails: no such processor"]


def test_threads_that_search_while_kernels_are_loaded(folder, fresh, monkeypatch):
    monkeypatch.setattr(native_loading, "DELAY", 0.0)
    engine = NativeEngine([SegmentReader(folder)], [None])
    end = time.monotonic() + 60
    while not native_loading.has(Kind(False)) and time.monotonic() < end:
        assert engine.search({"a": 2, "b": 1}, 5) == [Hit("2", 13.0, 1), Hit("1", 6.0, 2)]
    assert native_loading.has(Kind(False))


@pytest.mark.skipif(find_spec("colorama") is None, reason="numba colours nothing without colorama")
def test_the_streams_stay_what_they_are_while_kernels_are_loaded(folder):
    run(
        folder,
        """
assert engine.load()
assert not any("HIGHLIGHT" in name for name in os.environ)
""",
        first="""
import os, sys, types
class Watched(types.ModuleType):
    def __setattr__(self, name, value):
        assert name not in ("stdout", "stderr"), name
        super().__setattr__(name, value)
sys.__class__ = Watched
""",
    )


@pytest.mark.skipif(find_spec("colorama") is None, reason="numba colours nothing without colorama")
@pytest.mark.parametrize("module", ["sparseembed.jit", "sparseembed.alignment.kernels", "sparseembed.alignment.lanes"])
def test_numba_colours_nothing(module):
    script = f"import {module}; from numba.core.errors import TypingError, termcolor; print(TypingError('plain'))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout == "plain\n"
