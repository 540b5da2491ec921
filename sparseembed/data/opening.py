"""Files as streams of bytes: compressed ones by their content, and pipes, which can be read once, kept aside."""

import bz2
import gzip
import importlib
import io
import lzma
import os
import tempfile
from contextlib import ExitStack
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from sparseembed.errors import DataError
from sparseembed.extras import install_line
from sparseembed.text import one_line

ENDINGS = ("", ".gz", ".bz2", ".xz", ".zst")  # of a file's name; what decides is its content

_HEAD = 10  # bytes that tell how a file is compressed
_BUFFER = 1 << 20
_PACKED = 1 << 14
_GZIP, _ZIP = b"\x1f\x8b\x08", b"PK\x03\x04"
_XZ = (b"\xfd7zXZ\x00", b"\x5d\x00\x00")  # and what xz wrote in its first years, .lzma
# A frame, or one to skip, with which pzstd and others begin a file.
_ZSTD = (b"\x28\xb5\x2f\xfd", *(bytes([number]) + b"\x2a\x4d\x18" for number in range(0x50, 0x60)))
_ZSTD_WINDOW = 31  # powers of two of the bytes that a frame may look back, zstd's own most: zstd --long=31
_BZIP2_BLOCKS = (b"1AY&SY", b"\x17rE8P\x90")  # the first block's mark, and the end's, which an empty file begins with
_ZSTD_LIBRARIES = ("compression.zstd", "zstandard")  # Python 3.14 brings the first


def open_bytes(source: Traversable, stack: ExitStack) -> IO[bytes]:
    """Open a file for reading, unpacked if its content is compressed: gzip, bzip2, xz or Zstandard.

    :param source: A file, a pipe, or a member of a zip file; its name does not count.
    :param stack: Closes what is opened.
    :return: Its bytes.
    :raises DataError: If it is compressed in a way that cannot be read here.
    """
    stream: IO[bytes] = stack.enter_context(source.open("rb"))
    head = stream.read(_HEAD)
    if stream.seekable():
        stream.seek(0)
    else:
        stream = io.BufferedReader(_Joined(head, stream), _BUFFER)
    if not isinstance(stream, io.BufferedReader):
        # A member of a zip file, whose own readline is slow Python code, or a file elsewhere.
        stream = stack.enter_context(io.BufferedReader(cast("io.RawIOBase", stream), _BUFFER))
    if head.startswith(_GZIP):
        return cast("IO[bytes]", stack.enter_context(gzip.GzipFile(fileobj=stream)))
    if head.startswith(b"BZh") and head[4:10] in _BZIP2_BLOCKS:
        return cast("IO[bytes]", stack.enter_context(bz2.BZ2File(stream)))
    if head.startswith(_XZ):
        return cast("IO[bytes]", stack.enter_context(lzma.LZMAFile(stream)))
    if head.startswith(_ZSTD):
        return _zstandard(source, stream, stack)
    if head.startswith(_ZIP):
        raise DataError(f"{one_line(source)}: {_zipped(stream)}")
    return stream


def _zipped(stream: IO[bytes]) -> str:
    """Say what to do about a zip archive: those of office programs have a list of their parts in front."""
    if b"[Content_Types].xml" in stream.read(_PACKED):
        return "a workbook or document of an office program: save the sheet as CSV"
    return "a zip archive: unpack it and give the file or folder that is in it"


def plain_name(name: str, ending: str) -> str:
    """Return a file's name without its ending, and without one of compression after it.

    >>> plain_name("docs.jsonl.gz", ".jsonl"), plain_name("notes", ".jsonl")
    ('docs', 'notes')
    """
    for packed in ENDINGS[1:]:
        name = name.removesuffix(packed)
    return name.removesuffix(ending)


class Spool:
    """Bytes in an anonymous temporary file, which goes when the process ends; can be read as often as wanted.

    It stands in for a file of a name where documents or lines are read.
    """

    def __init__(self, name: str) -> None:
        """Begin an empty one.

        :param name: What to call it in messages.
        """
        self.name = name
        self._file: BinaryIO = cast("BinaryIO", tempfile.TemporaryFile(buffering=_BUFFER))  # noqa: SIM115

    @classmethod
    def of(cls, path: Path) -> "Spool":
        """Copy what a pipe gives.

        :param path: The pipe.
        :return: The copy, under the pipe's name.
        :raises OSError: The pipe cannot be read, or the disk is full.
        """
        with path.open("rb") as pipe:
            return cls(str(path)).fill(pipe)

    def fill(self, stream: IO[bytes]) -> "Spool":
        """Copy what a stream gives, and return the spool.

        :raises OSError: The stream cannot be read, or the disk is full.
        """
        while part := stream.read(_BUFFER):
            self.write(part)
        return self

    def write(self, part: bytes) -> None:
        """Add bytes to the end."""
        self._file.write(part)

    def open(self, mode: str = "rb") -> BinaryIO:
        """Open it from the start; several readers do not disturb each other.

        :param mode: "rb", the only one.
        """
        self._file.flush()
        return cast("BinaryIO", io.BufferedReader(_Again(self._file.fileno(), self), _BUFFER))

    def __str__(self) -> str:
        return self.name


class _Again(io.RawIOBase):
    """A reader of a file with a position of its own."""

    def __init__(self, descriptor: int, owner: object) -> None:
        self._descriptor, self._owner, self._place = descriptor, owner, 0  # the owner keeps the file open

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = (0, self._place, os.fstat(self._descriptor).st_size)[whence]
        self._place = max(0, start + offset)
        return self._place

    def readinto(self, buffer: Any) -> int:
        part = os.pread(self._descriptor, len(buffer), self._place)
        buffer[: len(part)] = part
        self._place += len(part)
        return len(part)


class _Joined(io.RawIOBase):
    """A stream whose first bytes were read already."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = self._head[: len(buffer)] or self._rest.read(len(buffer))
        self._head = self._head[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


class _Zstandard(io.RawIOBase):
    """Unpacks frames of Zstandard; unlike the libraries' readers it says where the last one is cut off."""

    def __init__(self, stream: IO[bytes], library: Any) -> None:
        self._stream, self._library = stream, library
        self._frame, self._begun, self._ready = self._next(), False, b""

    def _next(self) -> Any:
        if hasattr(self._library, "DecompressionParameter"):  # Python's own
            longest = {self._library.DecompressionParameter.window_log_max: _ZSTD_WINDOW}
            return self._library.ZstdDecompressor(options=longest)
        return self._library.ZstdDecompressor(max_window_size=1 << _ZSTD_WINDOW).decompressobj()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            packed = self._frame.unused_data if self._frame.eof else b""
            if self._frame.eof:
                self._frame, self._begun = self._next(), False
            packed = packed or self._stream.read(_PACKED)
            if not packed:
                if self._begun:
                    raise EOFError("the compressed file ends before its end mark")
                return 0
            self._begun = True
            try:
                self._ready = self._frame.decompress(packed)
            except self._library.ZstdError as error:
                raise OSError(one_line(error)) from None
        part, self._ready = self._ready[: len(buffer)], self._ready[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


def _zstandard(source: Traversable, stream: IO[bytes], stack: ExitStack) -> IO[bytes]:
    for name in _ZSTD_LIBRARIES:
        try:
            library = importlib.import_module(name)
        except ImportError:
            continue
        return cast("IO[bytes]", stack.enter_context(io.BufferedReader(_Zstandard(stream, library), _BUFFER)))
    raise DataError(
        f"{one_line(source)}: compressed by Zstandard, which needs a package: {install_line('files')}, or unpack it "
        "with zstd -d"
    )
