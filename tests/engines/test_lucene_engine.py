"""The Lucene engine against the exact one, to the integer."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from sparseembed.engines.base import Hit
from sparseembed.engines.exact import ExactEngine
from sparseembed.engines.lucene import LuceneEngine
from sparseembed.errors import ConfigError, DataError, EngineError, IndexFolderError
from sparseembed.index.lucene_writer import ImpactIndexWriter
from sparseembed.sparse.impacts import MAX_IMPACT

pytestmark = pytest.mark.jvm


def random_vectors(seed, documents, terms, levels):
    """Vectors of 0 to 40 Zipf-like terms; few levels make many ties."""
    rng = np.random.default_rng(seed)
    odds = 1 / np.arange(1, terms + 1)
    odds /= odds.sum()
    return {
        f"d{i}": {
            f"t{t}": int(rng.integers(1, levels + 1)) for t in set(rng.choice(terms, rng.integers(0, 41), p=odds))
        }
        for i in range(documents)
    }


TERMS = st.sampled_from(["a", "b", "c", "é", "😀", "3\u202f0", "|", "don't", "\0"])
COLLECTIONS = st.dictionaries(
    st.text(st.sampled_from("ab \n\"\uffff😀"), min_size=1, max_size=3),
    st.dictionaries(TERMS, st.sampled_from([1, 2, 255, MAX_IMPACT])),
    max_size=8,
)  # fmt: skip


@given(COLLECTIONS, st.dictionaries(TERMS | st.just("new york"), st.integers(1, 20)), st.integers(1, 10))
@hypothesis_settings(deadline=None, max_examples=60)
def test_equals_exact_on_small_collections(tmp_path_factory, documents, query, k):
    folder = tmp_path_factory.mktemp("small") / "lucene"
    with ImpactIndexWriter(folder) as writer:
        for doc_id in documents:
            writer.add(doc_id, documents[doc_id])
    with LuceneEngine(folder) as engine:
        assert engine.documents == len(documents)
        assert engine.search(query, k) == ExactEngine.from_pairs(documents.items()).search(query, k)
    shutil.rmtree(folder)


@pytest.mark.parametrize(("levels", "weights"), [(255, 60), (1, 1)], ids=["spread", "ties"])
def test_equals_exact_on_a_larger_collection(impact_index, levels, weights):
    documents = random_vectors(7, documents=3_000, terms=500, levels=levels)
    rng = np.random.default_rng(3)
    queries = [
        {f"t{t}": int(rng.integers(1, weights + 1)) for t in rng.choice(500, size, replace=False)}
        for size in (1, 2, 5, 30, 400)
        for _ in range(8)
    ]
    exact = ExactEngine.from_pairs(documents.items())
    with LuceneEngine(impact_index(documents)) as engine:
        for k in (1, 10, 1_000, 10_000):
            assert engine.search_batch(queries, k) == exact.search_batch(queries, k)


def test_queries_of_more_than_1024_terms(impact_index):
    documents = {f"d{i:02}": {f"t{t}": 1 + (t + i) % 255 for t in range(i, 3_000, 2 + i % 5)} for i in range(60)}
    query = {f"t{t}": 1 + t % 3 for t in range(2_500)}
    exact = ExactEngine.from_pairs(documents.items()).search(query, 60)
    assert LuceneEngine(impact_index(documents)).search(query, 60) == exact
    assert max(hit.score for hit in exact) < 2**24


def test_threads_give_the_same_as_one(impact_index):
    documents = random_vectors(1, documents=800, terms=200, levels=3)
    queries = [{f"t{t}": 1 + t % 4 for t in range(i % 50, i % 50 + 12)} if i % 17 else {} for i in range(400)]
    with LuceneEngine(impact_index(documents)) as engine:
        serial = engine.search_batch(queries, 20)
        assert engine.search_batch(queries, 20, threads=4) == serial
        assert [engine.search(query, 20) for query in queries] == serial


def test_two_engines_in_threads_do_not_mix(impact_index):
    one = LuceneEngine(impact_index({"one": {"x": 1}}, "one"))
    two = LuceneEngine(impact_index({"two": {"x": 2}}, "two"))
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda engine: engine.search({"x": 1}, 1)[0].id, [one, two] * 500))
    assert got == ["one", "two"] * 500


def test_documents_without_terms_are_counted_and_never_found(impact_index):
    with LuceneEngine(impact_index({"a": {}, "b": {"x": 3}, "c": {}})) as engine:
        assert engine.documents == 3
        assert engine.search({"x": 2}, 10) == [Hit("b", 6.0, 1)]


def test_an_empty_index(impact_index):
    with LuceneEngine(impact_index({})) as engine:
        assert engine.documents == 0
        assert engine.search({"x": 2}, 10) == []


def test_unknown_and_impossible_terms_find_nothing(impact_index):
    with LuceneEngine(impact_index({"a": {"new": 1, "york": 1}})) as engine:
        assert engine.search({"paris": 1}, 5) == []
        assert engine.search({"new york": 1, " new": 1, "": 1, "new\uffff9": 1, "\ud800": 1}, 5) == []
        with pytest.raises(ConfigError):
            engine.search({"new": 1}, 0)


def test_a_closed_engine_says_so(impact_index):
    engine = LuceneEngine(impact_index({"a": {"x": 1}}))
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="is closed"):
        engine.search({"x": 1}, 1)


def test_documents_come_in_any_order_and_once(tmp_path):
    with ImpactIndexWriter(tmp_path / "ix") as writer:
        for doc_id in ("😀", "b", "\uffff", "a"):  # U+FFFF is before 😀 in UTF-8 bytes, after it in UTF-16
            writer.add(doc_id, {"x": 1})
        with pytest.raises(DataError, match="'b' occurs twice"):
            writer.add("b", {"x": 1})
    engine = LuceneEngine(tmp_path / "ix")
    for k in range(1, 5):
        assert [hit.id for hit in engine.search({"x": 1}, k)] == ["a", "b", "\uffff", "😀"][:k]


def test_bad_vectors_leave_the_index_as_it_was(tmp_path):
    with ImpactIndexWriter(tmp_path / "ix") as writer:
        writer.add("a", {"x": 1})
        with pytest.raises(DataError, match="document 'b'"):
            writer.add("b", {"x": 1, "y": 70_000})
        writer.add("c", {"x": 2})
    assert [hit.id for hit in LuceneEngine(tmp_path / "ix").search({"x": 1, "y": 1}, 5)] == ["c", "a"]


def test_a_failed_build_leaves_no_index(tmp_path):
    def build():
        with ImpactIndexWriter(tmp_path / "ix") as writer:
            writers.append(writer)
            writer.add("a", {"x": 1})
            raise RuntimeError("stop")

    writers = []
    with pytest.raises(RuntimeError, match="stop"):
        build()
    with pytest.raises(EngineError, match="closed"):
        writers[0].add("b", {"x": 1})
    with pytest.raises(IndexFolderError, match="no Lucene index"):
        LuceneEngine(tmp_path / "ix")


def test_a_folder_that_is_not_empty_is_left_alone(impact_index):
    folder = impact_index({"a": {"x": 1}})
    with pytest.raises(IndexFolderError, match="not empty"):
        ImpactIndexWriter(folder)
    assert LuceneEngine(folder).search({"x": 1}, 1) == [Hit("a", 1.0, 1)]


def test_a_count_that_is_off_is_an_error(tmp_path):
    writer = ImpactIndexWriter(tmp_path / "ix")
    writer.add("a", {"x": 1})
    writer.documents = 2
    with pytest.raises(EngineError, match="holds 1 documents, 2 were added"):
        writer.close()


def damage(folder, how):
    """Damage each file of an index in turn: yields the name of the one that is damaged."""
    for file in sorted(folder.iterdir()):
        whole = file.read_bytes()
        if how == "deleted":
            file.unlink()
        elif how == "truncated":
            file.write_bytes(whole[: len(whole) // 2])
        else:
            file.write_bytes(
                whole[: len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 1]) + whole[len(whole) // 2 + 1 :]
            )
        yield file.name
        file.write_bytes(whole)


@pytest.mark.parametrize("how", ["deleted", "truncated", "one bit flipped"])
def test_damage_to_any_file_is_found_at_opening(impact_index, how):
    folder = impact_index(random_vectors(5, documents=200, terms=50, levels=9))
    for name in damage(folder, how):
        with pytest.raises(IndexFolderError) as caught:
            LuceneEngine(folder)
        message = str(caught.value)
        assert "\n" not in message, name
        assert str(folder) in message, name
        assert "build the index again" in message, name
    assert LuceneEngine(folder).documents == 200


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir(), lambda path: path.write_text("x")])
def test_no_index_there(tmp_path, make):
    make(tmp_path / "ix")
    with pytest.raises(IndexFolderError, match="no Lucene index"):
        LuceneEngine(tmp_path / "ix")


def test_writing_where_a_file_stands(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(EngineError, match="choose a folder"):
        ImpactIndexWriter(tmp_path / "file" / "ix")
