"""Builds bulk.jar, the same bytes from the same source: `python sparseembed/java/src/build.py [CHECK]`.

Needs a `javac` of Java 17 or newer on the PATH, and Anserini's jar, which pyserini brings. Classes are compiled for
Java 17. With the argument CHECK nothing is written: the status says whether the jar is the one that the source gives.
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parent
JAR = SOURCE.parent / "bulk.jar"


def compiled(anserini: Path) -> dict[str, bytes]:
    """Compile the source.

    :param anserini: Anserini's jar, for Lucene's classes.
    :return: class files by name in the jar, in order of name.
    """
    sources = sorted(str(file) for file in SOURCE.rglob("*.java"))
    with tempfile.TemporaryDirectory() as folder:
        options = [
            "-Xlint:all",
            "-Werror",
            "-proc:none",
            "-g:none",
            "--release",
            "17",
            "-cp",
            str(anserini),
            "-d",
            folder,
        ]
        subprocess.run(["javac", *options, *sources], check=True)
        files = sorted(Path(folder).rglob("*.class"))
        return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def classes(jar: Path) -> dict[str, bytes]:
    """Read the class files of a jar by name.

    :param jar: The jar.
    :return: class files by name.
    """
    with zipfile.ZipFile(jar) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(jar: Path, files: dict[str, bytes]) -> None:
    """Write a jar; the same files give the same bytes.

    :param jar: Where to.
    :param files: class files by name.
    """
    with zipfile.ZipFile(jar, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)


def main() -> int:
    """Build or check the jar; return the status."""
    from sparseembed.java.jvm import anserini_jar

    files = compiled(anserini_jar())
    if sys.argv[1:] == ["CHECK"]:
        return int(files != classes(JAR))
    write(JAR, files)
    return 0


if __name__ == "__main__":
    sys.exit(main())
