"""The shapes in which people keep training texts, and the pairs that they make."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sparseembed.data.records.base import Place, Record, Records, Wants
from sparseembed.data.values import missing
from sparseembed.errors import DataError
from sparseembed.pseudo.folding import squeeze
from sparseembed.text import clean_text

QUERIES = ("query", "anchor")
POSITIVES = ("positive", "pos", "positives", "positive_passages")
NEGATIVES = ("negative", "neg", "negatives", "negative_passages")
EXAMPLE = 'write one object a line, such as {"query": "...", "positive": "..."}, and "negative" where there is one'
_HINT = 'name the columns "query", "positive" and perhaps "negative"'


class Pair(NamedTuple):
    """A query, a text that answers it, and perhaps one that does not though it looks so."""

    query: str
    positive: str
    negative: str | None = None


def _bare(row: Sequence[str]) -> Sequence[str] | None:
    """Take two columns as query and positive, three as a triplet, where they look like texts and not like a header."""
    if len(row) not in (2, 3) or not any(len(text.split()) > 1 for text in row[:2]):
        return None
    return None if len(row) == 3 and _is_number(row[2]) else ("query", "positive", "negative")[: len(row)]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


WANTS = Wants((QUERIES, POSITIVES), (*QUERIES, *POSITIVES, *NEGATIVES), EXAMPLE, _HINT, _bare, lists=True)


def pairs_of(records: Records, place: Place, record: Record) -> Iterator[Pair]:
    """Give the pairs of a record: one a positive, each with a negative where there are some.

    Negatives are taken in their order, and again from the first where they are fewer than the positives.

    :param records: Where the record is from.
    :param place: Its place there.
    :param record: A query, its positive or positives, and perhaps its negatives: texts, lists of texts, or lists of
        passages with a "text" and perhaps a "title".
    :return: The pairs, with white space folded.
    :raises DataError: A field is missing, empty or of another type; names its place.
    """
    query = _texts(records, place, record, QUERIES, several=False)[0]
    positives = _texts(records, place, record, POSITIVES)
    negatives = _texts(records, place, record, NEGATIVES, needed=False)
    for number, positive in enumerate(positives):
        yield Pair(query, positive, negatives[number % len(negatives)] if negatives else None)


def _texts(
    records: Records,
    place: Place,
    record: Record,
    names: Sequence[str],
    *,
    several: bool = True,
    needed: bool = True,
) -> list[str]:
    name = next((name for name in names if name in record), None)
    value = None if name is None else record[name]
    if not needed and (value is None or value == []):
        return []
    if name is None:
        raise missing(records, place, record, f'no "{names[0]}": {EXAMPLE}', "")
    values = value if several and isinstance(value, list) else [value]
    remedy = "remove the line, or give it a text" if needed else "leave the field out"
    texts = [squeeze(clean_text(_text(records, place, name, value))) for value in values]
    if not texts or not all(texts):
        raise records.located(place, f'"{name}" is empty: {remedy}')
    return texts


def _text(records: Records, place: Place, name: str, value: Any) -> str:
    if isinstance(value, dict) and isinstance(value.get("text"), str):
        title = value.get("title")
        return f"{title} {value['text']}" if isinstance(title, str) else str(value["text"])
    if not isinstance(value, str):
        raise _no_text(records, place, name)
    return value


def _no_text(records: Records, place: Place, name: str) -> DataError:
    return records.located(place, f'"{name}" is not a string: {EXAMPLE}')
