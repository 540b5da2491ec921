"""Every file that is read gets random bytes, cuts, flips, strange JSON: the right answer, or an error of one line."""

import bz2
import gzip
import json
import lzma
import os
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from sparseembed.alignment.tensor_file import read_header, read_tensor
from sparseembed.analysis.demonstrations.texts import BUILT_IN, read_demonstrations
from sparseembed.data.documents import read_documents
from sparseembed.data.qrels import read_qrels
from sparseembed.data.queries import read_queries
from sparseembed.data.resolve import open_corpus
from sparseembed.embedders.adapters import adapter_folder, check_base, held_out_documents, merge_adapter
from sparseembed.embedders.shards import Counts, write_about, write_ids, write_shard
from sparseembed.embedders.store import EmbeddingStore
from sparseembed.embedders.store_check import verify_store
from sparseembed.errors import DataError, SparseEmbedError
from sparseembed.evaluation.harness import read_report
from sparseembed.evaluation.runs import read_trec_run
from sparseembed.index.block import Block
from sparseembed.index.checked import CheckedFiles, record
from sparseembed.index.manifest import read_manifest
from sparseembed.index.segment import SegmentReader, SegmentWriter
from sparseembed.index.statistics import Statistics, load_adjustment, load_space, load_statistics
from sparseembed.index.tombstones import read_tombstones, write_tombstones

TRIES = int(os.environ.get("SPARSEEMBED_TEST_TRIES", "60"))
STRANGE = [
    b"",
    b"\0" * 100,
    b"\xff\xfe\x00",
    b"\xef\xbb\xbf{}",
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b"null",
    b"1e999",
    b"-" + b"9" * 5_000,
    b"NaN",
    b"{}",
    b"[]",
    b"[[]]",
    b'""',
    b"true",
    b"0",
    b'{"id": 1}\n{"id": 1}',
    b'{"_id": "\\ud800", "text": "\\udfff"}',
    b"\n" * 1000,
    b"\r\r\r",
    b"\x1f\x8b\x08",
    b"\x1f\x8b\x08" + bytes(50),
    b"BZh9" + bytes(50),
    b"\xfd7zXZ\x00" + bytes(50),
    b"\x28\xb5\x2f\xfd" + bytes(50),
    b"PK\x03\x04" + bytes(50),
]
WORDS = [
    b"null",
    b"-1",
    b"1e400",
    b"NaN",
    b"[]",
    b"{}",
    b'"\\u0000"',
    b'"\\ud800"',
    b"9" * 400,
    b"true",
    b'"x"',
    b"0.5",
    b"\t",
]


def changed(data, chance):
    """Change bytes in one of many ways."""
    data = bytearray(data)
    for _ in range(chance.choice([1, 1, 1, 2, 5])):
        place = chance.randrange(len(data) + 1)
        way = chance.randrange(7)
        if way == 0 and data:
            data[place % len(data)] ^= 1 << chance.randrange(8)
        elif way == 1 and data:
            data[place % len(data)] = chance.randrange(256)
        elif way == 2:
            del data[place:]
        elif way == 3:
            del data[place : place + chance.randrange(20)]
        elif way == 4:
            data[place:place] = data[place : place + chance.randrange(200)]
        elif way == 5:
            data[place:place] = chance.randbytes(chance.randrange(1, 20))
        else:  # put another value in place of one
            borders = [n for n, byte in enumerate(data) if byte in b",:[]{}\n\t"]
            if borders:
                first = chance.randrange(len(borders))
                data[borders[first] + 1 : borders[min(first + 1, len(borders) - 1)]] = chance.choice(WORDS)
    return bytes(data)


def one_line(error):
    """Check the message of an error."""
    message = str(error)
    assert "\n" not in message
    assert 0 < len(message) < 10_000


def fuzz(file, read, sound=True, tries=TRIES, seed=0):
    """Read a file that was changed again and again; give how often it could not be read."""
    data, chance, refused = file.read_bytes(), random.Random(seed), 0
    if sound:
        read()
    for number in range(tries + len(STRANGE)):
        file.write_bytes(STRANGE[number] if number < len(STRANGE) else changed(data, chance))
        try:
            read()
        except SparseEmbedError as error:
            one_line(error)
            refused += 1
    file.write_bytes(data)
    return refused


def lines(*records):
    return b"".join(json.dumps(each).encode() + b"\n" for each in records)


DOCUMENTS = lines(
    {"_id": "d1", "title": "Tea", "text": "Boil the water.", "metadata": {}},
    {"_id": "d2", "title": "", "text": "Ein Käse 𝄞"},
    {"id": "d3", "text": ""},
)
QUERIES = lines({"_id": "q1", "text": "tea"}, {"_id": "q2", "text": "Käse"})
QRELS = b"query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td2\t2\n"
RUN = b"q1 Q0 d1 1 12.5 tag\nq1 Q0 d2 2 3 tag\nq2 Q0 d2 1 1e3 tag\n"


@pytest.mark.parametrize(
    ("name", "data", "read"),
    [
        ("corpus.jsonl", DOCUMENTS, lambda file: list(read_documents(file))),
        ("corpus.jsonl", DOCUMENTS, lambda file: [each.contents for each in open_corpus(str(file))]),
        ("queries.jsonl", QUERIES, read_queries),
        ("test.tsv", QRELS, read_qrels),
        ("run.trec", RUN, read_trec_run),
        ("corpus.jsonl.gz", gzip.compress(DOCUMENTS), lambda file: list(open_corpus(str(file)))),
        ("corpus.jsonl", bz2.compress(DOCUMENTS), lambda file: list(open_corpus(str(file)))),
        ("corpus.jsonl", lzma.compress(DOCUMENTS), lambda file: list(open_corpus(str(file)))),
        ("texts.json", BUILT_IN.read_bytes(), read_demonstrations),
    ],
)
def test_files_of_users(tmp_path, name, data, read):
    file = tmp_path / name
    file.write_bytes(data)
    assert fuzz(file, lambda: read(file)) > 5


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv"])
def test_folders_in_beirs_layout(tmp_path, name):
    from sparseembed.data.beir import open_beir

    (tmp_path / "qrels").mkdir()
    (tmp_path / "corpus.jsonl").write_bytes(DOCUMENTS)
    (tmp_path / "queries.jsonl").write_bytes(QUERIES)
    (tmp_path / "qrels" / "test.tsv").write_bytes(QRELS)

    def read():
        collection = open_beir(tmp_path)
        return (
            list(collection.corpus),
            collection.queries,
            {split: collection.qrels(split) for split in collection.splits},
        )

    assert fuzz(tmp_path / name, read) > 5


def test_reports_of_evaluations(tmp_path):
    stored = sorted(Path(__file__).parents[2].joinpath("benchmarks", "results").rglob("*.json"))
    reports = []
    for file in stored:
        try:
            read_report(file)
            reports.append(file)
        except SparseEmbedError:
            continue
    if not reports:
        pytest.skip("no report is stored")
    file = shutil.copy(reports[0], tmp_path / "report.json")
    assert fuzz(file, lambda: read_report(file)) > 5


@pytest.fixture
def store(tmp_path):
    """A store of embeddings of three texts."""
    folder = tmp_path / "store"
    folder.mkdir()
    about = {"format": 2, "texts": "t", "fingerprint": "f", "count": 3, "side": "document", "shard_size": 256}
    ids = write_ids(folder, ["a", "b", "c"])
    vectors = np.arange(12, dtype=np.float32).reshape(3, 4)
    write_shard(folder, 0, vectors, Counts(9, 0, 0, "sum"))
    more = {"embedder": {}, "ids_sha256": ids, "tokens": 9, "cut": 0, "blank": 0, "dimension": 4, "complete": True}
    write_about(folder, {**about, **more})
    return folder


@pytest.mark.parametrize("name", ["store.json", "ids.json", "00000.npy", "00000.json"])
def test_stores_of_embeddings(store, name):
    right = np.arange(12, dtype=np.float32).reshape(3, 4)

    def read():
        opened = EmbeddingStore(store)
        assert opened.ids == ["a", "b", "c"]
        np.testing.assert_array_equal(opened.matrix(), right)
        np.testing.assert_array_equal(opened.take(np.array([2, 0])), right[[2, 0]])

    assert fuzz(store / name, read) > 5
    data, chance = (store / name).read_bytes(), random.Random(4)
    for _ in range(TRIES):
        (store / name).write_bytes(new := changed(data, chance))
        assert bool(verify_store(store)) == (new != data)


@pytest.fixture(scope="module")
def statistics(tiny_model, tmp_path_factory):
    """Return a function that gives the statistics of a small collection in a term space."""
    from sparseembed.embedders.spec import EmbedderSpec
    from sparseembed.embedders.transformer import TransformerEmbedder
    from sparseembed.indexing.encoding import encode_corpus
    from sparseembed.indexing.fit import fit
    from sparseembed.sparse.config import default_config

    embedder = TransformerEmbedder(EmbedderSpec("tied", str(tiny_model("tied")), dtype="float32", device="cpu"))
    file = tmp_path_factory.mktemp("corpus") / "corpus.jsonl"
    file.write_bytes(DOCUMENTS)

    def of(kind) -> Statistics:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SPARSEEMBED_CACHE", str(tmp_path_factory.mktemp("cache")))
            corpus = open_corpus(str(file))
            return fit(corpus, encode_corpus(corpus, embedder), embedder, default_config(kind, k=4))

    return of


@pytest.mark.usefixtures("silence")
@pytest.mark.parametrize("kind", ["word", "folded", "word+folded"])
def test_statistics_with_checksums_of_those_who_changed_them(statistics, kind, tmp_path):
    folder = tmp_path / "fit"
    folder.mkdir()
    statistics(kind).save(folder)

    def read():
        files = CheckedFiles(folder, record(folder))
        try:
            load_adjustment(files, "query")
            space = load_space(files)
            space.literal.of("boil water Käse")
            len(space.labels)
            load_statistics(files)
        finally:
            files.close()

    for name in sorted(file.name for file in folder.iterdir()):
        fuzz(folder / name, read, tries=TRIES // 4)


def test_deletions_with_checksums_of_those_who_changed_them(tmp_path):
    flags = np.arange(50) % 3 == 0
    about = write_tombstones(tmp_path, "d.bits", flags)

    def read(about):
        found = read_tombstones(tmp_path, about, 50)
        assert found is None or len(found) == 50

    assert fuzz(tmp_path / "d.bits", lambda: read(about)) > TRIES // 2
    assert fuzz(tmp_path / "d.bits", lambda: read({**about, **record(tmp_path, ["d.bits"])["d.bits"]})) > 5
    for strange in ({}, {"file": "x"}, {**about, "file": "../x"}, {**about, "count": "y"}, {**about, "bytes": None}):
        with pytest.raises((SparseEmbedError, FileNotFoundError)):
            read(strange)


@pytest.mark.parametrize("name", ["postings.bits", "terms.tables", "documents.tables", "texts.lz4"])
def test_segments(tmp_path, name):
    words = ("a", "b", "dé")
    block = Block(
        [f"id{n}" for n in range(30)],
        [f"text {n} " * 9 for n in range(30)],
        np.arange(31, dtype=np.int64) * 2,
        np.array([0, 1, 1, 2] * 15, dtype=np.int32),
        np.arange(1, 61, dtype=np.uint16),
        words,
        (),
    )
    with SegmentWriter(tmp_path / "s") as writer:
        writer.add(block)
        writer.finish()
    wanted = [block.texts, [{words[block.terms[2 * n + m]]: 2 * n + m + 1 for m in range(2)} for n in range(30)]]

    def read():
        reader = SegmentReader(tmp_path / "s")
        found = [[reader.text(n) for n in range(30)], [vector for _, vector in reader.vectors()]]
        assert found == wanted
        assert [reader.number(f"id{n}") for n in range(30)] == list(range(30))

    assert fuzz(tmp_path / "s" / name, read) > TRIES // 2


def test_bytes_of_manifests(tmp_path):
    (tmp_path / "manifest.json").write_text('{"format": 4, "build": "x", "checksum": "y"}')
    assert fuzz(tmp_path / "manifest.json", lambda: read_manifest(tmp_path), sound=False) == TRIES + len(STRANGE)


@pytest.fixture
def adapter(tmp_path, tiny_model):
    """An adapter of a tiny model."""
    import torch
    from safetensors.torch import save_file

    folder = tmp_path / "adapter"
    folder.mkdir()
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["q_proj"], "alpha_pattern": {"x.*": 2}}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    key = "base_model.model.model.layers.0.self_attn.q_proj.lora_{}.weight"
    save_file(
        {key.format("A"): torch.ones(2, 32), key.format("B"): torch.ones(32, 2)}, folder / "adapter_model.safetensors"
    )
    held = {
        "base": {"embedder": {"weights_fingerprint": "f"}},
        "about": {"held_out_documents": ["a"], "base": {"weights": "w"}},
    }
    (folder / "training.json").write_text(json.dumps(held))
    return folder


@pytest.mark.parametrize("name", ["adapter_config.json", "training.json", "adapter_model.safetensors"])
def test_adapters(adapter, tiny_model, name):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_model("tied"))

    def read():
        folder = adapter_folder(str(adapter))
        check_base(folder, "f")
        held_out_documents([folder], lambda each: each == "a")
        merge_adapter(model.model, folder)

    fuzz(adapter / name, read, tries=TRIES // 2)


def test_headers_of_tensors(adapter):
    file = adapter / "adapter_model.safetensors"

    def read():
        for name in read_header(file):
            read_tensor(file, name)

    fuzz(file, read)


def test_names_that_are_none(tmp_path):
    for name in ("", "\0", "a\0b", "x" * 5_000, "/dev/null", str(tmp_path), "\ud800", "~nobody/x", "../" * 400):
        for read in (lambda name=name: list(open_corpus(name)), lambda name=name: read_trec_run(Path(name))):
            try:
                read()
            except SparseEmbedError as error:
                one_line(error)
            except (OSError, ValueError):
                if read.__defaults__ and name not in ("\0", "a\0b", "\ud800"):
                    raise


def test_pipes_and_devices_are_no_folders_of_an_index(tmp_path):
    os.mkfifo(tmp_path / "manifest.json")
    with pytest.raises(SparseEmbedError):
        read_manifest(tmp_path)
    with pytest.raises((SparseEmbedError, DataError)):
        EmbeddingStore(Path("/dev"))
