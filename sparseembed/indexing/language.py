"""The language of a collection: which analyzer finds its words, and whether the embedder reads it."""

from itertools import islice

from sparseembed.analyzers.detect import Guess, guess
from sparseembed.analyzers.languages import AUTO, THAI, UNICODE, analyzer_of, name_of
from sparseembed.analyzers.lucene import knows_thai
from sparseembed.analyzers.registry import known
from sparseembed.data.corpus import Corpus
from sparseembed.data.sampling import stepped_places
from sparseembed.embedders.presets import languages_of
from sparseembed.errors import ConfigError
from sparseembed.progress import note
from sparseembed.sparse.config import SparseConfig

SAMPLE = 500  # texts that a language is found out from
FIRST = 100  # texts that are looked at where the language was not asked about
_PIECES = ("token", "folded")


def check_language(language: str | None, analyzer: str | None, terms: str = "word") -> None:
    """Check what the user says of the language, before anything is loaded.

    :param language: A code, `auto` or None.
    :param analyzer: Name of an analyzer, or None.
    :param terms: Term space.
    :raises ConfigError: There is no such language or analyzer, both are named, or terms are no words.
    """
    if language is None and analyzer is None:
        return
    if language is not None and analyzer is not None:
        raise ConfigError(f"--language {language} and --analyzer {analyzer} both choose the analyzer: name one of them")
    if terms in _PIECES:
        raise ConfigError(f"{terms} has pieces for terms and finds no words: leave --language and --analyzer out")
    if analyzer is not None:
        known(analyzer)
    elif language is not None and language != AUTO:
        analyzer_of(language)


def with_language(config: SparseConfig, corpus: Corpus, language: str | None, embedder: str) -> SparseConfig:
    """Choose the analyzer, and say where an embedder meets a language that it does not know.

    :param config: The choices, with an analyzer where one was named.
    :param corpus: The collection.
    :param language: What `check_language` passed.
    :param embedder: The embedder's name.
    :return: The choices with the language's analyzer.
    """
    if language == AUTO:
        places = set(stepped_places(len(corpus), SAMPLE))
        found = guess(document.contents for place, document in enumerate(corpus) if place in places)
        chosen = _usable(found.language) if found.language is not None else UNICODE
        note(f"language: {_reason(found)}; words are found by the analyzer {chosen}")
        config = config.with_changes(analyzer=chosen)
        _tell_embedder(_mostly(found), embedder)
    elif language is not None:
        config = config.with_changes(analyzer=_usable(language))
        _tell_embedder(language, embedder)
    else:
        _tell_embedder(_mostly(guess(document.contents for document in islice(corpus, FIRST))), embedder)
    return config


def _usable(language: str) -> str:
    """Return the name of a language's analyzer, or of another one where this machine's Java lacks what it takes."""
    name = analyzer_of(language)
    if name != THAI or knows_thai():
        return name
    note(
        "this Java has no Thai dictionary: pairs of letters stand for words (unicode); with JAVA_HOME set to a full "
        "JDK of 21 or newer words are found by Lucene's Thai analyzer"
    )
    return UNICODE


def _reason(found: Guess) -> str:
    """Say what was found out, and from what."""
    parts = ", ".join(f"{name_of(language)} {share:.0%}" for language, share in found.shares.items())
    sample = f"of a sample of {found.texts:,} texts"
    if found.language is not None:
        return f"{parts} {sample}, by script and stop words"
    if len(found.shares) > 1:
        return f"several ({parts} {sample}), which one language's analyzer would not fit"
    return f"none that is known for sure ({found.known:.0%} {sample} has words that tell)"


def _mostly(found: Guess) -> str | None:
    """Return the language of most texts; None where that is not known."""
    first = next(iter(found.shares), None)
    return first if first is not None and found.known >= 0.5 and found.shares[first] >= 0.5 else None


def _tell_embedder(language: str | None, embedder: str) -> None:
    """Say it where texts are in a language that the embedder is not known to embed."""
    languages = languages_of(embedder)
    if languages is None or language is None or language in languages:
        return
    told = " and ".join(name_of(each) for each in languages)
    note(
        f"the embedder {embedder} knows {told} alone and the texts seem to be {name_of(language)}: aligned words will "
        "mean little, literal ones count as always; `sparseembed embedders` says which presets know more languages"
    )
