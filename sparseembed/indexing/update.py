"""Change an index: add, replace and delete documents, compact it, fit it anew."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from sparseembed.data.corpus import Corpus, Document, id_problem
from sparseembed.data.metadata import packed
from sparseembed.embedders.early import DEPTH
from sparseembed.embedders.load import EmbedderLike
from sparseembed.errors import DataError
from sparseembed.files import digest
from sparseembed.index.manifest import Manifest, read_manifest
from sparseembed.index.snapshot import Snapshot
from sparseembed.indexing.change import Change, encode_added
from sparseembed.indexing.drift import Drift
from sparseembed.indexing.refitting import check_layers, fit_index_encoders
from sparseembed.progress import note
from sparseembed.retrieval.embedder import Named, matching_embedder
from sparseembed.retrieval.rescoring import without_embeddings
from sparseembed.sparse.config import SparseConfig
from sparseembed.text import shown

Documents = Corpus | str | Path | Iterable[Document]


class Index:
    """An index that documents are added to and deleted from, by one process at a time.

    Each call is one commit: whoever opens the index sees all of it or nothing. Searchers that are open keep what they
    have opened until `Searcher.reload`. New documents are weighed by the statistics that were fitted when the index was
    built, so that nothing of what is there is encoded or decoded again; words that the collection did not have are
    found where they stand. How far the new documents are from the fitted ones is kept in the manifest.
    """

    def __init__(self, path: str | Path, embedder: EmbedderLike | Named | None = None) -> None:
        """Open an index for changes.

        :param path: The index folder.
        :param embedder: The embedder that made it; the one that its manifest names when None, if that is a preset.
        :raises IndexFolderError: There is no index.
        """
        self.path = Path(path)
        self._embedder = embedder
        read_manifest(self.path)

    @classmethod
    def open(cls, path: str | Path, embedder: EmbedderLike | Named | None = None) -> "Index":
        """Open an index for changes; the same as the constructor."""
        return cls(path, embedder)

    @property
    def manifest(self) -> Manifest:
        """The manifest of the last commit."""
        return read_manifest(self.path)

    def add(self, documents: Documents, replace: bool = False) -> Manifest:
        """Add documents.

        :param documents: Documents, a corpus, or what `build_index` takes.
        :param replace: Whether a document whose id the index has replaces that one; else it is refused. Where
            text and metadata are the same there is nothing to replace, so that a call that was interrupted can be made
            again.
        :return: The manifest of the new commit.
        :raises DataError: A document cannot be read, or the index has one of its id; nothing is added then.
        :raises EmbedderError: The embedder fails.
        :raises IndexFolderError: The embedder is not the index's, or another process writes to the index.
        """
        corpus = _corpus(documents)
        with Change(self.path, "added documents") as change:
            known, same = _known(corpus, change.snapshot)
            if len(same) == len(corpus.ids):
                note(f"the index {self.path} has these {len(same):,} documents already: nothing was changed")
                return change.manifest
            if known and not replace:
                raise DataError(
                    f"the index {self.path} has {len(known):,} of these documents already, the first is "
                    f"{shown(known[0])}: pass --replace to put the new ones in their place"
                )
            if same:
                corpus = _without(corpus, same)
                known = [doc_id for doc_id in known if doc_id not in same]
            embedder = matching_embedder(change.manifest, self._embedder)
            passages = SparseConfig(**change.manifest.sparse).passages
            store = encode_added(corpus, embedder, passages)
            change.delete(known)
            drift = change.write(corpus, store, embedder)
            change.settle()
            manifest = change.publish(added=len(corpus), deleted=len(known), drift=drift, store=store)
        replaced = f", {len(known):,} of them in place of others" if known else ""
        note(f"added {len(corpus):,} documents{replaced}: {manifest.counts['documents']:,} in {self.path}")
        for warning in Drift(**manifest.updates["drift"]).warnings():
            note(f"drift: in the documents added since the index was fitted {warning}: consider compact --refit")
        return manifest

    def replace(self, documents: Documents) -> Manifest:
        """Add documents; one whose id the index has replaces that one. See `add`."""
        return self.add(documents, replace=True)

    def delete(self, ids: Sequence[str]) -> Manifest:
        """Delete documents.

        :param ids: Their ids.
        :return: The manifest of the new commit.
        :raises DataError: The index lacks one of them, or one is no id; nothing is deleted then.
        :raises IndexFolderError: Another process writes to the index.
        """
        wanted = list(dict.fromkeys(ids))
        if problem := next(filter(None, map(id_problem, wanted)), ""):
            raise DataError(f"{problem}; nothing was deleted")
        with Change(self.path, "deletions") as change:
            missing = [doc_id for doc_id in wanted if change.snapshot.find(doc_id) is None]
            if missing:
                raise DataError(
                    f"the index {self.path} lacks {len(missing):,} of {len(wanted):,} documents, the first is "
                    f"{shown(missing[0])}: nothing was deleted; check the ids"
                )
            change.delete(wanted)
            manifest = change.publish(deleted=len(wanted))
        note(f"deleted {len(wanted):,} documents: {manifest.counts['documents']:,} in {self.path}")
        return manifest

    def compact(self, refit: bool = False) -> Manifest:
        """Merge all segments into one, without the deleted documents.

        :param refit: Fit the statistics anew on what the index holds now, from the embeddings that are kept in the
            user's cache, and write all documents again; documents whose embeddings are gone are encoded.
        :return: The manifest.
        :raises IndexFolderError: Another process writes to the index.
        """
        with Change(self.path, "a compacted index") as change:
            embedder = matching_embedder(change.manifest, self._embedder) if refit else None
            manifest = change.compact() if embedder is None else change.refit(embedder)
        note(f"compacted {self.path}: {manifest.counts['documents']:,} documents in {len(manifest.segments)} segment")
        return manifest

    def fit_query_encoder(self, queries: Sequence[str] = (), layers: int = DEPTH) -> Manifest:
        """Fit the static and the small query encoder to what the index holds now, in the place of those that it has.

        Nothing else changes: words, impacts and the weights of other query encoders stay. `manifest.rescoring` says of
        each how near it comes to the whole embedder, and whether it is refused where no encoder is named.

        :param queries: Further texts to fit them to, such as queries that users asked; an even sample of 2,048 at most.
        :param layers: Layers of the embedder that the small one runs.
        :return: The manifest of the new commit.
        :raises ConfigError: `layers` is out of range.
        :raises DataError: The texts are too few.
        :raises EmbedderError: The model failed.
        :raises IndexFolderError: The index carries no embeddings, the embedder is not the index's, or another process
            writes to the index.
        """
        check_layers(layers)
        with Change(self.path, "query encoders") as change:
            if change.manifest.rescoring is None:
                raise without_embeddings(self.path)
            embedder = matching_embedder(change.manifest, self._embedder)
            statistics = fit_index_encoders(change.snapshot, change.corpus(), embedder, queries, layers)
            manifest = change.publish_statistics(statistics)
        note(f"fitted the query encoders of {self.path}")
        return manifest

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is left open between calls."""


def _known(corpus: Corpus, snapshot: Snapshot) -> tuple[list[str], set[str]]:
    """Return the ids that an index has, and those of them whose texts and metadata are the same there."""
    known = [doc_id for doc_id in corpus.ids if snapshot.find(doc_id) is not None]
    if not known:
        return [], set()
    there = set(known)
    same = {
        each.id
        for each in corpus
        if each.id in there
        and snapshot.text(each.id) == each.contents
        and packed(snapshot.metadata(each.id)) == packed(each.metadata)
    }
    return known, same


def _without(corpus: Corpus, ids: Collection[str]) -> Corpus:
    def documents() -> Iterator[Document]:
        return (each for each in corpus if each.id not in ids)

    return Corpus(documents, corpus.name, f"{corpus.identity} without {digest(sorted(ids))}")


def _corpus(documents: Documents) -> Corpus:
    if isinstance(documents, Corpus):
        return documents
    if isinstance(documents, str | Path):
        from sparseembed.data.resolve import open_corpus

        return open_corpus(str(documents))
    return Corpus(documents, "documents")
