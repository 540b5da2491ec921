"""LoRA adapters against a forward pass that never merges them."""

import json
import math
import re
import shutil

import numpy as np
import pytest

from sparseembed.alignment.head import decoding_head
from sparseembed.alignment.matrix import decoding_matrix
from sparseembed.embedders import adapters as module
from sparseembed.embedders.adapters import adapter_folder, adapters_fingerprint, held_out_documents
from sparseembed.errors import EmbedderError

TEXTS = ["cat", "the cat sat on the mat", "Rivers carry sand 😀"]
TOLERANCE = 1e-5  # of states of length about 6
LAYERS = {
    "tied": ["layers.0.self_attn.q_proj", "layers.1.self_attn.v_proj", "layers.1.mlp.down_proj"],
    "gpt2": ["h.0.attn.c_attn", "h.1.mlp.c_proj"],
    "opt": ["decoder.layers.0.self_attn.q_proj", "decoder.layers.1.fc2"],
    "bert": ["encoder.layer.0.attention.self.query", "encoder.layer.1.output.dense"],
}
PREFIX = {"tied": "model.", "gpt2": "transformer.", "opt": "model.", "bert": ""}


def body_of(folder):
    import torch
    from transformers import AutoModel

    return AutoModel.from_pretrained(folder, dtype=torch.float32).eval()


def sizes_of(layer):
    weight = layer.weight.T if type(layer).__name__ == "Conv1D" else layer.weight
    return weight.shape


def make_adapter(into, base, layers, prefix="", seed=1, rank=4, form="safetensors", **config):
    """Write a random adapter in the form that the package peft saves."""
    import torch
    from safetensors.torch import save_file

    generator = torch.Generator().manual_seed(seed)
    model = body_of(base)
    tensors = {}
    for name in layers:
        outer, inner = sizes_of(model.get_submodule(name))
        key = f"base_model.model.{prefix}{name}"
        tensors[f"{key}.lora_A.weight"] = torch.randn(rank, inner, generator=generator) / 4
        tensors[f"{key}.lora_B.weight"] = torch.randn(outer, rank, generator=generator) / 4
    into.mkdir(parents=True)
    if form == "safetensors":
        save_file(tensors, into / "adapter_model.safetensors")
    else:
        torch.save(tensors, into / "adapter_model.bin")
    about = {"peft_type": "LORA", "r": rank, "lora_alpha": 8, "base_model_name_or_path": "owner/base", **config}
    (into / "adapter_config.json").write_text(json.dumps(about))
    return into


def naive_last_states(base, rows, adapters, prefix):
    """Run each text alone; every adapter adds its change to a layer's output, with no weight touched."""
    import torch
    from safetensors.torch import load_file

    model = body_of(base)
    for folder, scale in adapters:
        tensors = load_file(folder / "adapter_model.safetensors")
        for key in tensors:
            if ".lora_A." in key:
                name = key.removeprefix("base_model.model.").removeprefix(prefix).removesuffix(".lora_A.weight")
                inner, outer = tensors[key], tensors[key.replace(".lora_A.", ".lora_B.")]

                def add(layer, inputs, output, inner=inner, outer=outer, scale=scale):
                    return output + scale * (inputs[0] @ inner.T) @ outer.T

                model.get_submodule(name).register_forward_hook(add)
    with torch.inference_mode():
        return [model(input_ids=torch.tensor([ids])).last_hidden_state[0, -1].numpy() for ids in rows]


@pytest.mark.parametrize("kind", sorted(LAYERS))
def test_equals_a_forward_pass_with_the_adapter_beside_the_weights(tiny_model, tiny_embedder, tmp_path, kind):
    base, prefix = tiny_model(kind), PREFIX[kind]
    first = make_adapter(tmp_path / "first", base, LAYERS[kind], prefix, lora_alpha=8)
    second = make_adapter(tmp_path / "second", base, LAYERS[kind][:1], prefix, seed=2, rank=3, use_rslora=True)
    attention = "bidirectional" if kind == "bert" else "causal"
    embedder = tiny_embedder(kind, attention=attention, adapters=(str(first), str(second)))
    rows = [encoding.ids for encoding in embedder.tokenizer.encode_batch(TEXTS)]
    expected = naive_last_states(base, rows, [(first, 8 / 4), (second, 8 / math.sqrt(3))], prefix)
    vectors = embedder.encode(TEXTS)
    np.testing.assert_allclose(vectors, expected, atol=TOLERANCE)
    plain = tiny_embedder(kind, attention=attention).encode(TEXTS)
    only_first = tiny_embedder(kind, attention=attention, adapters=(str(first),)).encode(TEXTS)
    assert np.abs(vectors - plain).max() > 0.1
    assert np.abs(vectors - only_first).max() > 0.1


def test_an_adapter_made_for_the_bare_body_is_the_same(tiny_model, tiny_embedder, tmp_path):
    base = tiny_model("tied")
    with_head = make_adapter(tmp_path / "a", base, LAYERS["tied"], "model.")
    bare = make_adapter(tmp_path / "b", base, LAYERS["tied"])
    older = make_adapter(tmp_path / "c", base, LAYERS["tied"], "model.", form="bin")
    vectors = [tiny_embedder("tied", adapters=(str(each),)).encode(TEXTS) for each in (with_head, bare, older)]
    np.testing.assert_array_equal(vectors[0], vectors[1])
    np.testing.assert_array_equal(vectors[0], vectors[2])


def test_an_alpha_of_a_layers_own(tiny_model, tiny_embedder, tmp_path):
    base, layers = tiny_model("tied"), LAYERS["tied"]
    own = make_adapter(tmp_path / "own", base, layers, lora_alpha=8, alpha_pattern={"q_proj": 2, "1.mlp.down_proj": 2})
    vectors = tiny_embedder("tied", adapters=(str(own),)).encode(TEXTS)
    twos = make_adapter(tmp_path / "twos", base, [layers[0], layers[2]], lora_alpha=2)
    eight = make_adapter(tmp_path / "eight", base, [layers[1]], lora_alpha=8)
    from safetensors.torch import load_file, save_file

    whole = load_file(own / "adapter_model.safetensors")
    for folder in (twos, eight):
        names = load_file(folder / "adapter_model.safetensors")
        save_file({name: whole[name] for name in names}, folder / "adapter_model.safetensors")
    apart = tiny_embedder("tied", adapters=(str(twos), str(eight))).encode(TEXTS)
    np.testing.assert_allclose(vectors, apart, atol=TOLERANCE)


def test_the_base_stays_as_it_is_on_disk(model_copy, tiny_embedder, tmp_path):
    base = model_copy("tied")
    before = {file.name: file.read_bytes() for file in base.iterdir()}
    adapter = make_adapter(tmp_path / "a", base, LAYERS["tied"])
    tiny_embedder(base, adapters=(str(adapter),)).encode(TEXTS)
    assert {file.name: file.read_bytes() for file in base.iterdir()} == before


def test_in_half_precision_the_change_is_added_before_rounding(tiny_model, tiny_embedder, tmp_path):
    import torch

    adapter = make_adapter(tmp_path / "a", tiny_model("tied"), LAYERS["tied"][:1])
    exact = tiny_embedder("tied", adapters=(str(adapter),))
    half = tiny_embedder("tied", adapters=(str(adapter),), dtype="bfloat16")
    of_half = half._load()._model.layers[0].self_attn.q_proj.weight
    assert of_half.dtype == torch.bfloat16
    of_exact = exact._load()._model.layers[0].self_attn.q_proj.weight
    torch.testing.assert_close(of_half.float(), of_exact, rtol=0.01, atol=0.01)


def test_the_identity_holds_the_adapters_and_their_order(tiny_model, tiny_embedder, tmp_path):
    base = tiny_model("tied")
    first = make_adapter(tmp_path / "first", base, LAYERS["tied"])
    second = make_adapter(tmp_path / "second", base, LAYERS["tied"], seed=2)
    moved = shutil.copytree(first, tmp_path / "elsewhere" / "x")
    plain = tiny_embedder("tied").identity()
    identity = tiny_embedder("tied", adapters=(str(first),)).identity()
    assert identity == {**plain, "adapters_fingerprint": adapters_fingerprint([first])}
    assert tiny_embedder("tied", adapters=[str(moved)]).identity() == identity
    stronger = shutil.copytree(first, tmp_path / "stronger")
    (stronger / "adapter_config.json").write_text((first / "adapter_config.json").read_text().replace("8", "9"))
    orders = [[first], [second], [first, second], [second, first], [stronger]]
    assert len({adapters_fingerprint(order) for order in orders}) == len(orders)


def error_of(embedder):
    with pytest.raises(EmbedderError) as caught:
        embedder.encode(["cat"])
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_an_adapter_for_another_base_is_one_line(tiny_tokenizer, tiny_model, tiny_embedder, tmp_path):
    from transformers import LlamaConfig, LlamaModel

    size = tiny_tokenizer.get_vocab_size()
    wide = LlamaConfig(vocab_size=size, hidden_size=48, intermediate_size=8, num_hidden_layers=2, num_attention_heads=4)
    LlamaModel(wide).save_pretrained(tmp_path / "wide")
    adapter = make_adapter(tmp_path / "a", tmp_path / "wide", ["layers.0.self_attn.q_proj"])
    message = error_of(tiny_embedder("tied", adapters=(str(adapter),)))
    assert f"the adapter {adapter} is for owner/base, and does not fit" in message
    assert "layers.0.self_attn.q_proj is 32 x 32 there and 48 x 48 in the adapter" in message
    other = make_adapter(tmp_path / "b", tiny_model("gpt2"), LAYERS["gpt2"])
    assert "no linear layer h.0.attn.c_attn" in error_of(tiny_embedder("tied", adapters=(str(other),)))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"peft_type": "IA3"}, "its kind is IA3"),
        ({"use_dora": True}, "it sets use_dora"),
        ({"layer_replication": [[0, 1]]}, "it sets layer_replication"),
        ({"init_lora_weights": "pissa_niter_4"}, "was started by pissa_niter_4"),
        ({"r": 0}, "adapter_config.json is damaged"),
        ({"lora_alpha": "much"}, "adapter_config.json is damaged"),
    ],
)
def test_what_is_more_than_lora_is_refused(tiny_model, tiny_embedder, tmp_path, config, message):
    adapter = make_adapter(tmp_path / "a", tiny_model("tied"), LAYERS["tied"], **{"rank": 4, **config})
    assert message in error_of(tiny_embedder("tied", adapters=(str(adapter),)))


def rewritten(folder, change):
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "adapter_model.safetensors")
    change(tensors)
    save_file(tensors, folder / "adapter_model.safetensors")


@pytest.mark.parametrize("name", ["lm_head.weight", "model.embed_tokens.weight"])
def test_other_weights_in_an_adapter_are_refused(tiny_model, tiny_embedder, tmp_path, name):
    import torch

    adapter = make_adapter(tmp_path / "a", tiny_model("tied"), LAYERS["tied"])
    extra = f"base_model.model.{name}"
    rewritten(adapter, lambda tensors: tensors.update({extra: torch.ones(2, 2)}))
    assert f"(it holds {extra}): merge it with the package peft" in error_of(
        tiny_embedder("tied", adapters=(str(adapter),))
    )


@pytest.mark.parametrize(("kind", "head"), [("tied", "lm_head"), ("untied", "lm_head"), ("neox", "embed_out")])
def test_a_change_of_the_head_is_of_the_decoding_matrix_alone(tiny_model, tiny_embedder, tmp_path, kind, head):
    import torch
    from safetensors.torch import load_file

    layer = "layers.0.attention.dense" if kind == "neox" else "layers.0.self_attn.o_proj"
    prefix = "gpt_neox." if kind == "neox" else "model."
    adapter = make_adapter(tmp_path / "a", tiny_model(kind), [layer], prefix, lora_alpha=2)
    before = tiny_embedder(kind, adapters=(str(adapter),)).encode(TEXTS)
    plain = decoding_matrix(tiny_embedder(kind))
    inner, outer = torch.randn(4, 32), torch.randn(len(plain), 4)
    key = f"base_model.model.{head}.lora_"
    rewritten(adapter, lambda tensors: tensors.update({f"{key}A.weight": inner, f"{key}B.weight": outer}))
    adapted = tiny_embedder(kind, adapters=(str(adapter),))
    np.testing.assert_array_equal(adapted.encode(TEXTS), before)
    wanted = plain + 2 / 4 * (outer @ inner).numpy()
    np.testing.assert_allclose(decoding_matrix(adapted), wanted, atol=1e-5)
    np.testing.assert_array_equal(decoding_head(adapted).matrix, decoding_matrix(adapted))
    # The head of another checkpoint is that checkpoint's own.
    other = tiny_embedder(kind, adapters=(str(adapter),), decoding=str(tiny_model(kind)))
    np.testing.assert_array_equal(decoding_matrix(other), plain)
    rewritten(adapter, lambda tensors: tensors.update({f"{key}B.weight": outer[:-1].clone()}))
    with pytest.raises(EmbedderError, match=f"does not fit the embedder's weights: {head} is"):
        decoding_matrix(tiny_embedder(kind, adapters=(str(adapter),)))
    assert load_file(adapter / "adapter_model.safetensors")[f"{key}B.weight"].shape[0] == len(plain) - 1


def test_damaged_adapters_are_one_line(tiny_model, tiny_embedder, tmp_path):
    whole = make_adapter(tmp_path / "whole", tiny_model("tied"), LAYERS["tied"])
    key = "base_model.model.layers.0.self_attn.q_proj.lora_B.weight"

    def error_after(change):
        folder = shutil.copytree(whole, tmp_path / "copy", dirs_exist_ok=True)
        change(folder)
        message = error_of(tiny_embedder("tied", adapters=(str(folder),)))
        shutil.rmtree(folder)
        return message

    weights = (whole / "adapter_model.safetensors").read_bytes()
    cut = error_after(lambda folder: (folder / "adapter_model.safetensors").write_bytes(weights[:-9]))
    assert "adapter_model.safetensors is damaged" in cut
    endless = '{"r": 1e999, "lora_alpha": 1}'
    pattern = '{"r": 2, "lora_alpha": 1, "alpha_pattern": {"(": 1}}'
    for contents in ("{", "[]", "{}", "[" * 100_000, endless, pattern, '{"r": {}, "lora_alpha": []}'):
        config = error_after(lambda folder, contents=contents: (folder / "adapter_config.json").write_text(contents))
        assert re.search("adapter_config.json (is damaged|cannot be read as JSON): fetch the adapter again", config)
    gone = error_after(lambda folder: rewritten(folder, lambda tensors: tensors.pop(key)))
    assert "its weights for layers.0.self_attn.q_proj are incomplete" in gone
    nan = error_after(lambda folder: rewritten(folder, lambda tensors: tensors[key].fill_(float("nan"))))
    assert "holds NaN or infinity for layers.0.self_attn.q_proj" in nan
    empty = error_after(lambda folder: rewritten(folder, lambda tensors: tensors.clear()))
    assert "changes no layer" in empty


def test_an_adapter_that_is_not_there_is_one_line(tmp_path, tiny_embedder, monkeypatch):
    import huggingface_hub

    for named in (str(tmp_path / "gone"), "gone", "a/b/c", "a\nb"):
        assert "there is no adapter at" in error_of(tiny_embedder("tied", adapters=(named,)))
    assert "is no adapter: it has no adapter_config.json" in error_of(tiny_embedder("tied", adapters=(str(tmp_path),)))
    (tmp_path / "adapter_config.json").write_text("{}")
    assert "it has no adapter_model.safetensors or" in error_of(tiny_embedder("tied", adapters=(str(tmp_path),)))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert "cannot fetch owner/none@v1 from" in error_of(tiny_embedder("tied", adapters=("owner/none@v1",)))


def test_of_the_hub_only_the_adapters_own_files_are_fetched(tiny_model, tmp_path, monkeypatch):
    adapter = make_adapter(tmp_path / "a", tiny_model("tied"), LAYERS["tied"])
    asked = []

    def fetch(model, revision, patterns):
        asked.append((model, revision, patterns))
        return adapter

    monkeypatch.setattr(module, "fetch", fetch)
    wanted = ["adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"]
    assert adapter_folder("owner/name@abc1") == adapter
    assert adapter_folder("owner/name") == adapter
    assert asked == [("owner/name", "abc1", wanted), ("owner/name", None, wanted)]


def test_held_out_documents_are_those_of_an_adapter_of_the_same_corpus(tmp_path):
    def adapter(name, listed):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "training.json").write_text(json.dumps({"about": {"held_out_documents": listed}}))
        return folder

    one, two = adapter("one", ["a", "b", "c"]), adapter("two", ["b", "c", "x"])
    pairs, odd = adapter("pairs", []), adapter("odd", 7)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "training.json").write_text("{")
    corpus = {"a", "b", "c", "d"}.__contains__
    assert held_out_documents([one], corpus) == {"a", "b", "c"}
    assert held_out_documents([one, two], corpus) == {"b", "c"}
    assert held_out_documents([one], {"a"}.__contains__) is None
    assert held_out_documents([pairs, odd, tmp_path / "broken", tmp_path / "none"], corpus) is None
    assert held_out_documents([pairs, one, odd], corpus) == {"a", "b", "c"}
