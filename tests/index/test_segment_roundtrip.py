"""What is written comes back: ids, texts, terms, impacts, in memory or through runs, in one chunk or several."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparseembed.errors import ConfigError, DataError, IndexFolderError
from sparseembed.index.block import Block
from sparseembed.index.segment import SegmentReader, SegmentWriter, merge_segments, runs
from sparseembed.index.segment import format as layout

TERMS = ["a", "ab", "b", "é", "日本", "𝄞", "z\u00a0", "0", "10", "2", "B"]


def blocks(documents, size, vocabulary=("b", "a", "é", "10")):
    """Cut documents, (id, text, vector) each, in blocks; terms outside the vocabulary are extra."""
    vocabulary = tuple(vocabulary)
    known = {term: number for number, term in enumerate(vocabulary)}
    for first in range(0, len(documents), size):
        part = documents[first : first + size]
        extra: dict[str, int] = {}
        terms, impacts, indptr = [], [], [0]
        for _, _, vector in part:
            for term, impact in vector.items():
                number = known.get(term)
                terms.append(len(known) + extra.setdefault(term, len(extra)) if number is None else number)
                impacts.append(impact)
            indptr.append(len(terms))
        yield Block(
            [doc[0] for doc in part],
            [doc[1] for doc in part],
            np.array(indptr, dtype=np.int64),
            np.array(terms, dtype=np.int32),
            np.array(impacts, dtype=np.uint16),
            vocabulary,
            list(extra),
        )


def write(folder, documents, bits=16, memory=1 << 20, size=3):
    return write_blocks(folder, blocks(documents, size), bits, memory)


def write_blocks(folder, some, bits=8, memory=1 << 20):
    with SegmentWriter(folder, bits, memory) as writer:
        for block in some:
            writer.add(block)
        return writer.finish()


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


vectors = st.dictionaries(st.sampled_from(TERMS), st.integers(1, 65_535), max_size=8)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
collections = st.lists(st.tuples(texts, vectors), max_size=40).map(
    lambda rows: [(f"{'dé𝄞'[number % 3]}{number}", text, vector) for number, (text, vector) in enumerate(rows)]
)
relaxed = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def folder(tmp_path_factory):
    def make():
        return tmp_path_factory.mktemp("segment") / "s"

    return make


@relaxed
@given(collections, st.integers(0, 16), st.integers(1, 7), st.sampled_from([1, 40, 900, 1 << 20]), st.integers(1, 9))
def test_everything_comes_back(folder, documents, chunk_bits, size, memory, window):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "_WINDOW", 1)
        patch.setattr(runs, "_LEAST", window)
        patch.setattr(layout, "CHUNK_BITS", max(chunk_bits, 1))
        place = folder()
        info = write(place, documents, memory=memory, size=size)
    assert {name: entry["bytes"] for name, entry in info.files.items()} == {
        path.name: path.stat().st_size for path in place.iterdir()
    }
    reader = SegmentReader(place)
    reader.verify()
    terms = sorted({term for _, _, vector in documents for term in vector})
    assert (reader.documents, reader.terms) == (len(documents), len(terms)) == (info.documents, info.terms)
    assert reader.postings == sum(len(vector) for _, _, vector in documents) == info.postings
    assert list(reader.vectors()) == [(number, vector) for number, (_, _, vector) in enumerate(documents)]
    assert dict(reader.terms_iter()) == {term: sum(term in vector for _, _, vector in documents) for term in terms}
    assert [term for term, _ in reader.terms_iter()] == terms
    for number, (doc_id, text, vector) in enumerate(documents):
        assert reader.id(number) == doc_id
        assert reader.number(doc_id) == number
        assert reader.text(number) == text
        assert reader.vector(number) == vector
        assert reader.impacts(number, [*TERMS, "missing"]) == [vector.get(term, 0) for term in [*TERMS, "missing"]]
    assert reader.number("none") is None
    asked = [*(doc_id for doc_id, _, _ in reversed(documents)), "none", "", "\ud800", "none"]
    wanted = [-1 if reader.number(doc_id) is None else reader.number(doc_id) for doc_id in asked]
    for compiled in (False, True):
        assert reader.numbers(asked, compiled).tolist() == wanted
        assert reader.numbers([], compiled).tolist() == []
    assert reader.document_frequency([*terms, "missing"]) == [
        *(sum(term in vector for _, _, vector in documents) for term in terms),
        0,
    ]
    by_id = sorted(range(len(documents)), key=lambda number: documents[number][0].encode())
    assert reader.ranks.tolist() == np.argsort(by_id).tolist()


@relaxed
@given(collections, st.lists(st.integers(0, 40), max_size=3), st.data())
def test_merging_equals_one_build(folder, documents, cuts, data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "CHUNK_BITS", data.draw(st.sampled_from([1, 3, 16])))
        patch.setattr(runs, "_LEAST", data.draw(st.integers(1, 9)))
        patch.setattr(runs, "_WINDOW", 1)
        bounds = [0, *sorted(min(cut, len(documents)) for cut in cuts), len(documents)]
        readers, deleted, live = [], [], []
        for first, last in pairwise(bounds):
            part = documents[first:last]
            place = folder()
            write(place, part)
            readers.append(SegmentReader(place))
            dead = data.draw(st.none() | st.lists(st.booleans(), min_size=len(part), max_size=len(part)))
            deleted.append(None if dead is None else np.array(dead, dtype=bool))
            live += [doc for number, doc in enumerate(part) if dead is None or not dead[number]]
        merged, whole = folder(), folder()
        info = merge_segments(readers, deleted, merged, 16)
        assert info == write(whole, live, memory=100, size=2)
    assert contents(merged) == contents(whole)


def test_sha256_is_that_of_the_files(tmp_path):
    import hashlib

    info = write(tmp_path / "s", [("1", "one", {"a": 3}), ("2", "two", {})])
    for name, entry in info.files.items():
        assert entry["sha256"] == hashlib.sha256((tmp_path / "s" / name).read_bytes()).hexdigest()


def test_impacts_take_the_bits_of_the_largest(tmp_path):
    info = write(tmp_path / "s", [("1", "", {"a": 255, "b": 1})], bits=8)
    # A distance of 1 takes one bit; 1 + 8 bits and 1 + 1 bits are two bytes and one, and there are 8 of padding.
    assert info.files["postings.bits"]["bytes"] == 2 + 1 + 1 + 8
    with pytest.raises(DataError, match="1 to 255"):
        write(tmp_path / "t", [("1", "", {"a": 256})], bits=8)


def test_more_than_one_chunk_of_real_size(tmp_path):
    count = 65_536 * 2 + 5
    terms = np.arange(count, dtype=np.int32) % 3
    block = Block(
        [str(number) for number in range(count)],
        [""] * count,
        np.arange(count + 1, dtype=np.int64),
        terms,
        (np.arange(count) % 200 + 1).astype(np.uint16),
        ("x", "y", "z"),
        (),
    )
    with SegmentWriter(tmp_path / "s", memory=1 << 18) as writer:
        writer.add(block)
        writer.finish()
    reader = SegmentReader(tmp_path / "s")
    reader.verify()
    assert len(reader.arrays.chunks) == 9
    for number in (0, 65_535, 65_536, count - 1):
        assert reader.vector(number) == {"xyz"[number % 3]: number % 200 + 1}
    assert reader.number(str(count - 1)) == count - 1


def test_long_texts_and_many_blocks(tmp_path):
    documents = [(f"d{number}", "é" * (number * 700), {}) for number in range(60)]
    write(tmp_path / "s", documents)
    reader = SegmentReader(tmp_path / "s")
    assert [reader.text(number) for number in range(60)] == [text for _, text, _ in documents]


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        ([("1", "", {}), ("2", "", {}), ("1", "", {})], "'1' occurs twice"),
        ([("a\0", "", {}), ("a\0", "", {})], "twice"),
    ],
)
def test_an_id_twice_is_refused_and_nothing_stays(tmp_path, documents, message):
    with pytest.raises(DataError, match=message):
        write(tmp_path / "s", documents)
    assert not (tmp_path / "s").exists()


def test_ids_that_differ_late_or_by_a_zero(tmp_path):
    ids = ["a\0", "a", "a\0\0", "x" * 40 + "2", "x" * 40 + "1", "x" * 40, "12345678", "123456789", "1234567"]
    write(tmp_path / "s", [(doc_id, "", {}) for doc_id in ids])
    reader = SegmentReader(tmp_path / "s")
    assert [ids[number] for number in np.argsort(reader.ranks)] == sorted(ids)
    assert [reader.number(doc_id) for doc_id in ids] == list(range(len(ids)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"terms": np.array([0, 0, 1], dtype=np.int32)}, "same term twice"),
        ({"terms": np.array([0, 1, 5], dtype=np.int32)}, "from 0 to 2"),
        ({"terms": np.array([0, -1, 1], dtype=np.int32)}, "from 0 to 2"),
        ({"impacts": np.array([0, 1, 1], dtype=np.uint16)}, "from 1 to 255"),
        ({"indptr": np.array([0, 4, 3], dtype=np.int64)}, "not ascending"),
        ({"ids": ["1"]}, "do not agree"),
        ({"extra": ["a"]}, "two numbers"),
    ],
)
def test_a_wrong_block_is_refused(tmp_path, change, message):
    right = Block(
        ["1", "2"],
        ["", ""],
        np.array([0, 2, 3], dtype=np.int64),
        np.array([0, 1, 2], dtype=np.int32),
        np.array([1, 2, 3], dtype=np.uint16),
        ("a", "b"),
        ("c",),
    )
    with pytest.raises(DataError, match=message):
        write_blocks(tmp_path / "s", [right._replace(**change)])
    assert not (tmp_path / "s").exists()


def test_bits_out_of_range(tmp_path):
    with pytest.raises(ConfigError, match="17 bits"):
        SegmentWriter(tmp_path / "s", bits=17)


def test_runs_of_a_failed_writer_are_removed(tmp_path):
    (tmp_path / "kept").write_text("")
    documents = [(str(number), "", {"a": 1, "new": 2}) for number in range(10)]

    def failing():
        yield from blocks(documents, 2)
        assert list(tmp_path.glob("run-*.tmp"))
        raise KeyError

    with pytest.raises(KeyError):
        write_blocks(tmp_path, failing(), memory=12)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_rare_words_are_forgotten_with_their_run(tmp_path):
    documents = [(str(number), "", {f"rare{number}": 1, f"other{number:03}": 2, "a": 3}) for number in range(300)]
    with SegmentWriter(tmp_path / "s", memory=20_000) as writer:
        for block in blocks(documents, 10):
            writer.add(block)
            assert len(writer._extra) < 100
        assert len(writer._runs) > 5
        writer.finish()
    assert list(SegmentReader(tmp_path / "s").vectors()) == [(number, doc[2]) for number, doc in enumerate(documents)]
    write(tmp_path / "t", documents, bits=8)
    assert contents(tmp_path / "s") == contents(tmp_path / "t")


def test_large_tables_go_through_temporary_files(tmp_path, monkeypatch):
    monkeypatch.setattr("sparseembed.index.segment.columns._IN_MEMORY", 8)
    documents = [(str(number), "", {f"t{number % 40}": number % 9 + 1, "a": 3}) for number in range(300)]
    write(tmp_path / "s", documents)
    monkeypatch.undo()
    write(tmp_path / "t", documents)
    assert contents(tmp_path / "s") == contents(tmp_path / "t")


def test_merging_into_fewer_bits_is_refused(tmp_path):
    write(tmp_path / "s", [("1", "", {"a": 256})])
    with pytest.raises(DataError, match="8 bits"):
        merge_segments([SegmentReader(tmp_path / "s")], [None], tmp_path / "t", 8)


def test_an_id_in_two_segments_is_refused(tmp_path):
    write(tmp_path / "s", [("1", "", {})])
    reader = SegmentReader(tmp_path / "s")
    with pytest.raises(DataError, match="'1' occurs twice"):
        merge_segments([reader, reader], [None, None], tmp_path / "t", 8)
    assert not (tmp_path / "t").exists()


def test_a_closed_reader_says_so(tmp_path):
    write(tmp_path / "s", [("1", "", {"a": 1})])
    reader = SegmentReader(tmp_path / "s")
    reader.close()
    reader.close()
    with pytest.raises(IndexFolderError, match="closed"):
        reader.vector(0)


def test_a_number_out_of_range(tmp_path):
    write(tmp_path / "s", [("1", "", {"a": 1})])
    reader = SegmentReader(tmp_path / "s")
    for number in (-1, 1):
        for read in (reader.id, reader.text, reader.vector):
            with pytest.raises(IndexError):
                read(number)
