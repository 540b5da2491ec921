"""Deletions on disk: one bit a document, read back as written, and damage told in one line."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseembed.errors import IndexFolderError
from sparseembed.index.tombstones import read_tombstones, write_tombstones


@given(st.lists(st.booleans(), max_size=40))
def test_flags_come_back(tmp_path_factory, flags):
    folder = tmp_path_factory.mktemp("index")
    about = write_tombstones(folder, "deleted-1-1.bits", np.asarray(flags, dtype=np.bool_))
    assert (about["file"], about["count"], about["bytes"]) == ("deleted-1-1.bits", sum(flags), -(-len(flags) // 8))
    assert read_tombstones(folder, about, len(flags)).tolist() == flags
    assert read_tombstones(folder, None, len(flags)) is None


def test_damage(tmp_path):
    flags = np.asarray([True, False] * 9)
    about = write_tombstones(tmp_path, "x.bits", flags)
    for wrong in (
        about | {"count": 8},
        about | {"file": "../x.bits"},
        about | {"file": None},
        about | {"sha256": "0" * 64},
        {"file": "x.bits"},
        {},
        [],
        "x.bits",
        7,
    ):
        with pytest.raises(IndexFolderError) as refusal:
            read_tombstones(tmp_path, wrong, 18)
        assert str(refusal.value).isprintable()
    with pytest.raises(IndexFolderError, match=r"the deletions of .* are damaged"):
        read_tombstones(tmp_path, about, 30)
    (tmp_path / "x.bits").write_bytes(b"\xaa\xaa\x81")
    with pytest.raises(IndexFolderError, match="damaged"):
        read_tombstones(tmp_path, about, 18)
    (tmp_path / "x.bits").unlink()
    with pytest.raises(FileNotFoundError):
        read_tombstones(tmp_path, about, 18)
