"""One commit of an index, open: what a reader sees until it opens another, whatever is done to the folder meanwhile."""

import sys
import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sparseembed.analyzers.registry import ANALYZERS
from sparseembed.data.metadata import NONE, Metadata
from sparseembed.errors import DataError, IndexFolderError
from sparseembed.index.checked import REPAIR, CheckedFiles, own_folder
from sparseembed.index.manifest import Manifest, read_manifest
from sparseembed.index.segment.format import EMBEDDINGS, METADATA_FILES, PASSAGES, PLACES, ROWS
from sparseembed.index.segment.reader import SegmentReader
from sparseembed.index.tombstones import Flags, read_tombstones
from sparseembed.text import shown

if TYPE_CHECKING:  # a search for words reads no statistics
    from sparseembed.alignment.adjustment import Adjustment
    from sparseembed.index.statistics import Statistics
    from sparseembed.sparse.terms import TermSpace

LUCENE = "lucene"
KERNELS = "sparseembed.index.segment.kernels"

TRIES = 20  # to open a commit that is replaced at the same moment
WAIT = 0.05  # seconds between them
REMEMBERED = 1024  # places of documents that were looked for last


def kernels_are_ready() -> bool:
    """Say whether the kernels of segments are loaded: to load them takes longer than to do without, once."""
    return getattr(sys.modules.get(KERNELS), "ready", False)


class Place(NamedTuple):
    """Where a document stands: the number of its segment, and its number there."""

    segment: int
    number: int


class Snapshot:
    """One commit: manifest, segments, deletions and statistics that belong together.

    All files are opened at once, so that the commit stays whole when the folder is written to or replaced. May be
    shared by threads, and survives a fork.
    """

    def __init__(self, path: Path, manifest: Manifest) -> None:
        """Open the files that a manifest names; use `open_snapshot`.

        :param path: The index folder.
        :param manifest: Its manifest.
        :raises FileNotFoundError: A file is missing.
        :raises IndexFolderError: A file is damaged.
        """
        if manifest.analyzer is not None and manifest.analyzer not in ANALYZERS:
            raise IndexFolderError(
                f"{path} was made with the analyzer {shown(manifest.analyzer)}, which this sparseembed does not know: "
                "use the version that wrote it, or build the index again with --overwrite"
            )
        self.path = path
        self.manifest = manifest
        self.segments: list[SegmentReader] = []
        self.deleted: list[Flags | None] = []
        self._found: dict[str, Place] = {}
        folder = own_folder(path, manifest.statistics["folder"])
        own_folder(path, LUCENE)
        self.statistics_files = CheckedFiles(folder, manifest.statistics["files"])
        try:
            for about in manifest.segments:
                self._add(about)
        except BaseException:
            self.close()
            raise

    def _add(self, about: dict[str, object]) -> None:
        folder = own_folder(self.path, about["folder"])
        # Sizes and links; the bytes are compared by the reader, when they are used.
        CheckedFiles(folder, about["files"]).close()  # type: ignore[arg-type]
        segment = SegmentReader(folder)
        self.segments.append(segment)
        if segment.dimension and not {EMBEDDINGS, ROWS} <= about["files"].keys():  # type: ignore[attr-defined]
            raise IndexFolderError(f"{folder} holds embeddings that its manifest does not name: {REPAIR}")
        if segment.metadata is not None and not set(METADATA_FILES) <= about["files"].keys():  # type: ignore[attr-defined]
            raise IndexFolderError(f"{folder} holds metadata that its manifest does not name: {REPAIR}")
        if len(segment.split) and not {PASSAGES, PLACES} <= about["files"].keys():  # type: ignore[attr-defined]
            raise IndexFolderError(f"{folder} holds passages that its manifest does not name: {REPAIR}")
        if segment.documents != about["documents"]:
            raise IndexFolderError(
                f"{folder} holds {segment.documents:,} documents, not {about['documents']}: {REPAIR}"
            )
        self.deleted.append(read_tombstones(self.path, about["deleted"], segment.documents))  # type: ignore[arg-type]

    @property
    def documents(self) -> int:
        """Documents that are not deleted."""
        return sum(
            segment.documents - (0 if deleted is None else int(deleted.sum()))
            for segment, deleted in zip(self.segments, self.deleted, strict=True)
        )

    def find(self, doc_id: str) -> Place | None:
        """Return where a document stands; None where the index has none of that id."""
        known = self._found.get(doc_id)  # of a hit, one asks for text, metadata and passage
        if known is not None:
            return known
        for place in reversed(range(len(self.segments))):
            number = self.segments[place].number(doc_id)
            flags = self.deleted[place]
            if number is not None and (flags is None or not flags[number]):
                if len(self._found) >= REMEMBERED:
                    self._found = {}
                self._found[doc_id] = found = Place(place, number)
                return found
        return None

    def place(self, doc_id: str) -> Place:
        """Return where a document stands.

        :raises DataError: The index has no such document.
        """
        found = self.find(doc_id)
        if found is None:
            raise DataError(f"the index {self.path} has no document {shown(doc_id)}: check the id")
        return found

    def embeddings(self, doc_ids: Sequence[str]) -> np.ndarray:
        """Return the embeddings of documents, int8 (n, d).

        :param doc_ids: Their ids.
        :raises DataError: The index has no such document.
        :raises IndexFolderError: One is damaged.
        """
        compiled = kernels_are_ready()
        rows = np.empty((len(doc_ids), self.segments[-1].dimension if self.segments else 0), dtype=np.int8)
        left = np.arange(len(doc_ids))
        for segment, deleted in zip(reversed(self.segments), reversed(self.deleted), strict=True):
            numbers = segment.numbers([doc_ids[row] for row in left.tolist()], compiled)
            alive = numbers >= 0
            if deleted is not None:
                alive[alive] = ~deleted[numbers[alive]]
            rows[left[alive]] = segment.embeddings(numbers[alive])
            left = left[~alive]
        for row in left.tolist():
            self.place(doc_ids[row])  # raises
        return rows

    def passage_embeddings(self, doc_ids: Sequence[str]) -> dict[int, np.ndarray]:
        """Return the embeddings of the passages of those of some documents that have several.

        :param doc_ids: Ids of documents.
        :return: Place of a document among them -> int8 (m, d).
        :raises IndexFolderError: One is damaged.
        """
        if not any(len(segment.split) for segment in self.segments):
            return {}
        found = {}
        for row, doc_id in enumerate(doc_ids):
            place = self.place(doc_id)
            passages = self.segments[place.segment].passages(place.number)
            if passages is not None:
                found[row] = passages.embeddings
        return found

    def text(self, doc_id: str) -> str:
        """Return the text of a document.

        :raises DataError: The index has no such document.
        :raises IndexFolderError: It is damaged.
        """
        segment, number = self.place(doc_id)
        return self.segments[segment].text(number)

    @property
    def has_metadata(self) -> bool:
        """Whether a document has metadata, perhaps a deleted one."""
        return any(segment.metadata is not None for segment in self.segments)

    @property
    def fields(self) -> list[str]:
        """Names of the fields that documents have metadata in."""
        return sorted({name for each in self.segments if each.metadata is not None for name in each.metadata.fields})

    def metadata(self, doc_id: str) -> Metadata:
        """Return the metadata of a document.

        :raises DataError: The index has no such document.
        :raises IndexFolderError: It is damaged.
        """
        place = self.place(doc_id)
        reader = self.segments[place.segment].metadata
        return NONE if reader is None else reader.metadata(place.number)

    def ids(self) -> list[str]:
        """Return the ids of all documents, in their order."""
        found = []
        for segment, deleted in zip(self.segments, self.deleted, strict=True):
            every = [raw.decode() for raw in segment.raw_ids()]
            found += every if deleted is None else [each for each, dead in zip(every, deleted, strict=True) if not dead]
        return found

    @cached_property
    def space(self) -> "TermSpace":
        """The known terms, read when first needed."""
        from sparseembed.index.statistics import load_space

        return load_space(self.statistics_files)

    def statistics(self) -> "Statistics":
        """Read all that was fitted."""
        from sparseembed.index.statistics import load_statistics

        return load_statistics(self.statistics_files)

    def adjustment(self, side: str) -> "Adjustment":
        """Read the adjustment of one side, `document` or `query`."""
        from sparseembed.index.statistics import load_adjustment

        return load_adjustment(self.statistics_files, side)

    def close(self) -> None:
        """Close all files; closing twice is no error."""
        self.statistics_files.close()
        for segment in self.segments:
            segment.close()


def open_snapshot(path: Path) -> Snapshot:
    """Open the last commit of an index.

    Where files vanish because the index is replaced at the same moment, the new commit is opened instead.

    :param path: The index folder.
    :return: The commit.
    :raises IndexFolderError: There is no index, or it is damaged or of another version.
    """
    for attempt in range(TRIES):
        manifest = read_manifest(path)
        try:
            return Snapshot(path, manifest)
        except FileNotFoundError as error:
            missing = error.filename
        except IndexFolderError:
            if read_manifest(path) == manifest:
                raise
            continue
        if read_manifest(path) == manifest and attempt:
            raise IndexFolderError(f"{path} is damaged ({missing} is missing): {REPAIR}") from None
        time.sleep(WAIT * min(attempt, 1))
    raise IndexFolderError(f"{path} is replaced faster than it can be opened: try again")
