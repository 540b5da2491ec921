"""Documents out of records: a corpus as a file or folder of any format."""

import itertools
from collections.abc import Iterator, Sequence
from importlib.resources.abc import Traversable

from sparseembed.data.corpus import Document, id_problem
from sparseembed.data.fields import Fields
from sparseembed.data.metadata import NONE, Metadata, extra_fields, metadata_of
from sparseembed.data.records.base import Place, Record, Records, Wants, no_names
from sparseembed.data.records.registry import open_records
from sparseembed.data.values import an, id_of, missing, text_in, twice, wrong_type
from sparseembed.errors import DataError
from sparseembed.text import one_line, shown

EXAMPLE = 'write one object a line, such as {"_id": "1", "text": "..."}'
_IMPACTS = "vector"
_USUAL = Fields()


def document_wants(fields: Fields = _USUAL) -> Wants:
    """Say what documents are made of.

    :param fields: The fields that a user named.
    """
    texts: list[tuple[str, ...]] = [(name,) for name in fields.text] or [fields.text_names]
    groups = (fields.id_names, *texts, *([(fields.title,)] if fields.title else []))
    hint = "name columns by --id-field and --text-field, by their numbers where the table has no header"
    return Wants(groups, fields.all_names, EXAMPLE, hint, no_names if fields.named else _id_and_text, rest=True)


def _id_and_text(row: Sequence[str]) -> Sequence[str] | None:
    """Take two columns as id and text; a text of a single word could be the name of a column."""
    usable = len(row) == 2 and not id_problem(row[0]) and len(row[1].split()) > 1
    return ("id", "text") if usable else None


def _unwrapped(record: Record) -> Record:
    """Return the document that a hit of OpenSearch or Elasticsearch holds, the form of their dumps; else the record."""
    source = record.get("_source")
    if isinstance(source, dict) and "_index" in record and "_id" in record:
        return {"_id": record["_id"], **source}
    return record


class RecordDocuments:
    """The documents that records make, read anew each time they are iterated over."""

    def __init__(self, records: Records, fields: Fields = _USUAL) -> None:
        """Take records.

        :param records: The records.
        :param fields: Which of their fields count.
        """
        self._records, self._fields = records, fields
        self._others = frozenset({*fields.all_names, _IMPACTS, ""})  # pandas gives its row numbers no name

    def __iter__(self) -> Iterator[Document]:
        """Give the documents in order; blank ones are kept.

        :raises DataError: A record is no document, or there is none.
        """
        records, fields = self._records, self._fields
        ids, title_name, last = fields.id_names, fields.title_name, None
        unseen = set(fields.named)
        for place, found in records:
            record = _unwrapped(found)
            doc_id = id_of(records, place, record, ids, "document")
            text = self._text(place, record, doc_id)
            title = record.get(title_name) if title_name is not None else None
            if title is not None and not isinstance(title, str):
                raise wrong_type(records, place, str(title_name), title, f"document {shown(doc_id)}", "a string")
            if unseen:
                unseen.difference_update(record)
            yield Document(doc_id, title or "", text, self._metadata(place, record, doc_id))
            last = record
        if last is None:
            raise DataError(f"{records}: no documents in it: {EXAMPLE}")
        if unseen:
            problem = f'no record has a field "{one_line(min(unseen))}": name one that is there'
            raise missing(records, place, last, problem, "")

    def twice(self, first: int, second: int) -> DataError:
        """Make the error for an id that occurs twice; the records are read once more to find the places.

        :param first: Position of the earlier document, from 0.
        :param second: Position of the later one.
        :return: The error, to be raised; names file and places.
        """
        found = itertools.islice(self._records, second + 1)
        pairs = [pair for position, pair in enumerate(found) if position in (first, second)]
        if len(pairs) < 2:
            return DataError(f"{self._records}: the file changed while it was read: read it again")
        (earlier, _), (later, record) = pairs
        doc_id = id_of(self._records, later, _unwrapped(record), self._fields.id_names, "document")
        return twice(self._records, earlier, later, doc_id)

    def _metadata(self, place: Place, record: Record, doc_id: str) -> Metadata:
        """Return what a record has beside id, title and text, but for the impacts of Pyserini's form."""
        if record.keys() <= self._others:
            return NONE
        try:
            return metadata_of(extra_fields(record, self._others))
        except DataError as error:
            raise self._records.located(place, f"document {shown(doc_id)}: {error}") from None

    def _text(self, place: Place, record: Record, doc_id: str) -> str:
        fields, owner = self._fields, f"document {shown(doc_id)}"
        if fields.text:
            there = [name for name in fields.text if record.get(name) is not None]
            if there or any(name in record for name in fields.text):
                return "\n".join(text_in(self._records, place, record, name, owner) for name in there)
            wanted = " or ".join(f'"{name}"' for name in fields.text)
            raise missing(self._records, place, record, f"no text in {owner}: give it {an(wanted)}", "--text-field")
        for name in fields.text_names:
            if name in record:
                return text_in(self._records, place, record, name, owner)
        problem = f'no text in {owner}: give it a "text" or "contents", "" if it is blank'
        raise missing(self._records, place, record, problem, "--text-field")


def read_documents(source: Traversable, fields: Fields = _USUAL) -> RecordDocuments:
    """Open the documents of a file, whose format its content tells.

    :param source: A file that can be read again, perhaps compressed.
    :param fields: Which fields count; where none are named, the id is "_id" or "id", the text "text" or "contents".
    :return: The documents.
    :raises DataError: The file cannot be read, or is of no format that is known.
    """
    return RecordDocuments(open_records(source, document_wants(fields)), fields)
