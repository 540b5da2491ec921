"""The native engine against a naive reference: exact scores, ties by id, deletions, several segments."""

import multiprocessing
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparseembed.engines import native_loading
from sparseembed.engines.base import MAX_WEIGHT, Hit
from sparseembed.engines.native import NativeEngine
from sparseembed.engines.native_scratch import ScratchPool
from sparseembed.errors import ConfigError, IndexFolderError
from sparseembed.index.block import Block
from sparseembed.index.segment import SegmentReader, SegmentWriter
from sparseembed.index.segment import format as layout

TERMS = (*"abcdefgh", "é", "日本")


def segment(folder, ids, rows, bits=16):
    """Write one segment; a row is a dict term -> impact."""
    block = Block(
        ids,
        [""] * len(ids),
        np.cumsum([0, *map(len, rows)]),
        np.array([TERMS.index(term) for row in rows for term in row], dtype=np.int32),
        np.array([impact for row in rows for impact in row.values()], dtype=np.uint16),
        TERMS,
        (),
    )
    with SegmentWriter(folder, bits) as writer:
        writer.add(block)
        writer.finish()
    return SegmentReader(folder)


def naive(pairs, query, k):
    scored = [(-sum(query.get(term, 0) * impact for term, impact in row.items()), doc_id) for doc_id, row in pairs]
    best = sorted((pair for pair in scored if pair[0]), key=lambda pair: (pair[0], pair[1].encode()))[:k]
    return [Hit(doc_id, float(-score), rank) for rank, (score, doc_id) in enumerate(best, start=1)]


@contextmanager
def cold():
    """Search without kernels, as before they are loaded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native_loading, "_state", native_loading._State())
        native_loading._state.usable = False
        yield


def engine_of(readers, deleted):
    """Return an engine whose kernels are loaded."""
    engine = NativeEngine(readers, deleted)
    assert engine.load()
    assert engine.load(wide=True)
    return engine


@pytest.fixture(params=["kernels", "numpy"])
def way(request):
    """Run a test with kernels and without."""
    if request.param == "kernels":
        yield engine_of
    else:
        with cold():
            yield NativeEngine


impacts = st.one_of(st.integers(1, 3), st.integers(1, 65_535))
weights = st.one_of(st.integers(1, 3), st.integers(1, MAX_WEIGHT))
rows = st.dictionaries(st.sampled_from(TERMS), impacts, max_size=6)
queries = st.dictionaries(st.sampled_from([*TERMS, "missing"]), weights, max_size=6)
relaxed = settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])


@relaxed
@given(
    st.lists(st.lists(st.tuples(rows, st.booleans()), max_size=30), max_size=4),
    st.lists(queries, min_size=1, max_size=4),
    st.sampled_from([1, 2, 3, 10, 11, 100, 1000, 5000]),
    st.sampled_from([1, 2, 4, 16]),
    st.randoms(use_true_random=False),
)
def test_hits_are_those_of_the_naive_reference(tmp_path_factory, parts, asked, k, chunk_bits, random):
    names = [f"{'dé𝄞'[number % 3]}{number}" for number in range(sum(map(len, parts)))]
    random.shuffle(names)
    readers, deleted, live = [], [], []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "CHUNK_BITS", chunk_bits)
        for part in parts:
            ids = [names.pop() for _ in part]
            readers.append(segment(tmp_path_factory.mktemp("n") / "s", ids, [row for row, _ in part]))
            deleted.append(np.array([dead for _, dead in part], dtype=bool) if random.random() < 0.5 else None)
            keep = [True] * len(part) if deleted[-1] is None else (~deleted[-1]).tolist()
            live += [(doc_id, row) for doc_id, (row, _), kept in zip(ids, part, keep, strict=True) if kept]
    engine = engine_of(readers, deleted)
    assert engine.documents == len(live)
    wanted = [naive(live, query, k) for query in asked]
    assert [engine.search(query, k) for query in asked] == wanted
    assert engine.search_batch(asked, k, threads=2) == wanted
    with cold():
        assert [engine.search(query, k) for query in asked] == wanted
        assert engine.search_batch(asked, k, threads=2) == wanted


class Large(NamedTuple):
    """A segment's folder, the ids and impacts that it holds, shape (documents, terms), and the ids' places by order."""

    folder: Path
    ids: list[str]
    table: np.ndarray
    places: np.ndarray


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """140,000 documents, three chunks, few different impacts: many ties; and a scoring by numpy."""
    random = np.random.default_rng(7)
    count = 140_000
    table = random.integers(1, 5, (count, len(TERMS))).astype(np.uint16)
    table[random.random(table.shape) > np.linspace(0.9, 0.0004, len(TERMS))] = 0
    counts = np.count_nonzero(table, axis=1)
    _, terms = np.nonzero(table)
    ids = [str(number) for number in random.permutation(count)]
    block = Block(
        ids, [""] * count, np.append(0, np.cumsum(counts)), terms.astype(np.int32), table[table > 0], TERMS, ()
    )
    folder = tmp_path_factory.mktemp("large") / "s"
    with SegmentWriter(folder) as writer:
        writer.add(block)
        writer.finish()
    places = np.empty(count, dtype=np.int64)
    places[np.argsort(np.array(ids))] = np.arange(count)
    return Large(folder, ids, table, places)


def best(large, query, k, dead=None):
    _, ids, table, places = large
    scores = np.zeros(len(ids), dtype=np.int64)
    for term, weight in query.items():
        scores += weight * table[:, TERMS.index(term)].astype(np.int64)
    if dead is not None:
        scores[dead] = 0
    found = np.flatnonzero(scores)
    order = found[np.lexsort((places[found], -scores[found]))[:k]].tolist()
    return [Hit(ids[number], float(scores[number]), rank) for rank, number in enumerate(order, start=1)]


@pytest.mark.parametrize("k", [1, 10, 1000, 3000])
@pytest.mark.parametrize("dying", [0.0, 0.3])
@pytest.mark.parametrize("scale", [1, 4_000_000])
def test_several_chunks_with_many_ties(large, way, k, dying, scale):
    random = np.random.default_rng(k)
    dead = random.random(len(large.ids)) < dying if dying else None
    engine = way([SegmentReader(large.folder)], [dead])
    for size in (1, 2, 4, 7, len(TERMS)):
        for _ in range(2):
            some = random.choice(len(TERMS), size, replace=False)
            query = {
                TERMS[place]: int(weight) * scale
                for place, weight in zip(some, random.integers(1, 4, size), strict=True)
            }
            assert engine.search(query, k) == best(large, query, k, dead)


@pytest.mark.parametrize("k", [1, 10, 1000])
@pytest.mark.parametrize("dying", [0.0, 0.3])
def test_few_strong_terms_and_many_weak_ones(large, way, k, dying):
    """Skewed weights: most documents cannot reach the best ones by what the weak terms add."""
    dead = np.random.default_rng(k).random(len(large.ids)) < dying if dying else None
    engine = way([SegmentReader(large.folder)], [dead])
    for heavy in range(len(TERMS)):
        query = {term: 1000 if place == heavy else 1 + place % 3 for place, term in enumerate(TERMS)}
        assert engine.search(query, k) == best(large, query, k, dead)


def test_more_hits_than_documents(large, way):
    engine = way([SegmentReader(large.folder)], [None])
    query = {"h": 2, "日本": 1}
    assert engine.search(query, 10**9) == best(large, query, 10**9)


def test_no_segments_and_no_documents(tmp_path, way):
    assert way([], []).search({"a": 1}, 5) == []
    empty = segment(tmp_path / "s", [], [])
    assert way([empty], [None]).search({"a": 1}, 5) == []
    bare = segment(tmp_path / "t", ["1"], [{}])
    engine = way([bare], [None])
    assert (engine.documents, engine.search({"a": 1}, 5), engine.search({}, 5)) == (1, [], [])


def test_everything_deleted(tmp_path, way):
    engine = way([segment(tmp_path / "s", ["1"], [{"a": 1}])], [np.array([True])])
    assert (engine.documents, engine.search({"a": 1}, 5)) == (0, [])


def test_deletions_that_do_not_fit(tmp_path):
    reader = segment(tmp_path / "s", ["1"], [{"a": 1}])
    with pytest.raises(ConfigError, match="deletion flags"):
        NativeEngine([reader], [np.array([True, False])])
    with pytest.raises(ConfigError, match="1 segments but 0"):
        NativeEngine([reader], [])


def test_a_closed_engine_says_so(tmp_path):
    engine = NativeEngine([segment(tmp_path / "s", ["1"], [{"a": 1}])], [None])
    engine.close()
    engine.close()
    with pytest.raises(IndexFolderError, match="closed"):
        engine.search({"a": 1}, 1)


def test_a_damaged_term_is_found_when_it_is_searched(tmp_path, way):
    many = 4096  # documents with "b", whose postings begin on one page and end on another
    reader = segment(tmp_path / "s", list(map(str, range(many))), [{"a": 1}] + [{"b": 9 + at} for at in range(1, many)])
    path = tmp_path / "s" / "postings.bits"
    data = bytearray(path.read_bytes())
    data[int(reader.arrays.begins[-1]) - 1] ^= 1
    path.write_bytes(data)
    engine = way([SegmentReader(reader.folder)], [None])
    assert engine.search({"a": 1}, 5) == [Hit("0", 1.0, 1)]
    with pytest.raises(IndexFolderError, match="'b'"):
        engine.search({"b": 1}, 5)


def test_threads_get_the_same_hits(large, way):
    engine = way([SegmentReader(large.folder)], [None])
    asked = [{term: place + 1, TERMS[0]: 1} for place, term in enumerate(TERMS)] * 4
    wanted = [engine.search(query, 20) for query in asked]
    for _ in range(3):
        assert engine.search_batch(asked, 20, threads=8) == wanted


def test_work_space_follows_the_searches_and_not_the_threads(large):
    engine = engine_of([SegmentReader(large.folder)], [None])
    for _ in range(200):
        thread = threading.Thread(target=engine.search, args=({"a": 1, "b": 2}, 3))
        thread.start()
        thread.join()
    assert sum(map(len, engine._scratch._free.values())) == 1


def test_the_pool_keeps_a_bounded_number():
    pool = ScratchPool(most=2)
    with pool.lent(False, 1), pool.lent(False, 1), pool.lent(False, 1):
        pass
    with pool.lent(False, 10**4) as scratch:
        assert len(scratch.scores) > 10**4
    assert len(pool._free[False]) == 2


def search_in_child(engine, queue):
    queue.put(engine.search({"a": 3, "日本": 1}, 5))


def test_search_after_a_fork(large):
    engine = NativeEngine([SegmentReader(large.folder)], [None])
    wanted = engine.search({"a": 3, "日本": 1}, 5)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=search_in_child, args=(engine, queue))
    child.start()
    assert queue.get(timeout=300) == wanted
    child.join()
    assert child.exitcode == 0


def test_scores_beyond_int32(tmp_path, way):
    rows = [{"a": 65_535, "b": 65_535, "c": 65_535}, {"a": 65_535, "b": 65_535, "c": 65_534}, {"a": 1}]
    engine = way([segment(tmp_path / "s", ["1", "2", "3"], rows)], [None])
    query = dict.fromkeys("abc", MAX_WEIGHT)
    assert engine.search(query, 3) == naive(zip("123", rows, strict=True), query, 3)
