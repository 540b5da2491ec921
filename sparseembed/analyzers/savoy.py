"""Jacques Savoy's light stemmers of German, Spanish, Italian, Portuguese and French, as Lucene has them.

The algorithms: J. Savoy, Light stemming approaches for the French, Portuguese, German and Hungarian languages, SAC
2006; written anew here, and held to Lucene's by tests.
"""

_A, _E, _I, _O, _U = "àáâä", "èéêë", "ìíîï", "òóôö", "ùúûü"


def _folding(**letters: str) -> dict[int, str]:
    return {ord(marked): letter for letter, marks in letters.items() for marked in marks}


_GERMAN = _folding(a=_A, o=_O, i=_I, u=_U)
_ROMANCE = _folding(a=_A, e=_E, i=_I, o=_O, u=_U)
_PORTUGUESE = _folding(a=_A + "ã", e=_E, i=_I, o=_O + "õ", u=_U, c="ç")
_UMLAUTS = {"ä": "a", "ö": "o", "ü": "u", "ß": "ss"}
_ST_ENDINGS = frozenset("bdfghklmnt")


def german(word: str) -> str:
    """Take the endings off a German word.

    :param word: In lower case, umlauts and sharp s written by `normalized_german`.
    """
    return _german_second(_german_first(word.translate(_GERMAN)))


def _german_first(word: str) -> str:
    size = len(word)
    if size > 5 and word.endswith("ern"):
        return word[:-3]
    if size > 4 and word.endswith(("em", "en", "er", "es")):
        return word[:-2]
    if size > 3 and word[-1] == "e":
        return word[:-1]
    if size > 3 and word[-1] == "s" and word[-2] in _ST_ENDINGS:
        return word[:-1]
    return word


def _german_second(word: str) -> str:
    size = len(word)
    if size > 5 and word.endswith("est"):
        return word[:-3]
    if size > 4 and word.endswith(("er", "en")):
        return word[:-2]
    if size > 4 and word.endswith("st") and word[-3] in _ST_ENDINGS:
        return word[:-2]
    return word


def normalized_german(word: str) -> str:
    """Write ä, ö, ü and ß without marks, and ae, oe and ue as if they were ä, ö and ü.

    :param word: In lower case. In `ue` the e stays after a vowel or q: Treue, Quelle.
    """
    out: list[str] = []
    umlaut, stops = False, False  # whether an e here belongs to the vowel before it; whether a u here takes none
    for letter in word:
        if letter == "e" and umlaut:
            umlaut, stops = False, True
            continue
        umlaut, stops = letter in "ao" or (letter == "u" and not (umlaut or stops)), letter in "aoueiqyäöü"
        out.append(_UMLAUTS.get(letter, letter))
    return "".join(out)


def spanish(word: str) -> str:
    """Take the endings off a Spanish word in lower case."""
    if len(word) < 5:
        return word
    word = word.translate(_ROMANCE)
    if word[-1] in "oae":
        return word[:-1]
    if word[-1] == "s":
        if word.endswith("eses"):
            return word[:-2]
        if word.endswith("ces"):
            return word[:-3] + "z"
        if word[-2] in "oae":
            return word[:-2]
    return word


def italian(word: str) -> str:
    """Take the endings off an Italian word in lower case."""
    if len(word) < 6:
        return word
    word = word.translate(_ROMANCE)
    if word[-1] in "ei":
        return word[:-2] if word[-2] in "ih" else word[:-1]
    if word[-1] in "ao":
        return word[:-2] if word[-2] == "i" else word[:-1]
    return word


def portuguese(word: str) -> str:
    """Take the endings off a Portuguese word in lower case."""
    if len(word) < 4:
        return word
    word = _portuguese_suffix(word)
    if len(word) > 3 and word[-1] == "a":
        word = _portuguese_feminine(word)
    if len(word) > 4 and word[-1] in "eao":
        word = word[:-1]
    return word.translate(_PORTUGUESE)


def _portuguese_suffix(word: str) -> str:
    size = len(word)
    if size > 4 and word.endswith("es") and word[-3] in "rslz":
        return word[:-2]
    if word.endswith("ns"):
        return word[:-2] + "m"
    for ending, rest in (("eis", "el"), ("éis", "el"), ("ais", "al"), ("óis", "ol"), ("is", "il")):
        if size > 4 and word.endswith(ending):
            return word[: -len(ending)] + rest
    if word.endswith(("ões", "ães")):
        return word[:-3] + "ão"
    if size > 6 and word.endswith("mente"):
        return word[:-5]
    return word[:-1] if word[-1] == "s" else word


def _portuguese_feminine(word: str) -> str:
    size = len(word)
    if size > 7 and word.endswith(("inha", "iaca", "eira")):
        return word[:-1] + "o"
    if size > 6:
        if word.endswith(("osa", "ica", "ida", "ada", "iva", "ama")):
            return word[:-1] + "o"
        for ending, rest in (("ona", "ão"), ("ora", "or"), ("esa", "ês"), ("na", "no")):
            if word.endswith(ending):
                return word[: -len(ending)] + rest
    return word
