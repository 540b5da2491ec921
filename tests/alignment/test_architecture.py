"""Causal LMs whose head has another name, and models that have none: tiny ones with random weights."""

import numpy as np
import pytest

from sparseembed.alignment.head import check_head
from sparseembed.alignment.matrix import decoding_matrix, read_matrix
from sparseembed.errors import EmbedderError

FEW = {"vocab_size": 420, "bos_token_id": 0, "eos_token_id": 1}
SMALL = {**FEW, "hidden_size": 32, "num_hidden_layers": 2}
HEADS = {**SMALL, "num_attention_heads": 4}


def tiny(kind):
    import transformers as t

    makers = {
        "mamba": lambda: t.MambaForCausalLM(t.MambaConfig(**SMALL, state_size=8)),
        "mamba-untied": lambda: t.MambaForCausalLM(t.MambaConfig(**SMALL, state_size=8, tie_word_embeddings=False)),
        "rwkv": lambda: t.RwkvForCausalLM(t.RwkvConfig(**SMALL, attention_hidden_size=32, rescale_every=0)),
        "falcon": lambda: t.FalconForCausalLM(t.FalconConfig(**HEADS)),
        "bloom": lambda: t.BloomForCausalLM(t.BloomConfig(**FEW, hidden_size=32, n_layer=2, n_head=4)),
        "gpt": lambda: t.OpenAIGPTLMHeadModel(t.OpenAIGPTConfig(**FEW, n_embd=32, n_layer=2, n_head=4)),
        "opt-projected": lambda: t.OPTForCausalLM(
            t.OPTConfig(**HEADS, ffn_dim=64, word_embed_proj_dim=16, do_layer_norm_before=False, pad_token_id=1)
        ),
        "electra": lambda: t.ElectraModel(t.ElectraConfig(**HEADS, embedding_size=32, intermediate_size=64)),
    }
    return makers[kind]()


@pytest.fixture(scope="module")
def folder_of(tiny_tokenizer, tmp_path_factory):
    """Return a function that gives the folder of a tiny model."""
    import torch

    made = {}

    def folder(kind):
        if kind not in made:
            made[kind] = tmp_path_factory.mktemp("architectures") / kind
            torch.manual_seed(0)
            tiny(kind).save_pretrained(made[kind])
            tiny_tokenizer.save(str(made[kind] / "tokenizer.json"))
        return made[kind]

    return folder


@pytest.mark.parametrize("kind", ["mamba", "mamba-untied", "rwkv", "falcon", "bloom", "gpt", "opt-projected"])
def test_decoding_an_embedding_gives_the_models_logits(folder_of, tiny_embedder, kind):
    import torch
    from transformers import AutoModelForCausalLM

    text = "the cat sat on the mat"
    embedder = tiny_embedder(folder_of(kind), document_prompt="{text}", max_length=64)
    check_head(embedder)
    found = decoding_matrix(embedder) @ embedder.encode([text])[0]
    model = AutoModelForCausalLM.from_pretrained(folder_of(kind), dtype=torch.float32).eval()
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([embedder.tokenizer.encode(text).ids])).logits[0, -1].numpy()
    np.testing.assert_allclose(found, logits, atol=1e-4, rtol=1e-4)


def test_an_encoder_without_its_head_has_no_matrix(folder_of):
    with pytest.raises(EmbedderError, match="has no LM head"):
        read_matrix(folder_of("electra"))
