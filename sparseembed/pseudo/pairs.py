"""Pairs of texts to train on, from files of records in the shapes that people have."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sparseembed.data.opening import ENDINGS
from sparseembed.data.records.registry import open_records
from sparseembed.data.records.saved import is_saved, open_saved
from sparseembed.data.source import open_source
from sparseembed.errors import DataError
from sparseembed.pseudo.shapes import EXAMPLE, WANTS, Pair, pairs_of
from sparseembed.text import clean_text, one_line

__all__ = ["Pair", "Source", "fingerprint", "read_sources"]

_KINDS = (".jsonl", ".json", ".tsv", ".csv", ".parquet", ".arrow")  # what is read of a folder
_ENDINGS = tuple(kind + packed for kind in _KINDS for packed in ENDINGS)


@dataclass(frozen=True)
class Source:
    """Pairs of one kind: those of one file, or one kind of pseudo-query.

    :param name: The file's name without its ending, or the kind.
    :param pairs: The pairs, in the file's order.
    """

    name: str
    pairs: tuple[Pair, ...]


def read_sources(paths: Sequence[Path]) -> list[Source]:
    """Read files of pairs.

    :param paths: Files of any format of records, whose contents tell the format; data sets that `datasets` saved; and
        folders, of which the files of the usual names are read, such as *.jsonl and *.tsv.gz, and no folders below.
    :return: One source a file, ordered by name, whatever the order of `paths`. Files of the same name have their
        folder's before it. Texts have white space folded.
    :raises DataError: No file, a file given twice, one that cannot be read or holds no pair, or a line that is no pair.
    """
    files = [file for path in paths for file in _files_of(path)]
    if not files:
        raise DataError("no file of pairs is named: give JSONL files, or folders that hold some")
    for file, count in Counter(file.resolve() for file in files).items():
        if count > 1:
            raise DataError(f"{one_line(file)}: given {count} times: give each file of pairs once")
    short = Counter(_stem(file) for file in files)
    names = {file: _stem(file) if short[_stem(file)] == 1 else _long_name(file) for file in files}
    return [Source(names[file], _read(file)) for file in sorted(files, key=lambda file: (names[file], str(file)))]


def fingerprint(sources: Sequence[Source]) -> str:
    """Give the SHA-256 over the names and texts of sources, in their order.

    :param sources: The sources.
    :return: 64 hexadecimal digits.
    """
    found = hashlib.sha256()
    for source in sources:
        found.update(f"{len(source.pairs)}:".encode())
        for text in (source.name, *(text for pair in source.pairs for text in pair)):
            # The length keeps ("ab", "c") and ("a", "bc") apart, and "-" an absent negative from any text.
            part = None if text is None else clean_text(text).encode()
            found.update(b"-;" if part is None else b"%d:%b" % (len(part), part))
    return found.hexdigest()


def _files_of(path: Path) -> list[Path]:
    if not path.is_dir() or is_saved(path):
        return [path]
    try:
        files = sorted(file for file in path.iterdir() if file.name.endswith(_ENDINGS) and file.is_file())
    except OSError as error:
        raise DataError(f"{one_line(path)}: cannot be read ({error.strerror}): check its permissions") from None
    if not files:
        raise DataError(f"{one_line(path)}: no *.jsonl, *.tsv or the like in this folder: give files of pairs")
    return files


def _stem(file: Path) -> str:
    return clean_text(file.name.removesuffix(next((end for end in reversed(_ENDINGS) if file.name.endswith(end)), "")))


def _long_name(file: Path) -> str:
    return f"{clean_text(file.resolve().parent.name)}/{clean_text(file.name)}"


def _read(file: Path) -> tuple[Pair, ...]:
    records = open_saved(file, WANTS) if file.is_dir() else None
    if records is None:
        records = open_records(open_source(str(file)), WANTS)
    pairs = tuple(pair for place, record in records for pair in pairs_of(records, place, record))
    if not pairs:
        raise DataError(f"{one_line(file)}: no pairs in it: {EXAMPLE}")
    return pairs
