"""The texts of a store's shards, encoded one shard at a time: here, or in other processes."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

from sparseembed.embedders.shards import Counts, read_counts, texts_sum, write_shard
from sparseembed.embedders.spec import EmbedderSpec
from sparseembed.embedders.texts import Texts
from sparseembed.embedders.transformer import Encoded
from sparseembed.errors import DataError


class Embedder(Protocol):
    """What makes the vectors of a store."""

    spec: EmbedderSpec

    @property
    def dimension(self) -> int:
        """Length d of the vectors."""

    @property
    def limit(self) -> int:
        """Tokens that a prompted text may have."""

    def identity(self, side: str | None = None) -> dict[str, Any]:
        """Return what decides the vectors."""

    def encode_counted(self, texts: Sequence[str], side: str, names: Sequence[str] | None) -> Encoded:
        """Embed texts."""


class Block(NamedTuple):
    """The texts of one shard.

    :param number: The shard's number, from 0.
    :param ids: Ids of the texts, n of them.
    :param texts: The texts.
    :param fingerprint: `texts_sum` of both.
    """

    number: int
    ids: Sequence[str]
    texts: list[str]
    fingerprint: str


class Spread(Protocol):
    """An embedder that encodes in several processes."""

    def encode_blocks(self, folder: Path, blocks: Iterable[Block], side: str) -> Iterator[Block]:
        """Let `encode_block` be called for each block, somewhere.

        :param folder: The store.
        :param blocks: What is missing there; read as far as there is somebody to encode it.
        :param side: `document` or `query`.
        :return: The blocks, in any order, each when its shard is written.
        """


def missing_blocks(folder: Path, texts: Texts, size: int, whole: Sequence[bool]) -> Iterator[Block]:
    """Yield the blocks of texts whose shards are not there; all texts are gone through.

    :param folder: The store.
    :param texts: All its texts.
    :param size: Texts of a shard.
    :param whole: For each shard, whether there is a whole one.
    :raises DataError: The texts are others than at first.
    """
    changed = DataError(f"{texts.name} changed while they were encoded: run the same encode again")
    stream, count = iter(texts.texts), len(texts.ids)
    for number, there in enumerate(whole):
        start, stop = number * size, min((number + 1) * size, count)
        ids, block = texts.ids[start:stop], list(islice(stream, stop - start))
        if len(block) < stop - start:
            raise changed
        expected = texts_sum(ids, block)
        # A shard may have been made while a source was being changed: its texts are not ours then.
        if not there or read_counts(folder, number).texts not in (None, expected):
            yield Block(number, ids, block, expected)
    if next(stream, None) is not None:
        raise changed


def encode_blocks(folder: Path, blocks: Iterable[Block], embedder: Embedder, side: str) -> Iterator[Block]:
    """Encode blocks of texts into a store, here or wherever the embedder has them encoded.

    :return: Each block, when its shard is written.
    """
    spread: Spread | None = getattr(embedder, "encode_blocks", None) and cast(Spread, embedder)  # or what wraps one
    if spread is not None:
        yield from spread.encode_blocks(folder, blocks, side)
        return
    for block in blocks:
        encode_block(folder, block, embedder, side)
        yield block


def encode_block(folder: Path, block: Block, embedder: Embedder, side: str) -> None:
    """Encode the texts of a shard and write it: the same bytes whoever does it.

    :param folder: The store.
    :param block: The texts.
    :param embedder: By what.
    :param side: `document` or `query`.
    :raises EmbedderError: The model failed.
    """
    encoded = embedder.encode_counted(block.texts, side, block.ids)
    blank = sum(not text.strip() for text in block.texts)
    write_shard(folder, block.number, encoded.vectors, Counts(encoded.tokens, encoded.cut, blank, block.fingerprint))
