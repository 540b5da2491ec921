"""Arrays that grow while a segment is written, and are in a temporary file once they are large."""

import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sparseembed.index.segment.format import as_bytes

_IN_MEMORY = 1 << 18
_READ = 1 << 20


class Column:
    """An array of one dimension that is only appended to, and read once, from its beginning."""

    def __init__(self, folder: Path, dtype: str) -> None:
        """Begin empty.

        :param folder: where the temporary file is made; it has no name there, and goes with the process.
        :param dtype: numpy's name of the type.
        """
        self.dtype, self.crc, self._bytes = np.dtype(dtype), 0, 0
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(folder))  # noqa: SIM115 (closed by `close`)

    def __len__(self) -> int:
        return self._bytes // self.dtype.itemsize

    def append(self, values: np.ndarray | bytes) -> None:
        """Append values.

        :param values: an array, which is cast, or raw bytes.
        """
        data = values if isinstance(values, bytes) else as_bytes(np.ascontiguousarray(values, dtype=self.dtype))
        self._file.write(data)
        self.crc = zlib.crc32(data, self.crc)
        self._bytes += len(data)

    def blocks(self) -> Iterator[bytes]:
        """Yield the bytes, some at a time; nothing can be appended then."""
        self._file.seek(0)
        while block := self._file.read(_READ):
            yield block

    def close(self) -> None:
        """Let go of the file; closing twice is no error."""
        self._file.close()
