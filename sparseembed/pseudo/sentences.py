"""Splitting a text into sentences by a small rule."""

import re

from sparseembed.pseudo.folding import squeeze

_PARAGRAPH = re.compile(r"\n\s*\n")
# An end (also of Arabic, Urdu and Hindi) with its closing quotes and brackets, then white space; CJK's need none.
# A run of stops is looked at from its first one alone, and nothing of it is given back: 50,000 of them are one step.
_END = re.compile(r"(?:(?<![.!?…؟۔।॥])[.!?…؟۔।॥]++[\"'”’»)\]]*+(?=\s)|[。！？｡]++[」』”’）]*+)")
_VISIBLE = re.compile(r"\S")
_WORD_AND_STOP = re.compile(r"([^\W\d_]+(?:\.[^\W\d_]+)*)\.")
_OPENING = "\"'“‘«([¿¡"
_ABBREVIATION_LIST = (
    "al approx art ca cf ch chap co col corp dept dr ed eds eq eqs etal ex fig figs gen gov inc jr ltd mr mrs ms mt no "
    "nos op p par pp prof ref refs rep sec sect sen sp spp sr st tab ver vol vols viz vs e.g i.e u.s u.k ph.d"
)
_ABBREVIATIONS = frozenset(_ABBREVIATION_LIST.split())


def split_sentences(text: str) -> list[str]:
    """Split a text into sentences.

    A sentence ends at ".", "!", "?", "…" or their like of Arabic and Hindi, before white space and a capital, a digit,
    an opening quote or bracket, or a letter of a script without case (in a text without capitals: any letter); not
    after an initial or an abbreviation such as "e.g.", "et al." or "Fig."; and at a blank line or a full stop of
    Chinese or Japanese.

    :param text: Any text.
    :return: Its sentences with white space folded, none of them empty.
    """
    cased = any(map(str.isupper, text))
    sentences = []
    for paragraph in _PARAGRAPH.split(text):
        start = 0
        for end in _END.finditer(paragraph):
            if _ends(paragraph, start, end.end(), cased):
                sentences.append(squeeze(paragraph[start : end.end()]))
                start = end.end()
        sentences.append(squeeze(paragraph[start:]))
    return [sentence for sentence in sentences if sentence]


def _ends(text: str, start: int, end: int, cased: bool) -> bool:
    """Tell whether the sentence that begins at `start` ends before `end`; only a word or two are looked at."""
    if text[end - 1] in "。！？｡」』）":
        return True
    visible = _VISIBLE.search(text, end)
    following = text[visible.start() : visible.start() + 2] if visible else ""
    follower = following.lstrip(_OPENING)[:1] or following[:1]
    if cased and follower.islower():
        return False
    begin = end
    while begin > start and not text[begin - 1].isspace():
        begin -= 1
    if word := _WORD_AND_STOP.fullmatch(text[begin:end].lstrip(_OPENING)):
        return word[1].lower() not in _ABBREVIATIONS and not (len(word[1]) == 1 and word[1].isupper())
    return True
