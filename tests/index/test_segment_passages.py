"""What a segment keeps of passages: what is read is what was written, and what is no record is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseembed.engines.base import Hit, Passage
from sparseembed.errors import IndexFolderError
from sparseembed.index.segment import passages as stored
from sparseembed.index.segment.passages import Passages, PassagesReader, PassagesWriter
from sparseembed.retrieval.hits import DocumentHit

TERMS = st.dictionaries(st.text(max_size=6), st.tuples(st.integers(0, 4), st.integers(0, 65_535)), max_size=30)
SPANS = np.array([[0, 5], [3, 9], [9, 12], [12, 70_000], [70_000, 4_000_000_000]])


@given(TERMS, st.sets(st.text(max_size=6), max_size=30), st.integers(0, 3))
def test_a_record_gives_back_what_it_was_made_of(aligned, others, dimension):
    rows = np.arange(5 * dimension, dtype=np.int8).reshape(5, dimension) if dimension else None
    made = Passages.unpacked(Passages.of(SPANS, aligned, others, rows).packed())
    np.testing.assert_array_equal(made.spans, SPANS)
    assert made.embeddings.shape == (5, dimension)
    assert rows is None or (made.embeddings == rows).all()
    every = [*aligned, *(others - aligned.keys())]
    found = made.find(every)
    expected = [aligned.get(term, (-1, 0)) for term in every]
    assert list(zip(found.passages.tolist(), found.impacts.tolist(), strict=True)) == expected


def test_terms_whose_hashes_are_alike_get_others(monkeypatch):
    whole = stored.hashes
    monkeypatch.setattr(stored, "hashes", lambda terms, salt: whole(terms, salt) % 64)
    aligned = {f"term{n}": (n % 5, n) for n in range(9)}
    others = [f"other{n}" for n in range(5)]
    made = Passages.of(SPANS, aligned, others)
    assert made.salt > 0
    assert made.find(list(aligned)).passages.tolist() == [n % 5 for n in range(9)]
    assert made.find(others).passages.tolist() == [-1] * 5


def test_of_very_many_terms_those_that_share_a_hash_have_no_passage(monkeypatch):
    whole, tried = stored.hashes, set()

    def few(terms, salt):
        tried.add(salt)
        return whole(terms, salt) % 997

    monkeypatch.setattr(stored, "hashes", few)
    aligned = {f"term{n}": (n % 5, n) for n in range(300)}
    others = [f"other{n}" for n in range(300)]
    made = Passages.of(SPANS, aligned, [*aligned, *others])
    assert len(tried) < 32  # looking on and on would find nothing
    assert made.find(others).passages.tolist() == [-1] * 300
    found = made.find(list(aligned)).passages
    assert all(number in (-1, n % 5) for n, number in enumerate(found.tolist()))
    assert (found >= 0).sum() > 100


@given(TERMS, st.data())
def test_a_record_that_is_cut_or_changed_raises_nothing_else(aligned, data):
    record = Passages.of(SPANS, aligned, []).packed()
    end = data.draw(st.integers(0, len(record) - 1))
    with pytest.raises(ValueError, match=r"it is cut|its passages"):
        Passages.unpacked(record[:end])
    changed = bytearray(record)
    changed[data.draw(st.integers(0, len(record) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        made = Passages.unpacked(bytes(changed))
    except ValueError:
        return
    assert (made.numbers < len(made.spans)).all()
    made.find(list(aligned))


def test_files_are_read_by_document_and_checked(tmp_path):
    writer = PassagesWriter(tmp_path)
    records = {number: Passages.of(SPANS[:2], {f"t{number}": (1, 7)}, []).packed() for number in (2, 5, 6)}
    for number, record in records.items():
        writer.add(number, record)
    files = writer.finish(8)
    assert set(files) == {"passages.bin", "passages.tables"}
    reader = PassagesReader(tmp_path, 8)
    assert [reader.of(number) is None for number in range(8)] == [number not in records for number in range(8)]
    assert dict(reader.records()) == records
    assert reader.of(5).find(["t5"]).passages.tolist() == [1]
    with pytest.raises(IndexFolderError, match="do not agree"):
        PassagesReader(tmp_path, 9)
    raw = bytearray((tmp_path / "passages.bin").read_bytes())
    raw[len(records[2]) + 3] ^= 1
    (tmp_path / "passages.bin").write_bytes(raw)
    reader = PassagesReader(tmp_path, 8)
    assert reader.of(2) is not None
    with pytest.raises(IndexFolderError, match="checksum of its record 1"):
        reader.of(5)


def test_a_segment_without_passages_has_no_file_of_them(tmp_path):
    assert PassagesWriter(tmp_path).finish(3) == {}
    assert list(tmp_path.iterdir()) == []


def test_a_hit_that_finds_its_passage_is_a_hit():
    passage, asked = Passage(2, 3, 4, 9, "words", 4, 7), []

    def locate(doc_id):
        asked.append(doc_id)
        return passage

    hit = DocumentHit.of(Hit("d", 3.0, 1), None, locate)
    assert hit == Hit("d", 3.0, 1)
    assert hash(hit) == hash(Hit("d", 3.0, 1))
    assert asked == []
    assert hit.passage is passage
    assert hit.passage is passage
    assert hit._replace(rank=2).passage is passage
    assert asked == ["d", "d"]
    import pickle

    copied = pickle.loads(pickle.dumps(hit))
    assert copied == hit
    assert copied.passage is None
    assert Hit("d", 3.0, 1).passage is None
