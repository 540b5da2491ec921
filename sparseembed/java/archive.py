"""A class-data archive: Java's classes, Lucene's and ours in the form that a machine maps into memory when it starts.

With it, the first hit of a process takes .33 CPU s in place of .6. It is used where `make_archive` has been run for the
same Java and the same jars, and made anew by running it again.
"""

import hashlib
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from sparseembed.errors import EngineError, SparseEmbedError
from sparseembed.files import cache_folder
from sparseembed.java.home import JavaHome, find_java_home

COLLECTOR = "-XX:+UseSerialGC"
"""The garbage collector that the archive is made for: no threads of its own, the quickest start."""

# Loads what an index and a search need, and lets the machine list it.
_LOAD = """
import sys
from pathlib import Path
import jnius_config
jnius_config.add_options("-XX:DumpLoadedClassList=" + sys.argv[1])
from sparseembed.analyzers.lucene import LuceneEnglishAnalyzer
from sparseembed.engines.bm25 import Bm25Engine, Bm25Index
from sparseembed.engines.lucene import LuceneEngine
from sparseembed.index.lucene_writer import ImpactIndexWriter
from sparseembed.java.threads import call
folder = Path(sys.argv[2])
with ImpactIndexWriter(folder / "impacts") as writer:
    writer.add("1", {"x": 1})
LuceneEngine(folder / "impacts").search({"x": 1, "y": 2}, 1)
Bm25Index.build(folder / "words", [("1", "some words")])
Bm25Engine(folder / "words").search("words", 1)
LuceneEnglishAnalyzer().terms_of(["words"])
call(lambda: print(jnius_config.expand_classpath()))
"""


def archive_options(home: JavaHome, jars: list[Path]) -> list[str]:
    """Give the options that use the archive, if there is one.

    :param home: The Java runtime.
    :param jars: Its class path.
    :return: Options of the machine; none without an archive.
    """
    with suppress(OSError, RuntimeError, SparseEmbedError):  # no home folder, for instance
        file = _file(home, jars)
        if file.is_file():
            quiet = ["-Xlog:cds=off", "-Xlog:cds+dynamic=off"]
            return [f"-XX:SharedArchiveFile={file}", "-XX:+VerifySharedSpaces", *quiet]
    return []


def make_archive() -> Path:
    """Make the archive of this installation, in the user's cache; takes about three seconds and 20 MB.

    :return: Its file.
    :raises EngineError: Java cannot be found, or does not make one.
    """
    from sparseembed.java.jvm import class_path

    home = find_java_home()
    file = _file(home, class_path())
    file.unlink(missing_ok=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        classes, part = Path(folder) / "classes", Path(folder) / "part.jsa"
        loaded = _run([sys.executable, "-c", _LOAD, str(classes), folder])
        options = ["-Xshare:dump", f"-XX:SharedClassListFile={classes}", f"-XX:SharedArchiveFile={part}", COLLECTOR]
        _run([str(home.path / "bin" / "java"), *options, "-cp", loaded.strip()])
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as copy:
            copy.write(part.read_bytes())
        Path(copy.name).replace(file)
    return file


def _file(home: JavaHome, jars: list[Path]) -> Path:
    """Give the place of the archive for a Java and a class path, as they are now."""
    facts = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in [home.library, *jars]]
    return cache_folder("java", hashlib.sha256(repr(facts).encode()).hexdigest()[:16] + ".jsa")


def _run(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        told = getattr(error, "stderr", None) or str(error)
        raise EngineError(f"no class-data archive could be made ({told.strip()[-200:]}): it is not needed") from error
