"""Which pieces of a vocabulary are terms, and which of them are one."""

import numpy as np
import pytest

from sparseembed.sparse.literal import PieceTerms
from sparseembed.sparse.pieces import piece_rows, piece_space

# (piece, its term in `folded`); byte-level pieces, where Ġ is a space and Ċ a new line.
BYTE_LEVEL = [
    ("<s>", None),
    ("cat", "cat"),
    ("Ġcat", "cat"),
    ("ĠCat", "cat"),
    ("CAT", "cat"),
    ("Ġ", None),
    ("ĠĠ", None),
    ("Ċ", None),
    ("dog", "dog"),
    ("tion", "tion"),
    ("Ã", None),  # half of é
    ("ÃĹ", "×"),
    ("ĠÃī", "é"),
    ("Ã©", "é"),
    ("!", "!"),
    ("Ġ!", "!"),
]


def byte_level(pieces):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    tokenizer = Tokenizer(models.BPE({piece: number for number, piece in enumerate(pieces)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


@pytest.fixture
def tokenizer():
    made = byte_level([piece for piece, _ in BYTE_LEVEL])
    made.add_special_tokens(["<s>"])
    return made


def terms_of(space):
    """Return each piece's label, None for a piece that is no term."""
    return [None if number < 0 else space.labels[number] for number in space.term_of_piece]


def test_folded_pieces_differ_in_case_and_leading_space_only(tokenizer):
    space = piece_space("folded", tokenizer, len(BYTE_LEVEL))
    assert terms_of(space) == [term for _, term in BYTE_LEVEL]


def test_a_term_is_named_by_its_first_piece(tokenizer):
    space = piece_space("folded", tokenizer, len(BYTE_LEVEL))
    for number, term in enumerate(space.terms):
        assert int(term) == space.term_of_piece.index(number)
    assert len(set(space.terms)) == len(space.terms) == len(space.labels)


def test_token_keeps_pieces_apart(tokenizer):
    space = piece_space("token", tokenizer, len(BYTE_LEVEL))
    kept = [piece for piece, (_, term) in enumerate(BYTE_LEVEL) if term is not None]
    assert space.terms == [str(piece) for piece in kept]
    assert [piece for piece, number in enumerate(space.term_of_piece) if number >= 0] == kept
    assert space.labels[:3] == ["cat", " cat", " Cat"]


@pytest.mark.parametrize("kind", ["folded", "token"])
def test_rows_without_a_piece_are_no_terms(tokenizer, kind):
    space = piece_space(kind, tokenizer, len(BYTE_LEVEL) + 3)
    assert len(space.term_of_piece) == len(BYTE_LEVEL) + 3
    assert space.term_of_piece[-3:] == [-1, -1, -1]


def test_pieces_without_a_row_are_no_terms(tokenizer):
    assert piece_space("token", tokenizer, 4).terms == ["1", "2", "3"]


def test_a_vocabulary_with_gaps():
    from tokenizers import Tokenizer, models

    tokenizer = Tokenizer(models.WordLevel({"cat": 0, "dog": 7, "[UNK]": 3}, unk_token="[UNK]"))
    space = piece_space("token", tokenizer, 9)
    assert [piece for piece, number in enumerate(space.term_of_piece) if number >= 0] == [0, 3, 7]
    assert space.labels == ["cat", "[UNK]", "dog"]


def test_sentencepiece_vocabularies():
    from tokenizers import Tokenizer, decoders, models

    # (piece, term); in byte-fallback pieces the number is the byte.
    pieces = [
        ("<unk>", None),
        ("▁cat", "cat"),
        ("cat", "cat"),
        ("▁Cat", "cat"),
        ("▁", None),
        ("▁▁", None),
        ("<0x0A>", None),
        ("<0xC3>", None),
        ("<0x41>", "a"),
        ("a", "a"),
    ]
    vocabulary = {piece: number for number, (piece, _) in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>", byte_fallback=True))
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens(["<unk>"])
    assert terms_of(piece_space("folded", tokenizer, len(pieces))) == [term for _, term in pieces]
    assert piece_space("token", tokenizer, len(pieces)).labels[:2] == [" cat", "cat"]


@pytest.mark.parametrize("kind", ["folded", "token"])
def test_every_kept_piece_of_a_trained_vocabulary_has_one_term(tiny_tokenizer, kind):
    size = tiny_tokenizer.get_vocab_size()
    space = piece_space(kind, tiny_tokenizer, size)
    kept = [number for number in space.term_of_piece if number >= 0]
    assert set(kept) == set(range(len(space.terms)))
    assert (len(kept) == len(space.terms)) is (kind == "token")
    for special in ("<s>", "</s>", "Ġ"):
        assert space.term_of_piece[tiny_tokenizer.token_to_id(special)] == -1
    if kind == "folded":
        assert len({space.term_of_piece[tiny_tokenizer.token_to_id(piece)] for piece in ("T", "t")}) == 1


def test_rows_are_grouped_by_term(tokenizer):
    matrix = np.arange(2 * len(BYTE_LEVEL), dtype=np.float32).reshape(-1, 2)
    for kind in ("folded", "token"):
        space = piece_space(kind, tokenizer, len(BYTE_LEVEL))
        rows = piece_rows(space, matrix)
        ends = [*rows.starts[1:], len(rows.matrix)]
        for number, (start, end) in enumerate(zip(rows.starts, ends, strict=True)):
            pieces = [piece for piece, term in enumerate(space.term_of_piece) if term == number]
            np.testing.assert_array_equal(rows.matrix[start:end], matrix[pieces])
        assert len(rows) == len(space.terms)


def test_literal_pieces_of_a_text(tiny_tokenizer):
    space = piece_space("folded", tiny_tokenizer, tiny_tokenizer.get_vocab_size())
    terms = [None if number < 0 else space.terms[number] for number in space.term_of_piece]
    literal = PieceTerms("folded", tiny_tokenizer, terms)
    labels = dict(zip(space.terms, space.labels, strict=True))
    assert [labels[term] for term in literal.of("  The cat the\n")] == ["the", "cat", "the"]
    assert literal.of("cat") == literal.of(" Cat".lower())
    assert literal.of("") == literal.of(" \n") == []
    assert literal.of("a\ud800b") == literal.of("a\ufffdb")


def test_the_pieces_of_many_texts_are_those_of_each(tiny_tokenizer):
    literal = PieceTerms("token", tiny_tokenizer, [str(piece) for piece in range(tiny_tokenizer.get_vocab_size())])
    texts = ["the cat", "", "😀\ud800", " whales "]
    for text, numbers in zip(texts, literal.numbers(texts), strict=True):
        assert [str(number) for number in numbers] == literal.of(text)


def test_pieces_beyond_the_terms_are_left_out(tiny_tokenizer):
    assert PieceTerms("token", tiny_tokenizer, ["0", "1"]).of("cat") == []
