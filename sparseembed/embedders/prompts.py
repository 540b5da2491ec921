"""Prompted token ids: the text is cut where it is too long, the prompt never."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sparseembed.embedders.spec import TEXT
from sparseembed.errors import EmbedderError


class Prompted(NamedTuple):
    """Token ids of a prompted text, and whether the text had to be cut."""

    ids: list[int]
    cut: bool


def prompt_texts(tokenizer: Any, template: str, texts: Sequence[str], max_length: int) -> list[Prompted]:
    """Tokenize texts inside a prompt.

    The whole prompted string is tokenized at once, as the authors of embedders do, so that pieces may span the border
    between prompt and text. What looks like a special token inside a text is tokenized as plain text.

    :param tokenizer: A `tokenizers.Tokenizer`.
    :param template: Prompt with one `{text}`.
    :param texts: The texts.
    :param max_length: Tokens at most, those of the prompt and special ones included.
    :return: One entry a text.
    :raises EmbedderError: The prompt alone leaves no room for text.
    """
    before, after = template.split(TEXT)
    whole = tokenizer.encode_batch([before + text + after for text in texts])
    result = []
    for text, encoding in zip(texts, whole, strict=True):
        ids = encoding.ids
        if len(ids) > max_length:
            ids = _cut(tokenizer, before, text, after, max_length)
            result.append(Prompted(ids, True))
        else:
            result.append(Prompted(ids, False))
    return result


def _cut(tokenizer: Any, before: str, text: str, after: str, max_length: int) -> list[int]:
    overhead = len(tokenizer.encode(before + after).ids)
    room = max_length - overhead
    if room < 1:
        raise EmbedderError(
            f"the prompt alone has {overhead} tokens, which leaves no room for text within a max length of "
            f"{max_length}: raise the max length or shorten the prompt"
        )
    offsets = tokenizer.encode(text, add_special_tokens=False).offsets
    while True:
        end = offsets[min(room, len(offsets)) - 1][1] if room else 0
        ids: list[int] = tokenizer.encode(before + text[:end] + after).ids
        if len(ids) <= max_length or room == 0:
            return ids[:max_length]
        room -= max(1, len(ids) - max_length)
        room = max(room, 0)
