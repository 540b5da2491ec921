"""What may stand in an impact vector: terms that survive Lucene unchanged, and weights that stay exact."""

import re
from collections.abc import Mapping

from sparseembed.data.corpus import LONGEST_ID, id_problem
from sparseembed.errors import DataError

MAX_IMPACT = 65_535
"""The largest weight of a term in a document."""

MAX_TERM_LENGTH = 255
"""The longest term, in characters: as long as the longest token of Lucene's analyzers."""

# What Java's whitespace tokenizer splits at (Python's \s also has the no-break spaces, which terms may hold), the
# noncharacter U+FFFF, and lone surrogates, which cannot be stored.
_FORBIDDEN = re.compile("[\t-\r\x1c-\x20\u1680\u2000-\u2006\u2008-\u200a\u2028\u2029\u205f\u3000\uffff\ud800-\udfff]")


def check_id(doc_id: str) -> None:
    """Raise unless a string can be a document's id in the index.

    :param doc_id: the id.
    :raises DataError: if it is empty, too long, or holds a lone surrogate.
    """
    if not isinstance(doc_id, str) or not doc_id:
        raise DataError(f"{doc_id!r} is no document id: give each document a string that is not empty")
    if len(doc_id) > LONGEST_ID:
        raise DataError(f"the document {id_problem(doc_id)}")
    if re.search("[\ud800-\udfff]", doc_id):
        raise DataError(f"the document id {doc_id!r} holds a lone surrogate: replace it with U+FFFD")


def check_vector(doc_id: str, vector: Mapping[str, int]) -> None:
    """Raise unless Lucene would store every term and weight of a vector as it is.

    :param doc_id: the document, for the message.
    :param vector: term -> weight; may be empty.
    :raises DataError: for the first term or weight that will not do.
    """
    for term, weight in vector.items():
        if type(weight) is not int or not 0 < weight <= MAX_IMPACT:
            raise DataError(
                f"document {doc_id!r}: the weight of {term!r} is {weight!r}; it must be an int from 1 to {MAX_IMPACT:,}"
            )
        if not is_term(term):
            raise DataError(
                f"document {doc_id!r}: {term!r} cannot be a term; it must be a string of 1 to {MAX_TERM_LENGTH} "
                "characters without white space"
            )


def is_term(term: str) -> bool:
    """Say whether a string can be a term of an index.

    :param term: the string.
    :return: False if it is empty, too long, or holds white space, U+FFFF or a lone surrogate.
    """
    return isinstance(term, str) and 0 < len(term) <= MAX_TERM_LENGTH and _FORBIDDEN.search(term) is None
