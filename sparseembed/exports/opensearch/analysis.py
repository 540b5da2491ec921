"""Our analyzers as settings of OpenSearch and Elasticsearch, which analyse a plain query text as we do.

Both engines run Lucene, so that the same tokenizer and filters give the same terms. The chains are those that their
documentation has for the language analyzers ("reimplementing language analyzers"); before them stands what `plain` does
to a text, but for canonical composition (NFC), which needs the plugin analysis-icu.
"""

from typing import Any, NamedTuple

from sparseembed.analyzers.languages import CJK, ENGLISH, WHITESPACE
from sparseembed.analyzers.plain import replacements

PREFIX = "sparseembed_"
QUERY = f"{PREFIX}query"
"""Name of the analyzer of queries."""

_ITALIAN = "c l all dall dell nell sull coll pell gl agl dagl degl negl sugl un m t s v d"
_FRENCH = "l m t qu n s j d c jusqu quoiqu lorsqu puisqu"
_CJK_STOPS = (
    "a and are as at be but by for if in into is it no not of on or s such t that the their then there these they "
    "this to was will with www"
)


class Chain(NamedTuple):
    """An analyzer as these engines build it.

    :param filters: Filters in their order: one that the engine has by its name alone, or its settings.
    :param tokenizer: What takes a text apart.
    :param spelling: Whether `plain` stands before it; None for no, else whether full-width characters change too.
    """

    filters: tuple[str | dict[str, Any], ...]
    tokenizer: str = "standard"
    spelling: bool | None = True


def _stemmer(language: str) -> dict[str, Any]:
    return {"type": "stemmer", "language": language}


def _stops(language: str) -> dict[str, Any]:
    return {"type": "stop", "stopwords": f"_{language}_"}


def _elision(articles: str) -> dict[str, Any]:
    return {"type": "elision", "articles": articles.split(), "articles_case": True}


def _usual(language: str, stemmer: str | None = None, *normalizations: str) -> Chain:
    return Chain(("lowercase", _stops(language), *normalizations, _stemmer(stemmer or language)))


_DUTCH = {
    "type": "stemmer_override",
    "rules": ["fiets=>fiets", "bromfiets=>bromfiets", "ei=>eier", "kind=>kinder"],
}
_INDIC = ("lowercase", "decimal_digit", "indic_normalization")

CHAINS: dict[str, Chain] = {
    ENGLISH: Chain((_stemmer("possessive_english"), "lowercase", _stops("english"), "porter_stem")),
    "lucene-arabic": Chain(
        ("lowercase", "decimal_digit", _stops("arabic"), "arabic_normalization", _stemmer("arabic"))
    ),
    "lucene-bengali": Chain((*_INDIC, "bengali_normalization", _stops("bengali"), _stemmer("bengali"))),
    "lucene-danish": _usual("danish"),
    "lucene-dutch": Chain(("lowercase", _stops("dutch"), _DUTCH, _stemmer("dutch"))),
    "lucene-finnish": _usual("finnish"),
    "lucene-french": Chain((_elision(_FRENCH), "lowercase", _stops("french"), _stemmer("light_french"))),
    "lucene-german": _usual("german", "light_german", "german_normalization"),
    "lucene-hindi": Chain((*_INDIC, "hindi_normalization", _stops("hindi"), _stemmer("hindi"))),
    "lucene-hungarian": _usual("hungarian"),
    "lucene-indonesian": _usual("indonesian"),
    "lucene-italian": Chain((_elision(_ITALIAN), "lowercase", _stops("italian"), _stemmer("light_italian"))),
    "lucene-norwegian": _usual("norwegian"),
    "lucene-portuguese": _usual("portuguese", "light_portuguese"),
    "lucene-russian": _usual("russian"),
    "lucene-spanish": _usual("spanish", "light_spanish"),
    "lucene-swedish": _usual("swedish"),
    "lucene-turkish": Chain(
        ("apostrophe", {"type": "lowercase", "language": "turkish"}, _stops("turkish"), _stemmer("turkish"))
    ),
    CJK: Chain(
        ("cjk_width", "lowercase", "cjk_bigram", {"type": "stop", "stopwords": _CJK_STOPS.split()}), spelling=False
    ),
    WHITESPACE: Chain((), tokenizer="whitespace", spelling=None),
}
"""Analyzers that both engines can build of what they come with: name -> chain."""


def query_analysis(name: str) -> dict[str, Any]:
    """Return the settings of an analyzer named `QUERY` that gives the terms of one of ours.

    :param name: A key of `CHAINS`.
    :return: Parts of `settings.analysis`: analyzer, and filter and char_filter where it needs some of its own.
    """
    chain = CHAINS[name]
    own: dict[str, Any] = {}
    names = []
    for number, each in enumerate(chain.filters):
        if isinstance(each, dict):
            named = f"{QUERY}_{number}_{each['type']}"
            own[named] = each
        else:
            named = each
        names.append(named)
    analyzer: dict[str, Any] = {"type": "custom", "tokenizer": chain.tokenizer}
    found: dict[str, Any] = {"analyzer": {QUERY: analyzer}}
    if chain.spelling is not None:
        analyzer["char_filter"] = [f"{PREFIX}spelling"]
        rules = [f"{_escaped(one)}=>{_escaped(other)}" for one, other in replacements(chain.spelling).items()]
        found["char_filter"] = {f"{PREFIX}spelling": {"type": "mapping", "mappings": rules}}
    analyzer["filter"] = names
    if own:
        found["filter"] = own
    return found


def _escaped(text: str) -> str:
    """Write characters as the engines' mapping rules have them, so that none is taken for a part of the rule."""
    return "".join(f"\\u{ord(character):04X}" for character in text)
