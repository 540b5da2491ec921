"""Prompted token ids: the text is cut where it is too long, the prompt never."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sparseembed.embedders.long_texts import beginning
from sparseembed.embedders.spec import TEXT
from sparseembed.errors import EmbedderError

# Not characters: Unicode keeps them for a program's own use, and no text of a collection needs them.
_OPEN, _CLOSE = "\ufdd0", "\ufdd1"
_TOGETHER = 64  # texts tokenized at once: an encoding takes some 300 bytes a token


class Prompted(NamedTuple):
    """Token ids of a prompted text."""

    ids: list[int]
    cut: bool  # whether the text had to be cut
    start: int = 0  # position where pooling starts


class Prompter:
    """A prompt over a tokenizer: texts -> token ids.

    The whole prompted string is tokenized at once, as the authors of embedders do, so that pieces may span the border
    between prompt and text. A special token of the tokenizer that is written in the prompt becomes that token; what
    looks like one inside a text is tokenized as plain text.
    """

    def __init__(self, tokenizer: Any, template: str, pool_over: str = "all") -> None:
        """Prepare a prompt.

        :param tokenizer: A `tokenizers.Tokenizer` that reads special tokens inside a string as text.
        :param template: Prompt with one `{text}`, or two where the text is said twice (echo).
        :param pool_over: `all`: pooling starts at 0; `text`: at the first token of the last `{text}`, which is the one
            that spans the border where one does.
        :raises EmbedderError: The template holds `{text}` more than twice, or not at all.
        """
        parts = template.split(TEXT)
        if len(parts) not in (2, 3):
            raise EmbedderError(f"a prompt must hold {TEXT} once, or twice for an echo, not {template!r}")
        self._over_text = pool_over == "text"
        self._tokenizer, self._parts, self._special = _with_special_tokens(tokenizer, parts)

    def encode(self, texts: Sequence[str], max_length: int) -> list[Prompted]:
        """Tokenize texts inside the prompt.

        :param texts: The texts.
        :param max_length: Tokens at most, those of the prompt and special ones included.
        :return: One entry a text; both copies of an echo are cut to the same length.
        :raises EmbedderError: The prompt alone leaves no room for text.
        """
        result = []
        for text, encoding in self._begun(texts, max_length):
            cut = len(encoding.ids) > max_length
            if cut:
                text, encoding = self._cut(text, max_length)
            ids = encoding.ids[:max_length]
            start = self._start(text, encoding.offsets[:max_length]) if self._over_text else 0
            result.append(Prompted([self._special.get(token, token) for token in ids], cut, start))
        return result

    def reach(self, texts: Sequence[str], max_length: int) -> list[int | None]:
        """Return how many characters of texts are embedded; None for a text that is not cut.

        :param texts: The texts.
        :param max_length: As in `encode`.
        :raises EmbedderError: As in `encode`.
        """
        return [
            len(self._cut(text, max_length)[0]) if len(encoding.ids) > max_length else None
            for text, encoding in self._begun(texts, max_length)
        ]

    def _begun(self, texts: Sequence[str], max_length: int) -> Iterator[tuple[str, Any]]:
        """Yield of each text as much as may be embedded, and its encoding inside the prompt; some texts at a time."""
        for start in range(0, len(texts), _TOGETHER):
            some = [self._plain(text, max_length) for text in texts[start : start + _TOGETHER]]
            whole = self._tokenizer.encode_batch([self._filled(text) for text in some])
            yield from zip(some, whole, strict=True)

    def _plain(self, text: str, max_length: int) -> str:
        text = text.replace(_OPEN, "\ufffd") if self._special else text
        return beginning(text, max_length, self._tokenizer)

    def _filled(self, text: str) -> str:
        return text.join(self._parts)

    def _start(self, text: str, offsets: list[tuple[int, int]]) -> int:
        place = len(self._filled(text)) - len(self._parts[-1]) - len(text)
        # What a tokenizer adds to a string lies at (0, 0), so that it never ends behind the text's first character.
        inside = (position for position, (_, end) in enumerate(offsets) if end > place)
        return next(inside, max(len(offsets) - 1, 0))

    def _cut(self, text: str, max_length: int) -> tuple[str, Any]:
        copies = len(self._parts) - 1
        overhead = len(self._tokenizer.encode(self._filled("")).ids)
        room = (max_length - overhead) // copies
        if room < 1:
            raise EmbedderError(
                f"the prompt alone has {overhead} tokens, which leaves no room for text within a max length of "
                f"{max_length}: raise the max length or shorten the prompt"
            )
        offsets = self._tokenizer.encode(text, add_special_tokens=False).offsets
        while True:
            end = offsets[min(room, len(offsets)) - 1][1] if room and offsets else 0
            encoding = self._tokenizer.encode(self._filled(text[:end]))
            excess = len(encoding.ids) - max_length
            if excess <= 0 or room == 0:
                return text[:end], encoding
            room = max(room - max(1, excess // copies), 0)


def _with_special_tokens(tokenizer: Any, parts: list[str]) -> tuple[Any, list[str], dict[int, int]]:
    """Make special tokens that are written in a prompt work, and only those.

    A tokenizer takes special tokens in a whole string or in none of it. So a copy of it gets a stand-in for each of
    the prompt's special tokens: an ordinary added token, which splits the string just as the special one would.

    :return: The tokenizer (the one given where the prompt has no special token), the prompt's parts with stand-ins,
        and the special token's id by its stand-in's.
    """
    special = {token.content: (number, token) for number, token in _special_tokens(tokenizer)}
    longest_first = sorted(special, key=lambda content: (-len(content), content))
    pattern = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
    written = sorted({found for part in parts for found in pattern.findall(part)})
    if not written:
        return tokenizer, parts, {}
    from tokenizers import AddedToken, Tokenizer

    stand_ins = {content: f"{_OPEN}{number}{_CLOSE}" for number, content in enumerate(written)}
    copy: Any = Tokenizer.from_str(tokenizer.to_str())
    copy.encode_special_tokens = True
    copy.add_tokens(
        [
            AddedToken(
                stand_ins[content],
                lstrip=special[content][1].lstrip,
                rstrip=special[content][1].rstrip,
                single_word=False,
                normalized=False,
                special=False,
            )
            for content in written
        ]
    )
    numbers = {copy.token_to_id(stand_ins[content]): special[content][0] for content in written}
    parts = [pattern.sub(lambda found: stand_ins[found[0]], part) for part in parts]
    return copy, parts, numbers


def _special_tokens(tokenizer: Any) -> list[tuple[int, Any]]:
    added = tokenizer.get_added_tokens_decoder()
    return [(number, token) for number, token in added.items() if token.special and token.content]
