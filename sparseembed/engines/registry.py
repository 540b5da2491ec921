"""Engines by name. A new engine is a new entry here."""

from collections.abc import Callable, Iterator

from sparseembed.engines.base import Engine
from sparseembed.errors import ConfigError
from sparseembed.index.snapshot import Snapshot

DEFAULT_ENGINE = "native"


def _native(snapshot: Snapshot, warm: bool) -> Engine:
    from sparseembed.engines.native import NativeEngine

    return NativeEngine(snapshot.segments, snapshot.deleted, warm)


def _lucene(snapshot: Snapshot, warm: bool) -> Engine:
    from sparseembed.engines.lucene import LuceneEngine

    if "commit" not in snapshot.manifest.lucene:
        raise ConfigError(
            f"{snapshot.path} is several indexes, which Lucene does not search as one: take engine native"
        )
    return LuceneEngine(snapshot.path / "lucene", snapshot.manifest.lucene["commit"])


def _exact(snapshot: Snapshot, warm: bool) -> Engine:
    from sparseembed.engines.exact import ExactEngine

    return ExactEngine.from_pairs(_vectors(snapshot))


def _vectors(snapshot: Snapshot) -> Iterator[tuple[str, dict[str, int]]]:
    for segment, deleted in zip(snapshot.segments, snapshot.deleted, strict=True):
        for number, vector in segment.vectors():
            if deleted is None or not deleted[number]:
                yield segment.id(number), vector


ENGINES: dict[str, Callable[[Snapshot, bool], Engine]] = {"native": _native, "lucene": _lucene, "exact": _exact}


def open_engine(name: str, snapshot: Snapshot, warm: bool = True) -> Engine:
    """Open a commit of an index with an engine.

    :param name: A key of `ENGINES`.
    :param snapshot: The commit.
    :param warm: Whether a first search begins to load, in the background, what makes later ones fast.
    :return: The engine.
    :raises ConfigError: Unknown engine.
    :raises IndexFolderError: The engine's part of the index is missing or damaged.
    """
    if name not in ENGINES:
        raise ConfigError(f"unknown engine {name!r}: engines are {', '.join(ENGINES)}")
    return ENGINES[name](snapshot, warm)
