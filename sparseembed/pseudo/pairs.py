"""Pairs of texts to train on: JSONL files of {"query", "positive", "negative"?}, one object a line."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from sparseembed.data.lines import located, parse_object, read_lines
from sparseembed.errors import DataError
from sparseembed.pseudo.folding import squeeze
from sparseembed.text import clean_text, one_line

_ENDINGS = (".jsonl", ".jsonl.gz")
_FIELDS = ("query", "positive", "negative")
_EXAMPLE = 'write one object a line, such as {"query": "...", "positive": "..."}, and "negative" where there is one'


class Pair(NamedTuple):
    """A query, a text that answers it, and perhaps one that does not though it looks so."""

    query: str
    positive: str
    negative: str | None = None


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

    :param paths: JSONL files (gzip if the name ends with ".gz"), and folders, of which each *.jsonl and *.jsonl.gz is
        read; not those in folders below them.
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
    if not path.is_dir():
        return [path]
    try:
        files = sorted(file for file in path.iterdir() if file.name.endswith(_ENDINGS) and file.is_file())
    except OSError as error:
        raise DataError(f"{one_line(path)}: cannot be read ({error.strerror}): check its permissions") from None
    if not files:
        raise DataError(f"{one_line(path)}: no *.jsonl or *.jsonl.gz in this folder: give a folder of files of pairs")
    return files


def _stem(file: Path) -> str:
    return clean_text(file.name.removesuffix(".gz").removesuffix(".jsonl"))


def _long_name(file: Path) -> str:
    return f"{clean_text(file.resolve().parent.name)}/{clean_text(file.name)}"


def _read(file: Path) -> tuple[Pair, ...]:
    pairs = tuple(_pair(file, number, line) for number, line in read_lines(file))
    if not pairs:
        raise DataError(f"{one_line(file)}: no pairs in it: {_EXAMPLE}")
    return pairs


def _pair(file: Path, number: int, line: str) -> Pair:
    record = parse_object(file, number, line, _EXAMPLE)
    query, positive, negative = (_text(file, number, record, field) for field in _FIELDS)
    return Pair(query, positive, negative or None)


def _text(file: Path, number: int, record: dict[str, Any], field: str) -> str:
    """Return a field's text; "" where there is no negative."""
    value = record.get(field)
    if value is None and field == "negative":
        return ""
    if field not in record:
        raise located(file, number, f'no "{field}": {_EXAMPLE}')
    if not isinstance(value, str):
        raise located(file, number, f'"{field}" is not a string: {_EXAMPLE}')
    text = squeeze(clean_text(value))
    if not text:
        remedy = "leave the field out" if field == "negative" else "remove the line, or give it a text"
        raise located(file, number, f'"{field}" is empty: {remedy}')
    return text
