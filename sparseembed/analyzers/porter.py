"""Porter's stemmer as Lucene's PorterStemFilter has it: the algorithm of 1980 with the changes of its author's program.

The algorithm: M. F. Porter, An algorithm for suffix stripping, Program 14(3), 1980. The author's later program leaves
words of two letters as they are, and has the rules `bli -> ble` for `abli -> able`, and `logi -> log`.

No library fits: PyStemmer and snowballstemmer have the rules of 1980 only, NLTK takes over a second to import, and all
of them count characters outside the basic plane once, where Java counts two.
"""

from collections.abc import Mapping

from sparseembed.analyzers.units import characters, units

_VOWELS = "aeiou"
_Rules = Mapping[str, tuple[tuple[str, str], ...]]


class _Shapes(dict[int, str]):
    """`v` for a vowel, `y` for y, `c` for any other character, of any script."""

    def __missing__(self, code: int) -> str:
        return "c"


_SHAPES = _Shapes({ord("y"): "y"} | {ord(vowel): "v" for vowel in _VOWELS})

# Step 2, by the last letter but one; the first suffix that fits decides.
_DOUBLE: _Rules = {
    "a": (("ational", "ate"), ("tional", "tion")),
    "c": (("enci", "ence"), ("anci", "ance")),
    "e": (("izer", "ize"),),
    "l": (("bli", "ble"), ("alli", "al"), ("entli", "ent"), ("eli", "e"), ("ousli", "ous")),
    "o": (("ization", "ize"), ("ation", "ate"), ("ator", "ate")),
    "s": (("alism", "al"), ("iveness", "ive"), ("fulness", "ful"), ("ousness", "ous")),
    "t": (("aliti", "al"), ("iviti", "ive"), ("biliti", "ble")),
    "g": (("logi", "log"),),
}
# Step 3, by the last letter.
_ENDINGS: _Rules = {
    "e": (("icate", "ic"), ("ative", ""), ("alize", "al")),
    "i": (("iciti", "ic"),),
    "l": (("ical", "ic"), ("ful", "")),
    "s": (("ness", ""),),
}
# Step 4, by the last letter but one.
_LAST: Mapping[str, tuple[str, ...]] = {
    "a": ("al",),
    "c": ("ance", "ence"),
    "e": ("er",),
    "i": ("ic",),
    "l": ("able", "ible"),
    "n": ("ant", "ement", "ment", "ent"),
    "o": ("ion", "ou"),
    "s": ("ism",),
    "t": ("ate", "iti"),
    "u": ("ous",),
    "v": ("ive",),
    "z": ("ize",),
}


def stem(word: str) -> str:
    """Take the endings off an English word.

    :param word: The word in lower case; all characters but a, e, i, o, u and y count as consonants.
    :return: Its stem.
    """
    if not word.isascii() and max(word) > "\uffff":
        return characters(_stem(units(word)))
    return _stem(word)


def _stem(word: str) -> str:
    """Stem a word whose characters are UTF-16 units."""
    if len(word) <= 2:
        return word
    word = _plural(word)
    word = _past(word)
    if word[-1] == "y" and "v" in _shape(word)[:-1]:
        word = word[:-1] + "i"
    if len(word) > 1:
        word = _replaced(word, _DOUBLE.get(word[-2], ()))
    word = _replaced(word, _ENDINGS.get(word[-1], ()))
    if len(word) > 1:
        word = _cut(word, _LAST.get(word[-2], ()))
    return _tidy(word)


def _plural(word: str) -> str:
    """Step 1a: caresses -> caress, ponies -> poni, cats -> cat."""
    if word[-1] != "s" or word[-2] == "s":
        return word
    return word[:-2] if word.endswith(("sses", "ies")) else word[:-1]


def _past(word: str) -> str:
    """Step 1b: agreed -> agree, plastered -> plaster, motoring -> motor, hopping -> hop, filing -> file."""
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) else word
    if not word.endswith(("ed", "ing")):
        return word
    stem = word[:-2] if word[-1] == "d" else word[:-3]
    shape = _shape(stem)
    if "v" not in shape:
        return word
    if stem.endswith(("at", "bl", "iz")):
        return stem + "e"
    if _doubled(stem, shape):
        return stem if stem[-1] in "lsz" else stem[:-1]
    return stem + "e" if shape.count("vc") == 1 and _is_short(stem, shape) else stem


def _replaced(word: str, rules: tuple[tuple[str, str], ...]) -> str:
    """Steps 2 and 3: replace the first suffix that fits, if a vowel and then a consonant stand before it."""
    for suffix, replacement in rules:
        if word.endswith(suffix):
            rest = word[: -len(suffix)]
            return rest + replacement if _measure(rest) else word
    return word


def _cut(word: str, suffixes: tuple[str, ...]) -> str:
    """Step 4: remove the first suffix that fits, if enough of the word is left; -ion only after s and t."""
    for suffix in suffixes:
        if word.endswith(suffix):
            rest = word[: -len(suffix)]
            fits = _measure(rest) > 1 and (suffix != "ion" or rest[-1] in "st")
            return rest if fits else word
    return word


def _tidy(word: str) -> str:
    """Step 5: probate -> probat, cease -> ceas, controll -> control."""
    if word[-1] not in "el":
        return word
    shape = _shape(word)
    measure = shape.count("vc")
    if word[-1] == "e" and (measure > 1 or (measure == 1 and not _is_short(word[:-1], shape[:-1]))):
        word = word[:-1]
    if measure > 1 and word[-1] == "l" and _doubled(word, shape[: len(word)]):
        word = word[:-1]
    return word


def _shape(word: str) -> str:
    """Give `v` for each vowel of a word and `c` for each consonant; y is a vowel after a consonant."""
    shape = word.translate(_SHAPES)
    if "y" in shape:
        place = shape.find("y")
        while place >= 0:
            vowel = place > 0 and shape[place - 1] == "c"
            shape = f"{shape[:place]}{'v' if vowel else 'c'}{shape[place + 1 :]}"
            place = shape.find("y", place)
    return shape


def _measure(word: str) -> int:
    """Count the runs of vowels that consonants follow: Porter's m, where a word is [C](VC)^m[V]."""
    return _shape(word).count("vc")


def _doubled(word: str, shape: str) -> bool:
    """Tell whether a word ends in a consonant written twice: Porter's *d."""
    return len(word) > 1 and word[-1] == word[-2] and shape[-1] == "c"


def _is_short(word: str, shape: str) -> bool:
    """Tell whether a word ends in consonant, vowel, and a consonant but w, x and y: Porter's *o."""
    return shape.endswith("cvc") and word[-1] not in "wxy"
