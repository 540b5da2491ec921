"""Row 2: weighing, quantising and writing for both engines, against Anserini's IndexCollection on the same vectors."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from efficiency_rows.measure import in_turns
from efficiency_rows.row import Row
from efficiency_rows.stub import stub_embedder
from efficiency_rows.workplace import Workplace
from sparseembed.data.resolve import open_corpus
from sparseembed.embedders.store import EmbeddingStore
from sparseembed.exports.jsonl import JsonlSink
from sparseembed.exports.sink import documents_of
from sparseembed.index.block import Block
from sparseembed.index.eight_bits import eight_bits
from sparseembed.index.lucene_reader import LuceneReader
from sparseembed.index.lucene_writer import LuceneStore
from sparseembed.index.snapshot import open_snapshot
from sparseembed.index.statistics import Statistics
from sparseembed.indexing.fit import sparsifier_of
from sparseembed.indexing.write import new_segment, quantised
from sparseembed.progress import note
from sparseembed.sparse.sparsify import Decoded

SHARE = 0.2
BLOCK = 512  # documents


class Prepared(NamedTuple):
    """Documents whose terms are counted and decoded, on their way to be weighed."""

    ids: list[str]
    texts: list[str]
    counted: Any
    aligned: Any
    vectors: Any


class Writing:
    """The work that is measured, on one index's documents."""

    def __init__(self, place: Workplace, documents: int) -> None:
        """Count and decode the documents, and write their vectors for Anserini."""
        self.folder = place.folder / "writing"
        self.folder.mkdir(exist_ok=True)
        self.snapshot = open_snapshot(place.index(documents))
        embedder = stub_embedder(place.embedder)
        self.statistics: Statistics = self.snapshot.statistics()
        self.sparsifier = sparsifier_of(self.statistics, embedder)
        corpus = open_corpus(str(place.corpus(documents)))
        store = EmbeddingStore(place.folder / f"store-{documents}" / "documents")
        self.prepared = [
            Prepared(
                [each.id for each in block],
                [each.contents for each in block],
                self.statistics.space.count([each.contents for each in block]),
                self.sparsifier.decode(vectors),
                vectors,
            )
            for block, (_, vectors) in zip(corpus.batches(BLOCK), store.blocks(BLOCK), strict=True)
        ]
        self.postings = self.snapshot.manifest.counts["postings"]
        with JsonlSink(self.folder / "jsonl") as sink:
            for document in documents_of(self.snapshot):
                sink.add(document)

    def blocks(self) -> Iterator[Block]:
        """Weigh and quantise."""
        terms = self.statistics.space.terms
        for ids, texts, counted, aligned, vectors in self.prepared:
            weighted = self.sparsifier.weigh(counted.counts, Decoded(aligned, {}))
            rows = eight_bits(vectors, self.statistics.centres[0])
            yield Block(ids, texts, *quantised(weighted, self.statistics), terms, counted.unknown, rows)

    def ours(self) -> None:
        """Weigh, quantise, and write for both engines, texts included."""
        with (
            self._fresh("segment") as folder,
            self._fresh("lucene") as lucene,
            new_segment(folder, self.statistics) as segment,
            LuceneStore.create(lucene) as store,
        ):
            for block in self.blocks():
                segment.add(block)
                store.add(block)
            segment.finish()
            store.merge()
            store.commit()

    def weighing(self) -> None:
        """Weigh and quantise alone."""
        for _ in self.blocks():
            pass

    def native(self) -> None:
        """Weigh, quantise, and write for the native engine alone."""
        with self._fresh("segment") as folder, new_segment(folder, self.statistics) as segment:
            for block in self.blocks():
                segment.add(block)
            segment.finish()

    def anserini(self) -> None:
        """Index the same vectors as Anserini does, with one thread; texts are not stored."""
        with self._fresh("anserini") as folder:
            index_collection(self.folder / "jsonl", folder)

    def check(self) -> None:
        """Make sure that Anserini has indexed all documents that have a vector."""
        with self._fresh("anserini") as folder:
            index_collection(self.folder / "jsonl", folder)
            reader = LuceneReader(folder)
            counts = self.snapshot.manifest.counts
            expected = counts["documents"] - counts["empty_vectors"]
            if reader.documents != expected:
                raise RuntimeError(f"Anserini indexed {reader.documents} documents, not {expected}")
            reader.close()

    @contextmanager
    def _fresh(self, name: str) -> Iterator[Path]:
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        yield folder
        shutil.rmtree(folder, ignore_errors=True)


def index_collection(source: Path, index: Path, threads: int = 1, memory: int = 512) -> None:
    """Run Anserini's IndexCollection on a folder of JSONL vectors, in this process's Java machine.

    :param source: The folder.
    :param index: Where to write.
    :param threads: Its threads.
    :param memory: Megabytes of its buffer.
    """
    from sparseembed.java.jvm import java
    from sparseembed.java.threads import call

    def run() -> None:
        arguments = java("io.anserini.index.IndexCollection$Args")()
        arguments.collectionClass, arguments.generatorClass = "JsonVectorCollection", "DefaultLuceneDocumentGenerator"
        arguments.input, arguments.index = str(source), str(index)
        arguments.threads, arguments.memoryBuffer = threads, memory
        arguments.impact = arguments.pretokenized = arguments.optimize = arguments.quiet = True
        java("io.anserini.index.IndexCollection")(arguments).run()

    call(run)


def measure(place: Workplace) -> list[Row]:
    """Measure the row."""
    documents = 200 if place.quick else 5_000
    work = Writing(place, documents)
    note(f"writing {documents:,} documents, again and again, beside Anserini")
    work.check()
    took = in_turns(
        {"ours": work.ours, "Anserini": work.anserini, "weighing": work.weighing, "native": work.native},
        1 if place.quick else 3,
    )
    return [
        Row(
            "write", f"weigh, quantise, native segment, Lucene, texts; {documents:,} documents x "
            f"{work.postings / documents:,.0f} postings ({kind})",
            ours, "Anserini's IndexCollection, same vectors, one thread, no texts", other, "s", f"at most {SHARE}",
            ours.median / other.median <= SHARE,
            {"weighing_s": took["weighing"].cpu.median, "weighing_and_native_s": took["native"].cpu.median},
        )
        for kind, ours, other in (
            ("wall", took["ours"].wall, took["Anserini"].wall),
            ("CPU", took["ours"].cpu, took["Anserini"].cpu),
        )
    ]  # fmt: skip
