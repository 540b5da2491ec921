"""One change of an index in the making: segments, deletions, Lucene and the manifest that belong together."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from sparseembed.data.corpus import Corpus, Document
from sparseembed.data.metadata import packed, unpacked
from sparseembed.data.passages import Splitting
from sparseembed.embedders.store import Texts
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.errors import ConfigError, DataError
from sparseembed.files import cache_folder, digest
from sparseembed.index.manifest import Manifest, read_manifest
from sparseembed.index.segment.merge import merge_segments
from sparseembed.index.segment.reader import SegmentReader
from sparseembed.index.snapshot import Snapshot, open_snapshot
from sparseembed.index.statistics import Statistics
from sparseembed.index.tombstones import Flags, write_tombstones
from sparseembed.index.transaction import Transaction
from sparseembed.indexing.build import write_index
from sparseembed.indexing.commit import segment_entry, split_counts
from sparseembed.indexing.drift import Drift, measure_drift
from sparseembed.indexing.encoding import EncodedCorpus, encode_query_like
from sparseembed.indexing.fit import fit, sparsifier_of
from sparseembed.indexing.passages import PassagedStore, encode_passages
from sparseembed.indexing.recall import Recalling
from sparseembed.indexing.stores import store_names
from sparseembed.indexing.write import DocumentWriter, Source, Written, new_segment
from sparseembed.progress import note, track
from sparseembed.sparse.config import SparseConfig

GROWTH = 4  # the last segment is merged with the one before while that is not so many times as large


class Change:
    """One commit in the making."""

    def __init__(self, path: Path, what: str) -> None:
        self.path = path
        read_manifest(path)  # there is an index: nothing is made here
        self._transaction = Transaction(path, what)
        try:
            self.manifest = self._transaction.manifest or read_manifest(path)
            if self.manifest.shard is not None:
                raise ConfigError(f"{path} is one part of an index: merge the parts with sparseembed merge first")
            self.snapshot: Snapshot = open_snapshot(path)
        except BaseException:
            self._transaction.__exit__(None, None, None)
            raise
        self._entries = [dict(entry) for entry in self.manifest.segments]
        self._deleted: list[Flags | None] = [None if each is None else each.copy() for each in self.snapshot.deleted]
        self._changed: set[int] = set()
        self._blank = 0  # of the deleted documents; these have no postings
        self._split = np.zeros(2, dtype=np.int64)  # documents of several passages, and these, come and gone
        self._lucene: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.snapshot.close()
        self._transaction.__exit__(kind, error, trace)

    @property
    def lucene(self) -> Any:
        """Lucene's part of the index, opened for writing when first needed."""
        if self._lucene is None:
            self._lucene = self._transaction.lucene(fresh=False)
        return self._lucene

    def delete(self, ids: Sequence[str]) -> None:
        """Mark documents as deleted."""
        if not ids:
            return
        for doc_id in ids:
            place = self.snapshot.place(doc_id)
            flags = self._deleted[place.segment]
            if flags is None:
                flags = self._deleted[place.segment] = np.zeros(
                    self.snapshot.segments[place.segment].documents, dtype=np.bool_
                )
            flags[place.number] = True
            self._blank += not self.snapshot.segments[place.segment].text(place.number).strip()
            passages = self.snapshot.segments[place.segment].passages(place.number)
            self._split += np.asarray([-1, -len(passages.spans)] if passages is not None else [0, 0])
            self._changed.add(place.segment)
        self.lucene.delete(ids)

    def write(self, corpus: Corpus, store: PassagedStore, embedder: TransformerEmbedder) -> Drift:
        """Write documents as a new segment."""
        statistics = self.snapshot.statistics()
        place = self._transaction.new_folder("segment")
        with new_segment(place, statistics) as segment, track("adding", len(corpus), "documents") as bar:
            writer = DocumentWriter(statistics, sparsifier_of(statistics, embedder), segment, self.lucene)
            for documents, vectors, several in Source(corpus, store).blocks():
                metadata = [packed(each.metadata) for each in documents]
                ids, texts = [each.id for each in documents], [each.contents for each in documents]
                writer.add(ids, texts, vectors, several, metadata)
                bar.update(len(documents))
            info = segment.finish()
        self._entries.append(segment_entry(place, info))
        self._deleted.append(None)
        self._written = writer.written
        self._split += np.asarray([writer.written.split, writer.written.passages])
        return measure_drift(statistics, writer.written)

    def settle(self) -> None:
        """Merge the last segments while they are of like sizes, so that their number stays small."""
        sizes = [entry["documents"] for entry in self._entries]
        first = len(sizes) - 1
        while first and sizes[first - 1] < GROWTH * sum(sizes[first:]):
            first -= 1
        if first < len(sizes) - 1:
            self._merge(first)

    def _merge(self, first: int) -> None:
        """Merge the segments from one on."""
        place = self._transaction.new_folder("segment")
        readers = [SegmentReader(self.path / entry["folder"]) for entry in self._entries[first:]]
        try:
            info = merge_segments(
                readers, self._deleted[first:], place, int(self.manifest.quantizer["levels"]).bit_length()
            )
        finally:
            for reader in readers:
                reader.close()
        self._entries[first:] = [segment_entry(place, info)]
        self._deleted[first:] = [None]
        self._changed -= set(range(first, first + len(readers)))

    def compact(self) -> Manifest:
        """Merge all segments, where there are several or some documents are deleted."""
        if len(self._entries) == 1 and self._deleted[0] is None:
            return self.manifest
        self._merge(0)
        self.lucene.merge()
        return self.publish()

    def publish(
        self, added: int = 0, deleted: int = 0, drift: Drift | None = None, store: PassagedStore | None = None
    ) -> Manifest:
        """Make the change visible."""
        for number in self._changed:
            flags = self._deleted[number]
            assert flags is not None
            name = self._transaction.new_tombstones()
            self._entries[number]["deleted"] = write_tombstones(self.path, name, flags)
        before, counts = self.manifest.updates, dict(self.manifest.counts)
        written: Written | None = getattr(self, "_written", None)
        live = sum(each["documents"] - (each["deleted"] or {"count": 0})["count"] for each in self._entries)
        counts |= {"documents": live, "postings": sum(each["postings"] for each in self._entries)}
        counts["terms"] = max((each["terms"] for each in self._entries), default=0)
        split = self._split + np.asarray([counts.pop("split", 0), counts.pop("passages", 0)])
        counts |= split_counts(*split.tolist())
        counts["blank"] -= self._blank
        counts["empty_vectors"] -= self._blank
        if written is not None:
            counts["blank"] += written.blank
            counts["empty_vectors"] += written.empty
        if store is not None:
            counts["cut"] += store.cut
        updates = {
            "added": before.get("added", 0) + added,
            "deleted": before.get("deleted", 0) + deleted,
            "drift": (drift.joined(before.get("drift")) if drift else Drift(**before["drift"]))._asdict()
            if drift or before.get("drift")
            else None,
        }
        stores = [*self.manifest.embeddings, *(store_names(store) if store is not None else [])]
        manifest = self.manifest.but(
            generation=self._transaction.generation,
            counts=counts,
            segments=self._entries,
            embeddings=list(dict.fromkeys(stores)),
            updates=updates if updates["added"] or updates["deleted"] else {},
        )
        return self._transaction.publish(manifest)

    def corpus(self) -> Corpus:
        """Return what the index holds, without the deleted documents; titles stand in the texts.

        :raises DataError: It holds nothing.
        """
        snapshot = self.snapshot

        def documents() -> Iterable[Document]:
            for segment, deleted in zip(snapshot.segments, snapshot.deleted, strict=True):
                rows = zip(segment.raw_ids(), segment.raw_texts(), segment.raw_metadata(), strict=True)
                for number, (doc_id, text, metadata) in enumerate(rows):
                    if deleted is None or not deleted[number]:
                        yield Document(doc_id.decode(), "", text.decode(), unpacked(metadata))

        return Corpus(documents, self.manifest.corpus["name"], f"index:{self.manifest.build}")

    def publish_statistics(self, statistics: Statistics) -> Manifest:
        """Put statistics that differ in the small query encoder alone in the place of the others."""
        folder = self._transaction.new_folder("fit")
        folder.mkdir()
        fitted = {"folder": folder.name, "files": statistics.save(folder)}
        manifest = self.manifest.but(
            generation=self._transaction.generation, statistics=fitted, rescoring=statistics.rescoring
        )
        return self._transaction.publish(manifest)

    def refit(self, embedder: TransformerEmbedder) -> Manifest:
        """Fit and write anew what the index holds.

        :raises DataError: It holds nothing.
        """
        if not self.manifest.counts["documents"]:
            raise DataError(f"{self.path} holds no documents to fit statistics to: add some first")
        manifest, corpus = self.manifest, self.corpus()
        recalling = Recalling.of(manifest, embedder)
        config = SparseConfig(**manifest.sparse)
        note(f"{recalling.known(corpus.ids):,} of {len(corpus):,} documents have their embeddings in the cache")
        kept = encode_added(corpus, recalling, config.passages)
        # The place is the index's, whose documents are others each time.
        encoded = EncodedCorpus(kept, encode_query_like(corpus, embedder, redo=True))
        statistics = fit(corpus, encoded, embedder, config)
        source = Source(corpus, encoded.documents)
        return write_index(self._transaction, source, embedder, config, statistics)


def encode_added(corpus: Corpus, embedder: TransformerEmbedder, passages: str) -> PassagedStore:
    """Encode documents into a store of the user's cache that is named after them, or reuse it.

    :param corpus: The documents.
    :param embedder: By what.
    :param passages: How they are split, see `Splitting.parse`.
    """
    kept = f"{embedder.spec.name}-{digest(embedder.identity('document'))[:10]}"
    folder = cache_folder("embeddings", "added", f"{corpus.fingerprint[:20]}", kept, "documents")
    texts = Texts(f"{corpus.name}, documents", corpus.fingerprint, corpus.ids, corpus.contents)
    return encode_passages(folder, texts, embedder, Splitting.parse(passages))
