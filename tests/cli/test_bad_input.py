"""A user's mistake: one line that says what, where and what to do; status 2; and finished work is left alone."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import sparseembed
from sparseembed import progress
from sparseembed.cli import main
from sparseembed.files import digest

ROOT = Path(sparseembed.__file__).parents[1]
GOOD = '{"_id": "d1", "text": "A cat sat."}\n{"_id": "d2", "title": "Whales", "text": "swim"}\n'
NO_SPACE = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def good(tmp_path):
    """A file of two documents."""
    file = tmp_path / "good.jsonl"
    file.write_text(GOOD)
    return file


@pytest.fixture
def model(tiny_model):
    """The options of a tiny model."""
    return ["--embedder", str(tiny_model("tied")), "--dtype", "float32", "--device", "cpu"]


@pytest.fixture(scope="module")
def built(tiny_model, tmp_path_factory):
    """An index of the good documents, to be copied."""
    folder = tmp_path_factory.mktemp("built")
    (folder / "good.jsonl").write_text(GOOD)
    words = [
        "index",
        folder / "good.jsonl",
        "--out",
        folder / "index",
        "--embeddings",
        folder / "v",
        "--terms",
        "folded",
    ]
    model = ["--embedder", tiny_model("tied"), "--dtype", "float32", "--device", "cpu"]
    before = progress.set_reporter(progress.SilentReporter())
    assert main([*map(str, words), *map(str, model), "-q"]) == 0
    progress.set_reporter(before)
    return folder


@pytest.fixture
def index(built, tmp_path):
    """A copy of that index, to be damaged."""
    return shutil.copytree(built / "index", tmp_path / "index")


def bytes_of(folder):
    """Return the bytes of each file below a folder."""
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


# Documents


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD + "{oops}\n", ":3: broken JSON"),
        (GOOD + '{"_id": "d3", "text": "cut off', ":3: broken JSON"),
        ("\n" + GOOD + "[1]\n", ":4: a list and not a JSON object"),
        (GOOD + '{"text": "no id"}\n', ":3: no id"),
        (GOOD + '{"_id": "", "text": "x"}\n', ":3: the id is empty"),
        (GOOD + '{"_id": 1.5, "text": "x"}\n', ':3: "_id" of document is a number with a fraction'),
        (GOOD + '{"_id": "d 3", "text": "x"}\n', ":3: id 'd 3' holds white space"),
        (GOOD + '{"_id": "d3", "title": "x"}\n', ":3: no text in document 'd3'"),
        (GOOD + '{"_id": "d3", "text": null}\n', ":3: \"text\" of document 'd3' is null"),
        (GOOD + '{"_id": "d3", "text": "x", "title": 3}\n', ":3: \"title\" of document 'd3' is a number"),
        (GOOD + '{"_id": "d1", "text": "x"}\n', ":3: id 'd1' occurs twice, first on line 1"),
        ("", ": no documents in it"),
        ("\n \n", ": no documents in it"),
        (b"\xff\xfd", ":1: not UTF-8"),
    ],
)
@pytest.mark.parametrize("command", ["index", "encode"])
def test_a_bad_file_of_documents(refused, model, tmp_path, monkeypatch, command, text, expected):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "bad.jsonl"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert refused(command, file, *model).startswith(f"{file}{expected}")
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("command", ["index", "encode", "eval"])
@pytest.mark.parametrize("dataset", ["./missing", "./missing.jsonl", "/no/such/folder", "", "scifatc", "~", "a\0b"])
def test_a_missing_collection(refused, model, tmp_path, monkeypatch, command, dataset):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    message = refused(command, dataset, *model)
    assert (dataset if dataset not in ("", "~", "a\0b") else "") in message
    if dataset == "scifatc":
        assert "nearest known name is 'scifact'" in message
    assert [entry for entry in tmp_path.iterdir() if entry.name != ".ir_datasets"] == []


def test_an_empty_folder_is_no_collection(refused, model, tmp_path):
    (tmp_path / "hollow").mkdir()
    assert str(tmp_path / "hollow") in refused("index", tmp_path / "hollow", *model)


def test_a_file_cannot_be_evaluated(refused, good, model):
    assert str(good) in refused("eval", good, *model)


def test_a_collection_without_judgements_or_of_another_split(refused, model, tmp_path):
    (tmp_path / "corpus.jsonl").write_text(GOOD)
    assert f"{tmp_path.name} has no judgements (qrels/SPLIT.tsv)" in refused("eval", tmp_path, *model)
    (tmp_path / "queries.jsonl").write_text('{"_id": "q1", "text": "cat"}\n')
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\n")
    assert "dev" in refused("eval", tmp_path, "--split", "dev", *model)
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\tone\n")
    assert "test.tsv:2" in refused("eval", tmp_path, *model)


# Embedders


@pytest.mark.parametrize("command", ["index", "encode", "inspect"])
def test_an_unknown_preset_names_the_nearest(refused, good, command):
    message = refused(command, good, "--embedder", "smolm2-135")
    assert "'smolm2-135'" in message
    assert "did you mean smollm2-135m?" in message


@pytest.mark.parametrize("embedder", ["./no/model", "/no/model", "model.gguf"])
def test_a_missing_model(refused, good, embedder):
    assert f"there is no model at {embedder}" in refused("index", good, "--embedder", embedder)


def test_a_model_without_an_lm_head(refused, good, tiny_model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bert = ["--embedder", tiny_model("bert"), "--dtype", "float32", "--attention", "bidirectional"]
    for words in (("index", good), ("inspect", "a cat")):
        message = refused(*words, *bert)
        assert str(tiny_model("bert")) in message
        assert "LM head" in message
    assert not (tmp_path / "indexes").exists()


def test_a_folder_that_holds_no_model(refused, good, tmp_path):
    (tmp_path / "m").mkdir()
    assert f"{tmp_path / 'm'} is no model folder" in refused("index", good, "--embedder", tmp_path / "m")
    (tmp_path / "m" / "config.json").write_text("{}")
    assert f"{tmp_path / 'm'} holds no weights" in refused("index", good, "--embedder", tmp_path / "m")


@pytest.mark.parametrize("damage", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_damaged_model(refused, good, model_copy, damage):
    folder = model_copy("tied")
    (folder / damage).write_bytes(b"{")
    assert str(folder) in refused("index", good, "--embedder", folder, "--dtype", "float32")


def test_nan_from_a_model_names_the_document(refused, model_copy, tmp_path, good):
    from safetensors.numpy import load_file, save_file
    from tokenizers import Tokenizer

    folder = model_copy("untied")
    weights = load_file(folder / "model.safetensors")
    piece = Tokenizer.from_file(str(folder / "tokenizer.json")).encode("q", add_special_tokens=False).ids[0]
    weights["model.embed_tokens.weight"][piece] = np.nan
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    file = tmp_path / "docs.jsonl"
    file.write_text(GOOD + '{"_id": "culprit", "text": "qqq"}\n')
    options = ["--embedder", folder, "--dtype", "float32", "--device", "cpu", "--document-prompt", "{text}"]
    message = refused("encode", file, "--embeddings", tmp_path / "v", *options)
    assert "NaN or infinity for document culprit" in message


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--pooling", "lats"], "lats"),
        (["--attention", "both"], "both"),
        (["--max-length", "3"], "max length"),
        (["--max-length", "x"], "--max-length"),
        (["--device", "cuda:99"], "cuda:99"),
        (["--document-prompt", "no place"], "document_prompt"),
        (["--dtype", "int3"], "int3"),
        (["-k", "0"], "K, the aligned terms of a document, must be at least 1, not 0"),
        (["-k", "-5"], "K, the aligned terms of a document, must be at least 1, not -5"),
        (["-k", "many"], "many"),
        (["--terms", "letter"], "letter"),
        (["--adjustment", "pc2"], "pc2"),
        (["--mix", "-1"], "mix"),
        (["--mix", "nan"], "mix"),
        (["--mix", "much"], "mix"),
        (["--bits", "0"], "bits"),
        (["--bits", "17"], "bits"),
        (["--no-such-option"], "--no-such-option"),
    ],
)
def test_an_option_outside_its_range(refused, good, model, tmp_path, monkeypatch, options, expected):
    monkeypatch.chdir(tmp_path)
    assert expected in refused("index", good, *model, *options)
    assert not list(tmp_path.glob("indexes/*"))


# Searching


@pytest.mark.parametrize("k", ["0", "-1"])
def test_k_below_one(refused, index, model, k):
    assert f"must be at least 1, not {k}" in refused("search", index, "cat", "-k", k)
    assert f"must be at least 1, not {k}" in refused("inspect", "cat", "-k", k, *model)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "QUERY"),
        (["cat", "--queries", "q.jsonl", "--run", "x"], "QUERY"),
        (["--queries", "q.jsonl"], "--run"),
        (["cat", "--run", "x.trec"], "--run"),
        (["cat", "--threads", "0"], "--threads"),
        (["cat", "--expand", "-1"], "expand"),
        (["cat", "--expand", "2", "--expansion-weight", "0", "--embedder", "TIED"], "expansion weight"),
        (["cat", "--engine", "oracle"], "'oracle'"),
        (["cat", "--engine", "exact", "--embedder", "smolm2-135m"], "smollm2-135m"),
        (["--engine", "exact", "--queries", "./none.jsonl", "--run", "x.trec"], "none.jsonl: no such file"),
    ],
)
def test_words_of_search_that_will_not_do(refused, index, tmp_path, tiny_model, monkeypatch, words, expected):
    monkeypatch.chdir(tmp_path)
    words = [tiny_model("tied") if word == "TIED" else word for word in words]
    assert expected in refused("search", index, *words)
    assert not (tmp_path / "x.trec").exists()


def test_a_blank_text_to_inspect_and_an_unknown_document(refused, index, model):
    assert "blank" in refused("inspect", " ", *model)
    assert "'nobody'" in refused("explain", index, "cat", "nobody")


def test_another_embedder_than_the_index_was_made_with(refused, index, tiny_model):
    message = refused("search", index, "cat", "--expand", "3", "--embedder", tiny_model("untied"), "--engine", "exact")
    assert "weights is" in message or "dtype is" in message
    assert str(tiny_model("tied")) in message or "dtype" in message


def no_manifest(folder):
    (folder / "manifest.json").unlink()
    return f"{folder} is no index: it has no manifest.json"


def broken_manifest(folder):
    (folder / "manifest.json").write_text('{"format": 1,')
    return f"{folder / 'manifest.json'} is damaged"


def binary_manifest(folder):
    (folder / "manifest.json").write_bytes(b"\xff\x00")
    return f"{folder / 'manifest.json'} is damaged"


def list_manifest(folder):
    (folder / "manifest.json").write_text("[]")
    return f"{folder / 'manifest.json'} is damaged"


def signed(folder, change):
    """Change a manifest as someone would who knows how its checksum is made."""
    file = folder / "manifest.json"
    stored = json.loads(file.read_text())
    change(stored)
    del stored["checksum"]
    file.write_text(json.dumps({**stored, "checksum": digest(stored)}))


def changed_manifest(**fields):
    def change(folder):
        signed(folder, lambda stored: stored.update(fields))
        file = folder / "manifest.json"
        if fields.get("format") == 1:
            return f"{folder} is an index of format 1"
        return f"{file} is of format" if "format" in fields else f"{file} is damaged"

    change.__name__ = "-".join(f"{key}={value}" for key, value in fields.items())
    return change


def lacking_manifest(folder):
    signed(folder, lambda stored: stored.pop("sparse"))
    return f"{folder / 'manifest.json'} is damaged"


def deep_manifest(folder):
    (folder / "manifest.json").write_text('{"corpus": ' + "[" * 100_000)
    return f"{folder / 'manifest.json'} is damaged"


def changed_by_hand(folder):
    file = folder / "manifest.json"
    file.write_text(file.read_text().replace('"documents": 2', '"documents": 3'))
    return f"{file} is damaged"


def parts(folder, kind):
    """Return the folders of an index's parts whose names begin so."""
    found = [path for path in folder.iterdir() if path.is_dir() and path.name.startswith(kind)]
    assert found
    return found


def no_lucene(folder):
    shutil.rmtree(folder / "lucene")
    return str(folder / "lucene")


def cut_lucene(folder):
    largest = max((folder / "lucene").iterdir(), key=lambda file: file.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-20])
    return str(folder / "lucene")


def no_segment(folder):
    (segment,) = parts(folder, "segment")
    shutil.rmtree(segment)
    return str(folder)


def cut_segment(folder):
    (segment,) = parts(folder, "segment")
    file = segment / "documents.tables"
    file.write_bytes(file.read_bytes()[:-20])
    return str(segment)


def no_statistics(folder):
    (statistics,) = parts(folder, "fit")
    shutil.rmtree(statistics)
    return str(folder)


MANIFESTS = [
    *(no_manifest, broken_manifest, binary_manifest, list_manifest, lacking_manifest, deep_manifest, changed_by_hand),
    *(changed_manifest(format=1), changed_manifest(format=99), changed_manifest(format="2")),
    *(changed_manifest(sparse=None), changed_manifest(counts={}), changed_manifest(sparse={})),
    *(changed_manifest(embedder=3), changed_manifest(more=1)),
]
PARTS = [no_lucene, cut_lucene, no_segment, cut_segment, no_statistics]


@pytest.mark.jvm
@pytest.mark.parametrize("damage", [*MANIFESTS, *PARTS], ids=lambda damage: damage.__name__)
def test_a_damaged_index(refused, index, damage):
    expected = damage(index)
    engine = ["--engine", "lucene"] if "lucene" in damage.__name__ else []
    assert expected in refused("search", index, "cat", *engine)
    if not engine:
        assert expected in refused("explain", index, "cat", "d1")


@pytest.mark.parametrize("damage", MANIFESTS, ids=lambda damage: damage.__name__)
def test_a_damaged_index_is_not_built_over(refused, built, index, model, damage):
    expected = damage(index)
    before = bytes_of(index)
    command = ["index", built / "good.jsonl", "--embeddings", built / "v", "--terms", "folded", "--out", index, *model]
    assert expected.split(" is ")[0] in refused(*command)
    assert bytes_of(index) == before


def test_an_index_that_is_not_there(refused, tmp_path, good):
    assert f"there is no index at {tmp_path / 'none'}" in refused("search", tmp_path / "none", "cat")
    assert f"there is no index at {good}" in refused("search", good, "cat")
    assert f"{tmp_path} is no index" in refused("explain", tmp_path, "cat", "d1")
    assert f"{tmp_path} is no index" in refused("inspect", "cat", "--index", tmp_path)


# Building


def test_a_corpus_that_has_changed_since_it_was_encoded(refused, good, model, tmp_path):
    assert main(["encode", str(good), "--embeddings", str(tmp_path / "v"), *model, "-q"]) == 0
    before = bytes_of(tmp_path / "v")
    good.write_text(GOOD + '{"_id": "d3", "text": "new"}\n')
    for command in (("encode", good), ("index", good, "--out", tmp_path / "index")):
        message = refused(*command, "--embeddings", tmp_path / "v", *model)
        assert "good, documents has changed since it was encoded" in message
        assert str(tmp_path / "v") in message
        assert "(2 texts then, 3 now)" in message
        assert "--reencode" in message
    assert bytes_of(tmp_path / "v") == before
    assert not (tmp_path / "index").exists()


def test_embeddings_of_another_embedder(refused, built, tiny_model):
    before = bytes_of(built / "v")
    other = ["--embedder", tiny_model("tied"), "--dtype", "float32", "--device", "cpu", "--pooling", "mean"]
    message = refused("encode", built / "good.jsonl", "--embeddings", built / "v", *other)
    assert "pooling was 'last' and is 'mean' now" in message
    assert bytes_of(built / "v") == before


def test_a_place_that_is_taken_by_a_file(refused, good, model, tmp_path):
    before = good.read_bytes()
    for out in (good, good / "below", good / "far" / "below"):
        message = refused("index", good, "--out", out, "--embeddings", tmp_path / "v", *model)
        assert str(good) in message
        assert "choose another" in message
    assert not (tmp_path / "v").exists()
    for place in (good, good / "below"):
        message = refused("encode", good, "--embeddings", place, *model)
        assert str(good) in message
        assert "choose another" in message
    assert good.read_bytes() == before


@pytest.mark.jvm
def test_no_place_for_a_run_file(refused, index, tmp_path):
    (tmp_path / "q.jsonl").write_text('{"_id": "q1", "text": "cat"}\n')
    for place in (tmp_path, tmp_path / "q.jsonl" / "run.trec"):
        message = refused("search", index, "--queries", tmp_path / "q.jsonl", "--run", place)
        assert str(tmp_path) in message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder(refused, good, model, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o555)
    message = refused("encode", good, "--embeddings", tmp_path / "locked" / "v", *model)
    assert str(tmp_path / "locked") in message


@pytest.mark.parametrize("place", ["/proc/none", "/sys/none"])
def test_a_file_system_that_takes_no_files(refused, good, model, place):
    for words in (("encode", good, "--embeddings", f"{place}/v"), ("index", good, "--out", f"{place}/i")):
        message = refused(*words, *model)
        assert message.startswith(f"{place}/")
        assert "cannot be written (" in message
    assert not list(Path(os.environ["SPARSEEMBED_CACHE"]).rglob("*.npy"))


def test_no_room_while_encoding_keeps_what_is_finished(refused, good, model, tmp_path, monkeypatch):
    good.write_text("".join(f'{{"_id": "d{n}", "text": "cat {n}"}}\n' for n in range(5)))
    monkeypatch.setattr("sparseembed.embedders.store.SHARD_SIZE", 2)
    save, saved = np.save, []

    def full(file, array, *arguments, **options):
        if len(saved) == 2:
            raise NO_SPACE
        saved.append(1)
        save(file, array, *arguments, **options)

    words = ["encode", good, "--embeddings", tmp_path / "v", *model]
    with monkeypatch.context() as patch:
        patch.setattr(np, "save", full)
        assert "no room on the disk: make room and run the same command again" in refused(*words)
    assert sorted(file.name for file in (tmp_path / "v" / "documents").glob("*.npy")) == ["00000.npy", "00001.npy"]
    assert not list((tmp_path / "v").rglob("*.tmp"))
    assert main([*map(str, words), "-q"]) == 0
    undisturbed = ["encode", good, "--embeddings", tmp_path / "w", *model, "-q"]
    assert main(list(map(str, undisturbed))) == 0
    assert bytes_of(tmp_path / "v") == bytes_of(tmp_path / "w")


FULL = """
set -e
mkdir "$1/disk"
mount -t tmpfs -o size=1m none "$1/disk"
cp -r "$1/index" "$1/disk"
shift
head -c 2000000 /dev/zero > "$DISK/fill" 2> /dev/null || true
"$@" || echo status $?
"""


@pytest.mark.jvm
def test_no_room_while_indexing_leaves_the_old_index(built, index, model, tmp_path):
    disk = tmp_path / "disk"
    search = f'"{sys.executable}" -m sparseembed search "{disk}/index" cat -q && ls -A "{disk}/index"'
    words = [sys.executable, "-m", "sparseembed", "index", built / "good.jsonl", "--embeddings", built / "v", "-q"]
    words += ["--terms", "folded", *model, "--out", disk / "index", "-k", "5", "--overwrite"]
    script = FULL + search
    command = ["unshare", "--mount", "--map-root-user", "sh", "-c", script, "sh", tmp_path, *words]
    environment = {**os.environ, "DISK": str(disk)}
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, env=environment, cwd=ROOT
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no mounting here: {done.stderr.strip()}")
    status, head, hit, *names = done.stdout.splitlines()
    assert (status, head.split()[0], hit.split()[0]) == ("status 2", "rank", "1")
    assert done.stderr.count("\n") == 1
    assert "No space left" in done.stderr or "no room on the disk" in done.stderr
    assert names == sorted(name.name for name in index.iterdir())


def test_a_java_home_that_holds_no_java(index, tmp_path):
    for home in (tmp_path, tmp_path / "none"):
        done = subprocess.run(
            [sys.executable, "-m", "sparseembed", "search", str(index), "cat", "--engine", "lucene"],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "JAVA_HOME": str(home)},
        )
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.count("\n") == 1
        assert f"JAVA_HOME is {home}" in done.stderr
        assert "unset JAVA_HOME" in done.stderr
