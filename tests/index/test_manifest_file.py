"""The manifest: read back as written, and anything else is one line."""

import json
import random
from dataclasses import asdict

import pytest

from sparseembed.errors import IndexFolderError
from sparseembed.files import digest
from sparseembed.index.manifest import Manifest, differing_field, read_manifest, recipe

FILES = {"a": {"bytes": 3, "sha256": "0" * 64}}


def manifest(**parts):
    made = {
        "build": "b" * 32,
        "generation": 3,
        "corpus": {"name": "tiny", "fingerprint": "f"},
        "embedder": {"name": "x", "weights": "x", "decoding": None},
        "embedder_identity": {"dtype": "float32", "pooling": "last"},
        "sparse": {"terms": "word", "adjustment": "centred", "k": 8},
        "analyzer": "lucene-english",
        "quantizer": {"scale": 1.5, "levels": 255},
        "counts": {"documents": 3, "postings": 9, "terms": 4},
        "statistics": {"folder": "fit-3-1", "files": FILES},
        "segments": [
            {"folder": "segment-3-2", "documents": 3, "postings": 9, "terms": 4, "files": FILES, "deleted": None}
        ],
        "lucene": {"commit": "segments_3", "documents": 3, "files": FILES},
        "versions": {"numpy": "2"},
    }
    return Manifest(**{**made, **parts})


def store(folder, content):
    """Write a manifest of any content with the checksum that fits."""
    (folder / "manifest.json").write_text(json.dumps({**content, "checksum": digest(content)}))


def error_of(folder):
    with pytest.raises(IndexFolderError) as refusal:
        read_manifest(folder)
    assert str(refusal.value).isprintable()
    return str(refusal.value)


def _reads(folder):
    try:
        read_manifest(folder)
    except IndexFolderError:
        return False
    return True


def test_it_comes_back_as_written(tmp_path):
    manifest().write(tmp_path)
    assert read_manifest(tmp_path) == manifest()
    first = (tmp_path / "manifest.json").read_bytes()
    read_manifest(tmp_path).write(tmp_path)
    assert (tmp_path / "manifest.json").read_bytes() == first
    assert [file.name for file in tmp_path.iterdir()] == ["manifest.json"]
    changed = manifest().but(generation=4)
    assert (changed.generation, changed.build) == (4, manifest().build)


def test_a_changed_byte_anywhere_is_noticed(tmp_path):
    manifest().write(tmp_path)
    whole, chance = (tmp_path / "manifest.json").read_bytes(), random.Random(3)
    for place in chance.sample(range(len(whole)), 200):
        (tmp_path / "manifest.json").write_bytes(
            whole[:place] + bytes([whole[place] ^ (1 << chance.randrange(8))]) + whole[place + 1 :]
        )
        if _reads(tmp_path):
            assert read_manifest(tmp_path) == manifest()  # white space may change
        else:
            error_of(tmp_path)
    for cut in (0, 1, len(whole) // 2, len(whole) - 3):
        (tmp_path / "manifest.json").write_bytes(whole[:cut])
        assert "manifest.json is damaged" in error_of(tmp_path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("corpus", None),
        ("corpus", {"name": 3, "fingerprint": "f"}),
        ("corpus", "tiny"),
        ("embedder", {}),
        ("embedder_identity", {"dtype": None}),
        ("sparse", {"terms": ["word"], "adjustment": "none"}),
        ("quantizer", {"scale": "1", "levels": 255}),
        ("counts", {"documents": "3", "postings": 9}),
        ("statistics", {"folder": "fit"}),
        ("statistics", {"folder": "fit", "files": []}),
        ("segments", None),
        ("segments", 5),
        ("segments", ["segment-3-2"]),
        ("segments", [{"folder": "x", "documents": 3.5, "files": FILES}]),
        ("lucene", []),
        ("versions", None),
        ("unknown", 1),
        ("build", None),
    ],
)
def test_fields_of_other_types_are_one_line(tmp_path, field, value):
    store(tmp_path, {**asdict(manifest()), field: value})
    assert "manifest.json is damaged (its fields are not those of a manifest)" in error_of(tmp_path)
    content = asdict(manifest())
    content.pop("statistics" if field == "unknown" else field)
    store(tmp_path, content)
    assert "damaged" in error_of(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "7",
        '"text"',
        "{}",
        "[" * 200_000,
        '{"a":' * 200_000,
        '{"format": NaN}',
        "\ud800",
        "1" * 9999,
    ],
)
def test_what_is_no_manifest_is_one_line(tmp_path, text):
    (tmp_path / "manifest.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    assert "manifest.json" in error_of(tmp_path)


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (1, "is an index of format 1, which is read no more: run the command that built it again with --overwrite"),
        (3, "is an index of format 3, which is read no more: run the command that built it again with --overwrite"),
        (6, "and this sparseembed reads format 5: build the index again"),
        ("3", "reads format 5"),
        ("x\n" * 99, "reads format 5"),
        (None, "manifest.json is damaged"),
        ([3], "manifest.json is damaged"),
        (2.5, "manifest.json is damaged"),
    ],
)
def test_other_formats_are_named(tmp_path, version, message):
    store(tmp_path, {**asdict(manifest()), "format": version})
    assert message in error_of(tmp_path)


def test_an_index_of_format_1_as_it_was(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps({"format": 1, "corpus": {}, "vectors": {}}))
    told = error_of(tmp_path)
    assert str(tmp_path) in told
    assert "format 1" in told
    assert "--overwrite" in told


def test_no_index(tmp_path):
    assert error_of(tmp_path / "none").startswith(f"there is no index at {tmp_path / 'none'}")
    assert "is no index: it has no manifest.json" in error_of(tmp_path)
    (tmp_path / "manifest.json").mkdir()
    assert "manifest.json" in error_of(tmp_path)


def test_recipes_differ_in_their_first_field():
    one = manifest().recipe()
    assert differing_field(one, manifest(corpus={"name": "other", "fingerprint": "f"}).recipe()) is None
    assert differing_field(one, manifest(sparse={**manifest().sparse, "k": 9}).recipe()) == "k is 8 there and 9 here"
    other = manifest(embedder_identity={"dtype": "float32", "pooling": "mean"}).recipe()
    assert differing_field(one, other) == "embedder pooling is 'last' there and 'mean' here"
    more = recipe(manifest().corpus, manifest().embedder_identity, None, {**manifest().sparse, "new": "x\ny" * 99})
    told = differing_field(one, more)
    assert told.startswith("new is None there and 'x")
    assert told.isprintable()
    assert len(told) < 200
