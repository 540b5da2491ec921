"""The folder of a segment that is being written: removed again if the writing fails."""

from pathlib import Path
from types import TracebackType
from typing import Self

from sparseembed.errors import ConfigError
from sparseembed.index.segment.documents import DocumentsWriter
from sparseembed.index.segment.embeddings import EmbeddingsWriter
from sparseembed.index.segment.format import SegmentInfo
from sparseembed.index.segment.metadata_writer import MetadataWriter
from sparseembed.index.segment.passages import PassagesWriter
from sparseembed.index.segment.postings import PostingsWriter


class SegmentOutput:
    """Documents and postings of one segment; a context manager that removes the files unless they were finished."""

    def __init__(self, folder: Path, bits: int, dimension: int = 0) -> None:
        """Create the folder, if it is not there, and the files, which must not be.

        :param folder: the segment's folder.
        :param bits: bits of the largest impact that may occur.
        :param dimension: bytes of a document's embedding; 0 for a segment without embeddings.
        :raises ConfigError: if bits is not from 1 to 16.
        """
        if not 1 <= bits <= 16:
            raise ConfigError(f"impacts of {bits} bits cannot be stored: 1 to 16 can")
        self.folder, self._made = folder, not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        self._finished = False
        self.documents = DocumentsWriter(folder)
        self.postings = PostingsWriter(folder, bits)
        self.embeddings = EmbeddingsWriter(folder, dimension) if dimension else None
        self.metadata = MetadataWriter(folder)
        self.passages = PassagesWriter(folder)

    def finish(self) -> SegmentInfo:
        """Close the files.

        :return: what the segment holds.
        :raises DataError: if an id occurs twice, or embeddings are missing.
        """
        files = self.documents.finish() | self.postings.finish(len(self.documents))
        if self.embeddings is not None:
            files |= self.embeddings.finish(len(self.documents))
        files |= self.metadata.finish()
        files |= self.passages.finish(len(self.documents))
        self._finished = True
        return SegmentInfo(len(self.documents), self.postings.postings, self.postings.terms, files)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        every = (self.documents, self.postings, self.embeddings, self.metadata, self.passages)
        writers = [each for each in every if each is not None]
        for writer in writers:
            writer.close()
        if self._finished and kind is None:
            return
        for writer in writers:
            for name in writer.files:
                (self.folder / name).unlink(missing_ok=True)
        if self._made and not any(self.folder.iterdir()):
            self.folder.rmdir()
