"""An index in another language: its analyzer finds the words of documents and queries, and nothing else does."""

import json
import shutil

import pytest

from sparseembed import Index, Searcher, build_index, progress
from sparseembed.data.corpus import Corpus, Document
from sparseembed.errors import ConfigError, IndexFolderError
from sparseembed.files import digest
from sparseembed.index.manifest import FILE
from sparseembed.indexing.language import check_language, with_language
from sparseembed.sparse.config import default_config

pytestmark = pytest.mark.jvm
GERMAN = [
    "Die Katzen schlafen auf dem alten Teppich, und der Hund liegt daneben.",
    "Der Hund sitzt vor der Tür des Hauses, das nicht weit von hier ist.",
    "Alte Häuser stehen in der Straße der Stadt und sind sehr schön.",
    "Sie schrieb lange Briefe über die Städte, in denen sie war.",
]
JAPANESE = ["猫は古い絨毯の上で眠っています。", "犬は家のドアの前に座っている。", "町の古い家々は美しい。"]
FRENCH = ["Les chats dorment sur le vieux tapis, et le chien est devant la porte de la maison."]
ENGLISH = ["The cats sleep on the old carpet, and the dog is in front of the door of the house."]


def corpus(texts, name="made"):
    return Corpus([Document(f"d{place}", "", text) for place, text in enumerate(texts)], name)


@pytest.fixture
def notes():
    told = []

    class Listener(progress.SilentReporter):
        def note(self, text):
            told.append(text)

    before = progress.set_reporter(Listener())
    yield told
    progress.set_reporter(before)


@pytest.fixture(scope="module")
def built(build_once, tiny_embedder):
    return build_once(corpus(GERMAN), tiny_embedder(), language="de", literal=True)


@pytest.fixture
def german(built, tmp_path):
    return shutil.copytree(built, tmp_path / "german")


@pytest.mark.parametrize("engine", ["native", "lucene", "exact"])
def test_other_forms_of_a_word_are_found(german, engine):
    with Searcher.open(german, engine=engine) as searcher:
        assert searcher.manifest.analyzer == "lucene-german"
        assert searcher.encode_query("Die Straßen der Häuser") == {"strass": 1, "haus": 1}
        assert searcher.search("STRASSEN", 1)[0].id == "d2"
        assert {hit.id for hit in searcher.search("Haus", 10)} >= {"d1", "d2"}
        told = searcher.explain("Katze", "d0")
        assert [(term.term, term.origin) for term in told.terms] == [("katz", "literal")]


def test_a_spelling_in_two_parts_is_the_same_word(german):
    with Searcher.open(german) as searcher:
        for other in ("Ha\u0308user", "Häu\u00adser", "ＨÄＵＳＥＲ"):
            assert searcher.encode_query(other) == searcher.encode_query("Häuser") == {"haus": 1}


def test_documents_that_come_later_have_the_same_analyzer(german, tiny_embedder):
    with Index.open(german, embedder=tiny_embedder()) as index:
        index.add([Document("n0", "", "Neue Straßen führen in die Stadt.")])
    with Searcher.open(german) as searcher:
        assert "n0" in {hit.id for hit in searcher.search("strasse", 10)}
        assert "strass" in searcher.document("n0").vector


def test_statistics_of_another_analyzer_are_refused(german, tiny_embedder, tmp_path):
    with pytest.raises(IndexFolderError, match="do not fit: analyzer is 'lucene-german' there and 'lucene-english'"):
        build_index(corpus(GERMAN), tmp_path / "other", tiny_embedder(), statistics=german)
    with pytest.raises(IndexFolderError, match="analyzer is 'lucene-german' there and 'unicode' here"):
        build_index(corpus(GERMAN), german, tiny_embedder(), analyzer="unicode")


def test_an_analyzer_that_is_not_known_is_one_line(german):
    stored = json.loads((german / FILE).read_text())
    del stored["checksum"]
    stored["analyzer"] = "klingon"
    (german / FILE).write_text(json.dumps({**stored, "checksum": digest(stored)}))
    with pytest.raises(
        IndexFolderError, match="made with the analyzer 'klingon', which this sparseembed does not know"
    ):
        Searcher.open(german)


@pytest.mark.parametrize("terms", ["word", "word+folded"])
def test_words_by_lucene_alone_are_found_and_it_says_so(tiny_embedder, tmp_path, terms, notes):
    from sparseembed.analyzers.registry import open_analyzer

    open_analyzer.cache_clear()
    build_index(corpus(JAPANESE), tmp_path / "ja", tiny_embedder(), terms, language="ja")
    assert any("Lucene's own analyzer (lucene-japanese), for which Java is started" in note for note in notes)
    with Searcher.open(tmp_path / "ja") as searcher:
        assert searcher.search("犬", 1)[0].id == "d1"
        assert searcher.search("眠る", 1)[0].id == "d0"


def chosen(texts, notes, language="auto", embedder="smollm2-135m-aligned"):
    config = with_language(default_config(), corpus(texts), language, embedder)
    return config.analyzer, notes


def test_auto_says_what_it_takes_and_why(notes):
    assert chosen(GERMAN, notes)[0] == "lucene-german"
    assert notes[0].startswith("language: German 100% of a sample of 4 texts, by script and stop words; words are")
    assert "smollm2-135m-aligned knows English alone and the texts seem to be German" in notes[1]


def test_several_languages_get_the_folding_analyzer(notes):
    assert chosen(GERMAN + 3 * FRENCH + 3 * ENGLISH, notes)[0] == "unicode"
    assert notes[0].startswith("language: several (English 36%, French 32%, German 31% of a sample of 10 texts)")


def test_what_tells_nothing_gets_the_folding_analyzer(notes):
    assert chosen(["zorb lax quux", "1234 5678"], notes)[0] == "unicode"
    assert "none that is known for sure" in notes[0]
    assert len(notes) == 1


def test_english_is_english_and_nothing_is_said_of_the_embedder(notes):
    assert chosen(ENGLISH, notes)[0] == "lucene-english"
    assert len(notes) == 1


def test_an_embedder_of_many_languages_is_not_warned_of(notes):
    assert chosen(GERMAN, notes, "de", "qwen3-embedding-0.6b") == ("lucene-german", [])


def test_a_language_that_is_named_is_not_guessed(notes):
    assert chosen(ENGLISH, notes, "de")[0] == "lucene-german"
    assert "texts seem to be German" in notes[0]


def test_an_embedder_of_english_meets_other_texts_without_being_told(notes):
    assert chosen(GERMAN, notes, None) == ("lucene-english", notes)
    assert "texts seem to be German" in notes[0]


@pytest.mark.parametrize(
    ("language", "analyzer", "terms", "message"),
    [
        ("klingonian!", None, "word", "is no language: give a code such as de"),
        ("de", "cjk", "word", "--language de and --analyzer cjk both choose"),
        ("de", None, "folded", "folded has pieces for terms and finds no words"),
        (None, "none", "word", "unknown analyzer 'none': analyzers are lucene-english"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(language, analyzer, terms, message):
    with pytest.raises(ConfigError, match=message):
        check_language(language, analyzer, terms)


def test_pieces_beside_words_between_spaces_are_refused():
    with pytest.raises(ConfigError, match="marks pieces with a #"):
        default_config("word+folded", analyzer="whitespace")
