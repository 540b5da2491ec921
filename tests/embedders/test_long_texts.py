"""Texts of any length: only as much of one is tokenized as is looked at."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseembed.embedders.long_texts import beginning
from sparseembed.embedders.prompts import Prompter
from sparseembed.embedders.tokenizer import load_tokenizer
from sparseembed.sparse.literal import PieceTerms
from sparseembed.text import parts_of

PROMPT = 'Passage: "{text}". The word: "'
ODD = {
    "dots": "x" + "." * 60_000,
    "question marks": "?!" * 30_000,
    "blanks": "a" + " " * 60_000 + "b",
    "one word": "photosynthesis" * 4_000,
    "Han": "".join(map(chr, range(0x4E00, 0x9000))),
    "prose": "Rivers carry water from the mountains to the sea. " * 1_200,
    "astral": "\U0001f600" * 15_000,
}


@pytest.fixture(scope="module")
def tokenizer(tiny_model):
    return load_tokenizer(tiny_model("tied"))


class Listening:
    """A tokenizer, and the longest string that it was given."""

    def __init__(self, tokenizer):
        self._tokenizer, self.longest = tokenizer, 0

    def get_added_tokens_decoder(self):
        return self._tokenizer.get_added_tokens_decoder()

    def encode(self, text, **options):
        self.longest = max(self.longest, len(text))
        return self._tokenizer.encode(text, **options)

    def encode_batch(self, texts, **options):
        return [self.encode(text, **options) for text in texts]


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("template", [PROMPT, "Say: {text}. Again: {text}"])
def test_the_same_tokens_as_by_the_whole_text(tokenizer, monkeypatch, kind, template):
    found = Prompter(tokenizer, template, "text").encode([ODD[kind]], 64)
    monkeypatch.setattr("sparseembed.embedders.prompts.beginning", lambda text, tokens, tokenizer: text)
    assert found == Prompter(tokenizer, template, "text").encode([ODD[kind]], 64)
    assert found[0].cut


def test_little_of_a_long_text_is_tokenized(tokenizer):
    listening = Listening(tokenizer)
    Prompter(listening, PROMPT).encode([ODD["prose"]], 64)
    assert listening.longest < 64 * 32 + len(PROMPT)


@given(text=st.text(max_size=300), tokens=st.integers(1, 8))
def test_a_beginning_is_one_and_holds_enough(tokenizer, text, tokens):
    found = beginning(text, tokens, tokenizer)
    assert text.startswith(found)
    assert found == text or len(tokenizer.encode(found, add_special_tokens=False).ids) > 2 * tokens


def test_a_text_of_few_tokens_is_looked_at_to_its_end(tokenizer):
    # Whatever a tokenizer drops or folds, a text is not taken for longer than it is.
    from tokenizers import normalizers

    folding = type(tokenizer).from_str(tokenizer.to_str())
    folding.normalizer = normalizers.Replace(" ", "")
    text = " " * 5_000 + "whale"
    assert beginning(text, 4, folding) == text


@given(text=st.text(alphabet="ab \n\u2003", max_size=80), size=st.integers(2, 20))
def test_parts_lose_nothing_but_white_space(text, size):
    parts = list(parts_of(text, size))
    assert all(len(part) <= size for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())
    if len(text) <= size:
        assert parts == [text]
    if all(len(word) <= size // 2 for word in text.split()):
        assert " ".join(parts).split() == text.split()


def test_pieces_are_counted_part_by_part(tokenizer, monkeypatch):
    literal = PieceTerms("token", tokenizer, [str(number) for number in range(tokenizer.get_vocab_size())])
    text = " ".join(["She reads books about green whales, and he reads about rivers."] * 40)
    whole = [ids.tolist() for ids in literal.numbers([text, "cat"])]
    words = literal.of(text)
    monkeypatch.setattr(parts_of, "__defaults__", (100,))
    assert [ids.tolist() for ids in literal.numbers([text, "cat"])] == whole
    assert literal.of(text) == words
