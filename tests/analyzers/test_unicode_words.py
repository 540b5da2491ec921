"""What becomes of spellings, scripts and languages without Lucene: folding, plain texts, languages told apart."""

import pickle
import subprocess
import sys
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseembed.analyzers import base
from sparseembed.analyzers.base import ContextAnalyzer, terms_of_each
from sparseembed.analyzers.detect import guess
from sparseembed.analyzers.languages import BY_LANGUAGE, analyzer_of
from sparseembed.analyzers.plain import plain
from sparseembed.analyzers.registry import ANALYZERS, IN_PYTHON, open_analyzer
from sparseembed.analyzers.unicode import UnicodeAnalyzer, fold
from sparseembed.errors import ConfigError

IN_PROCESS = [name for name, entry in ANALYZERS.items() if not entry.java]
TOLD = {
    "ar": "القطة تجلس على السجادة والكلب ينام بالقرب من الباب ولكنه ليس سعيدا",
    "bg": "Котката седи на килима и кучето спи до вратата, но не е щастливо.",
    "ca": "El gat seu a l'estora i el gos dorm a prop de la porta amb els seus amics.",
    "cs": "Kočka sedí na rohožce a pes spí u dveří, ale není šťastný, protože je to tak.",
    "da": "Nogle af hundene blev ved døren, og hvad mig angår, ville jeg hellere være hos dem end her.",
    "de": "Die Katze sitzt auf der Matte und der Hund liegt neben der Tür.",
    "el": "Η γάτα κάθεται στο χαλί και ο σκύλος κοιμάται δίπλα στην πόρτα.",
    "en": "The cat sat on the mat and the dog slept near the door.",
    "es": "El gato está sentado en la alfombra y el perro duerme cerca de la puerta.",
    "fa": "گربه روی فرش نشسته است و سگ نزدیک در می خوابد اما خوشحال نیست",
    "fi": "Kissa istuu matolla ja koira nukkuu oven vieressä, mutta se ei ole iloinen.",
    "fr": "Le chat est assis sur le tapis et le chien dort près de la porte.",
    "hi": "बिल्ली चटाई पर बैठी है और कुत्ता दरवाजे के पास सो रहा है",
    "hu": "A macska a szőnyegen ül és a kutya az ajtó mellett alszik, de nem boldog.",
    "id": "Kucing itu duduk di atas tikar dan anjing tidur di dekat pintu, tetapi tidak bahagia.",
    "it": "Il gatto è seduto sul tappeto e il cane dorme vicino alla porta.",
    "ja": "猫はマットの上に座っていて、犬はドアのそばで寝ています。",
    "ko": "고양이는 매트 위에 앉아 있고 개는 문 옆에서 잠을 잔다.",
    "nl": "De kat zit op de mat en de hond slaapt bij de deur.",
    "pl": "Kot siedzi na macie, a pies śpi przy drzwiach, ale nie jest szczęśliwy.",
    "ro": "Pisica stă pe covor și câinele doarme lângă ușă, dar nu este fericit.",
    "ru": "Кошка сидит на коврике, а собака спит у двери, но она не рада.",
    "sv": "Katten sitter på mattan och hunden sover bredvid dörren, men den är inte glad.",
    "te": "పిల్లి చాప మీద కూర్చుంది",
    "th": "แมวนั่งอยู่บนเสื่อและสุนัขนอนอยู่ข้างประตู",
    "tr": "Kedi paspasın üzerinde oturuyor ve köpek kapının yanında uyuyor, ama bu çok mutlu değil.",
    "uk": "Кішка сидить на килимку, а собака спить біля дверей, але вона не рада, що це так.",
    "vi": "Con mèo ngồi trên thảm và con chó ngủ gần cửa.",
    "zh": "猫坐在垫子上，狗睡在门边。",
}


@pytest.mark.parametrize("language", TOLD)
def test_a_text_of_one_language_is_told(language):
    found = guess([TOLD[language]] * 3)
    assert found.language == language
    assert next(iter(found.shares)) == language
    assert found.texts == 3


def test_a_language_without_a_list_is_no_neighbour():
    found = guess(["Paka anakaa juu ya mkeka na mbwa analala karibu na mlango.", "Ur kastell bras war ar menez."])
    assert found == (None, {}, 0.0, 2)
    assert guess([]) == (None, {}, 0.0, 0)
    assert guess(["", "12 + 3"]).language is None


def test_titles_without_stop_words_do_not_hide_the_language_of_the_rest():
    found = guess(["Katzenfutter", "Hundehütte", *[TOLD["de"]] * 8])
    assert found.language == "de"
    assert found.known < 1


@pytest.mark.parametrize(
    ("language", "analyzer"),
    [
        ("de", "lucene-german"),
        ("DE-at", "lucene-german"),
        ("German", "lucene-german"),
        ("pt_BR", "lucene-portuguese"),
        ("nb", "lucene-norwegian"),
        ("zh", "cjk"),
        ("Korean", "cjk"),
        ("sw", "whitespace"),
        ("el", "unicode"),
        ("vie", "unicode"),
    ],
)
def test_languages_have_analyzers(language, analyzer):
    assert analyzer_of(language) == analyzer
    assert analyzer in ANALYZERS


@pytest.mark.parametrize("language", ["", "x", "deutsch", "d3", "../de"])
def test_other_words_are_no_languages(language):
    with pytest.raises(ConfigError, match="is no language"):
        analyzer_of(language)


def test_what_anserini_knows_has_an_entry():
    assert set(BY_LANGUAGE.values()) | {"unicode"} == set(ANALYZERS)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("ΑΘΗΝΑ Αθήνα", ["αθηνα", "αθηνα"]),
        ("Łódź STRASSE Straße İstanbul", ["lodz", "strasse", "strasse", "istanbul"]),
        ("ﬁn ＡＢＣ co\u00adop Cafe\u0301 Café x² ½", ["fin", "abc", "coop", "cafe", "cafe", "x"]),
        ("ё й", ["е", "и"]),
        ("がぎ か\u3099ｷﾞ", ["がぎ", "がギ"]),
        ("日本語", ["日本", "本語"]),
        ("犬", ["犬"]),
        ("한국어 말", ["한국", "국어", "말"]),
        ("ภาษาไทย", ["ภาษา", "ษาไท", "ไทย"]),
        ("ខ្មែរ", ["ខ្មែរ"]),
        ("日本ไทยabc", ["日本", "ไทย", "abc"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("עִבְרִית العَرَبِيَّة", ["עברית", "العربية"]),
        ("don’t don't", ["don't", "don't"]),
        ("\u00ad \ufeff ,", []),
    ],
)
def test_folded_words(text, terms):
    assert UnicodeAnalyzer().terms(text) == terms


@given(st.text())
def test_folding_is_done_once_for_all_spellings(word):
    folded = fold(word)
    assert fold(folded) == folded
    assert len(folded) <= 255
    assert not any(character.isspace() for character in folded)


@pytest.mark.parametrize("name", [name for name in IN_PROCESS if name != "whitespace"])
@given(text=st.text(st.characters(max_codepoint=0x3FF) | st.sampled_from("한각がパﬁＡ\u00ad\u3099\u1161")))
def test_composed_and_taken_apart_give_the_same_terms(name, text):
    analyzer = open_analyzer(name)
    assert analyzer.terms(normalize("NFD", text)) == analyzer.terms(normalize("NFC", text))


@given(st.text())
def test_plain_texts_stay(text):
    once = plain(text)
    assert plain(normalize("NFC", once)) == plain(once)
    assert plain(text.encode("ascii", "ignore").decode()) == text.encode("ascii", "ignore").decode()
    assert not set(plain(text)) & set("\u00ad\u2060\ufeffﬁＡ")
    assert "Ａ" in plain("Ａ", width=False)


@pytest.mark.parametrize("name", IN_PROCESS)
@given(text=st.text())
def test_terms_are_the_same_in_every_way(name, text):
    analyzer = open_analyzer(name)
    assert terms_of_each(analyzer, [text, "", text]) == [analyzer.terms(text), [], analyzer.terms(text)]
    if not isinstance(analyzer, ContextAnalyzer):
        assert list(filter(None, analyzer.terms_of(analyzer.surfaces(text)))) == analyzer.terms(text)


@pytest.mark.parametrize("name", IN_PROCESS)
@given(text=st.lists(st.sampled_from(["日本語", "カナ", "ไทย", "한국어", "foxes", "l'été", "1,5"])).map(" ".join))
def test_very_long_texts_have_the_terms_of_their_parts(name, text):
    analyzer = open_analyzer(name)
    terms = analyzer.terms(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "PART", 16)
        assert analyzer.terms(text) == terms
        assert terms_of_each(analyzer, ["", text]) == [[], terms]


def test_long_runs_take_no_time():
    for piece in ("日", "ก", "เ", "ｶ", "한", "é", "\u0e31", "\u17d2"):
        for name in ("unicode", "cjk"):
            assert open_analyzer(name).terms(piece * 50_000) is not None


@pytest.mark.parametrize("name", ["unicode", "cjk", "whitespace", "lucene-english"])
def test_analyzers_can_be_sent_to_another_process(name):
    assert pickle.loads(pickle.dumps(open_analyzer(name))).terms("foxes") == open_analyzer(name).terms("foxes")


def test_no_language_in_python_loads_java():
    program = (
        "import sys; from sparseembed.analyzers.registry import IN_PYTHON, open_analyzer\n"
        "from sparseembed.analyzers.languages import BY_LANGUAGE\n"
        "for code in (*IN_PYTHON, 'en', 'zh', 'sw'): open_analyzer(BY_LANGUAGE[code]).terms('häuser é 日本語')\n"
        "open_analyzer('unicode').terms('häuser')\n"
        "print(sorted({'jnius', 'torch', 'numpy', 'sparseembed.java.jvm'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert len(IN_PYTHON) == 12
