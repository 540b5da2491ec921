"""Savoy's light stemmer of French, as Lucene has it; see `savoy.py`."""

from itertools import pairwise
from typing import NamedTuple

_MARKS = {"a": "àáâ", "o": "ô", "e": "èéê", "u": "ùû", "i": "î", "c": "ç"}
_FOLDED = {ord(marked): letter for letter, marks in _MARKS.items() for marked in marks}


class _Rule(NamedTuple):
    """An ending of a word with more than `over` characters: `cut` of them go, `then` comes instead."""

    ending: str
    over: int
    cut: int
    then: str = ""
    last: bool = True  # whether no further rule is looked at


_RULES = (
    _Rule("issement", 9, 7, "r"),
    _Rule("issant", 8, 5, "r"),
    _Rule("ement", 6, 4),
    _Rule("ficatrice", 11, 7, "er"),
    _Rule("ficateur", 10, 6, "er"),
    _Rule("catrice", 9, 7, "quer"),
    _Rule("cateur", 8, 6, "quer"),
    _Rule("atrice", 8, 6, "er"),
    _Rule("ateur", 7, 5, "er"),
    _Rule("trice", 6, 4, "eur", last=False),
    _Rule("ième", 5, 4),
    _Rule("teuse", 7, 3, "r"),
    _Rule("teur", 6, 2, "r"),
    _Rule("euse", 5, 2),
    _Rule("ère", 8, 3, "er"),
    _Rule("ive", 7, 2, "f"),
    _Rule("folle", 4, 3, "u"),
    _Rule("molle", 4, 3, "u"),
    _Rule("nnelle", 9, 5),
    _Rule("nnel", 9, 3),
    _Rule("ète", 4, 3, "et", last=False),
    _Rule("ique", 8, 4, last=False),
    _Rule("esse", 8, 3),
    _Rule("inage", 7, 3),
    _Rule("isation", 9, 7),
    _Rule("isateur", 9, 7),
    _Rule("ation", 8, 5),
    _Rule("ition", 8, 5),
)


def french(word: str) -> str:
    """Take the endings off a French word.

    :param word: In lower case.
    """
    if len(word) > 5 and word[-1] == "x":
        plural = word[-3:-1] == "au" and word[-4] != "e"  # chevaux, and not bateaux
        word = word[:-2] + "l" if plural else word[:-1]
    if len(word) > 3 and word[-1] == "x":
        word = word[:-1]
    if len(word) > 3 and word[-1] == "s":
        word = word[:-1]
    for rule in _RULES:
        if len(word) > rule.over and word.endswith(rule.ending):
            word = word[: -rule.cut] + rule.then
            if rule.last:
                return _normalized(_derived(word, rule.ending))
    return _normalized(word)


def _derived(word: str, ending: str) -> str:
    """Look once more at what two endings leave: -ivement -> -if, -ualisation -> -uel."""
    if ending == "ement" and len(word) > 3 and word.endswith("ive"):
        return word[:-2] + "f"
    if ending == "isation" and len(word) > 5 and word.endswith("ual"):
        return word[:-2] + "el"
    return word


def _normalized(word: str) -> str:
    """Leave out marks, doubled letters and the last endings of a word of more than four letters."""
    if len(word) > 4:
        word = word.translate(_FOLDED)
        letters = [word[0]]
        letters += [now for before, now in pairwise(word) if now != before or not now.isalpha()]
        word = "".join(letters)
    if len(word) > 4 and word.endswith("ie"):
        word = word[:-2]
    if len(word) > 4:
        for ending in "ree":
            word = word.removesuffix(ending)
        if word[-1] == word[-2] and word[-1].isalpha():
            word = word[:-1]
    return word
