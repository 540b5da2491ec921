"""Analysis of each language in Python against Lucene's own: equal for made-up words with all endings that have rules.

LANGUAGE_WORDS sets the number of words of each language (6,000 by default).
"""

import os
import random

import pytest

from sparseembed.analyzers.cjk import CjkAnalyzer
from sparseembed.analyzers.european import european
from sparseembed.analyzers.languages import BY_LANGUAGE
from sparseembed.analyzers.lucene import LuceneAnalyzer
from sparseembed.analyzers.registry import ANALYZERS, IN_PYTHON, open_analyzer
from sparseembed.analyzers.stops import stop_words
from sparseembed.analyzers.whitespace import WhitespaceAnalyzer

pytestmark = pytest.mark.jvm
WORDS = int(os.environ.get("LANGUAGE_WORDS", "6000"))
LATIN = "abcdefghijklmnopqrstuvwxyzäöüßéèêàâçñåæøíóúőűïëõã"
CYRILLIC = "абвгдежзийклмнопрстуфхцчшщъыьэюяё"
ENDINGS = {
    "da": "erne ende es ers lig else heds hed et",
    "de": "ern em en er es e s est st ung heit keit lich isch ue ae oe ß ä ö ü äu eu qu",
    "es": "os as es eses ces o a e á é ñ ciones",
    "fi": "ssa ssä lla lta lle ksi nkin kaan han ko pa inen isten jen ien mmat mpi tti ni si nsa mme nne ton sti",
    "fr": "issement issant ement ive ivement ficatrice ficateur catrice cateur atrice ateur trice ième teuse teur euse "
    "ère folle molle nnelle nnel ète ique esse inage isation ualisation isateur ation ition ie r e ee x aux eaux s l' "
    "qu' d’ aujourd' é à ç",
    "hu": "ban ben nak nek val vel ért kor ként eim eink aik ok ek ök ság ség ás és talan telen á é",
    "it": "i e a o ie he hi ii ia io à è ità l' dell' d’",
    "nl": "en heid heden ing lijk baar ig s e tjes je ieën ïe end isch fiets ei kind",
    "no": "ene ende het hetens ert ast eleg ig leg s",
    "pt": "es ns eis éis ais óis is ões ães mente s inha iaca eira osa ica ida ada iva ama ona ora esa na e a o ç ã",
    "ru": "ый ого ему ими ой ость ейший ться лся вшись ив ывши ешь нно ами ях ов ье и ы у ся ение ения ующий",
    "sv": "ernas heternas andet lig els fullt löst ig s",
}
CJK_PIECES = (
    *(
        "漢字",
        "日本",
        "の",
        "ひらがな",
        "カタカナ",
        "ー",
        "ｶﾞ",
        "ﾊﾟ",
        "ｱ",
        "한국어",
        "한",
        "Ａｂ",
        "１２",
        " ",
        "。",
        "、",
    ),
    *(
        "abc",
        "The ",
        "_",
        "\u0301",
        "\u3099",
        "𠀀",
        "a한",
        "한a",
        "カa",
        "・",
        "ﾞ",
        "1",
        "!",
        "\u200d",
        "ㅋㅋ",
        "ﾡ",
        "々",
    ),
    *("〇", "\u302e", "ヽ", "ゝ", "İ", "ｳﾞ", "www", "ﾟ", "\u0e31", "👍🏽", "\n"),
)


def random_word(source, language):
    letters, endings = CYRILLIC if language == "ru" else LATIN, ENDINGS[language].split()
    kind = source.random()
    if kind < 0.08:
        return source.choice(sorted(stop_words(language)))
    few = letters if kind < 0.7 else letters[:6] + letters[17:20]
    word = "".join(source.choice(few) for _ in range(source.randint(0, 7)))
    for _ in range(source.choice([0, 1, 1, 2, 3])):
        ending = source.choice(endings)
        word = ending + word if ending.endswith(("'", "’")) else word + ending
    if source.random() < 0.1:
        word = source.choice([word.upper(), word.capitalize()])
    return word + source.choice(["𝐚", "𝐚s", "1", "_", "'s", "\u0301"]) if source.random() < 0.02 else word


def terms(analyzer, texts):
    return [[token.term for token in tokens] for tokens in analyzer.tokens_of_each(texts)]


@pytest.mark.parametrize("language", IN_PYTHON)
def test_made_up_words_have_lucenes_terms(language):
    source = random.Random(WORDS)
    texts = [" ".join(random_word(source, language) for _ in range(40)) for _ in range(WORDS // 40)]
    ours = european(language)
    for text, wanted in zip(texts, terms(LuceneAnalyzer("", language), texts), strict=True):
        assert ours.terms(text) == wanted, text
        assert list(filter(None, ours.terms_of(ours.surfaces(text)))) == wanted


@pytest.mark.parametrize("language", IN_PYTHON)
def test_the_stop_words_are_lucenes(language):
    words = sorted({*stop_words(language), *(word for other in IN_PYTHON for word in stop_words(other))})
    wanted = terms(LuceneAnalyzer("", language), words)
    assert [european(language).terms(word) for word in words] == wanted


@pytest.mark.parametrize("language", IN_PYTHON)
def test_any_text_has_lucenes_terms(language):
    from test_english_oracle import random_text

    source = random.Random(language)
    texts = [random_text(source) for _ in range(300)]
    assert list(map(european(language).terms, texts)) == terms(LuceneAnalyzer("", language), texts)


def test_cjk_has_lucenes_pairs_and_their_places():
    from test_english_oracle import random_text

    source = random.Random(1)
    texts = ["".join(source.choices(CJK_PIECES, k=source.randint(1, 12))) for _ in range(WORDS)]
    texts += [random_text(source) for _ in range(WORDS // 2)]
    for text, ours, wanted in zip(
        texts, CjkAnalyzer().tokens_of_each(texts), LuceneAnalyzer("", "zh").tokens_of_each(texts), strict=True
    ):
        assert ours == wanted, ascii(text)


def test_whitespace_has_lucenes_words():
    source = random.Random(2)
    pieces = [*" \t\n\x0b\x1c\x85\u00a0\u2007\u202f\u3000\u2028\u1680\0", "a", "é", "𝐚", "#", "B" * 120, "\ud800"]
    texts = ["".join(source.choices(pieces, k=source.randint(0, 12))) for _ in range(2_000)]
    ours = WhitespaceAnalyzer()
    assert [ours.terms(text) for text in texts] == terms(LuceneAnalyzer("", "whitespace"), texts)


@pytest.mark.parametrize("language", sorted(BY_LANGUAGE))
def test_registered_analyzers_give_lucenes_terms(language):
    """Also those that are not analysed in Python; Thai needs a Java with its dictionary."""
    from sparseembed.analyzers.lucene import knows_thai

    if language == "th" and not knows_thai():
        pytest.skip("this Java has no Thai dictionary")
    name = BY_LANGUAGE[language]
    key = ANALYZERS[name].lucene
    text = (
        "Die Häuser der Städte, l’homme qui rêvait des maisons; los niños cantan canciones. Дома стояли над рекой. "
        "日本語の文章を解析しています。 我喜欢自然语言处理 한국어 문장 हिन्दी में लिखे गए वाक्य ภาษาไทย "
        "كتب اللغة العربية کتاب‌های"
    )
    opened = open_analyzer(name)
    assert opened.terms(text) == terms(LuceneAnalyzer("", key), [text])[0]
    assert opened.name == name
