"""Engines by name. A new engine is a new entry here."""

from collections.abc import Callable
from pathlib import Path

from sparseembed.engines.base import Engine
from sparseembed.errors import ConfigError


def _lucene(index: Path) -> Engine:
    from sparseembed.engines.lucene import LuceneEngine

    return LuceneEngine(index / "lucene")


def _exact(index: Path) -> Engine:
    from sparseembed.engines.exact import ExactEngine
    from sparseembed.index.vectors import VectorReader

    return ExactEngine.from_pairs((row.id, row.vector) for row in VectorReader(index / "vectors"))


ENGINES: dict[str, Callable[[Path], Engine]] = {"lucene": _lucene, "exact": _exact}


def open_engine(name: str, index: Path) -> Engine:
    """Open an index folder with an engine.

    :param name: A key of `ENGINES`.
    :param index: The index folder.
    :return: The engine.
    :raises ConfigError: Unknown engine.
    :raises IndexFolderError: The engine's part of the index is missing or damaged.
    """
    if name not in ENGINES:
        raise ConfigError(f"unknown engine {name!r}: engines are {', '.join(ENGINES)}")
    return ENGINES[name](index)
