"""Tokens of texts of any length: a tokenizer takes some 300 bytes a token, whatever is then done with them."""

from typing import Any

CHARACTERS = 32  # of one token, on average, that a first look allows for


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
