"""What was fitted to a collection and does not change while documents come and go: the first half of an index."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sparseembed.alignment.adjustment import Adjustment
from sparseembed.analyzers.registry import DEFAULT, open_analyzer
from sparseembed.arrays import Vectors
from sparseembed.embedders.early import EarlyHead, StaticHead
from sparseembed.embedders.tokenizer import tokenizer_from
from sparseembed.errors import ConfigError, IndexFolderError
from sparseembed.files import write_json
from sparseembed.index.checked import REPAIR, CheckedFiles, Records, record
from sparseembed.sparse.collection import CollectionStatistics
from sparseembed.sparse.config import SparseConfig
from sparseembed.sparse.pieces import PieceSpace
from sparseembed.sparse.quantize import Quantizer
from sparseembed.sparse.terms import JoinedSpace, PieceTermSpace, TermSpace, WordSpace, unmarked
from sparseembed.sparse.vocabulary import Vocabulary

ABOUT, TERMS, SURFACES, PIECES, FREQUENCY, MEAN, CENTRES = (
    "about.json",
    "terms.txt",
    "surfaces.txt",
    "pieces.json",
    "frequency.i64",
    "mean.f32",
    "centres.f32",
)
EARLY, STATIC, IDF = "early.f32", "static.f32", "idf.f16"
LAYERS = 10_000
"""Layers that a small query encoder may run, at most: more are taken for damage."""

TOKENIZER = "tokenizer.json"
SIDES = ("document", "query")
_NO_CENTRES = np.zeros((2, 0), dtype=np.float32)


@dataclass(frozen=True)
class Statistics:
    """All that a document's impacts depend on but the document: fitted once, then documents are written with it.

    :param config: The choices; the mix is a number.
    :param space: The known terms.
    :param collection: Sums over the collection that it was fitted to.
    :param adjustments: Of `document` and `query`, and where there are several document prompts of `document-2` and so
        on: embeddings under each have a mean of their own.
    :param quantizer: Weights to impacts.
    :param mean: Mean unit embedding of the collection's documents, shape (d,): what drift is measured from.
    :param known_share: Share of the collection's literal words, repetitions included, that are known terms.
    :param rare: Literal terms of the collection that are not known, for they stand in too few documents.
    :param mix: How the mix was chosen; None where it was given.
    :param centres: Mean embeddings of the collection's documents and of texts like queries, shape (2, d): cosines that
        rescore hits are seen from there. Shape (2, 0) where the index carries no embeddings.
    :param rescoring: For each query encoder, `none`, `full` and perhaps `static` and `small`, the cosine's weight
        beside the sparse score, the neighbours' weight, and how they were chosen; None without embeddings.
    :param early: The small query encoder; None where there is none.
    :param static: The static query encoder; None where there is none.
    """

    config: SparseConfig
    space: TermSpace
    collection: CollectionStatistics
    adjustments: dict[str, Adjustment]
    quantizer: Quantizer
    mean: Vectors
    known_share: float = 1.0
    rare: int = 0
    mix: dict[str, Any] | None = field(default=None)
    centres: Vectors = field(default_factory=lambda: _NO_CENTRES)
    rescoring: dict[str, Any] | None = field(default=None)
    early: EarlyHead | None = field(default=None)
    static: StaticHead | None = field(default=None)

    def save(self, folder: Path) -> Records:
        """Store it.

        :param folder: An empty folder.
        :return: The files' sizes and checksums.
        """
        about = {
            "config": self.config.as_dict(),
            "analyzer": self.space.analyzer.name if self.space.analyzer is not None else None,
            "documents": self.collection.documents,
            "length": self.collection.length,
            "adjustments": {side: adjustment.kind for side, adjustment in self.adjustments.items()},
            "quantizer": {"scale": self.quantizer.scale, "levels": self.quantizer.levels},
            "known_share": self.known_share,
            "rare": self.rare,
            "mix": self.mix,
            "rescoring": self.rescoring,
        }
        write_json(folder / ABOUT, about)
        _write_lines(folder / TERMS, list(self.space.terms))
        words = self.space.words if isinstance(self.space, JoinedSpace) else self.space
        if isinstance(words, WordSpace):
            _write_lines(folder / SURFACES, list(words.surfaces))
        pieces = self.space.pieces if isinstance(self.space, JoinedSpace) else self.space
        if isinstance(pieces, PieceTermSpace):
            stored = {"labels": list(pieces.labels), "term_of_piece": list(pieces.term_of_piece)}
            write_json(folder / PIECES, stored)
            (folder / TOKENIZER).write_text(pieces.tokenizer.to_str(), encoding="utf-8")
        (folder / FREQUENCY).write_bytes(self.collection.frequency.astype("<i8").tobytes())
        (folder / MEAN).write_bytes(self.mean.astype("<f4").tobytes())
        if self.early is not None:
            _write_map(folder / EARLY, self.early)
        if self.static is not None:
            _write_map(folder / STATIC, self.static.head)
            (folder / IDF).write_bytes(self.static.idf.astype("<f2").tobytes())
        if self.rescoring is not None:
            (folder / CENTRES).write_bytes(self.centres.astype("<f4").tobytes())
        for side, adjustment in self.adjustments.items():
            values = np.concatenate([[np.float32(adjustment.shift)], adjustment.vector])
            (folder / f"{side}.f32").write_bytes(values.astype("<f4").tobytes())
        return record(folder)


def load_statistics(files: CheckedFiles) -> Statistics:
    """Read statistics back; neither torch nor a JVM is loaded.

    :param files: The files of a folder that `Statistics.save` filled.
    :raises IndexFolderError: One is missing or damaged.
    """
    try:
        about = json.loads(files.read(ABOUT))
        config = SparseConfig(**about["config"])
        space = _LOADERS[config.terms](files, about)
        frequency = _array(files, FREQUENCY, "<i8")
        if len(frequency) != len(space.terms):
            raise ValueError
        return Statistics(
            config=config,
            space=space,
            collection=CollectionStatistics(int(about["documents"]), int(about["length"]), frequency),
            adjustments=_adjustments(files, about["adjustments"]),
            quantizer=Quantizer(float(about["quantizer"]["scale"]), int(about["quantizer"]["levels"])),
            mean=_array(files, MEAN, "<f4"),
            known_share=float(about["known_share"]),
            rare=int(about["rare"]),
            mix=about["mix"],
            centres=_NO_CENTRES if about["rescoring"] is None else _array(files, CENTRES, "<f4").reshape(2, -1),
            rescoring=about["rescoring"],
            early=load_early(files),
            static=load_static(files),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ConfigError):
        raise IndexFolderError(f"the statistics in {files.folder} are damaged: {REPAIR}") from None


def load_space(files: CheckedFiles) -> TermSpace:
    """Read the term space of statistics alone, which is what queries need.

    :param files: As in `load_statistics`.
    :raises IndexFolderError: A file is missing or damaged.
    """
    try:
        about = json.loads(files.read(ABOUT))
        return _LOADERS[about["config"]["terms"]](files, about)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise IndexFolderError(f"the statistics in {files.folder} are damaged: {REPAIR}") from None


def load_early(files: CheckedFiles) -> EarlyHead | None:
    """Read the small query encoder; None where there is none.

    :param files: As in `load_statistics`.
    :raises IndexFolderError: It is damaged.
    """
    if EARLY not in files:
        return None
    head = _read_map(files, EARLY)
    if not 1 <= head.depth <= LAYERS or len(head.mean) != 2 * len(head.offset):
        raise _damaged_map(files, EARLY)
    return head


def load_static(files: CheckedFiles) -> StaticHead | None:
    """Read the static query encoder; None where there is none.

    :param files: As in `load_statistics`.
    :raises IndexFolderError: It is damaged.
    """
    if STATIC not in files:
        return None
    head, idf = _read_map(files, STATIC), _array(files, IDF, "<f2").astype(np.float32)
    if head.depth or not len(idf) or idf.min() < 0:
        raise _damaged_map(files, STATIC)
    return StaticHead(idf, head)


def _write_map(file: Path, head: EarlyHead) -> None:
    parts = [np.array([head.depth]), head.mean, head.scale, head.offset, head.weights.ravel()]
    file.write_bytes(np.concatenate(parts).astype("<f4").tobytes())


def _read_map(files: CheckedFiles, name: str) -> EarlyHead:
    """Read a map to embeddings; its features are as many as its size tells.

    :raises IndexFolderError: It is damaged.
    """
    stored, size = _array(files, name, "<f4").astype(np.float32), _array(files, MEAN, "<f4").size
    features, rest = divmod(len(stored) - 1 - size, 2 + size)
    if features < 1 or rest:
        raise _damaged_map(files, name)
    depth, mean, scale, offset, weights = np.split(stored, np.cumsum([1, features, features, size]))
    return EarlyHead(int(depth[0]), mean, scale, weights.reshape(features, size), offset)


def _damaged_map(files: CheckedFiles, name: str) -> IndexFolderError:
    size = len(files.read(name))
    return IndexFolderError(f"{files.folder / name} is damaged (it holds {size:,} bytes of no query encoder): {REPAIR}")


class Rescoring(NamedTuple):
    """What rescoring by embeddings takes, as it was fitted.

    :param weight: The cosine's weight, 0 to 1; the sparse score has the rest. 0 without a query encoder.
    :param feedback: The weight of neighbours' scores, 0 to 1; the own score has the rest.
    :param centres: As in `Statistics`.
    """

    weight: float
    feedback: float
    centres: Vectors


def load_rescoring(files: CheckedFiles, encoder: str) -> Rescoring | None:
    """Read what rescoring takes; None where the index carries no embeddings.

    :param files: As in `load_statistics`.
    :param encoder: What encodes queries: `none`, `static`, `small` or `full`.
    :raises IndexFolderError: A file is missing or damaged.
    """
    try:
        about = json.loads(files.read(ABOUT))["rescoring"]
        if about is None:
            return None
        chosen, centres = about[encoder], _array(files, CENTRES, "<f4").reshape(2, -1)
        weight, feedback = float(chosen.get("weight", 0)), float(chosen["feedback"]["weight"])
        if not (0 <= weight <= 1 and 0 <= feedback < 1):
            raise ValueError
        return Rescoring(weight, feedback, centres)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise IndexFolderError(f"the statistics in {files.folder} are damaged: {REPAIR}") from None


def further_sides(each: Sequence[Vectors]) -> dict[str, Vectors]:
    """Name what belongs to the document prompts after the first one, as in `Statistics.adjustments`.

    :param each: What belongs to each.
    """
    return {f"{SIDES[0]}-{number}": own for number, own in enumerate(each, 2)}


def of_documents(adjustments: Mapping[str, Adjustment], inputs: Callable[[Vectors], Vectors]) -> tuple[Adjustment, ...]:
    """Return the adjustments of documents, one for each document prompt.

    :param adjustments: Of a `Statistics`.
    :param inputs: What embeddings go through first (see `Head.inputs`).
    """
    further = [f"{SIDES[0]}-{number}" for number in range(2, len(adjustments))]
    return tuple(adjustments[side].after(inputs) for side in (SIDES[0], *further))


def _adjustments(files: CheckedFiles, kinds: Mapping[str, str]) -> dict[str, Adjustment]:
    names = [*SIDES, *(f"{SIDES[0]}-{number}" for number in range(2, len(kinds)))]
    return {side: load_adjustment(files, side, kinds[side]) for side in names}


def load_adjustment(files: CheckedFiles, side: str, kind: str | None = None) -> Adjustment:
    """Read one side's adjustment.

    :param files: As in `load_statistics`.
    :param side: `document` or `query`.
    :param kind: Its kind, where it is known already.
    :raises IndexFolderError: A file is missing or damaged.
    """
    if kind is None:
        try:
            kind = str(json.loads(files.read(ABOUT))["adjustments"][side])
        except (ValueError, KeyError, TypeError, RecursionError):
            raise IndexFolderError(f"the statistics in {files.folder} are damaged: {REPAIR}") from None
    stored = _array(files, f"{side}.f32", "<f4")
    return Adjustment(kind, stored[1:].astype(np.float32), float(stored[0]) if len(stored) else 0.0)


def _words(files: CheckedFiles, about: dict[str, Any]) -> WordSpace:
    surfaces = _lines(files, SURFACES)
    terms = _lines(files, TERMS)[: len(surfaces)]
    if len(terms) != len(surfaces):
        raise ValueError
    return WordSpace.of(Vocabulary(terms, surfaces), open_analyzer(about["analyzer"] or DEFAULT))


def _pieces(kind: str, files: CheckedFiles, first: int = 0) -> PieceTermSpace:
    stored = json.loads(files.read(PIECES))
    terms = unmarked(_lines(files, TERMS)[first:])
    pieces = PieceSpace(terms, stored["labels"], stored["term_of_piece"])
    if len(pieces.terms) != len(pieces.labels) or any(number >= len(terms) for number in pieces.term_of_piece):
        raise ValueError
    return PieceTermSpace.of(kind, pieces, tokenizer_from(files.read(TOKENIZER)))


def _both(files: CheckedFiles, about: dict[str, Any]) -> JoinedSpace:
    words = _words(files, about)
    return JoinedSpace.of(words, _pieces("folded", files, len(words.terms)))


_LOADERS: dict[str, Callable[[CheckedFiles, dict[str, Any]], TermSpace]] = {
    "word": _words,
    "folded": lambda files, about: _pieces("folded", files),
    "token": lambda files, about: _pieces("token", files),
    "word+folded": _both,
}


def _write_lines(file: Path, values: list[str]) -> None:
    with file.open("w", encoding="utf-8", newline="\n") as lines:
        lines.writelines(value + "\n" for value in values)


def _lines(files: CheckedFiles, name: str) -> list[str]:
    text = files.read(name).decode()
    return text.split("\n")[:-1]


def _array(files: CheckedFiles, name: str, kind: str) -> npt.NDArray[Any]:
    raw = files.read(name)
    if len(raw) % np.dtype(kind).itemsize:
        raise IndexFolderError(f"{files.folder / name} is damaged (it holds {len(raw):,} bytes): {REPAIR}")
    values = np.frombuffer(raw, dtype=kind)
    if not np.isfinite(values).all():
        raise IndexFolderError(f"{files.folder / name} is damaged (it holds NaN or infinity): {REPAIR}")
    return values
