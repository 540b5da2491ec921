"""Opens a Lucene folder that `lucene_writer` wrote, and turns Lucene's results into hits."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from sparseembed.engines.base import Hit
from sparseembed.errors import EngineError, IndexFolderError
from sparseembed.index.lucene_writer import IDS_FILE, IDS_KEY, open_directory
from sparseembed.java.jvm import java, java_errors, one_line

_REBUILD = "build the index again"


class LuceneFolder:
    """An open Lucene index: the ids by document number, and the search itself."""

    def __init__(self, folder: Path, similarity: Any, verify: bool = True) -> None:
        """Open a folder for reading; it may be read-only, and several readers may share it.

        :param folder: what a `LuceneWriter` wrote.
        :param similarity: Lucene's similarity to score with.
        :param verify: read every file once and compare its checksum (about 1 s a gigabyte).
        :raises IndexFolderError: if there is no index, or a damaged one.
        """
        if not folder.is_dir() or not any(folder.glob("segments_*")):
            raise IndexFolderError(f"there is no Lucene index in {folder}: {_REBUILD}")
        self.folder = folder
        with java_errors(f"the index in {folder} is damaged", IndexFolderError, _REBUILD):
            self._reader = java("org.apache.lucene.index.DirectoryReader").open(open_directory(folder))
        try:
            with java_errors(f"the index in {folder} is damaged", IndexFolderError, _REBUILD):
                if verify:
                    _check_integrity(self._reader)
                self.documents = int(self._reader.numDocs())
                ids_hash = self._reader.getIndexCommit().getUserData().get(IDS_KEY)
            self._ids = _read_ids(folder, ids_hash, self.documents)
            self._searcher = _searcher(self._reader, similarity)
        except BaseException:
            self.close()
            raise
        self._as_json = _json_mapper()

    def top(self, query: Any, k: int) -> list[Hit]:
        """Find the k best documents; equal scores by document number, which is the order of the ids.

        :param query: a Lucene query.
        :param k: how many are wanted, 1 or more.
        :return: at most k hits, best first.
        :raises EngineError: if the reader is closed or Lucene fails.
        """
        searcher, as_json = self._searcher, self._as_json
        if searcher is None:
            raise EngineError(f"the index in {self.folder} is closed: open it again")
        wanted = max(1, min(k, self.documents))
        # Two calls into Java, whatever k is: a call for each hit would cost more than the search. Only variables are
        # given and only shared objects called, for the sake of threads (see `jvm.in_threads`).
        with java_errors(f"searching {self.folder}"):
            found = searcher.search(query, wanted)
            listed = as_json.writeValueAsString(found)
        ids = self._ids
        return [
            Hit(ids[each["doc"]], each["score"], rank)
            for rank, each in enumerate(json.loads(listed)["scoreDocs"], start=1)
        ]

    def close(self) -> None:
        """Close the files; closing twice is no error."""
        reader, self._reader, self._searcher = self._reader, None, None
        if reader is not None:
            with java_errors(f"closing {self.folder}"):
                reader.close()


def raise_clause_limit() -> None:
    """Let queries have more than Lucene's 1,024 terms."""
    searchers = java("org.apache.lucene.search.IndexSearcher")
    if searchers.getMaxClauseCount() < 2**20:
        searchers.setMaxClauseCount(2**20)


@cache
def _json_mapper() -> Any:
    """Make the one Jackson mapper, which writes a whole result list as one string."""
    return java("com.fasterxml.jackson.databind.ObjectMapper")()


def _searcher(reader: Any, similarity: Any) -> Any:
    """Make Lucene's searcher."""
    from jnius import cast

    # Only an object of exactly the declared class lets pyjnius pick the right one of the constructors.
    searcher = java("org.apache.lucene.search.IndexSearcher")(cast("org.apache.lucene.index.IndexReader", reader))
    searcher.setSimilarity(similarity)
    return searcher


def _check_integrity(reader: Any) -> None:
    """Compare the checksum of each file with its contents."""
    leaves = reader.leaves()
    for place in range(leaves.size()):
        leaves.get(place).reader().checkIntegrity()


def _read_ids(folder: Path, ids_hash: str | None, documents: int) -> list[str]:
    """Read the ids by document number, and see that they are the ones of this index."""
    file = folder / IDS_FILE
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise IndexFolderError(f"{file} cannot be read ({error.strerror}): {_REBUILD}") from error
    if ids_hash is None or hashlib.sha256(raw).hexdigest() != ids_hash:
        raise IndexFolderError(f"{file} does not belong to the index beside it: {_REBUILD}")
    try:
        ids = json.loads(b"[" + raw.rstrip(b"\n").replace(b"\n", b",") + b"]")
    except ValueError as error:
        raise IndexFolderError(f"{file} is damaged ({one_line(error)}): {_REBUILD}") from error
    if len(ids) != documents:
        raise IndexFolderError(f"{file} has {len(ids):,} ids, the index {documents:,} documents: {_REBUILD}")
    return ids
