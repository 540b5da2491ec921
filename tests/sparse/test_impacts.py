"""What may stand in an impact vector."""

import pytest

from sparseembed.errors import DataError
from sparseembed.sparse.impacts import MAX_IMPACT, check_id, check_vector, is_term


@pytest.mark.parametrize("term", ["a", "don't", "3\u202f000", "\u00a0", "x" * 255, "😀", "\0", "\x01", "|", "漢"])
def test_terms_that_survive_lucene(term):
    assert is_term(term)
    check_vector("d", {term: 1})


@pytest.mark.parametrize(
    "term", ["", " ", "a b", " a", "a\t", "\x1f", "\n", "\u3000", "\u2028", "x" * 256, "\uffff", "\ud800", 7, None]
)
def test_terms_that_do_not(term):
    assert not is_term(term)
    with pytest.raises(DataError, match=r"document 'd'.*cannot be a term"):
        check_vector("d", {"fine": 1, term: 1})


@pytest.mark.parametrize("weight", [0, -3, MAX_IMPACT + 1, 0.4, 3.7, True, None, "5"])
def test_weights_out_of_range(weight):
    with pytest.raises(DataError, match="document 'd': the weight of 'bad'"):
        check_vector("d", {"good": MAX_IMPACT, "bad": weight})


def test_an_empty_vector_is_fine():
    check_vector("d", {})


@pytest.mark.parametrize("doc_id", ["", None, 3, "\ud800", "x" * 8_001])
def test_ids_that_cannot_be(doc_id):
    with pytest.raises(DataError):
        check_id(doc_id)
