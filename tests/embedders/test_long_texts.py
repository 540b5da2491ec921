"""Texts of any length: only as much of one is tokenized as is looked at."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseembed.data.passages import Splitting
from sparseembed.embedders.long_texts import beginning
from sparseembed.embedders.prompts import Prompter
from sparseembed.embedders.tokenizer import load_tokenizer
from sparseembed.embedders.windows import fitting
from sparseembed.sparse.literal import PieceTerms
from sparseembed.text import PART, parts_of

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
    """A tokenizer, and the most characters that it was given at once."""

    def __init__(self, tokenizer):
        self._tokenizer, self.most = tokenizer, 0

    def get_added_tokens_decoder(self):
        return self._tokenizer.get_added_tokens_decoder()

    def encode(self, text, **options):
        return self.encode_batch([text], **options)[0]

    def encode_batch(self, texts, **options):
        self.most = max(self.most, sum(map(len, texts)))
        return self._tokenizer.encode_batch(texts, **options)


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
    Prompter(listening, PROMPT).reach([ODD["prose"]], 64)
    assert listening.most < 64 * 32 + len(PROMPT)


@pytest.mark.parametrize("kind", ODD)
def test_a_text_reaches_as_far_as_it_is_embedded(tokenizer, kind):
    prompter, text = Prompter(tokenizer, PROMPT), ODD[kind]
    (reach,) = prompter.reach([text], 64)
    assert reach < len(text)
    whole, beginning_alone = prompter.encode([text, text[:reach]], 64)
    assert (whole.ids, whole.cut, beginning_alone.cut) == (beginning_alone.ids, True, False)


def test_few_of_many_passages_are_tokenized_at_once(tokenizer):
    listening = Listening(tokenizer)
    text = ODD["prose"] * 20
    spans = fitting(text, Splitting("sentences", 12, 12), lambda texts: Prompter(listening, PROMPT).reach(texts, 64))
    assert len(spans) > 10_000
    assert listening.most < len(text) / 20


def test_few_of_many_long_texts_are_tokenized_at_once(tokenizer):
    listening = Listening(tokenizer)
    literal = PieceTerms("token", listening, [str(number) for number in range(tokenizer.get_vocab_size())])
    texts = [ODD["prose"] * 10, *[ODD["prose"]] * 20, "cat"]
    assert [len(numbers) for numbers in literal.numbers(texts)] == [len(literal.of(text)) for text in texts]
    assert listening.most < 2 * PART


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
