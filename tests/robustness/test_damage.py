"""Damage: a flipped byte in any file is found by `verify` and gives no wrong answer; what is damaged can be mended."""

import json
import os
import random
import shutil
from contextlib import suppress

import pytest
from animals import NATURE as WORDS

from sparseembed import Searcher, build_index
from sparseembed.data.corpus import Corpus, Document
from sparseembed.errors import ConfigError, DataError, EngineError, IndexFolderError, SparseEmbedError
from sparseembed.files import digest
from sparseembed.index.manifest import FILE, read_manifest
from sparseembed.index.verify import verify_index
from sparseembed.indexing.shards import merge_indexes
from sparseembed.indexing.update import Index

pytestmark = [pytest.mark.jvm, pytest.mark.usefixtures("silence")]
FLIPS = int(os.environ.get("SPARSEEMBED_TEST_FLIPS", "6"))  # bytes tried in each file
QUERIES = ["whale river sand", "milk zorblax", " ".join(WORDS)]
TERMS = ("word", "word+folded")


def documents():
    """Make documents of a few words, one of them blank."""
    rows = [" ".join(WORDS[(n * step) % len(WORDS)] for step in range(1, 3 + n % 7)) for n in range(20)]
    return [
        Document(f"d{n:02d}", "", "" if n == 5 else row, {"n": n, "tags": ["a", f"t{n % 3}"]} if n % 4 else {})
        for n, row in enumerate(rows)
    ]


@pytest.fixture(scope="module")
def sound(tiny_model, tmp_path_factory):
    """Return a function that gives an index of a term space, with two segments and a deletion, and its embedder."""
    from sparseembed.embedders.spec import EmbedderSpec
    from sparseembed.embedders.transformer import TransformerEmbedder

    made = {}

    def of(terms="word"):
        if terms not in made:
            folder = tiny_model("tied")
            embedder = TransformerEmbedder(EmbedderSpec("tied", str(folder), dtype="float32", device="cpu"))
            path = tmp_path_factory.mktemp("sound") / "index"
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("SPARSEEMBED_CACHE", str(tmp_path_factory.mktemp("cache")))
                build_index(Corpus(documents(), "twenty"), path, embedder, terms, k=12)
                index = Index(path, embedder)
                index.add([Document("x", "", "a zorblax drank milk")])
                index.delete(["d03"])
            made[terms] = path, embedder
        return made[terms]

    return of


@pytest.fixture
def copy(sound, tmp_path):
    """A copy of the index of words."""
    return shutil.copytree(sound()[0], tmp_path / "copy")


def use(path, engine="native"):
    """Give all that can be asked of an index."""
    with Searcher.open(path, engine=engine) as searcher:
        answer = []
        for query in QUERIES:
            hits = searcher.search(query, 30)
            answer += [(hit, hit.metadata, searcher.text(hit.id), searcher.explain(query, hit.id)) for hit in hits]
            answer += searcher.search(query, 5, filter=["n=3..15", "tags=t1|t2"])
        return answer, searcher.document("x"), searcher.term_space.labels


def one_line(error):
    """Check the message of an error: one line that a terminal can show."""
    message = str(error)
    assert "\n" not in message
    assert "\x1b" not in message
    assert 0 < len(message) < 1000


def files_of(path):
    """Give the names of the files below a folder."""
    return sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())


@pytest.mark.parametrize("terms", TERMS)
def test_a_flipped_byte_is_found_and_gives_no_wrong_answer(sound, terms, tmp_path):
    path = shutil.copytree(sound(terms)[0], tmp_path / "copy")
    right, chance = use(path), random.Random(1)
    refused = 0
    for name in files_of(path):
        file = path / name
        data = file.read_bytes()
        for place in {0, len(data) - 1, *(chance.randrange(len(data)) for _ in range(FLIPS))}:
            flipped = bytearray(data)
            flipped[place] ^= chance.randint(1, 255)
            file.write_bytes(flipped)
            try:
                assert verify_index(path), (name, place)
            except IndexFolderError as error:
                one_line(error)
            try:
                assert use(path) == right, (name, place)
            except IndexFolderError as error:
                refused += 1
                one_line(error)
        file.write_bytes(data)
    assert verify_index(path) == []
    assert use(path) == right
    assert refused > 10


def test_a_flipped_byte_gives_no_wrong_answer_of_lucene(copy):
    right, chance = use(copy, "lucene"), random.Random(2)
    for name in files_of(copy / "lucene"):
        file = copy / "lucene" / name
        data = file.read_bytes()
        for place in {0, len(data) - 1, chance.randrange(len(data))}:
            flipped = bytearray(data)
            flipped[place] ^= chance.randint(1, 255)
            file.write_bytes(flipped)
            try:
                assert use(copy, "lucene") == right, (name, place)
            except IndexFolderError as error:
                one_line(error)
        file.write_bytes(data)


@pytest.mark.parametrize("change", ["cut", "longer", "missing", "link", "pipe", "folder"])
def test_files_that_are_none_are_found(copy, change, tmp_path):
    right = use(copy)
    for name in files_of(copy):
        file, kept = copy / name, tmp_path / "kept"
        shutil.move(file, kept)
        if change == "cut":
            file.write_bytes(kept.read_bytes()[: kept.stat().st_size // 2])
        elif change == "longer":
            file.write_bytes(kept.read_bytes() + b"\0")
        elif change == "link":
            file.symlink_to(kept)
        elif change == "pipe":
            os.mkfifo(file)
        elif change == "folder":
            file.mkdir()
        with suppress(IndexFolderError):
            assert verify_index(copy), name
        try:
            assert use(copy) == right
            assert name.startswith("lucene/") or "fit" in name  # the native engine opens what it needs
        except IndexFolderError as error:
            one_line(error)
        if change == "folder":
            file.rmdir()
        file.unlink(missing_ok=True)
        shutil.move(kept, file)
    assert use(copy) == right


def test_folders_that_are_links_are_refused(copy, tmp_path):
    for entry in sorted(entry for entry in copy.iterdir() if entry.is_dir()):
        shutil.move(entry, tmp_path / "elsewhere")
        entry.symlink_to(tmp_path / "elsewhere")
        for work in (Searcher.open, verify_index, lambda path: Index(path).delete(["d01"])):
            with pytest.raises(IndexFolderError, match="is a link"):
                work(copy)
        entry.unlink()
        shutil.move(tmp_path / "elsewhere", entry)
    assert verify_index(copy) == []


def test_a_damaged_index_is_built_anew(sound, copy, monkeypatch, tmp_path):
    monkeypatch.setenv("SPARSEEMBED_CACHE", str(tmp_path / "cache"))
    embedder = sound()[1]
    for name in files_of(copy):
        file = copy / name
        if not file.exists():
            continue  # each build gives its files other names
        data = file.read_bytes()
        file.write_bytes(data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 0xFF]) + data[len(data) // 2 + 1 :])
        build_index(Corpus(documents(), "twenty"), copy, embedder, k=12, overwrite=True)
        assert verify_index(copy) == []
        assert use_without_x(copy)


def use_without_x(path):
    """Give the hits of all engines, which must agree."""
    found = []
    for engine in ("native", "lucene", "exact"):
        with Searcher.open(path, engine=engine) as searcher:
            found.append([searcher.search(query, 30) for query in QUERIES])
    assert found[0] == found[1] == found[2]
    return found[0]


def test_compacting_a_damaged_index_makes_no_wrong_one(sound, copy, tmp_path):
    right, chance = use(copy), random.Random(3)
    for name in files_of(copy):
        damaged = shutil.copytree(copy, tmp_path / "damaged")
        data = bytearray((copy / name).read_bytes())
        data[chance.randrange(len(data))] ^= chance.randint(1, 255)
        (damaged / name).write_bytes(data)
        try:
            Index(damaged, sound()[1]).compact()
            assert use(damaged) == use(damaged, "lucene") == right, name
        except (IndexFolderError, EngineError) as error:
            one_line(error)
            (damaged / name).write_bytes((copy / name).read_bytes())
            assert use(damaged) == right, name  # nothing else was changed
        shutil.rmtree(damaged)


def test_a_change_of_a_damaged_index_removes_nothing(sound, copy):
    index = Index(copy, sound()[1])
    manifest = copy / FILE
    for text in (manifest.read_text().replace("twenty", "thirty"), '{"format": 4}', "", "[]"):
        manifest.write_text(text)
        before = files_of(copy)
        for change in (lambda: index.add([Document("y", "", "milk")]), lambda: index.delete(["d01"]), index.compact):
            with pytest.raises(IndexFolderError):
                change()
        with pytest.raises((IndexFolderError, ConfigError)):
            merge_indexes([copy], copy)
        assert files_of(copy) == before


def test_parts_do_not_replace_what_cannot_be_read(sound, tmp_path, monkeypatch):
    monkeypatch.setenv("SPARSEEMBED_CACHE", str(tmp_path / "cache"))
    embedder = sound()[1]
    parts = [tmp_path / "part1", tmp_path / "part2"]
    build_index(Corpus(documents(), "twenty"), parts[0], embedder, k=12, shard="1/2")
    build_index(Corpus(documents(), "twenty"), parts[1], embedder, k=12, shard="2/2", statistics=parts[0])
    out = tmp_path / "out"
    out.mkdir()
    (out / FILE).write_text('{"format": 4}')
    with pytest.raises(IndexFolderError, match="--overwrite"):
        merge_indexes(parts, out)
    assert (out / FILE).read_text() == '{"format": 4}'
    merged = merge_indexes(parts, out, overwrite=True)
    assert verify_index(out) == []
    assert merge_indexes(parts, out) == merged  # the same call again
    right = use_without_x(out)
    for name in files_of(parts[0]):
        if name.startswith("lucene") or name.endswith("metadata.columns"):
            continue  # is not read: columns are made anew of the rows
        data = (parts[0] / name).read_bytes()
        (parts[0] / name).write_bytes(
            data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]
        )
        with pytest.raises(IndexFolderError):
            merge_indexes(parts, out, overwrite=True)
        (parts[0] / name).write_bytes(data)
        assert verify_index(out) == []
        assert use_without_x(out) == right


def test_counts_follow_what_is_deleted_and_replaced(sound, copy, monkeypatch, tmp_path):
    monkeypatch.setenv("SPARSEEMBED_CACHE", str(tmp_path / "cache"))
    index = Index(copy, sound()[1])
    assert index.add([Document("b1", "", " "), Document("b2", "", "")]).counts["blank"] == 3
    assert index.delete(["b1", "d01"]).counts["blank"] == 2
    counts = index.replace([Document("b2", "", "milk"), Document("d05", "", "sand"), Document("d02", "", "")]).counts
    assert counts["blank"] == counts["empty_vectors"] == 1
    after = index.compact().counts
    assert after == {**counts, "postings": after["postings"], "terms": after["terms"]}
    with Searcher.open(copy, engine="exact") as searcher:
        vectors = [searcher.document(doc_id).vector for doc_id in searcher._view.snapshot.ids()]
    assert after["documents"] == len(vectors)
    assert after["postings"] == sum(map(len, vectors))
    assert after["empty_vectors"] == sum(not vector for vector in vectors)


@pytest.mark.parametrize("there", [False, True])
def test_a_build_that_fails_leaves_a_place_for_the_next(sound, tmp_path, monkeypatch, there):
    monkeypatch.setenv("SPARSEEMBED_CACHE", str(tmp_path / "cache"))
    embedder, out = sound()[1], tmp_path / "out"
    if there:
        out.mkdir()

    def failing(*_):
        raise DataError("a document that cannot be read")

    with monkeypatch.context() as patch:
        patch.setattr("sparseembed.indexing.build.DocumentWriter.add", failing)
        with pytest.raises(DataError):
            build_index(Corpus(documents(), "twenty"), out, embedder, k=12)
    assert out.exists() == there
    assert not there or list(out.iterdir()) == []
    build_index(Corpus(documents(), "twenty"), out, embedder, k=12)
    assert verify_index(out) == []


HOSTILE = [
    ("statistics.folder", "../other"),
    ("statistics.folder", "/etc"),
    ("statistics.files", {"../../x": {"bytes": 1, "sha256": "0"}}),
    ("statistics.files", {"about.json": 7}),
    ("statistics.files", {"about.json": {"bytes": 10**18, "sha256": "0" * 64}}),
    ("segments", [None]),
    ("segments", "no"),
    ("segments", [{"folder": "segment-1-2", "files": {}, "documents": 20}]),
    ("segments", [{"folder": "..", "files": {}, "documents": 20, "deleted": None, "postings": 1, "terms": 1}]),
    ("lucene", {"commit": "../../segments_1", "files": {}}),
    ("lucene", {"commit": "segments_99", "files": {"/etc/passwd": {"bytes": 1, "sha256": ""}}}),
    ("lucene", {"commit": "segments_1", "files": {"a": None}}),
    ("counts", {"documents": 10**30, "postings": 0}),
    ("counts", {"documents": True, "postings": 0}),
    ("counts", {"documents": 20, "postings": 0, "terms": "x"}),
    ("quantizer", {"scale": 1e400, "levels": 10**400}),
    ("quantizer", {"scale": -1, "levels": 0}),
    ("analyzer", "klingon"),
    ("analyzer", ["english"]),
    ("sparse", {"terms": "klingon", "adjustment": ""}),
    ("sparse", {"terms": "word", "adjustment": "", "k": [1]}),
    ("updates", None),
    ("updates", {"added": "x", "deleted": -1, "drift": 3}),
    ("updates", {"added": 1, "deleted": 0, "drift": {"documents": 1}}),
    ("generation", "x"),
    ("generation", -5),
    ("generation", 10**40),
    ("embeddings", ["../../etc"]),
    ("embeddings", 5),
    ("shard", {"number": 0, "of": 0}),
    ("shard", 3),
    ("build", "\x1b[2J" * 1000),
    ("mix", "no"),
    ("rescoring", 0.5),
    ("versions", 3),
    ("corpus", {"name": "x" * 10**6, "fingerprint": "\n"}),
]


@pytest.mark.parametrize(("field", "value"), HOSTILE)
def test_a_hostile_manifest_gives_one_line_or_the_right_answer(sound, copy, field, value):
    embedder = sound()[1]
    right = use(copy)
    outer, _, inner = field.partition(".")
    stored = json.loads((copy / FILE).read_text())
    del stored["checksum"]
    if inner:
        stored[outer][inner] = value
    else:
        stored[outer] = value
    (copy / FILE).write_text(json.dumps({**stored, "checksum": digest(stored)}))
    around = files_of(copy.parent)
    works = (
        lambda: use(copy),
        lambda: use(copy, "lucene"),
        lambda: use(copy, "exact"),
        lambda: verify_index(copy),
        lambda: read_manifest(copy).recipe(),
        lambda: Index(copy, embedder).add([Document("new", "", "milk")]),
        lambda: Index(copy, embedder).delete(["d01"]),
        lambda: Index(copy, embedder).compact(refit=True),
    )
    for number, work in enumerate(works):
        try:
            answer = work()
        except SparseEmbedError as error:
            one_line(error)
            continue
        if number < 3:
            assert answer == right
    outside = {name for name in files_of(copy.parent) if not name.startswith("copy/")}
    assert outside == {name for name in around if not name.startswith("copy/")}
