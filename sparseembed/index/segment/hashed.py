"""A file that is hashed while it is written."""

import hashlib
import os
from pathlib import Path


class HashedFile:
    """A new file whose size and sha256 are known when it is closed."""

    def __init__(self, path: Path) -> None:
        """Create the file; it must not exist.

        :param path: its place.
        """
        self.folder = path.parent
        self._handle = path.open("xb")
        self._sha256 = hashlib.sha256()
        self.bytes = 0

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes.

        :param data: the bytes.
        """
        view = memoryview(data)
        self._handle.write(view)
        self._sha256.update(view)
        self.bytes += view.nbytes

    def finish(self) -> dict[str, int | str]:
        """Write the file through to the disk and close it.

        :return: its size and sha256.
        """
        self._handle.flush()
        os.fsync(self._handle.fileno())
        self._handle.close()
        return {"bytes": self.bytes, "sha256": self._sha256.hexdigest()}

    def close(self) -> None:
        """Close the file as it is; closing twice is no error."""
        self._handle.close()
