"""From a corpus to hits: all engines agree, every score is explained, and indexes are reused or refused as said."""

import random
import shutil
from dataclasses import asdict

import pytest

from sparseembed import Searcher, build_index
from sparseembed.data.corpus import Corpus, Document
from sparseembed.embedders.spec import EmbedderSpec
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.errors import ConfigError, DataError, IndexFolderError
from sparseembed.index.snapshot import open_snapshot

pytestmark = pytest.mark.jvm

WORDS = [
    *("cat", "dog", "mat", "Rivers", "carry", "water", "mountains", "sea", "sand", "Photosynthesis", "green", "plants"),
    *(
        "make",
        "sugar",
        "light",
        "carbon",
        "dioxide",
        "whale",
        "fish",
        "breathes",
        "air",
        "feeds",
        "young",
        "milk",
        "sun",
    ),
    *(
        "takes",
        "eight",
        "minutes",
        "reach",
        "earth",
        "She",
        "reads",
        "books",
        "whales",
        "he",
        "about",
        "and",
        "the",
        "of",
    ),
    "is",
]
BLANK = {"d07": ("", ""), "d19": (" ", "\n\t"), "z": ("", "\u00a0 ")}
SPACES = ("word", "folded", "word+folded")


def documents():
    """Make 32 documents, three of them blank, whose order is not that of their ids."""
    chance = random.Random(3)
    made = [
        Document(
            f"d{n:02d}", " ".join(chance.sample(WORDS, 2)), " ".join(chance.choices(WORDS, k=chance.randint(3, 25)))
        )
        for n in range(31)
        if f"d{n:02d}" not in BLANK
    ]
    made += [Document(doc_id, *texts) for doc_id, texts in BLANK.items()]
    # Two documents with the same text tie for every query.
    made.append(Document("a-twin", made[0].title, made[0].text))
    chance.shuffle(made)
    return made


def queries():
    """Make queries of one word, of several, with repetitions, with unknown words, and whole documents."""
    chance = random.Random(5)
    several = [" ".join(chance.choices(WORDS, k=length)) for length in (2, 2, 3, 3, 5, 8, 8, 13, 21, 60)]
    odd = ["cat cat cat dog", "RIVERS, whale's!", "water 😀 \x07 \ud800 cat", "plants zebra", "Whales\nwhales"]
    return [*WORDS, *several, *odd, *(document.contents for document in documents()[:6])]


@pytest.fixture(scope="module")
def embedder(tiny_model):
    """The embedder of the shared indexes."""
    folder = tiny_model("tied")
    return TransformerEmbedder(
        EmbedderSpec("tied", str(folder), query_prompt="ask {text}", dtype="float32", device="cpu")
    )


@pytest.fixture(scope="module")
def corpus():
    """The documents as a corpus."""
    return Corpus(documents(), "small")


@pytest.fixture(scope="module")
def embeddings(tmp_path_factory):
    """One folder of embeddings for all indexes of the shared corpus."""
    return tmp_path_factory.mktemp("embeddings") / "small"


@pytest.fixture(scope="module")
def index(corpus, embedder, embeddings, tmp_path_factory):
    """Return a function that gives the shared index of a term space."""
    made = {}

    def of(terms):
        if terms not in made:
            out = tmp_path_factory.mktemp("indexes") / terms
            made[terms] = build_index(corpus, out, embedder, terms, embeddings=embeddings, k=24)
        return made[terms].path

    return of


@pytest.fixture
def small(embedder, tmp_path):
    """Return a function that builds a small index of its own beside its embeddings."""

    def build(out="index", texts=("A cat sat.", "A whale swam.", "Rivers run."), **options):
        corpus = Corpus([Document(f"d{n}", "", text) for n, text in enumerate(texts)], "tiny")
        options = {"embedder": embedder, "terms": "folded", "embeddings": tmp_path / "vectors", "k": 8, **options}
        return build_index(corpus, tmp_path / out, **options)

    return build


def bytes_of(folder):
    """Return the bytes of each file below a folder."""
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("terms", SPACES)
@pytest.mark.parametrize("expand", [0, 6])
def test_all_engines_find_the_same(index, embedder, terms, expand):
    options = {"expand": expand, "embedder": embedder if expand else None}
    found = 0
    with (
        Searcher.open(index(terms), **options) as native,
        Searcher.open(index(terms), engine="lucene", **options) as lucene,
        Searcher.open(index(terms), engine="exact", **options) as exact,
    ):
        for query in queries():
            for k in (3, 1000):
                hits = native.search(query, k)
                assert hits == exact.search(query, k)
                assert hits == lucene.search(query, k)
                assert hits == sorted(hits, key=lambda hit: (-hit.score, hit.id))
                assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
                found += len(hits)
        batch = native.search_batch(queries(), 5, threads=2)
        assert batch == exact.search_batch(queries(), 5)
        assert batch == lucene.search_batch(queries(), 5, threads=2)
        assert batch == [native.search(query, 5) for query in queries()]
    assert found > 5 * len(queries())


@pytest.mark.parametrize("terms", SPACES)
@pytest.mark.parametrize("expand", [0, 6])
def test_explanations_sum_exactly_to_every_score(index, embedder, terms, expand):
    origins = set()
    with Searcher.open(index(terms), expand=expand, embedder=embedder if expand else None) as searcher:
        for query in queries()[::3]:
            weights = searcher.encode_query(query)
            hits = searcher.search(query, 1000)
            for hit in hits:
                told = searcher.explain(query, hit.id)
                assert told.id == hit.id
                assert told.score == hit.score == sum(term.score for term in told.terms)
                assert all(term.score == term.query_weight * term.impact > 0 for term in told.terms)
                assert len(told.terms) + len(told.unmatched) == len(weights)
                origins |= {term.origin for term in told.terms}
            missed = {document.id for document in documents()} - {hit.id for hit in hits}
            assert all(searcher.explain(query, doc_id).score == 0 for doc_id in missed)
    assert origins == {"literal", "expansion"}


def test_the_origin_of_a_term_is_the_documents_text(index, corpus):
    with Searcher.open(index("word")) as searcher:
        for word in ("whale", "water", "sugar"):
            for hit in searcher.search(word, 1000):
                (term,) = searcher.explain(word, hit.id).terms
                stands = word in corpus[corpus.index_of(hit.id)].contents.lower()
                assert (term.origin == "literal") == stands


@pytest.mark.parametrize("terms", SPACES)
def test_every_literal_match_is_found_in_one_index_mode_and_no_blank_document_ever(index, corpus, terms):
    with Searcher.open(index(terms)) as searcher:
        found = {word: {hit.id for hit in searcher.search(word, 1000)} for word in WORDS}
        assert not set().union(*found.values()) & set(BLANK)
        if terms != "folded":
            for word in ("cat", "sugar", "milk", "earth"):
                assert found[word] >= {document.id for document in corpus if word in document.contents.split()}
        for doc_id, texts in BLANK.items():
            assert searcher.document(doc_id) == (doc_id, " ".join(texts).strip(), {})
        assert searcher.manifest.counts["blank"] == len(BLANK)
        assert searcher.manifest.counts["documents"] == len(corpus)


@pytest.mark.parametrize("terms", SPACES)
@pytest.mark.parametrize("query", ["", " \n", "\u3000"])
@pytest.mark.parametrize("expand", [0, 4])
def test_a_query_without_words_has_no_hits(index, embedder, terms, query, expand):
    with Searcher.open(index(terms), expand=expand, embedder=embedder if expand else None) as searcher:
        assert searcher.encode_query(query) == {}
        assert searcher.search(query) == []


def test_unknown_words_and_stop_words_have_no_hits(index):
    with Searcher.open(index("word")) as searcher:
        assert searcher.search("zebra quagga") == searcher.search("the of and") == searcher.search("\x00\x01") == []


def test_repeated_words_weigh_twice_as_words_and_once_as_pieces(index):
    with Searcher.open(index("word")) as word, Searcher.open(index("folded")) as folded:
        assert word.encode_query("cat dogs cat") == {"cat": 2, "dog": 1}
        assert folded.encode_query("cat cat") == folded.encode_query("cat")
        assert {folded.label(term) for term in folded.encode_query("cat")} == {"cat"}


def test_words_and_pieces_are_asked_for_side_by_side(index):
    with (
        Searcher.open(index("word")) as word,
        Searcher.open(index("folded")) as folded,
        Searcher.open(index("word+folded")) as both,
    ):
        for query in queries():
            pieces = {"#" + term: weight for term, weight in folded.encode_query(query).items()}
            assert both.encode_query(query) == word.encode_query(query) | pieces
        assert [both.label(term) for term in both.encode_query("cat")] == ["cat", "#cat"]
        origins = {(term.term, term.origin) for term in both.explain("cat", both.search("cat")[0].id).terms}
        assert origins == {("cat", "literal"), ("#cat", "literal")}


@pytest.mark.parametrize(("share", "kept", "lost"), [(0.0, "word", "#"), (1.0, "#", "word")])
def test_the_share_of_pieces_may_be_all_or_nothing(small, share, kept, lost):
    built = small(terms="word+folded", pieces=share, k=5, mix=1.0, least=1, composed=1)
    with Searcher.open(built.path) as searcher:
        for doc_id in ("d0", "d1", "d2"):
            _, contents, vector = searcher.document(doc_id)
            words = {term for term in vector if not term.startswith("#")}
            assert bool(vector.keys() - words) is (kept == "#")
            literal = [term for term in words if term in contents.lower()]
            assert literal
            assert (len(words) > len(literal)) is (lost == "#")


@pytest.mark.parametrize("query", [None, 5, b"cat", ["cat"]])
def test_a_query_that_is_no_text_is_told(index, query):
    with Searcher.open(index("word")) as searcher:
        for call in (
            searcher.search,
            lambda text: searcher.search_batch([text]),
            lambda text: searcher.explain(text, "d"),
        ):
            with pytest.raises(ConfigError, match=f"a query must be a text, not {type(query).__name__}"):
                call(query)
        with pytest.raises(ConfigError, match="must be a list of texts, not one text"):
            searcher.search_batch("cat")


def test_texts_and_documents_by_id(index, corpus):
    with Searcher.open(index("word"), engine="exact") as searcher:
        assert {document.id: searcher.text(document.id) for document in corpus} == {
            document.id: document.contents for document in corpus
        }
        for unknown in ("", "d", "zz", "\ud800"):
            with pytest.raises(DataError, match="has no document"):
                searcher.explain("cat", unknown)


@pytest.mark.parametrize("terms", SPACES)
def test_documents_are_in_the_corpus_order_with_impacts_of_so_many_bits(index, corpus, terms):
    with Searcher.open(index(terms), engine="exact") as searcher:
        snapshot = open_snapshot(index(terms))
        assert snapshot.ids() == corpus.ids
        snapshot.close()
        rows = [searcher.document(doc_id) for doc_id in corpus.ids]
        assert [row.id for row in rows] == corpus.ids
        impacts = [impact for row in rows for impact in row.vector.values()]
        assert len(impacts) == searcher.manifest.counts["postings"]
        assert len({term for row in rows for term in row.vector}) == searcher.manifest.counts["terms"]
    assert {type(impact) for impact in impacts} == {int}
    assert (min(impacts) >= 1, max(impacts)) == (True, 255 if terms in ("folded", "token") else 31)
    if terms == "folded":
        assert all(term.isdecimal() for row in rows for term in row.vector)
        assert all(len(row.vector) <= 24 for row in rows)


RARE = ("A cat sat on a quagga.", "Cats run and swam.", "Whales swam, it ran.", "Rivers run to the sea.")


@pytest.mark.parametrize("terms", ["word", "word+folded"])
def test_a_word_of_one_document_is_found_there_and_decoded_nowhere(small, terms):
    built = small(terms=terms, texts=RARE, mix=1.0, pieces=0.0, k=50, least=2, composed=1)
    with Searcher.open(built.path) as searcher:
        space = getattr(searcher.term_space, "words", searcher.term_space)
        assert space.terms == ["cat", "run", "swam"]
        assert [hit.id for hit in searcher.search("quaggas")] == ["d0"]
        (told,) = (each for each in searcher.explain("quagga", "d0").terms if each.term == "quagga")
        assert told.origin == "literal"
        # The known words are decoded onto documents that lack them; an unknown one is only where it stands.
        for doc_id, text in zip(("d0", "d1", "d2", "d3"), RARE, strict=True):
            words = {term for term in searcher.document(doc_id).vector if not term.startswith("#")}
            assert words - {*space.terms} == {*space.literal.of(text)} - {*space.terms}
        everywhere = [{*searcher.document(doc_id).vector} for doc_id in ("d0", "d1", "d2", "d3")]
    with Searcher.open(
        small("all", terms=terms, texts=RARE, mix=1.0, pieces=0.0, k=50, least=1, composed=1).path
    ) as searcher:
        assert "quagga" in searcher.term_space.terms
        assert any("quagga" in searcher.document(doc_id).vector for doc_id in ("d1", "d2", "d3"))
    assert sum("swam" in words for words in everywhere) > 2  # it stands in two
    assert sum("quagga" in words for words in everywhere) == 1


def test_a_bad_count_is_refused(index):
    with pytest.raises(ConfigError, match="expand"):
        Searcher.open(index("word"), expand=-1)
    with Searcher.open(index("word")) as searcher:
        for k in (0, -3):
            with pytest.raises(ConfigError, match="k is"):
                searcher.search("cat", k)
            with pytest.raises(ConfigError, match="k is"):
                searcher.search("", k)
        with pytest.raises(ConfigError, match="threads"):
            searcher.search_batch(["cat"], threads=0)


def test_an_expanded_query_holds_its_literal_terms_and_at_most_m_more(index, embedder):
    with Searcher.open(index("word")) as plain, Searcher.open(index("word"), expand=5, embedder=embedder) as expanded:
        for query in queries()[::4]:
            literal, wide = plain.encode_query(query), expanded.encode_query(query)
            assert all(wide[term] >= 16 * count for term, count in literal.items())
            assert len(literal) <= len(wide) <= len(literal) + 5
        before = expanded.query_encoder.model_calls
        expanded.search("cat")
        expanded.search(" ")
        assert expanded.query_encoder.model_calls - before == 1
        assert plain.query_encoder.model_calls == 0


def test_weights_named_by_the_caller_are_used_as_the_manifest_says(small, embedder):
    with Searcher.open(small().path, expand=4, embedder=embedder.spec.weights) as searcher:
        assert len(searcher.encode_query("cat")) > 1


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ({"pooling": "mean"}, "pooling is 'last' there and 'mean' here"),
        ({"query_prompt": "{text}"}, "query_prompt is 'ask {text}' there and '{text}' here"),
        ({"max_length": 64}, "max_length is 2048 there and 64 here"),
        ({"dtype": "bfloat16"}, "dtype is 'float32' there and 'bfloat16' here"),
        ({"weights": "untied"}, "weights is "),
    ],
)
def test_another_embedder_is_refused_by_the_field_that_differs(index, embedder, tiny_model, parts, field):
    if "weights" in parts:
        parts = {"weights": str(tiny_model("untied"))}
    other = TransformerEmbedder(embedder.spec.with_changes(**parts))
    for expand in (0, 4):
        with pytest.raises(IndexFolderError) as refusal:
            Searcher.open(index("word"), expand=expand, embedder=other)
        assert field in str(refusal.value)
        assert "\n" not in str(refusal.value)


def test_the_same_recipe_is_reused_without_a_model_call(small, embedder):
    first = small()
    before, calls = bytes_of(first.path), embedder.model_calls
    again = small()
    assert (first.reused, again.reused) == (False, True)
    assert again.manifest == first.manifest
    assert embedder.model_calls == calls
    assert bytes_of(again.path) == before


def test_another_recipe_encodes_nothing_anew_and_needs_overwrite(small, embedder):
    first, calls = small(), embedder.model_calls
    before = bytes_of(first.path)
    with pytest.raises(IndexFolderError, match="k is 8 there and 9 here"):
        small(k=9)
    with pytest.raises(IndexFolderError, match="adjustment is 'centred' there and 'none' here"):
        small(adjustment="none")
    with pytest.raises(IndexFolderError, match="terms is 'folded' there and 'word' here"):
        small(terms="word", literal=False, bits=8, composed=1)
    assert bytes_of(first.path) == before
    changed = small(k=9, overwrite=True)
    assert not changed.reused
    assert changed.manifest.sparse["k"] == 9
    assert embedder.model_calls == calls
    assert [each.name for each in first.path.parent.iterdir() if each.name.startswith(".")] == []


def test_a_folder_of_something_else_is_never_replaced(small, tmp_path):
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "thesis.tex").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(IndexFolderError, match="is no index"):
            small(overwrite=overwrite)
    assert bytes_of(tmp_path / "index") == {"thesis.tex": b"years of work"}


def test_two_builds_give_the_same_bytes(small, tmp_path):
    for terms in SPACES:
        one = small("one", terms=terms, overwrite=True, embeddings=tmp_path / "here")
        other = small("elsewhere/two", terms=terms, overwrite=True, embeddings=tmp_path / "there")
        parts = [part for part in one.path.iterdir() if part.name.startswith(("fit-", "segment-"))]
        assert len(parts) == 2
        for part in parts:
            assert bytes_of(part) == bytes_of(other.path / part.name)
        # Lucene gives its files random numbers and the time.
        told, again = ({**asdict(each.manifest), "lucene": None, "embeddings": None} for each in (one, other))
        assert told == again


def test_a_changed_corpus_is_refused_until_it_is_encoded_anew(small):
    first = small()
    before = bytes_of(first.path)
    changed = ("A cat sat.", "A whale swam.", "Deserts are dry.")
    with pytest.raises(IndexFolderError, match="another version of tiny"):
        small(texts=changed)
    with pytest.raises(DataError, match=r"has changed since it was encoded.*--reencode"):
        small(texts=changed, overwrite=True)
    with pytest.raises(DataError, match=r"has changed since it was encoded.*--reencode"):
        small("another", texts=changed)
    assert bytes_of(first.path) == before
    built = small(texts=changed, reencode=True)
    assert not built.reused
    with Searcher.open(built.path, engine="exact") as searcher:
        assert searcher.text("d2") == "Deserts are dry."


def test_a_corpus_of_blank_documents_alone_can_be_built_and_finds_nothing(small):
    for terms in SPACES:
        built = small(f"blank-{terms}", texts=("", " "), terms=terms, embeddings=None)
        assert built.manifest.counts["blank"] == built.manifest.counts["empty_vectors"] == 2
        with Searcher.open(built.path) as searcher:
            assert searcher.search("cat") == []


def test_the_engine_of_another_index_is_noticed(small, tmp_path):
    folder = small(terms="word").path
    shutil.rmtree(folder / "lucene")
    other = small("two", texts=("one", "two"), terms="word", embeddings=tmp_path / "more").path
    shutil.copytree(other / "lucene", folder / "lucene")
    with pytest.raises(IndexFolderError, match="holds 2 documents and its manifest says 3"):
        Searcher.open(folder, engine="lucene")
    with Searcher.open(folder) as searcher:  # the native engine needs nothing of Lucene's
        assert searcher.search("cat")


def use_all(folder, embedder):
    """Read everything that an index holds."""
    with Searcher.open(folder, expand=2, rescore=40, embedder=embedder) as searcher:
        snapshot = open_snapshot(folder)
        try:
            snapshot.statistics()
            for segment in snapshot.segments:
                assert sum(len(rows) for rows in segment.embedding_blocks()) == segment.documents
        finally:
            snapshot.close()
        found = [(searcher.search(query), searcher.encode_query(query)) for query in ("cat", "whale swam")]
        return found, [searcher.document(doc_id) for doc_id in ("d0", "d1", "d2")]


@pytest.mark.parametrize("terms", ["word", "word+folded"])
def test_one_changed_byte_anywhere_is_noticed_and_named(small, embedder, terms):
    folder = small(terms=terms, least=1).path
    before = use_all(folder, embedder)
    chance = random.Random(1)
    files = [file for file in folder.rglob("*") if file.is_file() and file.parent.name != "lucene"]
    assert len(files) >= 12
    for file in files:
        whole = file.read_bytes()
        for place in {0, len(whole) - 1, *(chance.randrange(len(whole)) for _ in range(3))}:
            file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            with pytest.raises(IndexFolderError) as refusal:
                use_all(folder, embedder)
            assert str(refusal.value).isprintable()
            assert str(folder) in str(refusal.value)
        for cut in (b"", whole[:-2], whole + b"0"):
            file.write_bytes(cut)
            with pytest.raises(IndexFolderError):
                use_all(folder, embedder)
        file.unlink()
        with pytest.raises(IndexFolderError) as refusal:
            use_all(folder, embedder)
        assert str(refusal.value).isprintable()
        file.write_bytes(whole)
    assert use_all(folder, embedder) == before
