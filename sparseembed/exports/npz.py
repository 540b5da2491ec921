"""A scipy sparse matrix, documents by terms: `vectors.npz`, with `terms.txt` and `documents.jsonl` for its sides."""

import shutil
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from sparseembed.exports.folder import FolderSink
from sparseembed.exports.sink import Exported
from sparseembed.exports.spool import Spool

MATRIX = "vectors.npz"
_LARGE = 2**31 - 1  # postings, above which indices need 64 bits


class NpzSink(FolderSink):
    """Writes what `scipy.sparse.load_npz` reads: CSR, int32 impacts, a row a document, a column a term."""

    form = "npz"

    def begin(self) -> None:
        """Open the spool."""
        self._spool = Spool(self.part, len(self.facts.terms))

    def add(self, document: Exported) -> None:
        """Append a row."""
        vector = self.facts.terms.numbered(document.impacts)
        self._spool.add(list(vector), list(vector.values()))
        self.keep(document)

    def finish(self) -> None:
        """Put the matrix together, array by array, without holding it."""
        sizes = np.asarray(self._spool.sizes, dtype=np.int64)
        starts = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)])
        wide = self._spool.postings > _LARGE
        terms, impacts = self._spool.files()
        with zipfile.ZipFile(self.part / MATRIX, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            _array(archive, "indptr", starts.astype("<i8" if wide else "<i4"))
            _file(archive, "indices", terms, self._spool.postings, wide)
            _file(archive, "data", impacts, self._spool.postings, False)
            _array(archive, "format", np.array(b"csr"))
            _array(archive, "shape", np.array([len(sizes), len(self.facts.terms)], dtype=np.int64))

    def close(self) -> None:
        """Remove the spool."""
        if hasattr(self, "_spool"):
            self._spool.close()


def _entry(archive: zipfile.ZipFile, name: str) -> Any:
    # A date of its own would make other bytes each time.
    info = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
    info.compress_type = zipfile.ZIP_DEFLATED
    return archive.open(info, "w", force_zip64=True)


def _array(archive: zipfile.ZipFile, name: str, values: np.ndarray) -> None:
    with _entry(archive, name) as handle:
        np.lib.format.write_array(handle, values, allow_pickle=False)


def _file(archive: zipfile.ZipFile, name: str, source: Path, count: int, wide: bool) -> None:
    about = {"descr": "<i8" if wide else "<i4", "fortran_order": False, "shape": (count,)}
    with _entry(archive, name) as handle, source.open("rb") as file:
        np.lib.format.write_array_header_1_0(handle, about)
        if wide:
            _widened(file, handle)
        else:
            shutil.copyfileobj(file, handle, 1 << 20)


def _widened(source: BinaryIO, target: Any) -> None:
    while part := source.read(1 << 20):
        target.write(np.frombuffer(part, dtype="<i4").astype("<i8").tobytes())
