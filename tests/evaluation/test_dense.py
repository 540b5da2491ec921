"""The dense index against a naive cosine ranking."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sparseembed.engines.base import Hit
from sparseembed.errors import ConfigError, DataError, EmbedderError, EngineError, IndexFolderError
from sparseembed.evaluation.dense import DenseIndex


def naive(embeddings, ids, query, k):
    """Rank by cosine of float32 unit vectors, rounded to float32, ties by UTF-8 bytes."""

    def unit(row):
        return (row.astype(np.float64) / np.sqrt((row.astype(np.float64) ** 2).sum())).astype(np.float32)

    if not query.any():
        return []
    pairs = [
        (float(np.float32(sum((unit(row).astype(np.float64) * unit(query)).tolist()))), name)
        for row, name in zip(embeddings, ids, strict=True)
        if row.any()
    ]
    best = sorted(pairs, key=lambda pair: (-pair[0], pair[1].encode()))[:k]
    return [(name, pytest.approx(score, abs=1e-7), rank) for rank, (score, name) in enumerate(best, 1)]


# Few values, so that many rows tie exactly; more rows than the slack, so that ties cross the boundary.
ROWS = hnp.arrays(np.float32, st.tuples(st.integers(1, 60), st.just(4)), elements=st.sampled_from([-1.0, 0.0, 1.0]))
QUERIES = hnp.arrays(np.float32, st.tuples(st.integers(0, 25), st.just(4)), elements=st.sampled_from([-1.0, 0.0, 1.0]))


@settings(deadline=None)
@given(ROWS, QUERIES, st.integers(1, 70), st.randoms())
def test_against_a_naive_ranking(rows, queries, k, random):
    ids = [f"é{i}" if i % 3 else f"D{i}" for i in range(len(rows))]
    random.shuffle(ids)
    found = DenseIndex.build(rows, ids).search(queries, k)
    assert [[tuple(hit) for hit in hits] for hits in found] == [naive(rows, ids, query, k) for query in queries]


def test_ties_that_reach_beyond_what_faiss_was_asked_for():
    rows = np.vstack([np.tile([3.0, 4.0], (500, 1)), np.tile([0.0, 1.0], (3, 1))]).astype(np.float32)
    ids = [f"d{i:03}" for i in reversed(range(500))] + ["x", "y", "w"]
    hits = DenseIndex.build(rows, ids).search(np.array([[0, 2]], dtype=np.float32), 5)[0]
    assert [(hit.id, hit.rank) for hit in hits] == [("w", 1), ("x", 2), ("y", 3), ("d000", 4), ("d001", 5)]
    assert [hit.score for hit in hits] == [1.0] * 3 + [np.float32(0.8)] * 2
    assert all(type(hit) is Hit and type(hit.score) is float for hit in hits)


def test_results_do_not_depend_on_batching_or_on_the_place_of_a_document():
    generator = np.random.default_rng(1)
    rows = generator.normal(0.5, 0.02, (700, 37)).astype(np.float32)  # cosines close to each other, as LLMs give
    queries = generator.normal(0.5, 0.02, (50, 37)).astype(np.float32)
    ids = [f"d{i}" for i in range(700)]
    together = DenseIndex.build(rows, ids).search(queries, 30)
    one_by_one = [DenseIndex.build(rows, ids).search(query[None], 30)[0] for query in queries]
    shuffled = generator.permutation(700)
    moved = DenseIndex.build(rows[shuffled], [ids[i] for i in shuffled]).search(queries, 30)
    assert together == one_by_one == moved
    assert [[hit.id for hit in hits[:10]] for hits in together] == [
        [hit.id for hit in hits] for hits in DenseIndex.build(rows, ids).search(queries, 10)
    ]


def test_scores_that_are_equal_on_paper_tie():
    # The same products summed in another order: float64 sums differ in their last bits, the rounded ones do not.
    row = np.random.default_rng(4).normal(size=29)
    rows = np.array([np.roll(row, shift) for shift in range(29)])
    hits = DenseIndex.build(rows, [f"d{i:02}" for i in range(29)]).search(np.ones((1, 29)), 29)[0]
    assert [hit.id for hit in hits] == [f"d{i:02}" for i in range(29)]
    assert len({hit.score for hit in hits}) == 1


def test_lengths_do_not_matter():
    rows = np.array([[1e30, 0], [1e-30, 1e-30], [-5, 0]], dtype=np.float32)
    hits = DenseIndex.build(rows, ["big", "small", "back"]).search(np.array([[7e20, 0]]), 3)[0]
    assert [hit.id for hit in hits] == ["big", "small", "back"]
    assert [hit.score for hit in hits] == pytest.approx([1, 2**-0.5, -1])


def test_blank_documents_and_zero_rows_are_never_found():
    rows = np.array([[1, 0], [1, 0], [0, 0], [np.nan, 0], [0, 1]], dtype=np.float32)
    index = DenseIndex.build(rows, list("abcde"), blank=np.array([False, True, False, True, False]))
    assert len(index) == 2
    assert [hit.id for hit in index.search(np.array([[1.0, 0.5]]), 10)[0]] == ["a", "e"]


def test_nothing_to_find():
    index = DenseIndex.build(np.ones((2, 3), dtype=np.float32), ["a", "b"], blank=np.array([True, True]))
    assert len(index) == 0
    assert index.search(np.ones((2, 3)), 5) == [[], []]
    assert DenseIndex.build(np.zeros((0, 3), dtype=np.float32), []).search(np.ones((1, 3)), 5) == [[]]
    assert index.search(np.zeros((0, 3)), 5) == []


def test_a_query_of_zeros_finds_nothing_among_others():
    index = DenseIndex.build(np.eye(2, dtype=np.float32), ["a", "b"])
    found = index.search(np.array([[0, 1], [0, 0], [1, 0]], dtype=np.float32), 1)
    assert [[hit.id for hit in hits] for hits in found] == [["b"], [], ["a"]]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_named(bad):
    rows = np.ones((5000, 2), dtype=np.float32)
    rows[4500, 1] = bad
    ids = [f"doc{i}" for i in range(5000)]
    with pytest.raises(EmbedderError, match="document 'doc4500'"):
        DenseIndex.build(rows, ids)
    with pytest.raises(EmbedderError, match="row 1 "):
        DenseIndex.build(np.eye(2), ["a", "b"]).search(np.array([[1, 0], [0, bad]]), 1)


def test_bad_arguments():
    rows = np.eye(3, dtype=np.float32)
    with pytest.raises(DataError, match="2 ids for embeddings of shape"):
        DenseIndex.build(rows, ["a", "b"])
    with pytest.raises(DataError, match="not unique"):
        DenseIndex.build(rows, ["a", "b", "a"])
    with pytest.raises(DataError, match="flags for blank"):
        DenseIndex.build(rows, list("abc"), blank=np.array([True]))
    index = DenseIndex.build(rows, list("abc"))
    with pytest.raises(ConfigError, match="k is 0"):
        index.search(rows, 0)
    for wrong in (np.ones((1, 4)), np.ones(3)):
        with pytest.raises(ConfigError, match="a dense index of 3 dimensions"):
            index.search(wrong, 1)


def test_save_and_open(tmp_path):
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(40, 8)).astype(np.float32)
    ids = [f"d{i}" for i in range(39)] + ['odd " \n \ud800 😀']
    index = DenseIndex.build(rows, ids, blank=np.arange(40) == 3)
    folder = tmp_path / "deep" / "dense"
    index.save(folder)
    again = DenseIndex.open(folder)
    assert again.search(rows, 40) == index.search(rows, 40)
    assert (len(again), again.dimension) == (39, 8)
    assert again.bytes == index.bytes == sum(file.stat().st_size for file in folder.iterdir())
    # Saving again replaces; nothing is left beside it.
    DenseIndex.build(rows[:5], ids[:5]).save(folder)
    assert len(DenseIndex.open(folder)) == 5
    assert [entry.name for entry in folder.parent.iterdir()] == ["dense"]


def test_save_spares_what_is_not_a_dense_index(tmp_path):
    index = DenseIndex.build(np.eye(2), ["a", "b"])
    (tmp_path / "notes.txt").write_text("mine")
    for taken in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(IndexFolderError, match="is no dense index: name another folder"):
            index.save(taken)
    with pytest.raises(EngineError, match=r"cannot write the dense index .*(File exists|Not a directory)"):
        index.save(tmp_path / "notes.txt" / "below")
    assert [entry.name for entry in tmp_path.iterdir()] == ["notes.txt"]


def test_a_failed_save_leaves_the_old_index(tmp_path, monkeypatch):
    import faiss

    folder = tmp_path / "dense"
    DenseIndex.build(np.eye(2), ["a", "b"]).save(folder)

    def full(_index, name):
        Path(name).touch()
        raise RuntimeError("write error")

    monkeypatch.setattr(faiss, "write_index", full)
    with pytest.raises(EngineError, match="is the disk full"):
        DenseIndex.build(np.eye(3), list("abc")).save(folder)
    assert len(DenseIndex.open(folder)) == 2
    assert [entry.name for entry in tmp_path.iterdir()] == ["dense"]


def test_a_failed_move_puts_the_old_index_back(tmp_path, monkeypatch):
    folder = tmp_path / "dense"
    DenseIndex.build(np.eye(2), ["a", "b"]).save(folder)
    replace = Path.replace

    def refuse(self, target):
        if self.suffix == ".building":
            raise PermissionError(13, "Permission denied")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(EngineError, match="Permission denied"):
        DenseIndex.build(np.eye(3), list("abc")).save(folder)
    assert len(DenseIndex.open(folder)) == 2
    assert [entry.name for entry in tmp_path.iterdir()] == ["dense"]


def damage(folder, how):
    import faiss

    vectors, ids = folder / "vectors.faiss", folder / "ids.jsonl"
    if how == "cut":
        vectors.write_bytes(vectors.read_bytes()[:-3])
    elif how == "garbage":
        vectors.write_bytes(b"no index at all" * 9)
    elif how == "ids cut":
        ids.write_text('"a"\n"b')
    elif how == "ids missing one":
        ids.write_text(json.dumps("a") + "\n")
    elif how == "other kind":
        faiss.write_index(faiss.IndexFlatL2(2), str(vectors))
    elif how == "no ids":
        ids.unlink()


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("cut", "is damaged"),
        ("garbage", "is damaged"),
        ("ids cut", "is damaged"),
        ("ids missing one", "has 2 vectors but 1 ids"),
        ("other kind", "is a IndexFlatL2, not an IndexFlatIP"),
        ("no ids", "holds no vectors.faiss and ids.jsonl"),
    ],
)
def test_a_damaged_index_is_refused(tmp_path, how, message):
    folder = tmp_path / "dense"
    DenseIndex.build(np.eye(2), ["a", "b"]).save(folder)
    damage(folder, how)
    with pytest.raises(IndexFolderError, match=message) as error:
        DenseIndex.open(folder)
    assert "\n" not in str(error.value)


def test_a_missing_index(tmp_path):
    with pytest.raises(IndexFolderError, match="no dense index in"):
        DenseIndex.open(tmp_path / "none")


def test_importing_loads_no_heavy_package():
    modules = ["evaluation.dense", "evaluation.fusion", "evaluation.measures", "evaluation.runs", "evaluation.table"]
    code = "; ".join(f"import sparseembed.{name}" for name in modules)
    heavy = "{'faiss', 'torch', 'ir_measures', 'scipy', 'jnius', 'pandas', 'ir_datasets'}"
    code += f"; import sys; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
