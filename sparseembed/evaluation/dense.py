"""Dense retrieval: exact inner products over unit vectors with FAISS."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sparseembed.engines.base import Hit, check_count
from sparseembed.errors import ConfigError, DataError, EmbedderError, EngineError, IndexFolderError
from sparseembed.extras import extra
from sparseembed.files import atomic_folder

_VECTORS, _IDS = "vectors.faiss", "ids.jsonl"
_ROWS = 4096  # rows, or queries, in hand at a time
_SLACK = 16  # hits fetched beyond k, to see whether the last place is contested
_MARGIN = 1e-5  # FAISS sums in float32: scores nearer to each other than this may stand in the wrong order


class DenseIndex:
    """Embeddings of a corpus, searched exactly by cosine.

    A score is the inner product of two unit float32 vectors, summed in float64 and rounded to float32. FAISS finds the
    candidates, and every one whose float32 sum is near the k-th is scored again, so that results do not depend on how
    queries are batched and equal vectors have equal scores. Ties are ordered by document id, ascending.

    Blank documents, and rows of zeros (which have no direction), are not in the index and never found.
    """

    def __init__(self, index: Any, ids: Sequence[str]) -> None:
        self._index = index
        self._ids = list(ids)
        # Each id's place among all, to break ties by: Python compares strings by code point, the order of UTF-8 bytes.
        self._order = np.empty(len(self._ids), dtype=np.int64)
        self._order[sorted(range(len(self._ids)), key=self._ids.__getitem__)] = np.arange(len(self._ids))

    @classmethod
    def build(cls, embeddings: np.ndarray, ids: Sequence[str], blank: np.ndarray | None = None) -> "DenseIndex":
        """Build an index in memory; any adjustment (centring) comes before.

        :param embeddings: (N, d) float32, one row a document, of any length: rows are normalised here.
        :param ids: the N document ids, each once.
        :param blank: (N,) bool, True for a document without text; None says that there is none.
        :return: the index.
        :raises DataError: if the numbers of rows, ids and flags differ, or an id stands twice.
        :raises EmbedderError: if a row that is not blank holds NaN or an infinite value; the document is named.
        """
        faiss = _faiss()

        embeddings = np.asarray(embeddings)
        if embeddings.ndim != 2 or embeddings.shape[1] < 1 or len(ids) != len(embeddings):
            raise DataError(
                f"{len(ids)} ids for embeddings of shape {embeddings.shape}: one row of (N, d) goes with each"
            )
        if len(set(ids)) != len(ids):
            raise DataError("the ids of a dense index are not unique: give each document an id of its own")
        kept = np.ones(len(ids), dtype=bool) if blank is None else ~np.asarray(blank, dtype=bool)
        if kept.shape != (len(ids),):
            raise DataError(
                f"{len(ids)} ids, but flags for blank documents of shape {kept.shape}: one goes with each id"
            )
        index = faiss.IndexFlatIP(embeddings.shape[1])
        found: list[str] = []
        for start in range(0, len(ids), _ROWS):
            places = start + np.flatnonzero(kept[start : start + _ROWS])
            names = [ids[place] for place in places.tolist()]
            units, nonzero = _units(embeddings[places], [f"document {name!r}" for name in names])
            index.add(units[nonzero])
            found += [names[row] for row in np.flatnonzero(nonzero)]
        return cls(index, found)

    @classmethod
    def open(cls, path: str | Path) -> "DenseIndex":
        """Open an index that :meth:`save` wrote.

        :param path: its folder.
        :return: the index, in memory.
        :raises IndexFolderError: if the folder is missing, damaged, or holds another kind of FAISS index.
        """
        faiss = _faiss()

        path = Path(path)
        if not (path / _VECTORS).is_file() or not (path / _IDS).is_file():
            raise IndexFolderError(f"no dense index in {path}: it holds no {_VECTORS} and {_IDS}; build it again")
        try:
            index = faiss.read_index(str(path / _VECTORS))
            with (path / _IDS).open(encoding="utf-8") as file:
                ids = [json.loads(line) for line in file]
        except (RuntimeError, ValueError, OSError, MemoryError) as error:  # a RecursionError is a RuntimeError
            raise IndexFolderError(f"the dense index {path} is damaged and cannot be read: build it again") from error
        if not isinstance(index, faiss.IndexFlatIP):
            raise IndexFolderError(f"{path / _VECTORS} is a {type(index).__name__}, not an IndexFlatIP: build it again")
        if index.ntotal != len(ids):
            raise IndexFolderError(
                f"the dense index {path} has {index.ntotal} vectors but {len(ids)} ids: build it again"
            )
        return cls(index, ids)

    def save(self, path: str | Path) -> None:
        """Write the index as a folder, made beside its place and moved there; an older dense index gives way.

        :param path: the folder.
        :raises IndexFolderError: if something else than a dense index stands there.
        :raises EngineError: if it cannot be written.
        """
        faiss = _faiss()

        path = Path(path)
        if path.exists() and not (path.is_dir() and {entry.name for entry in path.iterdir()} <= {_VECTORS, _IDS}):
            raise IndexFolderError(f"{path} exists and is no dense index: name another folder")
        try:
            with atomic_folder(path) as part:
                faiss.write_index(self._index, str(part / _VECTORS))
                (part / _IDS).write_bytes(b"".join(_id_lines(self._ids)))
        except (OSError, RuntimeError) as error:
            why = error.strerror if isinstance(error, OSError) else "FAISS could not write it (is the disk full?)"
            raise EngineError(
                f"cannot write the dense index {path}: {why}; make room or name another folder"
            ) from error

    def __len__(self) -> int:
        """Count the vectors: the documents that can be found."""
        return len(self._ids)

    @property
    def dimension(self) -> int:
        """The length d of a vector."""
        return int(self._index.d)

    @property
    def bytes(self) -> int:
        """The size of the saved index on disk, in bytes."""
        faiss = _faiss()

        header = len(faiss.serialize_index(faiss.IndexFlatIP(self.dimension)))
        return header + 4 * len(self) * self.dimension + sum(len(line) for line in _id_lines(self._ids))

    def search(self, vectors: np.ndarray, k: int) -> list[list[Hit]]:
        """Find each query's k nearest documents by cosine.

        :param vectors: (n, d), one row a query, of any length; a row of zeros finds nothing.
        :param k: how many hits a query gets at most; may be more than there are documents.
        :return: n lists of hits, best first, scores in -1..1.
        :raises ConfigError: if k is below 1 or the vectors are not (n, d).
        :raises EmbedderError: if a query holds NaN or an infinite value; its row is named.
        """
        check_count("k", k)
        vectors = np.asarray(vectors)
        if vectors.ndim != 2 or vectors.shape[1] != self.dimension:
            raise ConfigError(
                f"query embeddings of shape {vectors.shape} in a dense index of {self.dimension} dimensions: "
                f"give (n, {self.dimension}), encoded by the embedder that encoded the documents"
            )
        units, nonzero = _units(vectors, [f"the query in row {row}" for row in range(len(vectors))])
        results: list[list[Hit]] = [[] for _ in vectors]
        k = min(k, len(self))
        if k:
            for row, places in self._candidates(units, np.flatnonzero(nonzero), k):
                results[row] = self._rank(units[row], places, k)
        return results

    def _candidates(self, units: np.ndarray, pending: np.ndarray, k: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield each query's row with the places of all documents that may be among its k best."""
        width = min(k + _SLACK, len(self))
        while pending.size:
            contested = []
            for start in range(0, len(pending), _ROWS // 16):
                rows = pending[start : start + _ROWS // 16]
                scores, places = self._index.search(units[rows], width)
                settled = (scores[:, k - 1] - scores[:, -1] > _MARGIN) | (width == len(self))
                yield from zip(rows[settled].tolist(), places[settled], strict=True)
                contested.append(rows[~settled])
            pending = np.concatenate(contested)
            width = min(2 * width, len(self))

    def _rank(self, unit: np.ndarray, places: np.ndarray, k: int) -> list[Hit]:
        faiss = _faiss()

        stored = faiss.rev_swig_ptr(self._index.get_xb(), len(self) * self.dimension).reshape(len(self), -1)
        query = unit.astype(np.float64)
        # Multiplied and summed row by row: a matrix product may round equal rows differently by where they stand.
        blocks = [(stored[places[at : at + _ROWS]] * query).sum(axis=1) for at in range(0, len(places), _ROWS)]
        scores = np.concatenate(blocks).astype(np.float32)
        best = np.lexsort((self._order[places], -scores))[:k]
        names = [self._ids[place] for place in places[best].tolist()]
        return list(map(Hit, names, scores[best].tolist(), range(1, k + 1)))


def _faiss() -> Any:
    return extra("faiss", "eval", "dense retrieval")


def _id_lines(ids: Sequence[str]) -> Iterator[bytes]:
    # JSON, since an id may hold a line break.
    return (json.dumps(name).encode() + b"\n" for name in ids)


def _units(rows: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Scale rows to length 1, float32; also say which are not zero. Norms are taken in float64: no overflow."""
    wide = rows.astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(wide).all(axis=1))
    if bad.size:
        raise EmbedderError(
            f"the embedding of {names[bad[0]]} holds NaN or an infinite value: encode it again in float32"
        )
    norms = np.sqrt((wide * wide).sum(axis=1))
    nonzero = norms > 0
    wide[nonzero] /= norms[nonzero, None]
    return np.ascontiguousarray(wide, dtype=np.float32), nonzero
