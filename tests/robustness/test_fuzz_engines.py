"""Any ids, texts, impacts and queries: each engine and each store against a naive reference; searches of any text."""

import os
from contextlib import ExitStack

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparseembed import Searcher, build_index
from sparseembed.data.corpus import Corpus, Document
from sparseembed.engines.base import MAX_WEIGHT, Hit
from sparseembed.engines.exact import ExactEngine
from sparseembed.engines.lucene import LuceneEngine
from sparseembed.engines.native import NativeEngine
from sparseembed.errors import DataError, SparseEmbedError
from sparseembed.index.block import Block
from sparseembed.index.lucene_reader import LuceneReader
from sparseembed.index.lucene_writer import LuceneStore
from sparseembed.index.segment import SegmentReader, SegmentWriter
from sparseembed.index.segment.merge import merge_segments
from sparseembed.sparse.impacts import MAX_IMPACT, is_term

pytestmark = [pytest.mark.jvm, pytest.mark.usefixtures("silence")]
EXAMPLES = int(os.environ.get("SPARSEEMBED_TEST_EXAMPLES", "25"))
relaxed = settings(deadline=None, max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))

any_text = st.text(max_size=40)  # of all Unicode but lone surrogates
long_text = st.tuples(st.text(min_size=1, max_size=8), st.integers(1, 20_000)).map(lambda two: two[0] * two[1])
texts = st.one_of(any_text, any_text, any_text, long_text.map(lambda text: text[:100_000]))
ids = st.one_of(st.text(min_size=1, max_size=12), st.text(min_size=1, max_size=3).map(lambda text: (text * 999)[:2000]))
terms = st.one_of(st.sampled_from("abcdefgh"), st.text(min_size=1, max_size=255)).filter(is_term)
impacts = st.one_of(st.integers(1, 3), st.integers(1, MAX_IMPACT))
vectors = st.dictionaries(terms, impacts, max_size=8)
collections = st.lists(st.tuples(ids, texts, vectors, st.booleans()), max_size=25, unique_by=lambda each: each[0])
weights = st.one_of(st.integers(1, 3), st.integers(1, MAX_WEIGHT))
asked = st.dictionaries(st.one_of(terms, st.text(max_size=5)), weights, max_size=8)


def block_of(documents, known):
    """Put documents into a block; of the terms, some are known to the writer and some are not."""
    vocabulary = sorted({term for _, _, vector, _ in documents for term in vector})
    known_terms = tuple(vocabulary[: len(vocabulary) // 2]) if known is None else known
    extra = [term for term in vocabulary if term not in set(known_terms)]
    number = {term: place for place, term in enumerate([*known_terms, *extra])}
    rows = [vector for _, _, vector, _ in documents]
    return Block(
        [doc_id for doc_id, *_ in documents],
        [text for _, text, *_ in documents],
        np.cumsum([0, *map(len, rows)], dtype=np.int64),
        np.array([number[term] for row in rows for term in row], dtype=np.int32),
        np.array([impact for row in rows for impact in row.values()], dtype=np.uint16),
        known_terms,
        extra,
    )


def naive(documents, query, k):
    """Score all documents, one after the other."""
    scored = []
    for doc_id, _, vector, _ in documents:
        score = sum(query.get(term, 0) * impact for term, impact in vector.items())
        if score:
            scored.append((-score, doc_id.encode(), doc_id))
    return [Hit(doc_id, float(-score), rank) for rank, (score, _, doc_id) in enumerate(sorted(scored)[:k], start=1)]


def segment(folder, documents, known):
    with SegmentWriter(folder, 16) as writer:
        if documents:
            writer.add(block_of(documents, known))
        writer.finish()
    return SegmentReader(folder)


@relaxed
@given(collections, st.integers(0, 25), st.lists(asked, min_size=1, max_size=3), st.sampled_from([1, 2, 10, 1000]))
def test_all_engines_give_what_a_naive_reference_gives(tmp_path_factory, documents, cut, queries, k):
    folder = tmp_path_factory.mktemp("fuzz")
    live = [each for each in documents if not each[3]]
    flags = np.array([dead for *_, dead in documents], dtype=bool)
    parts = [documents[:cut], documents[cut:]]
    readers = [segment(folder / f"s{n}", part, None) for n, part in enumerate(parts)]
    native = NativeEngine(readers, [flags[: len(parts[0])], flags[len(parts[0]) :]])
    with LuceneStore.create(folder / "lucene") as store:
        for part in parts:
            if part:
                store.add(block_of(part, ()))
        commit = store.commit()
    if flags.any():
        with LuceneStore.append(folder / "lucene", commit.name) as store:
            store.delete([doc_id for doc_id, *_, dead in documents if dead])
            commit = store.commit({"any": "𝄞"})
    exact = ExactEngine([doc_id for doc_id, *_ in live], [vector for _, _, vector, _ in live])
    with LuceneEngine(folder / "lucene", commit.name) as lucene:
        assert native.documents == lucene.documents == exact.documents == len(live)
        for query in queries:
            wanted = naive(live, query, k)
            assert native.search(query, k) == wanted
            assert exact.search(query, k) == wanted
            assert lucene.search(query, k) == wanted
        assert lucene.search_batch(queries, k, 2) == [naive(live, query, k) for query in queries]
    reader = LuceneReader(folder / "lucene", commit.name)
    assert reader.ids() == [doc_id for doc_id, *_ in live]
    assert reader.texts([doc_id for doc_id, *_ in documents]) == [
        None if dead else text for _, text, _, dead in documents
    ]
    reader.close()
    explained(readers, parts, queries)
    merge_segments(readers, [flags[: len(parts[0])], flags[len(parts[0]) :]], folder / "merged", 16)
    merged = SegmentReader(folder / "merged")
    explained([merged], [live], queries)
    for query in queries:
        assert NativeEngine([merged], [None]).search(query, k) == naive(live, query, k)
    merged.verify()
    native.close()


def explained(readers, parts, queries):
    """Compare what a reader gives of single documents with what they are."""
    for reader, part in zip(readers, parts, strict=True):
        assert [vector for _, vector in reader.vectors()] == [vector for _, _, vector, _ in part]
        for number, (doc_id, text, vector, _) in enumerate(part):
            assert reader.number(doc_id) == number
            assert reader.id(number) == doc_id
            assert reader.text(number) == text
            assert reader.vector(number) == vector
            for query in queries:
                assert reader.impacts(number, list(query)) == [vector.get(term, 0) for term in query]


NASTY = [
    "",
    " \n\t\u00a0\u2003",
    "\0",
    "cat\0dog",
    "\ud800",
    "cat \udfff\ud800 dog",
    "\ufeffcat",
    "\u202ecat",
    "a" * 100_000,
    "cat " * 25_000,
    "'" * 100_000,
    "." * 100_000,
    "\u0301" * 50_000,
    "cat" + "\u0300" * 40_000,
    "👩‍👩‍👧‍👦" * 5_000,
    "กรุงเทพมหานคร" * 3_000,
    "北京" * 20_000,
    "\U0010ffff\ufdd0\ufffe\uffff",
    "cat#dog #cat 12 #12",
    "x" * 254 + " " + "y" * 255 + " " + "z" * 256 + " " + "w" * 600,
]


@pytest.fixture(scope="module")
def index(tiny_model, tmp_path_factory):
    """Return a function that gives an index of a term space over nasty texts."""
    from sparseembed.embedders.spec import EmbedderSpec
    from sparseembed.embedders.transformer import TransformerEmbedder

    made, embeddings = (
        {},
        tmp_path_factory.mktemp("embeddings"),
    )  # which take longer than all the rest, and are the same
    embedder = TransformerEmbedder(EmbedderSpec("tied", str(tiny_model("tied")), dtype="float32", device="cpu"))
    corpus = Corpus([Document(f"d{n}", "", text) for n, text in enumerate(NASTY)], "nasty")

    def of(kind):
        if kind not in made:
            folder = tmp_path_factory.mktemp("nasty") / "index"
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("SPARSEEMBED_CACHE", str(tmp_path_factory.mktemp("cache")))
                made[kind] = build_index(corpus, folder, embedder, kind, k=6, embeddings=embeddings).path
        return made[kind]

    return of


@pytest.fixture(scope="module")
def searchers(index):
    """Return a function that gives the searchers of such an index: native, Lucene's and the exact one."""
    made = {}
    with ExitStack() as opened:

        def of(kind):
            if kind not in made:
                engines = ("native", "lucene", "exact")
                made[kind] = [opened.enter_context(Searcher.open(index(kind), engine=engine)) for engine in engines]
            return made[kind]

        yield of


@pytest.mark.parametrize("kind", ["word", "folded", "token", "word+folded"])
def test_nasty_texts_are_found_by_all_engines(searchers, kind):
    native, lucene, exact = searchers(kind)
    for number, text in enumerate(NASTY):
        assert native.text(f"d{number}") == Document(f"d{number}", "", text).contents
    for query in NASTY:
        hits = native.search(query, 100)
        assert hits == lucene.search(query, 100) == exact.search(query, 100)
        for hit in hits:
            assert native.explain(query, hit.id).score == hit.score


@pytest.mark.parametrize("kind", ["word", "word+folded"])
@relaxed
@given(query=st.text(st.characters(), max_size=60), k=st.one_of(st.integers(-2, 5), st.integers(10**6, 10**12)))
def test_any_query_has_hits_that_all_engines_agree_on(searchers, kind, query, k):
    answers = []
    for searcher in searchers(kind):
        try:
            answers.append(searcher.search(query, k))
            answers.append(searcher.search(query + " cat dog", k))
        except SparseEmbedError as error:
            answers += [type(error), str(error)]
    assert answers[:2] == answers[2:4] == answers[4:]


@relaxed
@given(st.text(st.characters(), max_size=20))
def test_any_id_is_looked_up(searchers, doc_id):
    searcher, *_ = searchers("word")
    known = {f"d{n}" for n in range(len(NASTY))}
    for work in (searcher.text, searcher.document, lambda name: searcher.explain("cat", name)):
        if doc_id in known:
            work(doc_id)
        else:
            with pytest.raises(DataError) as error:
                work(doc_id)
            assert "\n" not in str(error.value)
