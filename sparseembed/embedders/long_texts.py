"""Tokens of texts of any length: a tokenizer takes some 300 bytes a token, whatever is then done with them."""

from collections.abc import Iterator
from typing import Any

CHARACTERS = 32  # of one token, on average, that a first look allows for
PART = 1 << 18  # characters tokenized at once


def beginning(text: str, tokens: int, tokenizer: Any) -> str:
    """Return as much of a text as surely holds its first tokens.

    A text that is longer than 32 characters for each of them is cut where more than twice as many are complete: near
    the cut tokens may differ from those of the whole text, and not so far before it.

    :param text: Any text.
    :param tokens: How many of its tokens are wanted.
    :param tokenizer: A `tokenizers.Tokenizer` that cuts and pads nothing.
    :return: The text, or a beginning of it.
    """
    size = CHARACTERS * max(tokens, 1)
    while size < len(text):
        if len(tokenizer.encode(text[:size], add_special_tokens=False).ids) > 2 * tokens:
            return text[:size]
        size *= 2
    return text


def parts_of(text: str, size: int = PART) -> Iterator[str]:
    """Take a text apart at white space, so that its tokens can be had some at a time.

    :param text: Any text.
    :param size: Characters of a part, at most.
    :return: The text itself where it is no longer; else its parts, without the white space between them. A part ends
        within a word only where the word fills more than half of it.
    """
    start = 0
    while len(text) - start > size:
        stop = _space_before(text, start + size, start + size // 2)
        yield text[start:stop]
        start = stop + text[stop].isspace()
    yield text[start:]


def _space_before(text: str, stop: int, least: int) -> int:
    """Return the place of the last white space before or at a place; the place itself where there is none near."""
    return next((place for place in range(stop, least - 1, -1) if text[place].isspace()), stop)
