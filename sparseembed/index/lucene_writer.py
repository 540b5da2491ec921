"""Writes Lucene indexes directly through its IndexWriter: impact vectors, or plain text for BM25.

Documents arrive in ascending order of their ids and keep it (one thread, adjacent merges, one segment in the end). So
Lucene's own order of equal scores, by document number, is the order of the ids, and Anserini's searchers agree with it.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Self

from sparseembed.errors import DataError, EngineError, IndexFolderError
from sparseembed.java.analyzers import java_map, lucene_analyzer
from sparseembed.java.jvm import java, java_errors
from sparseembed.sparse.impacts import DELIMITER, as_text, check_id, check_vector

FIELD = "contents"
"""The field that is searched: the one that Anserini's searchers read."""

IDS_FILE = "ids.jsonl"
"""The ids by document number, one JSON string a line; Lucene ignores the file. Its hash stands in Lucene's commit."""

IDS_KEY = "sparseembed.ids.sha256"


class LuceneWriter:
    """Writes documents of an id and a text that a Lucene analyzer takes apart. A context manager."""

    def __init__(self, folder: Path, analyzer: Any, similarity: Any | None = None) -> None:
        """Open an empty folder for writing.

        :param folder: where to write; made if it is missing, and must be empty.
        :param analyzer: Lucene's analyzer for the text.
        :param similarity: Lucene's similarity whose length norms are stored; None stores no norms.
        :raises IndexFolderError: if the folder is not empty.
        :raises EngineError: if it cannot be written to.
        """
        self.folder = folder
        self.documents = 0
        self._last_id = ""
        self._ids_hash = hashlib.sha256()
        self._writer: Any = None
        self._ids: IO[bytes] | None = None
        self._prepare_folder()
        with java_errors(f"opening {folder} for writing"):
            self._writer = _index_writer(folder, analyzer, similarity)
            self._document, self._fields = _document(store_norms=similarity is not None)

    def add_text(self, doc_id: str, text: str) -> None:
        """Add a document.

        :param doc_id: its id, greater than the one before as UTF-8 bytes.
        :param text: what the analyzer reads; may be empty.
        :raises DataError: if the id is not greater than the last one, or cannot be an id.
        :raises EngineError: if Lucene cannot write, or the writer is closed.
        """
        check_id(doc_id)
        if doc_id <= self._last_id:  # Python compares by code point, which is the order of the UTF-8 bytes
            raise DataError(
                f"document {doc_id!r} comes after {self._last_id!r}: add documents once each, in ascending order of id"
            )
        if self._writer is None or self._ids is None:
            raise EngineError(f"the index writer of {self.folder} is closed: open a new one")
        stored, sortable, contents = self._fields
        encoded = java("org.apache.lucene.util.BytesRef")(doc_id.encode())
        with java_errors(f"adding document {doc_id!r} to {self.folder}"):
            stored.setStringValue(doc_id)
            sortable.setBytesValue(encoded)
            contents.setStringValue(text)
            self._writer.addDocument(self._document)
        line = json.dumps(doc_id, ensure_ascii=False).encode() + b"\n"
        self._ids_hash.update(line)
        self._on_disk(lambda ids: ids.write(line))
        self._last_id = doc_id
        self.documents += 1

    def close(self) -> None:
        """Merge into one segment, commit, and check the count; closing twice is no error.

        :raises EngineError: if Lucene cannot write, or holds another number of documents than was added.
        """
        if self._writer is None:
            return
        writer = self._writer
        try:
            self._on_disk(_flush)
            with java_errors(f"finishing the index in {self.folder}"):
                written = _finish(writer, self._ids_hash.hexdigest())
        except BaseException:
            self.abandon()
            raise
        self._release()
        if written != self.documents:
            raise EngineError(
                f"the index in {self.folder} holds {written:,} documents, {self.documents:,} were added: build it again"
            )

    def abandon(self) -> None:
        """Give up: nothing is committed, so that the folder holds no index."""
        writer = self._writer
        self._release()
        if writer is not None:
            try:
                writer.rollback()
            except Exception as error:
                if type(error).__name__ != "JavaException":  # a rollback after a full disk may fail too
                    raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()

    def _prepare_folder(self) -> None:
        """Make the folder, see that it is empty, and open the file of ids."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if any(self.folder.iterdir()):
                raise IndexFolderError(f"{self.folder} is not empty: remove what it holds or choose another folder")
            self._ids = (self.folder / IDS_FILE).open("wb")
        except OSError as error:
            raise EngineError(f"{self.folder}: {error.strerror}: choose a folder that can be written to") from error

    def _on_disk(self, step: Any) -> None:
        """Do something with the file of ids; a full disk gives one readable line."""
        try:
            step(self._ids)
        except OSError as error:
            raise EngineError(f"writing {self.folder}: {error.strerror}: free some room and start again") from error

    def _release(self) -> None:
        self._writer = None
        if self._ids is not None:
            ids, self._ids = self._ids, None
            try:
                ids.close()
            except OSError:  # what a full disk leaves in the buffer; that error has been reported
                return


class ImpactIndexWriter(LuceneWriter):
    """Writes an impact index that Anserini and Pyserini read: scores are sums of document weight x query weight.

    The weight is stored as the term's frequency, without the repeated tokens of Anserini's own indexer.
    """

    def __init__(self, folder: Path) -> None:
        """Open an empty folder for writing.

        :param folder: where to write; made if it is missing, and must be empty.
        :raises IndexFolderError: if the folder is not empty.
        :raises EngineError: if it cannot be written to.
        """
        with java_errors("setting up Lucene"):
            analyzer = delimited_analyzer("miscellaneous.DelimitedTermFrequencyTokenFilter")
        super().__init__(folder, analyzer)

    def add(self, doc_id: str, vector: Mapping[str, int]) -> None:
        """Add a document.

        :param doc_id: its id, greater than the one before as UTF-8 bytes.
        :param vector: term -> weight, 1 to 65,535; empty for a document that is counted and never found.
        :raises DataError: for an id out of order, or a term or weight that Lucene would not store as it is.
        :raises EngineError: if Lucene cannot write.
        """
        check_vector(doc_id, vector)
        self.add_text(doc_id, as_text(vector))


def delimited_analyzer(token_filter: str) -> Any:
    """Build the Lucene analyzer that reads `impacts.as_text`.

    :param token_filter: `miscellaneous.DelimitedTermFrequencyTokenFilter` to index, `boost.DelimitedBoostTokenFilter`
        to query.
    :return: the analyzer.
    """
    tokenizer = ("core.WhitespaceTokenizer", {"maxTokenLen": "1024"})
    return lucene_analyzer(tokenizer, (token_filter, {"delimiter": DELIMITER}))


def open_directory(folder: Path) -> Any:
    """Open a folder as Lucene's directory, without its lock file.

    :param folder: the folder.
    :return: a memory-mapped directory.
    """
    path = java("java.io.File")(str(folder.absolute())).toPath()
    return java("org.apache.lucene.store.MMapDirectory")(path, java("org.apache.lucene.store.NoLockFactory").INSTANCE)


def _index_writer(folder: Path, analyzer: Any, similarity: Any | None) -> Any:
    """Open Lucene's IndexWriter so that documents keep their order."""
    config = java("org.apache.lucene.index.IndexWriterConfig")(analyzer)
    config.setOpenMode(java("org.apache.lucene.index.IndexWriterConfig$OpenMode").CREATE)
    config.setMergePolicy(java("org.apache.lucene.index.LogDocMergePolicy")())  # merges adjacent segments only
    config.setMergeScheduler(java("org.apache.lucene.index.SerialMergeScheduler")())
    config.setUseCompoundFile(False)
    heap = java("java.lang.Runtime").getRuntime().maxMemory() / 2**20
    config.setRAMBufferSizeMB(float(min(512, max(16, heap // 4))))
    if similarity is not None:
        config.setSimilarity(similarity)
    return java("org.apache.lucene.index.IndexWriter")(open_directory(folder), config)


def _document(store_norms: bool) -> tuple[Any, tuple[Any, Any, Any]]:
    """Make the one document that is filled anew for each addition, with the fields that Anserini's searchers read."""
    kind = java("org.apache.lucene.document.FieldType")()
    kind.setTokenized(True)
    kind.setStored(False)
    kind.setOmitNorms(not store_norms)
    kind.setIndexOptions(java("org.apache.lucene.index.IndexOptions").DOCS_AND_FREQS)
    kind.freeze()
    stored = java("org.apache.lucene.document.StringField")(
        "id", "", java("org.apache.lucene.document.Field$Store").YES
    )
    sortable = java("org.apache.lucene.document.BinaryDocValuesField")(
        "id", java("org.apache.lucene.util.BytesRef")(b" ")
    )
    # StoredField has the one constructor for a free field type that pyjnius can pick; what is stored, the type says.
    contents = java("org.apache.lucene.document.StoredField")(FIELD, "", kind)
    document = java("org.apache.lucene.document.Document")()
    for field in (stored, sortable, contents):
        document.add(field)
    return document, (stored, sortable, contents)


def _finish(writer: Any, ids_hash: str) -> int:
    """Merge, commit and close; give back the number of documents."""
    writer.forceMerge(1)
    writer.setLiveCommitData(java_map({IDS_KEY: ids_hash}).entrySet())
    writer.commit()
    written = int(writer.getDocStats().numDocs)
    writer.close()
    return written


def _flush(ids: IO[bytes]) -> None:
    ids.flush()
    os.fsync(ids.fileno())
