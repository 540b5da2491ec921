"""Which language texts are in: by their script, and among those that share one by their stop words.

A guess about a collection, not about a sentence: a title of three words may have no stop word. What has none of a known
language counts for no language, so that texts of an unknown one are not taken for a neighbour's.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from sparseembed.analyzers.plain import plain
from sparseembed.analyzers.stops import languages_of_words

CHARACTERS = 2_000  # read of a text
_SURE = 0.9  # share of the words that one language must have to be that of a collection
_HEARD = 0.05  # share below which a language is not spoken of
_STOPS = 0.1  # share of stop words that a text must have to be of a language; running text has .3 to .5
_NEAR = 0.8  # of the best language's score: what another must have to be likely too
_KANA = 0.05  # share of kana that makes Han characters Japanese, of marked letters that makes Latin ones Vietnamese
# Letters of one script: those of these languages alone, or of several, which have stop words.
_SCRIPTS = {
    "th": "\u0e00-\u0e7f",
    "ko": "\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3",
    "ja": "\u3041-\u30ff\u31f0-\u31ff\uff66-\uff9d",
    "zh": "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff",
    "bn": "\u0980-\u09ff",
    "te": "\u0c00-\u0c7f",
    "ta": "\u0b80-\u0bff",
    "el": "\u0370-\u03ff\u1f00-\u1fff",
    "he": "\u0590-\u05ff",
    "hy": "\u0530-\u058f",
    "ka": "\u10a0-\u10ff",
    "arabic": "\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff\ufb50-\ufdff\ufe70-\ufefc",
    "cyrillic": "\u0400-\u052f",
    "devanagari": "\u0900-\u097f",
    "latin": "A-Za-z\u00aa\u00ba\u00c0-\u024f\u1e00-\u1eff",
}
_LATIN = {
    *("ca", "cs", "da", "de", "en", "es", "et", "eu", "fi", "fr", "ga", "gl", "hu"),
    *("id", "it", "lt", "lv", "nl", "no", "pl", "pt", "ro", "sr", "sv", "tr"),
}
_SHARED = {
    "arabic": {"ar", "fa"},
    "cyrillic": {"bg", "ru", "sr", "uk"},
    "devanagari": {"hi", "ne"},
    "latin": _LATIN,
}
_LETTERS = {script: re.compile(f"[{letters}]") for script, letters in _SCRIPTS.items()}
_VIETNAMESE = re.compile("[\u01a0\u01a1\u01af\u01b0\u1ea0-\u1ef9]")
_WORDS = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*(?:[\u0300-\u036f\u0900-\u0963]+[^\W\d_]*)*")


class Guess(NamedTuple):
    """What a collection is written in.

    :param language: Code of the one language; None where there is none that has nine words in ten.
    :param shares: Languages -> share of the words, those above one in twenty, largest first.
    :param known: Share of the words that are of any language that is known.
    :param texts: How many texts were looked at.
    """

    language: str | None
    shares: dict[str, float]
    known: float
    texts: int


def guess(texts: Iterable[str]) -> Guess:
    """Guess the language of a collection.

    :param texts: Some of its texts.
    """
    likely = [_likely(text) for text in texts]
    totals: Counter[str] = Counter()
    for languages, size in likely:
        totals.update(dict.fromkeys(languages, size))
    # Neighbours, such as Danish and Norwegian, share so many words that a short text may fit both: it is taken for the
    # one that more of the collection fits.
    words: Counter[str | None] = Counter()
    for languages, size in likely:
        words[max(languages, key=lambda language: totals[language], default=None)] += size
    known = sum(size for language, size in words.items() if language is not None)
    shares = {
        language: size / known
        for language, size in words.most_common()
        if language is not None and size >= _HEARD * known
    }
    first = next(iter(shares), None)
    total = sum(words.values())
    sure = first is not None and shares[first] >= _SURE and known >= total / 5
    return Guess(first if sure else None, shares, known / max(1, total), len(likely))


def _likely(text: str) -> tuple[list[str], int]:
    """Return the languages that a text may be in, the likeliest first, and about how many words it has."""
    beginning = plain(text[:CHARACTERS])
    letters = {script: len(pattern.findall(beginning)) for script, pattern in _LETTERS.items()}
    script = max(letters, key=lambda each: letters[each])
    if not letters[script]:
        return [], 0
    if script in ("zh", "ja"):
        both = letters["ja"] + letters["zh"]
        return ["ja" if letters["ja"] >= _KANA * both else "zh"], -(-both // 2)
    if script not in _SHARED:
        return [script], -(-letters[script] // 5)
    if script == "latin" and len(_VIETNAMESE.findall(beginning)) >= _KANA * letters[script]:
        return ["vi"], -(-letters[script] // 4)
    words = _WORDS.findall(beginning.lower().replace("’", "'"))
    scores: defaultdict[str, float] = defaultdict(float)
    different: Counter[str] = Counter()
    for word, count in Counter(words).items():
        having = [language for language in languages_of_words().get(word, ()) if language in _SHARED[script]]
        different.update(having)
        for language in having:  # a word of many languages tells little
            scores[language] += count / len(having) ** 0.5
    best = sorted((score, language) for language, score in scores.items() if different[language] > 1)[::-1]
    if not best or best[0][0] < _STOPS * len(words):
        return [], len(words)
    return [language for score, language in best if score >= _NEAR * best[0][0]], len(words)
