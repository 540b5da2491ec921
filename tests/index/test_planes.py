"""Arrays in fewer bytes: what is stored comes back, and bytes that are none are refused before they take memory."""

import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sparseembed.index.segment import planes
from sparseembed.index.segment.columns import Column
from sparseembed.index.segment.planes import blocks, shortened, whole

TYPES = st.sampled_from(["|u1", "<u2", "<i4", "<u4", "<i8"])


def stored(values, folder):
    used, kept = shortened(values, folder)
    return used, np.frombuffer(b"".join(blocks(kept)), dtype=np.uint8)


@pytest.mark.parametrize("most", [1 << 20, 0], ids=["deflated", "planes"])
@settings(deadline=None, max_examples=60)
@given(values=TYPES.flatmap(lambda dtype: arrays.arrays(dtype, st.integers(0, 300))))
def test_what_is_stored_comes_back(tmp_path_factory, most, values):
    folder = tmp_path_factory.getbasetemp()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planes, "DEFLATED", most)
        used, data = stored(values, folder)
        column = Column(folder, values.dtype.str)
        column.append(values[:1])
        column.append(values[1:])
        assert stored(column, folder)[1].tolist() == data.tolist()
    column.close()
    assert len(data) <= values.nbytes
    found = whole(data, values.dtype, len(values), used)
    assert (found.dtype, found.tolist()) == (values.dtype, values.tolist())
    assert not found.flags.writeable


def test_planes_of_zeros_take_nothing(tmp_path):
    small = np.arange(100_000) % 200
    assert len(stored(small, tmp_path)[1]) == len(stored(small.astype(np.uint8), tmp_path)[1]) < 2000
    large = np.arange(2_000_000) % 200
    used, data = stored(large, tmp_path)
    assert (used, len(data)) == (1, len(large))
    zeros = np.zeros(1_000_000, dtype=np.int64)
    used, data = stored(zeros, tmp_path)
    assert not whole(data, zeros.dtype, len(zeros), used).any()


@pytest.mark.parametrize(
    ("data", "count", "used"),
    [
        (b"", 1, 1),
        (b"nothing", 4, 4),
        (b"1234", 4, 0),
        (b"12345", 1, 5),
        (b"12345", 4, 1),
        (zlib.compress(bytes(40))[:-1], 40, 1),
        (zlib.compress(bytes(40)) + b"x", 40, 1),
        (zlib.compress(bytes(41)), 40, 1),
        (zlib.compress(bytes(80)), 40, 1),
        (zlib.compress(b""), 40, 1),
        (zlib.compress(bytes(12)), 10**15, 1),
        (zlib.compress(bytes(1 << 20)), 3000, 1),
    ],
)
def test_what_is_no_array_is_refused(data, count, used):
    with pytest.raises(ValueError, match="it"):
        whole(np.frombuffer(data, dtype=np.uint8), np.dtype("<u4"), count, used)
