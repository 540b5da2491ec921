"""Model folders whose parts do not belong together: tokens without an embedding, an adapter beside the model."""

import json
import shutil

import numpy as np
import pytest

from sparseembed.embedders.sources import model_folder, weights_fingerprint
from sparseembed.errors import EmbedderError


@pytest.fixture
def grown(model_copy, tiny_embedder, tiny_tokenizer):
    """Return a function that makes an embedder whose tokenizer got tokens that the model has no embeddings of."""

    def make(*tokens, special=False, **parts):
        from tokenizers import AddedToken, Tokenizer

        folder = model_copy("tied")
        tokenizer = Tokenizer.from_str(tiny_tokenizer.to_str())
        tokenizer.add_tokens([AddedToken(token, special=special) for token in tokens])
        tokenizer.save(str(folder / "tokenizer.json"))
        return tiny_embedder(folder, **parts)

    return make


def line_of(call):
    with pytest.raises(EmbedderError) as caught:
        call()
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_an_added_token_is_named_with_its_document(grown, tiny_tokenizer):
    embedder, known = grown("zorblax"), tiny_tokenizer.get_vocab_size()
    texts, names = ["The cat.", "", "The zorblax machine is here."], ["a", "b", "z"]
    message = line_of(lambda: embedder.encode_counted(texts, "document", names))
    assert message.startswith(f"document z holds the token 'zorblax' (number {known}), and the model has embeddings of")
    assert "document number 3 holds" in line_of(lambda: embedder.encode(texts))
    assert "query number 3 holds" in line_of(lambda: embedder.early(texts, 1))
    assert embedder.model_calls == 0
    assert embedder.encode(texts[:2]).shape == (2, 32)


def test_a_token_of_the_prompt_is_found_too(grown):
    embedder = grown("<query>", special=True, query_prompt="<query>{text}")
    assert "query number 1 holds the token '<query>'" in line_of(lambda: embedder.encode(["cat"], "query"))
    assert embedder.encode(["<query> cat"]).shape == (1, 32)  # in a text it is plain text


def test_a_token_behind_the_cut_does_no_harm(grown):
    embedder = grown("zorblax", max_length=8)
    vectors = embedder.encode(["the light of the sun " * 4 + "zorblax", "the light of the sun " * 4])
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-6)


def test_a_model_with_embeddings_to_spare_is_fine(model_copy, tiny_embedder):
    import transformers

    folder = model_copy("tied")
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    model.resize_token_embeddings(model.config.vocab_size + 64)
    model.save_pretrained(folder)
    assert np.isfinite(tiny_embedder(folder).encode(["The cat sat."])).all()


@pytest.fixture
def with_adapter(model_copy, tiny_model):
    """Return a model's folder that an adapter, as the package peft saves it, was put into."""
    import torch
    from safetensors.torch import save_file

    folder = model_copy("tied")
    layer = "base_model.model.model.layers.0.self_attn.q_proj"
    generator = torch.Generator().manual_seed(0)
    parts = {f"{layer}.lora_A.weight": (4, 32), f"{layer}.lora_B.weight": (32, 4)}
    save_file(
        {name: torch.randn(shape, generator=generator) for name, shape in parts.items()},
        folder / "adapter_model.safetensors",
    )
    about = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj"], "task_type": "CAUSAL_LM"}
    (folder / "adapter_config.json").write_text(json.dumps({**about, "base_model_name_or_path": str(folder)}))
    return folder


def test_a_model_and_an_adapter_in_one_folder_are_refused(with_adapter, tiny_embedder):
    alone, twice = tiny_embedder(with_adapter), tiny_embedder(with_adapter, adapters=(str(with_adapter),))
    for call in (lambda: alone.encode(["cat"]), alone.identity, lambda: twice.encode(["cat"]), twice.identity):
        assert line_of(call).startswith(
            f"{with_adapter} holds a model and an adapter (adapter_config.json), and which of them is meant is not "
            "told: move the adapter's files into a folder of their own, and name it with --adapter"
        )


def test_apart_they_are_model_and_adapter(with_adapter, tiny_model, tiny_embedder, tmp_path):
    apart = tmp_path / "adapter"
    apart.mkdir()
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.move(with_adapter / name, apart / name)
    plain, adapted = tiny_embedder(with_adapter), tiny_embedder(with_adapter, adapters=(str(apart),))
    assert plain.fingerprint == weights_fingerprint(tiny_model("tied"))
    np.testing.assert_array_equal(plain.encode(["The cat."]), tiny_embedder("tied").encode(["The cat."]))
    assert abs(plain.encode(["The cat."]) - adapted.encode(["The cat."])).max() > 1e-3
    assert plain.identity() != adapted.identity()


def test_weights_of_an_adapter_alone_are_no_part_of_the_fingerprint(with_adapter, tiny_model):
    (with_adapter / "adapter_config.json").unlink()
    assert model_folder(str(with_adapter)) == with_adapter
    assert weights_fingerprint(with_adapter) == weights_fingerprint(tiny_model("tied"))
    for file in with_adapter.glob("model*.safetensors"):
        file.unlink()
    assert "holds no weights" in line_of(lambda: weights_fingerprint(with_adapter))


def test_a_home_that_is_nobodys_is_one_line():
    assert line_of(lambda: model_folder("~nobody-of-that-name/x")).startswith(
        "there is no model at ~nobody-of-that-name"
    )
