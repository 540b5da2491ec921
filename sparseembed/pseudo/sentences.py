"""Splitting a text into sentences by a small rule."""

import re

from sparseembed.pseudo.folding import squeeze

_PARAGRAPH = re.compile(r"\n\s*\n")
# An end with its closing quotes and brackets, then white space; the full stops of CJK need none.
_END = re.compile(r"(?:[.!?…]+[\"'”’»)\]]*(?=\s)|[。！？｡]+[」』”’）]*)")
_WORD_AND_STOP = re.compile(r"([^\W\d_]+(?:\.[^\W\d_]+)*)\.")
_OPENING = "\"'“‘«([¿¡"
_ABBREVIATION_LIST = (
    "al approx art ca cf ch chap co col corp dept dr ed eds eq eqs etal ex fig figs gen gov inc jr ltd mr mrs ms mt no "
    "nos op p par pp prof ref refs rep sec sect sen sp spp sr st tab ver vol vols viz vs e.g i.e u.s u.k ph.d"
)
_ABBREVIATIONS = frozenset(_ABBREVIATION_LIST.split())


def split_sentences(text: str) -> list[str]:
    """Split a text into sentences.

    A sentence ends at ".", "!", "?" or "…" before white space and a capital, a digit, an opening quote or bracket, or a
    letter of a script without case (in a text without capitals: any letter); not after an initial or an abbreviation
    such as "e.g.", "et al." or "Fig."; and at a blank line or a full stop of Chinese or Japanese.

    :param text: Any text.
    :return: Its sentences with white space folded, none of them empty.
    """
    cased = any(map(str.isupper, text))
    sentences = []
    for paragraph in _PARAGRAPH.split(text):
        start = 0
        for end in _END.finditer(paragraph):
            if _ends(paragraph[start : end.end()], paragraph[end.end() :].lstrip()[:2], cased):
                sentences.append(squeeze(paragraph[start : end.end()]))
                start = end.end()
        sentences.append(squeeze(paragraph[start:]))
    return [sentence for sentence in sentences if sentence]


def _ends(sentence: str, following: str, cased: bool) -> bool:
    """Tell whether a sentence ends here, before the one or two characters that follow."""
    if sentence[-1] in "。！？｡」』）":
        return True
    follower = following.lstrip(_OPENING)[:1] or following[:1]
    if cased and follower.islower():
        return False
    if word := _WORD_AND_STOP.fullmatch(sentence.rsplit(None, 1)[-1].lstrip(_OPENING)):
        return word[1].lower() not in _ABBREVIATIONS and not (len(word[1]) == 1 and word[1].isupper())
    return True
