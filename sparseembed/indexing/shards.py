"""One index from parts that were built apart: on several machines, or one after the other."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from sparseembed.data.corpus import Corpus, Document
from sparseembed.errors import ConfigError, IndexFolderError
from sparseembed.exports.sink import Exported, documents_of
from sparseembed.files import digest
from sparseembed.index.block import Block
from sparseembed.index.joined import in_order
from sparseembed.index.manifest import FILE, Manifest
from sparseembed.index.segment.merge import merge_segments
from sparseembed.index.snapshot import Snapshot, open_snapshot
from sparseembed.index.transaction import Transaction
from sparseembed.indexing.commit import segment_entry, split_counts
from sparseembed.outputs import check_output_folder
from sparseembed.progress import note, track

BLOCK = 512


class Shard(NamedTuple):
    """One of the parts that a corpus is cut into, of nearly equal sizes.

    :param number: From 1.
    :param of: How many parts.
    """

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `I/N`.

        :raises ConfigError: It is something else.
        """
        number, _, of = text.partition("/")
        if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
            raise ConfigError(f"a shard is I/N, part I of N, such as 1/4, and not {text!r}")
        return cls(int(number), int(of))

    def span(self, documents: int) -> tuple[int, int]:
        """Return the places of its first document and of the first that is behind it."""
        return (self.number - 1) * documents // self.of, self.number * documents // self.of

    def take(self, corpus: Corpus) -> Corpus:
        """Return its documents as a corpus.

        :raises ConfigError: The corpus has fewer documents than there are parts.
        """
        first, last = self.span(len(corpus))
        if first == last:
            raise ConfigError(f"{corpus.name} has {len(corpus):,} documents, too few for {self.of} parts")

        def documents() -> Iterator[Document]:
            return islice(iter(corpus), first, last)

        return Corpus(documents, f"{corpus.name}-{self.number}-of-{self.of}", f"{corpus.identity}[{first}:{last}]")


def merge_indexes(parts: Sequence[str | Path], out: str | Path, overwrite: bool = False) -> Manifest:
    """Join the parts of an index: the segment is, byte for byte, that of one build with the same statistics.

    :param parts: The folders of all parts, in any order.
    :param out: Folder of the index.
    :param overwrite: Whether an index that stands there is replaced.
    :return: The manifest.
    :raises ConfigError: Parts are missing, or stand there twice.
    :raises IndexFolderError: One is no part, or is of another index; or `out` holds something.
    """
    path = check_output_folder(Path(out))
    opened = [open_snapshot(Path(part)) for part in parts]
    try:
        ordered = _checked(opened)
        with Transaction(path, "a merged index") as transaction:
            standing = transaction.manifest
            if standing is not None and not overwrite and _is_join(standing, ordered):
                note(f"reusing the index in {out}")
                return standing
            if (path / FILE).exists() and not overwrite:
                raise IndexFolderError(f"{out} holds an index: pass --overwrite to replace it, or another --out")
            manifest = _merge(ordered, transaction)
    finally:
        for snapshot in opened:
            snapshot.close()
    note(f"merged {len(ordered)} parts: {manifest.counts['documents']:,} documents; wrote {out}")
    return manifest


def _checked(parts: Sequence[Snapshot]) -> list[Snapshot]:
    """Return the parts in their order, all of one index."""
    if not parts:
        raise ConfigError("no parts of an index are named: give the folders of all")
    for part in parts:
        if part.manifest.shard is None:
            raise IndexFolderError(f"{part.path} is no part of an index: build parts with index --shard I/N")
    return in_order(parts)


def _is_join(standing: Manifest, parts: list[Snapshot]) -> bool:
    """Say whether an index is what these parts make: an earlier call was interrupted when it was done."""
    first = parts[0].manifest
    return (
        standing.recipe() == first.recipe()
        and standing.statistics["files"] == first.statistics["files"]
        and standing.shard is None
        and not standing.updates
        and _counts(parts).items() <= standing.counts.items()
    )


def _counts(parts: list[Snapshot]) -> dict[str, int]:
    names = ("documents", "blank", "cut", "empty_vectors", "postings")
    sums = {name: sum(part.manifest.counts[name] for part in parts) for name in names}
    split = (sum(part.manifest.counts.get(name, 0) for part in parts) for name in ("split", "passages"))
    return sums | split_counts(*split)


def _merge(parts: list[Snapshot], transaction: Transaction) -> Manifest:
    first = parts[0].manifest
    folder = transaction.new_folder("fit")
    folder.mkdir()
    for name in first.statistics["files"]:
        (folder / name).write_bytes(parts[0].statistics_files.read(name))
    fitted = {"folder": folder.name, "files": first.statistics["files"]}
    place = transaction.new_folder("segment")
    readers = [segment for part in parts for segment in part.segments]
    deleted = [flags for part in parts for flags in part.deleted]
    bits = int(first.quantizer["levels"]).bit_length()
    info = merge_segments(readers, deleted, place, bits)
    lucene = transaction.lucene(fresh=True)
    with track("merging", info.documents, "documents") as bar:
        for part in parts:
            for block in _blocks(part):
                lucene.add(block)
                bar.update(len(block.ids))
    lucene.merge()
    segments = [segment_entry(place, info)]
    return transaction.publish(
        first.but(
            build=digest([first.recipe(), fitted["files"], [segment["files"] for segment in segments]])[:32],
            generation=transaction.generation,
            counts={**_counts(parts), "terms": info.terms},
            statistics=fitted,
            segments=segments,
            lucene={},
            embeddings=list(dict.fromkeys(name for part in parts for name in part.manifest.embeddings)),
            shard=None,
        )
    )


def _blocks(part: Snapshot) -> Iterator[Block]:
    """Yield the documents of a part in blocks, each with terms of its own."""
    documents = documents_of(part)
    while some := list(islice(documents, BLOCK)):
        yield _block(some)


def _block(documents: Sequence[Exported]) -> Block:
    number: dict[str, int] = {}
    terms = [number.setdefault(term, len(number)) for document in documents for term in document.impacts]
    impacts = [impact for document in documents for impact in document.impacts.values()]
    indptr = np.cumsum([0, *(len(document.impacts) for document in documents)], dtype=np.int64)
    return Block(
        [document.id for document in documents],
        [document.text for document in documents],
        indptr,
        np.asarray(terms, dtype=np.int32),
        np.asarray(impacts, dtype=np.uint16),
        (),
        list(number),
    )
