"""Languages by their code, and the analyzer of each: the one that Anserini has for it, where it has one."""

from sparseembed.errors import ConfigError

AUTO = "auto"
ENGLISH = "lucene-english"
WHITESPACE, CJK, UNICODE, THAI = "whitespace", "cjk", "unicode", "lucene-thai"

NAMES = {
    "ar": "arabic",
    "bn": "bengali",
    "da": "danish",
    "de": "german",
    "en": "english",
    "es": "spanish",
    "fa": "persian",
    "fi": "finnish",
    "fr": "french",
    "hi": "hindi",
    "hu": "hungarian",
    "id": "indonesian",
    "it": "italian",
    "ja": "japanese",
    "nl": "dutch",
    "no": "norwegian",
    "pl": "polish",
    "pt": "portuguese",
    "ru": "russian",
    "sv": "swedish",
    "te": "telugu",
    "th": "thai",
    "tr": "turkish",
    "uk": "ukrainian",
}
"""Languages for which Anserini has an analyzer of their own: code -> English name."""

_OTHER_NAMES = {
    "bg": "bulgarian",
    "ca": "catalan",
    "cs": "czech",
    "el": "greek",
    "et": "estonian",
    "eu": "basque",
    "ga": "irish",
    "gl": "galician",
    "he": "hebrew",
    "hy": "armenian",
    "ka": "georgian",
    "ko": "korean",
    "lt": "lithuanian",
    "lv": "latvian",
    "ne": "nepali",
    "ro": "romanian",
    "sr": "serbian",
    "ta": "tamil",
    "vi": "vietnamese",
    "zh": "chinese",
}

BY_LANGUAGE = {
    **{code: f"lucene-{name}" for code, name in NAMES.items()},
    "zh": CJK,
    "ko": CJK,
    # Anserini splits these at white space alone.
    **dict.fromkeys(("ha", "so", "sw", "yo"), WHITESPACE),
}
"""Code of a language that Anserini knows -> name of its analyzer, which gives the terms of Anserini's `-language`."""


def analyzer_of(language: str) -> str:
    """Return the name of a language's analyzer.

    :param language: Its code, such as `de`, a longer tag such as `de-AT`, or an English name such as `german`. A code
        of two or three letters that Anserini does not know has the `unicode` analyzer.
    :raises ConfigError: It is no code.
    """
    code = language.strip().lower().replace("_", "-").split("-")[0]
    code = {name: code for code, name in {**NAMES, **_OTHER_NAMES}.items()}.get(code, code)
    code = {"nb": "no", "nn": "no"}.get(code, code)
    if code in BY_LANGUAGE:
        return BY_LANGUAGE[code]
    if len(code) in (2, 3) and code.isascii() and code.isalpha():
        return UNICODE
    raise ConfigError(
        f"{language!r} is no language: give a code such as de, auto, or --analyzer NAME; languages with an analyzer of "
        f"their own are {', '.join(sorted(BY_LANGUAGE))}"
    )


def name_of(language: str) -> str:
    """Return a language's name in English, or its code where it has none here.

    :param language: Its code.
    """
    return {**NAMES, **_OTHER_NAMES}.get(language, language).capitalize()
