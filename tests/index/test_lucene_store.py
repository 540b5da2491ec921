"""The Lucene store: blocks, deletions, merges and commits; what a reader of each commit sees."""

import os
import signal
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparseembed.engines.exact import ExactEngine
from sparseembed.engines.lucene import LuceneEngine
from sparseembed.errors import DataError, EngineError, IndexFolderError
from sparseembed.index.block import Block
from sparseembed.index.lucene_reader import LuceneReader
from sparseembed.index.lucene_writer import LuceneStore
from sparseembed.sparse.impacts import MAX_IMPACT

pytestmark = pytest.mark.jvm

VOCABULARY = [f"t{n}" for n in range(40)] + ["é", "😀", "\uffee", "zz", "a"]


def block(documents, vocabulary=VOCABULARY):
    """Make a block of `{id: vector}`; the text of a document is its id, thrice."""
    known = {term: number for number, term in enumerate(vocabulary)}
    extra = sorted({term for vector in documents.values() for term in vector} - known.keys(), key=zlib_order)
    known |= {term: len(vocabulary) + number for number, term in enumerate(extra)}
    return Block(
        ids=list(documents),
        texts=[f"{doc_id} {doc_id} {doc_id}" for doc_id in documents],
        indptr=np.cumsum([0, *map(len, documents.values())], dtype=np.int64),
        terms=np.array([known[term] for vector in documents.values() for term in vector], dtype=np.int32),
        impacts=np.array([impact for vector in documents.values() for impact in vector.values()], dtype=np.uint16),
        vocabulary=vocabulary,
        extra=extra,
    )


def zlib_order(term):
    """An order that is not the terms' own."""
    return zlib.crc32(term.encode())


def random_documents(seed, start, count, levels):
    """Vectors of known and unknown terms, in an order of ids that is not the ids' own."""
    rng = np.random.default_rng(seed)
    terms = [*VOCABULARY, *(f"new{n}" for n in range(20))]
    return {
        f"{'😀' if n % 3 else chr(0xFFFD)}{(n * 7919) % 1_000_003}": {
            terms[t]: int(rng.integers(1, levels + 1))
            for t in rng.choice(len(terms), rng.integers(0, 20), replace=False)
        }
        for n in range(start, start + count)
    }


def queries(seed, count=30):
    """Queries of 1 to 15 terms with small weights."""
    rng = np.random.default_rng(seed)
    terms = [*VOCABULARY, *(f"new{n}" for n in range(22))]
    return [
        {terms[t]: int(rng.integers(1, 4)) for t in rng.choice(len(terms), 1 + n % 15, replace=False)}
        for n in range(count)
    ]


def agree(folder, documents, asked, commit=None, ks=(1, 3, 10, 100, 10_000)):
    """Compare a commit with the exact engine, ids, texts and all."""
    exact = ExactEngine.from_pairs(documents.items())
    with LuceneEngine(folder, commit) as engine:
        assert engine.documents == len(documents)
        for k in ks:
            assert engine.search_batch(asked, k, threads=2) == exact.search_batch(asked, k)
    reader = LuceneReader(folder, commit)
    assert reader.ids() == list(documents)
    some = [*list(documents)[::7], "unknown"]
    assert reader.texts(some) == [f"{doc_id} {doc_id} {doc_id}" for doc_id in some[:-1]] + [None]
    reader.close()


@pytest.mark.parametrize("levels", [2, 255], ids=["ties", "spread"])
def test_many_segments_and_deletions_give_what_one_build_gives(tmp_path, levels):
    documents, asked = {}, queries(levels)
    with LuceneStore.create(tmp_path / "ix") as store:
        for part in range(12):
            added = random_documents(part, part * 150, 150, levels)
            store.add(block(added))
            documents |= added
            if part % 3 == 2:
                gone = list(documents)[part::11]
                store.delete([*gone, "unknown"])
                documents = {doc_id: vector for doc_id, vector in documents.items() if doc_id not in gone}
            if part % 4 == 1:
                store.commit()
        commit = store.commit({"build": "é1"})
        assert commit.documents == len(documents)
        assert commit.files == {name: (tmp_path / "ix" / name).stat().st_size for name in commit.files}
        assert commit.name in commit.files
        assert LuceneReader(tmp_path / "ix", commit.name).user_data["build"] == "é1"
        agree(tmp_path / "ix", documents, asked, commit.name)
        store.merge()
        merged = store.commit()
        agree(tmp_path / "ix", documents, asked, merged.name)
        agree(tmp_path / "ix", documents, asked, commit.name)
        store.release()
    assert {file.name for file in (tmp_path / "ix").iterdir()} == set(merged.files)


def test_a_replaced_document_is_the_new_one(tmp_path):
    with LuceneStore.create(tmp_path / "ix") as store:
        store.add(block({"b": {"t1": 1}, "a": {"t1": 2}}))
        store.delete(["b"])
        store.add(block({"b": {"t2": 3}}))
        store.commit()
        agree(tmp_path / "ix", {"a": {"t1": 2}, "b": {"t2": 3}}, [{"t1": 1}, {"t2": 1}])
        store.delete(["b", "a"])
        store.add(block({"a": {"t2": 5}}))
        store.commit()
    agree(tmp_path / "ix", {"a": {"t2": 5}}, [{"t1": 1}, {"t2": 1}])


VECTORS = st.dictionaries(
    st.sampled_from([*VOCABULARY[-8:], "x", "\0", "|", "~", "\u00a0", "é" * 255]),
    st.sampled_from([1, 2, 255, MAX_IMPACT]),
    max_size=6,
)
IDS = st.text(st.sampled_from("ab \n\0\"\uffff\ufeff😀"), min_size=1, max_size=3)  # fmt: skip


@given(
    st.lists(st.dictionaries(IDS, VECTORS, max_size=5), max_size=4),
    VECTORS,
    st.integers(1, 12),
    st.booleans(),
)
@settings(deadline=None, max_examples=60)
def test_any_history_equals_the_exact_engine(tmp_path_factory, history, query, k, merge):
    folder, documents = tmp_path_factory.mktemp("any") / "ix", {}
    with LuceneStore.create(folder) as store:
        for added in history:
            store.delete(list(added))
            store.add(block(added))
            for doc_id in added:
                documents.pop(doc_id, None)
            documents |= added
        if merge:
            store.merge()
        assert store.commit().documents == len(documents)
    with LuceneEngine(folder) as engine:
        assert engine.search(query, k) == ExactEngine.from_pairs(documents.items()).search(query, k)
    assert LuceneReader(folder).ids() == list(documents)


@pytest.mark.parametrize("k", [1, 5, 50, 1_000])
def test_scores_that_a_float_cannot_hold_are_exact(tmp_path, k):
    rng = np.random.default_rng(k)
    documents = {
        f"d{n}": {f"t{t}": int(rng.integers(MAX_IMPACT - 300, MAX_IMPACT + 1)) for t in range(n % 3, 40, 1 + n % 2)}
        for n in range(400)
    }
    with LuceneStore.create(tmp_path / "ix") as store:
        for part in range(4):
            store.add(block(dict(list(documents.items())[part * 100 : part * 100 + 100])))
            store.commit()
        store.delete(["d7", "d300"])
        store.commit()
    documents.pop("d7"), documents.pop("d300")
    exact = ExactEngine.from_pairs(documents.items())
    asked = [{f"t{t}": 16 for t in range(40)}, {"t1": 2**24 - 1, "t2": 1}, {f"t{t}": 1 for t in range(6)}]
    with LuceneEngine(tmp_path / "ix") as engine:
        for query in asked:
            assert engine.search(query, k) == exact.search(query, k)
        assert engine.search(asked[0], 1)[0].score > 2**24
        assert engine.search(asked[1], 1)[0].score > 2**39


def test_the_largest_impact_is_kept_through_updates(tmp_path):
    with LuceneStore.create(tmp_path / "ix") as store:
        store.add(block({"a": {"t1": 60_000}}))
        first = store.commit()
    with LuceneStore.append(tmp_path / "ix", first.name) as store:
        store.add(block({"b": {"t1": 3}}))
        store.commit()
    assert LuceneReader(tmp_path / "ix").user_data["sparseembed.largest"] == "60000"


def test_a_commit_stays_until_release_also_when_the_index_is_made_anew(tmp_path):
    with LuceneStore.create(tmp_path / "ix") as store:
        store.add(block({"old": {"t1": 1}}))
        old = store.commit()
    opened = LuceneReader(tmp_path / "ix", old.name)
    with LuceneStore.create(tmp_path / "ix") as store:
        store.add(block({"new": {"t1": 2}}))
        new = store.commit()
        assert new.name != old.name
        assert LuceneReader(tmp_path / "ix", old.name).ids() == ["old"]
        assert LuceneReader(tmp_path / "ix", new.name).ids() == LuceneReader(tmp_path / "ix").ids() == ["new"]
        store.release()
        assert {file.name for file in (tmp_path / "ix").iterdir()} == set(new.files)
        with pytest.raises(IndexFolderError, match=f"no commit '{old.name}'"):
            LuceneReader(tmp_path / "ix", old.name)
    assert (opened.ids(), opened.texts(["old"])) == (["old"], ["old old old"])
    assert opened.search([{"t1": 1}], 5) == [(["old"], [1.0])]


def test_append_goes_on_at_its_commit_and_drops_later_ones(tmp_path):
    folder = tmp_path / "ix"
    with LuceneStore.create(folder) as store:
        store.add(block({"a": {"t1": 1}}))
        named = store.commit()
        store.add(block({"b": {"t1": 2}}))
        later = store.commit()
    with LuceneStore.append(folder, named.name) as store:
        assert not (folder / later.name).exists()
        store.add(block({"c": {"t1": 3}}))
        assert LuceneReader(folder, named.name).ids() == ["a"]
        commit = store.commit()
        assert commit.documents == 2
        assert LuceneReader(folder, named.name).ids() == ["a"]
        store.release()
    agree(folder, {"a": {"t1": 1}, "c": {"t1": 3}}, [{"t1": 1}], commit.name)
    assert {file.name for file in folder.iterdir()} == set(commit.files)


@pytest.mark.parametrize("leave", ["close", "abandon", "error"])
def test_what_is_not_committed_is_dropped(tmp_path, leave):
    folder = tmp_path / "ix"
    with LuceneStore.create(folder) as store:
        store.add(block({"a": {"t1": 1}}))
        commit = store.commit()
    store = LuceneStore.append(folder, commit.name)
    store.add(block({"b": {"t1": 1}}))
    store.delete(["a"])
    if leave == "error":
        with pytest.raises(RuntimeError), store:
            raise RuntimeError
    else:
        getattr(store, leave)()
        getattr(store, leave)()
    assert {file.name for file in folder.iterdir()} == set(commit.files)
    for use in (store.commit, store.merge, store.release, lambda: store.delete(["a"]), lambda: store.add(block({}))):
        with pytest.raises(EngineError, match="is closed: open a new one"):
            use()


def test_small_memory_gives_the_same(tmp_path):
    documents = random_documents(1, 0, 12_000, 9)
    with LuceneStore.create(tmp_path / "ix", memory=1) as store:
        for start in range(0, 12_000, 500):
            store.add(block(dict(list(documents.items())[start : start + 500])))
        store.commit()
    assert len(list((tmp_path / "ix").glob("_*.si"))) > 1
    agree(tmp_path / "ix", documents, queries(5))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda b: b._replace(impacts=b.impacts * 0), "an impact of 0 in the documents 'a' to 'b'"),
        (lambda b: b._replace(extra=["two words"]), "'two words' cannot be a term"),
        (lambda b: b._replace(vocabulary=["x", ""]), "'' cannot be a term"),
        (lambda b: b._replace(ids=["a", ""]), "'' is no document id"),
    ],
)
def test_what_lucene_would_not_store_as_it_is(tmp_path, change, expected):
    with LuceneStore.create(tmp_path / "ix") as store:
        with pytest.raises(DataError, match=expected):
            store.add(change(block({"a": {"x": 1, "y": 2}, "b": {}}, ["x", "y"])))
        store.add(block({"c": {"x": 1}}))
        assert store.commit().documents == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda b: b._replace(indptr=b.indptr[:-1]),
        lambda b: b._replace(indptr=np.array([0, 3, 2])),
        lambda b: b._replace(terms=b.terms + 2),
        lambda b: b._replace(terms=b.terms - 1),
        lambda b: b._replace(impacts=b.impacts[1:]),
        lambda b: b._replace(texts=["one"]),
    ],
)
def test_arrays_that_do_not_fit_together(tmp_path, change):
    with LuceneStore.create(tmp_path / "ix") as store, pytest.raises(ValueError, match="do not fit together"):
        store.add(change(block({"a": {"x": 1, "y": 2}, "b": {}}, ["x", "y"])))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda b: b._replace(ids=["a", "a"]), "'a' occurs twice"),
        (lambda b: b._replace(terms=np.zeros(2, np.int32)), "the document 'a' has a term twice"),
        (lambda b: b._replace(vocabulary=["x", "x"]), "'x' occurs twice"),
    ],
)
def test_what_occurs_twice_is_refused_before_it_is_committed(tmp_path, change, expected):
    def write():
        store.add(change(block({"a": {"x": 1, "y": 2}, "b": {}}, ["x", "y"])))
        store.commit()

    with LuceneStore.create(tmp_path / "ix") as store, pytest.raises(EngineError, match=expected):
        write()


def test_texts_of_all_kinds_come_back(tmp_path):
    texts = ["", "a\0b\n\t", "😀é漢\uffff", "x" * 100_000, "lone \ud800 one", " "]
    given = block({f"d{n}": {"t1": 1} for n in range(len(texts))})._replace(texts=texts)
    with LuceneStore.create(tmp_path / "ix") as store:
        store.add(given)
        store.commit()
    reader = LuceneReader(tmp_path / "ix")
    texts[4] = "lone \ufffd one"
    assert reader.texts(given.ids[::-1]) == texts[::-1]
    assert reader.texts([]) == []


@pytest.mark.parametrize("name", ["segments_9", "segments_", "", "../segments_1", "segments_1\n", "_0.si"])
def test_a_commit_that_is_not_there(tmp_path, name):
    with LuceneStore.create(tmp_path / "ix") as store:
        store.commit()
    with pytest.raises(IndexFolderError, match="no commit"):
        LuceneReader(tmp_path / "ix", name)
    with pytest.raises(IndexFolderError, match="no commit"):
        LuceneStore.append(tmp_path / "ix", name)


def test_links_are_refused(tmp_path):
    with LuceneStore.create(tmp_path / "ix") as store:
        store.add(block({"a": {"t1": 1}}))
        store.commit()
    file = next((tmp_path / "ix").glob("*.fdt"))
    file.replace(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(IndexFolderError, match="is a link"):
        LuceneReader(tmp_path / "ix")


def test_damage_that_append_meets(tmp_path):
    with LuceneStore.create(tmp_path / "ix") as store:
        store.add(block({"a": {"t1": 1}}))
        name = store.commit().name
    (tmp_path / "ix" / name).write_bytes(b"nothing")
    with pytest.raises(IndexFolderError, match="build the index again"):
        LuceneStore.append(tmp_path / "ix", name)


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_lucene_store import block, random_documents
from sparseembed.index.lucene_writer import LuceneStore
folder, start = Path(sys.argv[1]), sys.argv[3]
store = LuceneStore.append(folder, start)
print("ready", flush=True)
for part in range(1000):
    documents = random_documents(part, 1000 + part * 50, 50, 9)
    store.add(block(documents))
    store.delete(list(documents)[:5] + ["keep 1"])
    store.commit()
    if part % 3 == 0:
        store.merge()
        store.commit()
"""


@pytest.mark.parametrize("after", [0.0, 0.05, 0.2, 0.5])
def test_a_killed_writer_leaves_the_named_commit_whole(tmp_path, after):
    import time

    folder, documents = tmp_path / "ix", random_documents(9, 0, 200, 9) | {"keep 1": {"t1": 1}}
    with LuceneStore.create(folder) as store:
        store.add(block(documents))
        named = store.commit()
    here = str(Path(__file__).parent)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(folder), here, named.name],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout.readline() == b"ready\n"
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    agree(folder, documents, queries(2), named.name, ks=(10,))
    with LuceneStore.append(folder, named.name) as store:
        store.add(block({"z": {"t1": 2}}))
        commit = store.commit()
        store.release()
    agree(folder, documents | {"z": {"t1": 2}}, queries(2), commit.name, ks=(10,))
    assert {file.name for file in folder.iterdir()} == set(commit.files)
