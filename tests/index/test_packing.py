"""Packed postings: what is packed comes back from numpy and from kernels, and sizes are the shortest."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparseembed.index.segment.packing import MOST_BITS, MOST_WIDTH, PADDING, unpack
from sparseembed.index.segment.packing_kernels import add_slice, pack, unpack_slices

postings = st.dictionaries(st.integers(0, 1 << 18), st.integers(1, 65_535), min_size=1, max_size=60)
near = st.dictionaries(st.integers(0, 300), st.integers(1, 7), min_size=1, max_size=200)
terms = st.lists(postings | near, min_size=1, max_size=6)


class Packed:
    """Terms, packed with chunks of so many bits."""

    def __init__(self, lists, chunk_bits):
        ordered = [sorted(each.items()) for each in lists]
        self.docs = np.array([doc for each in ordered for doc, _ in each], dtype=np.uint32)
        self.impacts = np.array([impact for each in ordered for _, impact in each], dtype=np.uint16)
        begins = np.cumsum([0, *map(len, ordered)])
        most = len(self.docs)
        chunks, counts, extra = np.empty(most, np.uint16), np.empty(most, np.int64), np.empty(most, np.int64)
        widths, bits, self.maxima = np.empty(most, np.uint8), np.empty(most, np.uint8), np.empty(most, np.uint16)
        per_term, out = np.empty(len(lists), np.int64), np.zeros(10 * most, np.uint8)
        slices = (per_term, chunks, counts, extra, widths, bits, self.maxima)
        size = pack(self.docs, self.impacts, begins, chunk_bits, *slices, out)
        count = per_term.sum()
        self.chunks, self.widths, self.bits = chunks[:count].astype(np.int64), widths[:count], bits[:count]
        self.counts, self.fields = counts[:count], counts[:count] + extra[:count]
        self.begins = np.cumsum([0, *((self.fields * (self.widths + self.bits) + 7) >> 3)])
        assert self.begins[-1] == size
        data = np.zeros((size + PADDING + 3) // 4 * 4, np.uint8)
        data[:size] = out[:size]
        self.words, self.chunk_bits = data.view(np.uint32), chunk_bits

    def by_numpy(self):
        found = unpack(self.words, self.begins[:-1], np.diff(self.begins), self.widths, self.bits)
        return found.docs + (self.chunks[found.rows] << self.chunk_bits), found.impacts

    def by_kernel(self, room=None):
        most = len(self.docs) + len(self.words) * 32
        docs, impacts, bounds = np.empty(most, np.uint16), np.empty(most, np.uint16), np.empty(len(self.begins), int)
        rows, room = np.arange(len(self.chunks)), 1 << self.chunk_bits if room is None else room
        size = unpack_slices(self.words, self.begins, self.widths, self.bits, rows, room, docs, impacts, bounds)
        chunks = np.repeat(self.chunks, np.diff(bounds))
        self.are_added(room, docs, impacts, bounds)
        return docs[:size] + (chunks << self.chunk_bits), impacts[:size]

    def are_added(self, room, docs, impacts, bounds):
        """Add each slice to totals of `room` documents: what it holds, and nothing beside them."""
        for row in range(len(self.chunks)):
            own, beyond = slice(bounds[row], bounds[row + 1]), np.full(8, 7)
            wanted, totals = np.zeros(room, np.int64), np.concatenate([beyond, np.zeros(room, np.int64), beyond])
            wanted[docs[own]] = 1000 * impacts[own].astype(np.int64)
            begin, end = self.begins[row], self.begins[row + 1]
            add_slice(self.words, begin, end, self.widths[row], self.bits[row], room, np.int64(1000), totals[8:])
            assert (totals[8 : 8 + room] == wanted).all()
            assert (totals[:8] == 7).all()
            assert (totals[8 + room :] == 7).all()


@settings(deadline=None, max_examples=80)
@given(terms, st.sampled_from([3, 9, 16]))
def test_what_is_packed_comes_back(lists, chunk_bits):
    packed = Packed(lists, chunk_bits)
    for docs, impacts in (packed.by_numpy(), packed.by_kernel()):
        assert docs.tolist() == packed.docs.tolist()
        assert impacts.tolist() == packed.impacts.tolist()


@pytest.mark.parametrize("density", [0.0005, 0.02, 0.5, 1.0])
def test_a_slice_takes_about_what_its_distances_hold(density):
    documents = 1 << 16
    where = np.flatnonzero(np.random.default_rng(0).random(documents) < density)
    packed = Packed([dict.fromkeys(where.tolist(), 63)], 16)
    share = min(density, 1 - 1e-9)
    entropy = -np.log2(share) - (1 - share) / share * np.log2(1 - share)  # bits of a geometric distance
    assert entropy + 6 <= 8 * packed.begins[-1] / len(where) + 1e-9 <= entropy + 6 + 1.5


def test_most_impacts_are_small_and_the_largest_costs_a_field():
    where = np.random.default_rng(1).permutation(1 << 16)[:5000].tolist()
    packed = Packed([{doc: 63 if place == 7 else place % 7 + 1 for place, doc in enumerate(where)}], 16)
    assert (packed.bits.tolist(), packed.maxima[0]) == ([3], 63)
    alone = Packed([{doc: place % 7 + 1 for place, doc in enumerate(where)}], 16)
    assert 0 < packed.begins[-1] - alone.begins[-1] <= 4


@pytest.mark.parametrize("impact", [1, 255, 65_535])
@pytest.mark.parametrize("doc", [0, 1, 65_534, 65_535])
def test_a_posting_alone_has_room(doc, impact):
    packed = Packed([{doc: impact}], 16)
    assert packed.begins[-1] <= 10
    for docs, impacts in (packed.by_numpy(), packed.by_kernel()):
        assert (docs.tolist(), impacts.tolist()) == ([doc], [impact])


@settings(deadline=None)
@given(
    st.binary(min_size=1, max_size=64), st.integers(1, MOST_WIDTH), st.integers(1, MOST_BITS), st.integers(1, 70_000)
)
def test_no_bytes_name_a_document_that_does_not_exist(data, width, bits, room):
    packed = Packed([{0: 1}], 16)
    packed.words = np.frombuffer(data + bytes(PADDING + -len(data) % 4), dtype=np.uint32)
    packed.begins, packed.widths = np.array([0, len(data)]), np.array([width], np.uint8)
    packed.bits = np.array([bits], np.uint8)
    room = min(room, 1 << 16)
    docs, impacts = packed.by_kernel(room)
    assert (docs < room).all()
    assert (np.diff(docs) > 0).all()
    slow, also = packed.by_numpy()
    assert slow[: len(docs)].tolist() == docs.tolist()
    assert also[: len(docs)].tolist() == impacts.tolist()
    assert (slow[len(docs) :] >= room).all()
