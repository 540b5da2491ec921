"""CIFF, the Common Index File Format: what PISA, JASSv2, OldDog, Terrier and others take in.

The messages of https://github.com/osirrc/ciff, written in the wire format of Protocol Buffers: a header, a list of
postings for each term in ascending order of its UTF-8 bytes, a record for each document; before each its length. The
impact of a term stands where its frequency would: programs are to score by it as it is.
"""

import struct
from collections.abc import Iterable
from typing import BinaryIO

import numpy as np

from sparseembed.errors import ConfigError
from sparseembed.exports.folder import FolderSink
from sparseembed.exports.sink import Exported
from sparseembed.exports.spool import Postings, Spool
from sparseembed.text import shown

FILE = "index.ciff"
Field = tuple[int, int | float | bytes]
"""The number of a message's field, and its value."""
_MOST = 2**31 - 1  # documents, terms, and the sum of a document's impacts: int32 in the format


class CiffSink(FolderSink):
    """Writes `index.ciff`, and the documents' texts beside it."""

    form = "ciff"

    def begin(self) -> None:
        """Open the spool."""
        self._spool = Spool(self.part, len(self.facts.terms))
        self._records = (self.part / "records.spool").open("w+b")
        self._sum = 0

    def add(self, document: Exported) -> None:
        """Take a document; lists are written once all are there."""
        vector = self.facts.terms.numbered(document.impacts)
        length, number = sum(vector.values()), len(self._spool.sizes)
        if length > _MOST or number > _MOST:
            raise ConfigError(f"CIFF counts in 32 bits, and document {shown(document.id)} is beyond that")
        self._spool.add(list(vector), list(vector.values()))
        record: list[Field] = [(1, number), (2, document.id.encode()), (3, length)]
        self._records.write(delimited(message(record)))
        self._sum += length
        self.keep(document)

    def finish(self) -> None:
        """Write header, postings and records."""
        documents, terms = len(self._spool.sizes), len(self.facts.terms)
        lists = int(np.count_nonzero(self._spool.frequencies))
        header: list[Field] = [
            (1, 1),
            (2, lists),
            (3, documents),
            (4, lists),
            (5, documents),
            (6, self._sum),
            (7, self._sum / max(documents, 1)),
            (8, f"sparseembed: impacts of {documents} documents, {terms} terms; score by the sum of impacts".encode()),
        ]
        with (self.part / FILE).open("wb") as handle:
            handle.write(delimited(message(header)))
            for postings in self._spool.by_term():
                if len(postings.documents):
                    self._write(handle, postings)
            self._records.seek(0)
            while part := self._records.read(1 << 20):
                handle.write(part)

    def close(self) -> None:
        """Remove what was for the way alone."""
        if hasattr(self, "_records"):
            self._records.close()
            self._spool.close()
            (self.part / "records.spool").unlink(missing_ok=True)

    def _write(self, handle: BinaryIO, postings: Postings) -> None:
        term = self.facts.terms.list[postings.term].encode()
        gaps = np.diff(postings.documents, prepend=0)
        body = b"".join(
            tagged(4, message([(1, gap), (2, impact)]))
            for gap, impact in zip(gaps.tolist(), postings.impacts.tolist(), strict=True)
        )
        about = message([(1, term), (2, len(postings.documents)), (3, int(postings.impacts.sum(dtype=np.int64)))])
        handle.write(varint(len(about) + len(body)) + about + body)


def varint(number: int) -> bytes:
    """Return a number that is not negative, seven bits a byte, the lowest first.

    >>> varint(300).hex()
    'ac02'
    """
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def message(fields: Iterable[Field]) -> bytes:
    """Return a message; fields of value 0 are left out, as proto3 has it."""
    return b"".join(tagged(number, value) for number, value in fields if value)


def tagged(number: int, value: int | float | bytes) -> bytes:
    """Return a field: a varint, a double, or bytes with their length."""
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + delimited(value)
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    return varint(number << 3) + varint(value)


def delimited(body: bytes) -> bytes:
    """Return bytes with their length before them."""
    return varint(len(body)) + body
