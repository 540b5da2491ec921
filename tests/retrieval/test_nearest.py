"""The nearest documents: against plain whole numbers, over segments and deletions, and damage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sparseembed import Searcher, build_index
from sparseembed.data.corpus import Corpus, Document
from sparseembed.errors import IndexFolderError
from sparseembed.index.segment.format import EMBEDDINGS
from sparseembed.index.snapshot import open_snapshot
from sparseembed.indexing.update import Index
from sparseembed.retrieval import nearest
from sparseembed.retrieval.nearest import Nearest, best, closeness_to, row_lengths, whole_numbers

WORDS = ("cat", "dog", "whale", "river", "water", "sand", "light", "sun", "earth", "green", "milk")
JVM = pytest.mark.jvm
silent = pytest.mark.usefixtures("silence")


@pytest.fixture(params=["numpy", "kernel"])
def way(request, monkeypatch):
    """Go through embeddings with numpy, as before the kernels are loaded, and with them."""
    if request.param == "kernel" and not nearest.load():
        pytest.skip("needs numba")
    monkeypatch.setattr(nearest, "has", lambda _: request.param == "kernel")


def documents(first, last):
    return [
        Document(f"d{n:02d}", "", " ".join(WORDS[n * step % 11] for step in range(1, 3 + n % 5)))
        for n in range(first, last)
    ]


@pytest.mark.usefixtures("way")
@settings(deadline=None)
@given(
    arrays.arrays(np.int8, st.tuples(st.integers(0, 9), st.integers(1, 70)), elements=st.integers(-127, 127)), st.data()
)
def test_closeness_is_that_of_whole_numbers(rows, data):
    query = data.draw(arrays.arrays(np.float32, rows.shape[1], elements=st.floats(-9, 9, width=16)))
    whole = whole_numbers(query)
    assert np.abs(whole).max() == (2047 if query.any() else 0)
    found = closeness_to(rows, row_lengths(rows), query)
    for row, closeness in zip(rows.astype(np.int64), found, strict=True):
        if row.any():
            assert closeness == np.float32(row @ whole.astype(np.int64)) / np.float32(np.sqrt(row @ row))
        else:
            assert closeness == -np.inf


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("length", [1, 4096, 8258, 8259, 20_000])
def test_sums_of_the_largest_numbers_fit(length):
    query = np.ones(length, dtype=np.float32)
    rows = np.full((1, length), 127, dtype=np.int8)
    whole = whole_numbers(query)
    assert int(whole.astype(np.int64).sum()) * 127 < 2**31
    np.testing.assert_allclose(closeness_to(rows, row_lengths(rows), query), np.sqrt(length) * whole[0], rtol=1e-6)


def test_numpy_and_the_kernels_find_the_same_to_the_last_bit(monkeypatch):
    rows = np.random.default_rng(3).integers(-127, 128, (9000, 33)).astype(np.int8)
    rows[[0, 5000, 8999]] = 0
    query = np.random.default_rng(4).normal(size=33).astype(np.float32)
    found = []
    for compiled in (nearest.load(), False):
        monkeypatch.setattr(nearest, "has", lambda _, compiled=compiled: compiled)
        found.append((row_lengths(rows), closeness_to(rows, row_lengths(rows), query)))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


@JVM
@silent
def test_a_search_of_a_process_that_goes_on_begins_to_load(tiny_embedder, tmp_path, monkeypatch):
    asked = []
    path = build_index(Corpus(documents(0, 30), "thirty"), tmp_path / "index", tiny_embedder(), k=20).path
    monkeypatch.setattr(nearest, "has", lambda _: False)
    monkeypatch.setattr(nearest, "load_soon", lambda kind, _: asked.append(kind))
    snapshot = open_snapshot(path)
    for warm in (False, True):
        Nearest(snapshot, np.zeros(32, dtype=np.float32), warm).find(np.ones(32, dtype=np.float32), 3)
    snapshot.close()
    assert asked == [nearest.KERNEL]


@given(
    arrays.arrays(np.float32, st.integers(0, 12), elements=st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 2.0])),
    st.integers(1, 15),
)
def test_the_best_are_in_order_and_ties_go_by_place(scores, count):
    wanted = sorted((row for row in range(len(scores)) if scores[row] > -np.inf), key=lambda row: (-scores[row], row))
    assert best(scores, count).tolist() == wanted[:count]


@JVM
@silent
def test_deleted_and_blank_documents_are_near_nothing(tiny_embedder, tmp_path):
    embedder = tiny_embedder()
    path = tmp_path / "index"
    build_index(Corpus([*documents(0, 80), Document("blank", "", " ")], "eighty"), path, embedder, k=20)
    index = Index(path, embedder)
    index.add(documents(75, 90), replace=True)
    index.delete(["d03", "d76", "d89"])
    query = embedder.encode(["whale river"], "query")[0]
    snapshot = open_snapshot(path)
    try:
        assert len(snapshot.segments) > 1
        centre = np.linspace(-0.1, 0.1, 32, dtype=np.float32)
        near = Nearest(snapshot, centre)
        found = near.find(query, 99)
        left = {f"d{n:02d}" for n in range(90)} - {"d03", "d76", "d89"}
        assert set(found) == left
        assert len(found) == len(left)
        whole = whole_numbers(query - centre).astype(np.int64)
        rows = snapshot.embeddings(found).astype(np.int64)
        scores = rows @ whole / np.sqrt((rows * rows).sum(axis=1))
        assert (np.diff(scores) <= 1e-2).all()
        assert near.find(query, 7) == found[:7]
        assert near.find(0 * query, 7) == []
    finally:
        snapshot.close()


@JVM
@silent
def test_what_no_word_finds_the_embedding_does(tiny_embedder, tmp_path):
    embedder = tiny_embedder()
    path = build_index(Corpus(documents(0, 30), "thirty"), tmp_path / "index", embedder, k=20).path
    with Searcher.open(path) as words, Searcher.open(path, encoder="full", embedder=embedder) as full:
        assert words.search("zorblax") == []
        hits = full.search("zorblax", 5)
        assert len(hits) == 5
        why = full.explain("zorblax", hits[0].id)
        assert not why.terms
        assert why.score == hits[0].score == why.rescored.from_embedding
        assert why.rescored.from_terms == 0


@JVM
@silent
def test_a_damaged_row_is_told(tiny_embedder, tmp_path):
    embedder = tiny_embedder()
    path = build_index(Corpus(documents(0, 30), "thirty"), tmp_path / "index", embedder, k=20).path
    (file,) = path.glob(f"*/{EMBEDDINGS}")
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with (
        Searcher.open(path, encoder="full", embedder=embedder) as searcher,
        pytest.raises(IndexFolderError, match="the checksum of its row 29 is off"),
    ):
        searcher.search("whale")
