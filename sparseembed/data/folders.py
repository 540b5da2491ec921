"""Folders of documents: saved data sets, files of records, or plain texts, as their contents tell."""

import json
from collections.abc import Iterable, Iterator
from importlib.resources.abc import Traversable
from pathlib import Path

from sparseembed.data.beir import is_beir_folder, is_part, read_beir_corpus
from sparseembed.data.corpus import Corpus, Document
from sparseembed.data.documents import RecordDocuments, document_wants
from sparseembed.data.fields import Fields
from sparseembed.data.records.arrow import is_arrow
from sparseembed.data.records.base import Wants
from sparseembed.data.records.folder import FolderRecords
from sparseembed.data.records.head import Head, read_head
from sparseembed.data.records.registry import open_records
from sparseembed.data.records.saved import open_saved
from sparseembed.data.records.tables import table_layout
from sparseembed.data.texts import TextDocuments
from sparseembed.errors import DataError
from sparseembed.text import one_line, shown

_EMPTY, _RECORDS, _JSON, _TEXT = "empty", "records", "JSON", "text"


def open_folder(folder: Traversable, fields: Fields) -> Iterable[Document] | None:
    """Open the documents of a folder, and of those below it, in the order of their paths.

    A folder holds files of records, or plain texts; JSON files without an id and a text count as either. What begins
    with a dot is passed over.

    :param folder: The folder.
    :param fields: Which fields of records count.
    :return: The documents; None where there is no file with anything in it.
    :raises DataError: A file cannot be read, or some hold records and others plain text.
    """
    wants = document_wants(fields)
    saved = open_saved(folder, wants)
    if saved is not None:
        return RecordDocuments(saved, fields)
    kinds: dict[str, list[tuple[str, Traversable]]] = {}
    files = sorted(_files(folder, ""), key=lambda found: found[0])
    for path, file in files:
        kinds.setdefault(_kind(file, wants), []).append((path, file))
    if not kinds.keys() - {_EMPTY}:
        return None
    if _TEXT not in kinds:
        parts = [open_records(file, wants) for _, file in sorted(kinds.get(_RECORDS, []) + kinds.get(_JSON, []))]
        return RecordDocuments(FolderRecords(one_line(folder), parts), fields)
    if _RECORDS in kinds:
        one, other = kinds[_RECORDS][0][0], kinds[_TEXT][0][0]
        raise DataError(
            f"{one_line(folder)}: {shown(one)} holds records, and {shown(other)} plain text: give a folder of one kind"
        )
    return TextDocuments(files)


def read_folder(folder: Traversable, name: str, identity: str, fields: Fields) -> Corpus | None:
    """Read the documents of a folder: those of BEIR's layout, or those of all files in it.

    :param folder: The folder.
    :param name: The corpus's name.
    :param identity: The corpus's identity, equal between runs.
    :param fields: Which fields of records count.
    :return: The corpus; None where there are no documents.
    :raises DataError: If a file is wrong.
    """
    if is_beir_folder(folder):
        return read_beir_corpus(folder, name, identity, fields)
    documents = None if is_part(folder) else open_folder(folder, fields)
    return None if documents is None else Corpus(documents, name, identity + fields.suffix())


def _files(folder: Traversable, path: str) -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.name.startswith("."):
            continue
        if entry.is_file():
            yield path + entry.name, entry
        elif entry.is_dir() and not (isinstance(entry, Path) and entry.is_symlink()):
            yield from _files(entry, f"{path}{entry.name}/")


def _kind(file: Traversable, wants: Wants) -> str:
    head = read_head(file)
    if not head.raw:
        return _EMPTY
    if is_arrow(head):
        return _RECORDS
    if head.first_line[:1] in ("{", "["):
        found = _first_object(head)
        if found is not None:
            return _RECORDS if wants.in_header(list(found)) else _JSON
    layout = table_layout(head, wants)
    return _RECORDS if layout is not None and (layout.header or _even(head, layout.delimiter)) else _TEXT


def _first_object(head: Head) -> dict[str, object] | None:
    """Return the first object of a JSON file, also in an array; None where there is none."""
    text = head.text.lstrip()
    try:
        found, _ = json.JSONDecoder().raw_decode(text.removeprefix("[").lstrip())
    except (ValueError, RecursionError):
        # A document larger than the head: how it begins is all that is known.
        return {} if not head.whole and text.startswith(('{"', "[{", "{\n", "[\n")) else None
    return found if isinstance(found, dict) else None


def _even(head: Head, delimiter: str) -> bool:
    """Tell whether all lines of a file have as many columns, and whether there are several."""
    lines = [line for line in head.text.split("\n")[: None if head.whole else -1] if line and not line.isspace()]
    return len(lines) > 1 and len({line.count(delimiter) for line in lines}) == 1
