"""What files are that cannot be read here, told by their first bytes, and what to do about it."""

from sparseembed.data.records.head import Head

_PYTHON = "write its records as Parquet, JSONL or CSV, for example with pandas"
_PACKED = "unpack it and give the file that is in it"
_TWICE = "compressed twice: unpack it once"
_BYTES = "save it as UTF-8, or as UTF-16 with a byte order mark, for example with iconv"

# First bytes -> what such a file is, and what to do. Text begins with none of them.
_BEGINNINGS: dict[bytes, str] = {
    b"\x1f\x8b\x08": _TWICE,
    b"\xfd7zXZ\x00": _TWICE,
    b"\x28\xb5\x2f\xfd": _TWICE,
    b"BZh91AY&SY": _TWICE,
    b"\x04\x22\x4d\x18": f"compressed by LZ4: {_PACKED}",
    b"\x1f\x9d": f"compressed by compress: {_PACKED}",
    b"7z\xbc\xaf\x27\x1c": f"an archive of 7-Zip: {_PACKED}",
    b"Rar!\x1a\x07": f"an archive of RAR: {_PACKED}",
    b"%PDF-": "a PDF: give a file of its text",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "a workbook or document of an office program: save the sheet as CSV",
    b"SQLite format 3\x00": "a database of SQLite: write the table as CSV",
    b"Obj\x01": f"an Avro file: {_PYTHON}",
    b"ORC": f"an ORC file: {_PYTHON}",
    b"\x89HDF\r\n\x1a\n": f"an HDF5 file: {_PYTHON}",
    b"\x93NUMPY": f"an array of NumPy: {_PYTHON}",
    **{bytes([0x80, version]): f"a pickle of Python: {_PYTHON}" for version in range(2, 6)},
    b"\xff\xfe\x00\x00": f"text in UTF-32: {_BYTES}",
    b"\x00\x00\xfe\xff": f"text in UTF-32: {_BYTES}",
}


def what_it_is(head: Head) -> str | None:
    """Say what a file is that no format took, and what to do; None where its first bytes tell nothing.

    :param head: Its beginning.
    """
    if head.raw[257:262] == b"ustar":
        return "a tar archive: unpack it and give the folder that is in it"
    for beginning, told in _BEGINNINGS.items():
        if head.raw.startswith(beginning):
            return told
    marked = head.raw.startswith((b"\xff\xfe", b"\xfe\xff"))
    if b"\x00" in head.raw[:4] and not marked:  # UTF-16 and UTF-32 of what begins as tables and JSON do
        return f"text in UTF-16 or UTF-32 without a byte order mark, or no text: {_BYTES}"
    return None
