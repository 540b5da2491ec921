"""The embedder of an index: its manifest says how texts were embedded, its user what is loaded and run."""

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from sparseembed import Searcher, build_index
from sparseembed.cli import main
from sparseembed.data.corpus import Corpus, Document
from sparseembed.embedders.load import load_embedder
from sparseembed.embedders.presets import PRESETS
from sparseembed.embedders.spec import EmbedderSpec
from sparseembed.errors import IndexFolderError
from sparseembed.index.manifest import Manifest, read_manifest
from sparseembed.retrieval.embedder import Named, matching_embedder, named_spec

CODE = """
from pathlib import Path
Path({marker!r}).write_text("ran")
from transformers import LlamaConfig, LlamaForCausalLM, LlamaModel, PreTrainedTokenizerFast
class Config(LlamaConfig): model_type = "own"
class Body(LlamaModel): config_class = Config
class Head(LlamaForCausalLM): config_class = Config
class Tokens(PreTrainedTokenizerFast): pass
"""


@pytest.fixture
def hostile(tiny_model, tmp_path):
    """Return an index of a folder of weights that bring code, its manifest trusting them, and what the code writes."""
    embedder = load_embedder(EmbedderSpec("plain", str(tiny_model("tied")), dtype="float32", device="cpu"))
    corpus = Corpus([Document("d1", "", "A cat sat."), Document("d2", "", "Rivers run.")], "tiny")
    index = build_index(corpus, tmp_path / "index", embedder, "folded", embeddings=tmp_path / "vectors", k=8).path
    folder, marker = Path(shutil.copytree(tiny_model("tied"), tmp_path / "weights")), tmp_path / "marker"
    (folder / "own.py").write_text(CODE.format(marker=str(marker)))
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "own.Config", "AutoModel": "own.Body", "AutoModelForCausalLM": "own.Head"}
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "own"}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"auto_map": {"AutoTokenizer": [None, "own.Tokens"]}}))
    manifest = read_manifest(index)
    told = {**manifest.embedder, "weights": str(folder), "trust_remote_code": True}
    replace(manifest, embedder=told).write(index)
    return index, folder, marker


@pytest.mark.jvm
@pytest.mark.parametrize(
    "words",
    [
        ("search", "INDEX", "cat", "--expand", "3"),
        ("explain", "INDEX", "cat", "d1", "--expand", "3"),
        ("inspect", "cat", "--index", "INDEX"),
    ],
)
@pytest.mark.parametrize("named", [False, True])
def test_no_code_runs_that_a_manifest_names(hostile, capfd, words, named):
    index, folder, marker = hostile
    words = [str(index) if word == "INDEX" else word for word in words]
    status = main([*words, "-q", *(["--embedder", str(folder)] if named else [])])
    out, err = capfd.readouterr()
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert named or f"pass --embedder {folder}" in err
    assert not marker.exists()
    assert main(["search", str(index), "cat", "-q"]) == 0  # a query without a model is none of the embedder's business
    assert not marker.exists()


@pytest.mark.jvm
def test_code_runs_where_the_caller_names_and_trusts_it(hostile):
    index, folder, marker = hostile
    main(["search", str(index), "cat", "--expand", "3", "-q", "--embedder", str(folder), "--trust-remote-code"])
    assert marker.exists()  # else the tests above would prove nothing


def manifest_of(spec: EmbedderSpec, **parts: object) -> Manifest:
    """Make a manifest of an index that an embedder made."""
    identity = {"dtype": "float32", "pooling": spec.pooling}
    stored = {**spec.as_dict(), **parts}
    empty = {key: {} for key in ("corpus", "sparse", "quantizer", "counts", "statistics", "lucene", "versions")}
    return Manifest("b", 1, embedder=stored, embedder_identity=identity, analyzer=None, segments=[], **empty)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_manifest_may_name_a_preset_and_the_use_of_it(name):
    spec = PRESETS[name]
    prompt = "mine: {text}"
    found = named_spec(manifest_of(spec, document_prompt=prompt, pooling="mean", trust_remote_code=True), Named())
    assert found.document_prompt == prompt
    assert (found.weights, found.revision, found.adapters) == (spec.weights, spec.revision, spec.adapters)
    assert (found.decoding, found.pooling, found.dtype) == (spec.decoding, "mean", "float32")
    assert not found.trust_remote_code
    assert found.device == "auto"


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"weights": "models/x y"}, "--embedder 'models/x y'"),
        ({"weights": "owner/model", "revision": "v2"}, "--embedder owner/model@v2"),
        ({"weights": "owner/model", "decoding": "other/one"}, "--embedder owner/model --decoding other/one"),
        ({"decoding": "other/one"}, "pass --decoding other/one"),
        ({"adapters": ["mine", "more"]}, "pass --adapter mine --adapter more"),
        ({"weights": "pypi:evil"}, "--embedder pypi:evil"),
        ({"weights": "a\x1b[2J"}, r"--embedder 'a\x1b[2J'"),
    ],
)
def test_what_is_no_preset_must_be_named(parts, words):
    manifest = manifest_of(PRESETS["smollm2-360m"], **parts)
    with pytest.raises(IndexFolderError) as refusal:
        matching_embedder(manifest, None)
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_adapters_and_decoding_are_the_caller_s_and_the_preset_s():
    spec = PRESETS["smollm2-360m"]
    manifest = manifest_of(spec, adapters=["theirs"], decoding="theirs", task="a task")
    found = named_spec(manifest, Named(adapters=("mine",), decoding="decoder"))
    assert (found.weights, found.adapters, found.decoding) == (spec.weights, ("mine",), "decoder")
    found = named_spec(manifest, Named("owner/model@v1", trust_remote_code=True, changes={"pooling": "mean"}))
    assert (found.weights, found.revision, found.adapters, found.decoding) == ("owner/model", "v1", (), None)
    assert found.trust_remote_code
    assert (found.task, found.pooling) == ("a task", "mean")


@pytest.mark.jvm
def test_another_decoding_is_refused(hostile, tiny_model):
    index = hostile[0]
    manifest = read_manifest(index)
    told = {**manifest.embedder, "weights": str(tiny_model("tied")), "trust_remote_code": False}
    here = EmbedderSpec(**{**told, "decoding": str(tiny_model("untied"))})
    with pytest.raises(IndexFolderError, match="decoding is its own there and"):
        matching_embedder(replace(manifest, embedder=told), here)
    assert matching_embedder(replace(manifest, embedder=told), EmbedderSpec(**told)).spec.decoding is None


@pytest.mark.parametrize(
    "parts",
    [
        {"weights": 5},
        {"weights": "a\0b"},
        {"weights": None},
        {"adapters": 5},
        {"adapters": [[]]},
        {"adapters": {"a": 1}},
        {"decoding": ["x"]},
        {"document_prompt": None},
        {"document_prompt": "none"},
        {"task": {}},
        {"pooling": "token:x"},
        {"pooling": []},
        {"max_length": 1e400},
        {"max_length": "9"},
        {"max_length": True},
        {"attention": "none"},
        {"unknown": 1},
    ],
)
def test_a_damaged_embedder_in_a_manifest_is_one_line(parts):
    with pytest.raises(IndexFolderError, match="damaged") as refusal:
        matching_embedder(manifest_of(PRESETS["smollm2-360m"], **parts), None)
    assert "\n" not in str(refusal.value)


@pytest.mark.jvm
def test_a_caller_who_names_the_weights_expands(hostile, tiny_model):
    index, _, marker = hostile
    with Searcher.open(index, expand=4, embedder=str(tiny_model("tied"))) as searcher:
        assert len(searcher.encode_query("cat")) > 1
    assert not marker.exists()
    assert asdict(read_manifest(index))["embedder"]["trust_remote_code"] is True
