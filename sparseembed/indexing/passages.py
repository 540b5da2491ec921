"""Embeddings of documents of which some have several passages, each with an embedding of its own.

There are two stores, one beside the other. Where passages have a size, the first store holds each document's first
passage and the other one all others. Where only texts are split that the embedder would cut, the first store is what it
is without passages, and the other one holds all passages of those texts. Both are resumed after a kill.

Where there are several document prompts, a text's embeddings under all of them stand side by side in its row. The one
under the first prompt is the text's embedding wherever one is asked for.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sparseembed.arrays import Ints, Vectors
from sparseembed.data.passages import AUTO, Span, Splitting
from sparseembed.data.sampling import stepped_places
from sparseembed.embedders.several import every_prompt
from sparseembed.embedders.shards import read_counts
from sparseembed.embedders.store import SHARD_SIZE, EmbeddingStore, Texts, encode_to_store
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.embedders.windows import TOO_LONG, Reach, fitting
from sparseembed.files import digest
from sparseembed.progress import note

BLOCK = 256  # embeddings of one document's passages held at once
PASSAGES = "passages"


class Split(NamedTuple):
    """Which texts have several passages.

    :param rows: Their places, ascending, shape (s,).
    :param offsets: Where the passages of each begin among all of them, shape (s + 1,).
    :param spans: Begin and end of each passage in its text, in characters, shape (m, 2).
    """

    rows: Ints
    offsets: Ints
    spans: Ints

    @classmethod
    def of(cls, found: Iterable[tuple[int, Sequence[Span]]]) -> "Split":
        """Put passages together.

        :param found: Places of texts, ascending, with the passages of each.
        """
        rows, ends, spans = [], [0], []
        for row, passages in found:
            rows.append(row)
            spans.append(np.asarray(passages, dtype=np.int64))
            ends.append(ends[-1] + len(passages))
        empty = np.zeros((0, 2), dtype=np.int64)
        return cls(np.asarray(rows, dtype=np.int64), np.asarray(ends, dtype=np.int64), np.concatenate([empty, *spans]))

    def place(self, row: int) -> int | None:
        """Return which of the split texts one is; None for a text of one passage."""
        place = int(np.searchsorted(self.rows, row))
        return place if place < len(self.rows) and self.rows[place] == row else None


class Several(NamedTuple):
    """A document's passages, of which there are more than one.

    :param spans: Begin and end of each in the document's text, in characters, shape (m, 2).
    :param store: Where their embeddings are.
    :param first: The row there of the first passage; none where all are in the other store.
    :param rest: Rows in the other store.
    """

    spans: Ints
    store: "PassagedStore"
    first: range
    rest: range

    def blocks(self) -> Iterator[Vectors]:
        """Yield the embeddings, some at a time, m in all."""
        for wide in self.wide_blocks():
            yield wide[:, : self.store.dimension]

    def wide_blocks(self) -> Iterator[Vectors]:
        """Yield the embeddings under each document prompt, shape (n, P d), some at a time, m rows in all."""
        assert self.store.rest is not None
        yield self.store.wide(np.asarray(self.first, dtype=np.int64))
        for start in range(self.rest.start, self.rest.stop, BLOCK):
            yield self.store.rest.rows(start, min(start + BLOCK, self.rest.stop))

    def mean(self) -> Vectors:
        """Return the mean embedding, shape (d,), without blank passages."""
        total, count = np.zeros(self.store.dimension), 0
        for vectors in self.blocks():
            total += vectors.sum(axis=0, dtype=np.float64)
            count += int(vectors.any(axis=1).sum())
        mean: Vectors = (total / max(1, count)).astype(np.float32)
        return mean


class PassagedStore(EmbeddingStore):
    """The embeddings of documents: one row a document, and all passages of those that have several.

    A document's row is the mean of its passages' embeddings; with one passage it is the embedding itself.
    """

    def __init__(
        self, folder: Path, splitting: Splitting, split: Split, rest: EmbeddingStore | None = None, prompts: int = 1
    ) -> None:
        """Take the stores.

        :param folder: The complete store of first passages.
        :param splitting: How texts were split.
        :param split: Which documents have several passages.
        :param rest: The embeddings of their other passages, in order; None where there are none.
        :param prompts: Document prompts P: embeddings of a text, side by side in a row.
        :raises DataError: The folder holds no complete store.
        """
        super().__init__(folder)
        self.splitting, self.split, self.rest, self.prompts = splitting, split, rest, prompts
        self.unsplit = folder.parent.parent if splitting.sized else folder.parent
        """Where the folder of a splitting has its place beside others."""

    def several(self, row: int) -> Several | None:
        """Return the passages of a document; None where it has one."""
        place = self.split.place(row)
        if place is None:
            return None
        begin, end = self.split.offsets[place : place + 2].tolist()
        spans = self.split.spans[begin:end]
        if self.splitting.sized:
            return Several(spans, self, range(row, row + 1), range(begin - place, end - place - 1))
        return Several(spans, self, range(0), range(begin, end))

    def several_of(self, rows: Iterable[int]) -> dict[int, Several]:
        """Return the passages of those of some documents that have several, by place among them."""
        if not len(self.split.rows):
            return {}
        found = ((place, self.several(row)) for place, row in enumerate(rows))
        return {place: several for place, several in found if several is not None}

    @property
    def dimension(self) -> int:
        """Length d of an embedding."""
        return self._dimension // self.prompts

    def wide(self, rows: Ints) -> Vectors:
        """Return rows of the first store as they are, shape (n, P d); else as `take`."""
        return super().take(rows)

    def first(self, rows: Ints) -> Vectors:
        """Return rows of the first store, under the first prompt; parameters and errors are those of `take`."""
        return self.wide(rows)[:, : self.dimension]

    def take(self, rows: Ints) -> Vectors:
        """Return one embedding a document; parameters and errors are those of `EmbeddingStore.take`."""
        vectors = np.ascontiguousarray(self.first(rows))
        for place, several in self.several_of(rows.tolist()).items():
            vectors[place] = several.mean()
        return vectors

    def blocks(self, size: int) -> Iterator[tuple[int, Vectors]]:
        """Give the rows of the first store, under the first prompt; see `EmbeddingStore.blocks`."""
        for start, vectors in super().blocks(size):
            yield start, vectors[:, : self.dimension]

    def sample(self, count: int) -> Vectors:
        """Return an even sample of passages, about so many, or all, under each prompt: shape (n, P d).

        Where only texts that are too long are split, it is the same as without splitting.
        """
        if not self.splitting.sized or self.rest is None:
            return self.wide(np.asarray(stepped_places(len(self), count), dtype=np.int64))
        places = np.asarray(stepped_places(len(self) + len(self.rest), count), dtype=np.int64)
        own = places < len(self)
        return np.concatenate([self.wide(places[own]), self.rest.take(places[~own] - len(self))])

    @property
    def cut(self) -> int:
        """How many texts are not embedded to their end."""
        cut = int(self.about["cut"]) + (int(self.rest.about["cut"]) if self.rest is not None else 0)
        # In the first store such a text is cut; it is whole in the other one.
        return cut if self.splitting.sized else max(0, cut - len(self.split.rows))


def encode_passages(
    folder: Path, texts: Texts, embedder: TransformerEmbedder, splitting: Splitting, redo: bool = False
) -> PassagedStore:
    """Encode documents, and the passages of those that have several; or go on, or reuse what is there.

    :param folder: Where the documents' store is or shall be; the other passages' is beside it.
    :param texts: The documents.
    :param embedder: By what; under all of its document prompts.
    :param splitting: How they are split.
    :param redo: As in `encode_to_store`.
    :return: The complete stores.
    :raises DataError: As in `encode_to_store`.
    :raises EmbedderError: As in `encode_to_store`.
    :raises IndexFolderError: As in `encode_to_store`.
    """
    filling, prompts = every_prompt(embedder), len(embedder.spec.document_prompts)
    if splitting.sized:
        folder = folder.parent / str(splitting).replace("/", "-").replace(":", "-") / folder.name
        split = Split.of(_sized(texts.texts, splitting, embedder.reach))
        key = digest([texts.fingerprint, str(splitting), split.spans.tolist()])
        firsts = Texts(texts.name, key, texts.ids, _Pieces(texts, split, slice(0, 1), whole=True))
        encode_to_store(folder, firsts, filling, "document", redo)
        others = slice(1, None)
    else:
        cut = encode_to_store(folder, texts, filling, "document", redo)
        split = Split.of(_beyond(texts.texts, cut, embedder.reach) if splitting.unit == AUTO else ())
        others = slice(None)
    if not len(split.rows):
        return PassagedStore(folder, splitting, split, prompts=prompts)
    spans = split.spans.tolist()
    edges = zip(split.rows.tolist(), pairwise(split.offsets.tolist()), strict=True)
    ids = [
        f"{texts.ids[row]} {begin}-{end}" for row, (first, last) in edges for begin, end in spans[first:last][others]
    ]
    given = Texts(f"passages of {texts.name}", digest([texts.fingerprint, spans]), ids, _Pieces(texts, split, others))
    rest = encode_to_store(folder.parent / f"{folder.name}-{PASSAGES}", given, filling, "document", redo)
    why = "" if splitting.sized else " longer than the embedder takes"
    note(f"{len(split.rows):,} of {len(texts.ids):,} texts{why} are split into {len(spans):,} passages")
    return PassagedStore(folder, splitting, split, rest, prompts)


class _Pieces:
    """Passages of texts; can be iterated over again."""

    def __init__(self, texts: Texts, split: Split, which: slice, whole: bool = False) -> None:
        """Take the texts.

        :param texts: The texts.
        :param split: Which of them have several passages.
        :param which: Which of its passages each of those gives.
        :param whole: Whether the texts of one passage are given too.
        """
        self._texts, self._split, self._which, self._whole = texts, split, which, whole

    def __iter__(self) -> Iterator[str]:
        for row, text in enumerate(self._texts.texts):
            place = self._split.place(row)
            if place is not None:
                first, last = self._split.offsets[place : place + 2].tolist()
                for begin, end in self._split.spans[first:last][self._which].tolist():
                    yield text[begin:end]
            elif self._whole:
                yield text


def _sized(texts: Iterable[str], splitting: Splitting, reach: Reach) -> Iterator[tuple[int, list[Span]]]:
    """Yield the texts of several passages of a size; those that are still too long for the embedder are split again."""
    for row, text in enumerate(texts):
        parts = fitting(text, splitting, reach) if text else []
        if len(parts) > 1:
            yield row, parts


def _beyond(texts: Iterable[str], store: EmbeddingStore, reach: Reach) -> Iterator[tuple[int, list[Span]]]:
    """Yield the texts that the embedder cuts; only the shards of the store that say so are looked at."""
    if not store.about["cut"]:
        return
    stream = iter(texts)
    for start in range(0, len(store), SHARD_SIZE):
        block = list(islice(stream, SHARD_SIZE))
        if not read_counts(store.folder, start // SHARD_SIZE).cut:
            continue
        for place, taken in enumerate(reach(block)):
            if taken is not None:
                spans = fitting(block[place], TOO_LONG, reach)
                if len(spans) > 1:
                    yield start + place, spans
