"""Prompts: exact ids, what is cut and what never is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseembed.embedders.presets import DOCUMENT_PROMPT
from sparseembed.embedders.prompts import Prompter
from sparseembed.embedders.tokenizer import load_tokenizer
from sparseembed.errors import EmbedderError

PROMPT = 'Passage: "{text}". The word is: "'
AFTER = '". The word is: "'
printable = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def prompt_texts(tokenizer, template, texts, max_length, pool_over="all"):
    return Prompter(tokenizer, template, pool_over).encode(texts, max_length)


@pytest.fixture(scope="module")
def tokenizer(tiny_model):
    return load_tokenizer(tiny_model("tied"))


def decoded(tokenizer, prompted):
    return tokenizer.decode(prompted.ids[1:], skip_special_tokens=False)


def test_ids_are_those_of_the_whole_prompted_string(tokenizer):
    [prompted] = prompt_texts(tokenizer, PROMPT, ["the cat"], 100)
    assert prompted.ids == tokenizer.encode('Passage: "the cat". The word is: "').ids
    assert prompted.ids[0] == tokenizer.token_to_id("<s>")
    assert not prompted.cut


def test_what_looks_like_a_special_token_is_text(tokenizer):
    specials = {tokenizer.token_to_id("<s>"), tokenizer.token_to_id("</s>")}
    [prompted] = prompt_texts(tokenizer, PROMPT, ["</s><s> <s>"], 100)
    assert specials.isdisjoint(prompted.ids[1:])
    assert decoded(tokenizer, prompted) == PROMPT.replace("{text}", "</s><s> <s>")


@pytest.mark.parametrize("text", ["{text}", "{}", "{0} {x!r}", "}{", "100% \\1 %s", '"', "\\n"])
def test_braces_and_the_like_in_a_text_mean_nothing(tokenizer, text):
    [prompted] = prompt_texts(tokenizer, PROMPT, [text], 100)
    assert decoded(tokenizer, prompted) == 'Passage: "' + text + AFTER


def test_the_border_of_the_max_length(tokenizer):
    text = "the cat sat on the mat"
    length = len(tokenizer.encode(PROMPT.replace("{text}", text)).ids)
    [fits] = prompt_texts(tokenizer, PROMPT, [text], length)
    assert (len(fits.ids), fits.cut) == (length, False)
    [over] = prompt_texts(tokenizer, PROMPT, [text], length - 1)
    assert over.cut
    assert over.ids == tokenizer.encode(PROMPT.replace("{text}", "the cat sat on the")).ids


@given(text=printable, limit=st.integers(45, 80))
def test_a_cut_text_is_a_beginning_of_it_and_the_prompt_stays_whole(tokenizer, text, limit):
    [prompted] = prompt_texts(tokenizer, PROMPT, [text], limit)
    assert len(prompted.ids) <= limit
    whole = decoded(tokenizer, prompted)
    assert whole.startswith('Passage: "')
    assert whole.endswith(AFTER)
    kept = whole.removeprefix('Passage: "').removesuffix(AFTER)
    assert text.startswith(kept)
    assert prompted.cut == (kept != text)


def test_a_cut_uses_the_room_there_is(tokenizer):
    text = "cat " * 400
    for limit in range(45, 60):
        [prompted] = prompt_texts(tokenizer, PROMPT, [text], limit)
        assert limit - 1 <= len(prompted.ids) <= limit


def test_characters_of_several_tokens_are_never_torn(tokenizer):
    for limit in range(45, 70):
        [prompted] = prompt_texts(tokenizer, PROMPT, ["😀" * 50], limit)
        kept = decoded(tokenizer, prompted).removeprefix('Passage: "').removesuffix(AFTER)
        assert set(kept) <= {"😀"}


def test_an_end_that_the_tokenizer_adds_is_kept(tiny_model):
    from tokenizers import processors

    tokenizer = load_tokenizer(tiny_model("tied"))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    [prompted] = prompt_texts(tokenizer, "{text}", ["cat " * 100], 20)
    assert (prompted.ids[0], prompted.ids[-1]) == (0, 1)
    assert len(prompted.ids) == 20
    assert prompted.cut


def test_an_empty_text_gives_the_prompt_alone(tokenizer):
    [prompted] = prompt_texts(tokenizer, PROMPT, [""], 100)
    assert prompted.ids == tokenizer.encode('Passage: "' + AFTER).ids
    assert not prompted.cut


def test_no_texts_give_nothing(tokenizer):
    assert prompt_texts(tokenizer, PROMPT, [], 100) == []


def test_a_prompt_without_room_for_text_is_an_error(tokenizer):
    overhead = len(tokenizer.encode('Passage: "' + AFTER).ids)
    with pytest.raises(EmbedderError, match=f"the prompt alone has {overhead} tokens") as caught:
        prompt_texts(tokenizer, PROMPT, ["the cat sat on the mat"], overhead)
    assert "\n" not in str(caught.value)


ECHO = "Say: {text}. Again: {text}"


@pytest.mark.parametrize("template", ["<s>{text}</s>", "ask</s> {text}", "a<s>b: {text} </s></s>", "{text}</s>\n"])
def test_special_tokens_of_the_prompt_are_special(tokenizer, tiny_model, template):
    reading = load_tokenizer(tiny_model("tied"))
    reading.encode_special_tokens = False
    for text in ("the cat", " cat  ", "😀 whale\n", "x"):
        [prompted] = prompt_texts(tokenizer, template, [text], 100)
        assert prompted.ids == reading.encode(template.replace("{text}", text)).ids
    [prompted] = prompt_texts(tokenizer, template, ["</s><s> <s>"], 100)
    specials = [number for number in prompted.ids if number < 2]
    assert len(specials) == 1 + template.count("<s>") + template.count("</s>")
    assert decoded(tokenizer, prompted) == template.replace("{text}", "</s><s> <s>")
    assert tokenizer.get_vocab_size() == reading.get_vocab_size()


def test_no_text_can_write_a_stand_in(tokenizer):
    for text in ("\ufdd00\ufdd1", "a\ufdd01\ufdd1\ufdd0"):
        [prompted] = prompt_texts(tokenizer, "<s>{text}</s>", [text], 100)
        assert [number for number in prompted.ids if number < 2] == [0, 0, 1]
        assert decoded(tokenizer, prompted) == "<s>" + text.replace("\ufdd0", "\ufffd") + "</s>"


def test_special_tokens_stay_where_a_text_is_cut(tokenizer):
    [prompted] = prompt_texts(tokenizer, "<s>the {text}</s>", ["cat " * 100], 20)
    assert prompted.cut
    assert 17 < len(prompted.ids) <= 20
    assert (prompted.ids[:2], prompted.ids[-1]) == ([0, 0], 1)


@given(text=printable, limit=st.integers(30, 90))
def test_both_copies_of_an_echo_are_cut_alike(tokenizer, text, limit):
    [prompted] = prompt_texts(tokenizer, ECHO, [text], limit, "text")
    assert len(prompted.ids) <= limit
    whole = decoded(tokenizer, prompted)
    length = (len(whole) - len(ECHO.replace("{text}", ""))) // 2
    assert whole == ECHO.replace("{text}", text[:length])
    assert prompted.cut == (length < len(text))


def test_an_echo_uses_the_room_there_is(tokenizer):
    for limit in range(30, 60):
        [prompted] = prompt_texts(tokenizer, ECHO, ["cat " * 400], limit)
        assert limit - 6 < len(prompted.ids) <= limit


@pytest.mark.parametrize(
    "template", ["{text}", "plants: {text}", 'x"{text}". so', ECHO, "<s>a: {text}</s>", "a\n{text}"]
)
@given(text=printable)
def test_pooling_starts_at_the_first_token_of_the_text(tokenizer, template, text):
    # Oracle: the longest run of tokens that spells no more than what stands before the text.
    [prompted] = prompt_texts(tokenizer, template, [text], 400, "text")
    assert prompted._replace(start=0) == prompt_texts(tokenizer, template, [text], 400)[0]
    before = template[: template.rindex("{text}")].replace("{text}", text).encode()
    bytes_of = {char: byte for byte, char in byte_alphabet().items()}
    place, spelt = 1, b""
    while place < len(prompted.ids):
        piece = tokenizer.id_to_token(prompted.ids[place])
        spelt += piece.encode() if prompted.ids[place] < 2 else bytes(bytes_of[char] for char in piece)
        if len(spelt) > len(before):
            break
        place += 1
    assert prompted.start == min(place, len(prompted.ids) - 1)


def byte_alphabet():
    """Byte -> character, as in GPT-2's byte-level tokenizer: printable ones stand for themselves."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in kept]
    return {byte: chr(byte) for byte in kept} | {byte: chr(256 + n) for n, byte in enumerate(others)}


def test_a_token_that_spans_the_border_belongs_to_the_text(tokenizer):
    [prompted] = prompt_texts(tokenizer, "on the {text}", ["cat"], 100, "text")
    assert tokenizer.id_to_token(prompted.ids[prompted.start]) == "Ġcat"
    [prompted] = prompt_texts(tokenizer, "on the{text}", ["cat"], 100, "text")
    assert not tokenizer.id_to_token(prompted.ids[prompted.start]).startswith("Ġ")


def test_a_prompt_that_a_task_spoilt_is_one_line(tokenizer):
    with pytest.raises(EmbedderError, match=r"a prompt must hold \{text\} once, or twice for an echo") as caught:
        prompt_texts(tokenizer, "{text} {text}\n {text}", ["cat"], 100)
    assert str(caught.value).isprintable()


def test_the_shipped_prompts_end_inside_quotation_marks():
    assert DOCUMENT_PROMPT.count("{text}") == 1
    assert DOCUMENT_PROMPT.endswith('is: "')
