"""Which documents of a segment are deleted: one bit a document, in a file of its own for each commit."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sparseembed.errors import IndexFolderError
from sparseembed.files import atomic_file
from sparseembed.index.checked import REPAIR, CheckedFiles, plain_name, record

Flags = npt.NDArray[np.bool_]


def write_tombstones(folder: Path, name: str, deleted: Flags) -> dict[str, Any]:
    """Write the flags of a segment's documents.

    :param folder: The index.
    :param name: Name of the file.
    :param deleted: Shape (documents,).
    :return: What the manifest says of it: file, bytes, sha256, count.
    """
    with atomic_file(folder / name) as handle:
        handle.write(np.packbits(deleted).tobytes())
    return {"file": name, **record(folder, [name])[name], "count": int(deleted.sum())}


def read_tombstones(folder: Path, about: Mapping[str, Any] | None, documents: int) -> Flags | None:
    """Read the flags of a segment's documents.

    :param folder: The index.
    :param about: What the manifest says; None where no document is deleted.
    :param documents: Documents of the segment.
    :return: Shape (documents,); None where no document is deleted.
    :raises FileNotFoundError: The file is missing.
    :raises IndexFolderError: It is damaged.
    """
    if about is None:
        return None
    try:
        name = plain_name(about["file"], folder)
        files = CheckedFiles(folder, {name: about})
        try:
            stored = np.frombuffer(files.read(name), dtype=np.uint8)
        finally:
            files.close()
        deleted = np.unpackbits(stored)[:documents].astype(np.bool_)
        if len(deleted) != documents or int(deleted.sum()) != about["count"]:
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise IndexFolderError(f"the deletions of {folder} are damaged: {REPAIR}") from None
    return deleted
