"""MLM heads against transformers' own logits, from every form of checkpoint; a causal LM's head is its matrix."""

import shutil

import numpy as np
import pytest

from sparseembed.alignment import masked
from sparseembed.alignment.adjustment import fit_adjustment
from sparseembed.alignment.head import check_head, decoding_head, is_encoder
from sparseembed.alignment.matrix import decoding_matrix, read_matrix
from sparseembed.api import decode
from sparseembed.errors import EmbedderError

TOLERANCE = 2e-5  # of logits up to about 20: float32 sums in another order
KINDS = ["bert", "roberta", "mpnet", "distilbert"]
TEXTS = ["the cat sat on the mat", "A whale breathes air.", "rivers carry water to the sea", "green plants make sugar"]


@pytest.fixture
def encoder(tiny_embedder):
    """Return a function that makes an embedder of an encoder: the state of its first token."""
    return lambda folder, **parts: tiny_embedder(folder, **{"attention": "bidirectional", "pooling": "token:0"} | parts)


@pytest.fixture
def copied(masked_model, tmp_path):
    """Return a function that copies a tiny encoder's folder."""
    return lambda kind: shutil.copytree(masked_model(kind), tmp_path / f"{kind}-copy")


def scores_of(embedder, texts=TEXTS):
    head = decoding_head(embedder)
    return head.inputs(embedder.encode(texts)) @ head.matrix.T


def rewrite(folder, change):
    """Change a folder's tensors by name, in place."""
    from safetensors.torch import load_file, save_file

    state = load_file(folder / "model.safetensors")
    change(state)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


def error_of(call, *arguments):
    with pytest.raises(EmbedderError) as caught:
        call(*arguments)
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.mark.parametrize("kind", [*KINDS, "pretraining"])
def test_decoding_gives_the_models_own_logits(masked_model, encoder, naive_logits, kind):
    folder = masked_model(kind)
    expected = naive_logits(folder, TEXTS)
    np.testing.assert_allclose(scores_of(encoder(folder)), expected, atol=TOLERANCE)
    check_head(encoder(folder))
    assert is_encoder(folder)
    assert "has an MLM head, which is more than a matrix" in error_of(read_matrix, folder)
    bias = decoding_head(encoder(folder)).matrix[:, -1]
    assert np.abs(bias).max() > 1000 * TOLERANCE


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("activation", ["relu", "gelu_new"])
def test_the_activation_is_the_one_that_the_architecture_takes(save_masked, encoder, naive_logits, kind, activation):
    # RoBERTa's and MPNet's heads take gelu whatever the configuration says.
    folder = save_masked(kind, **{"activation" if kind == "distilbert" else "hidden_act": activation})
    np.testing.assert_allclose(scores_of(encoder(folder)), naive_logits(folder, TEXTS), atol=TOLERANCE)


@pytest.mark.parametrize("kind", KINDS[:3])
def test_epsilon_is_that_of_the_configuration(save_masked, encoder, naive_logits, kind):
    folder = save_masked(kind, layer_norm_eps=0.3)
    np.testing.assert_allclose(scores_of(encoder(folder)), naive_logits(folder, TEXTS), atol=TOLERANCE)


@pytest.mark.parametrize("kind", KINDS)
def test_pytorch_bin_and_shards(masked_model, copied, encoder, naive_logits, tmp_path, kind):
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModelForMaskedLM

    expected = naive_logits(masked_model(kind), TEXTS)
    folder = copied(kind)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    np.testing.assert_allclose(scores_of(encoder(folder)), expected, atol=TOLERANCE)
    model = AutoModelForMaskedLM.from_pretrained(masked_model(kind))
    model.save_pretrained(tmp_path / "shards", max_shard_size="10KB")
    shutil.copy(folder / "tokenizer.json", tmp_path / "shards")
    assert len(list((tmp_path / "shards").glob("*.safetensors"))) > 2
    np.testing.assert_allclose(scores_of(encoder(tmp_path / "shards")), expected, atol=TOLERANCE)


def test_the_first_names_of_a_layer_norm(masked_model, copied, encoder, naive_logits):
    expected = naive_logits(masked_model("bert"), TEXTS)

    def rename(state):
        for name in [name for name in state if "LayerNorm." in name]:
            old = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
            state[old] = state.pop(name)

    folder = copied("bert")
    rewrite(folder, rename)
    np.testing.assert_allclose(scores_of(encoder(folder)), expected, atol=TOLERANCE)


@pytest.mark.parametrize("kind", KINDS)
def test_an_untied_matrix_comes_before_the_input_one(save_masked, encoder, naive_logits, kind):
    folder = save_masked(kind, tie_word_embeddings=False)
    np.testing.assert_allclose(scores_of(encoder(folder)), naive_logits(folder, TEXTS), atol=TOLERANCE)


def test_another_encoders_head_decodes(masked_model, encoder, copied, naive_logits):
    """Half of an embedder's checkpoints hold the body alone: the backbone's head takes its states."""
    body = copied("bert")
    rewrite(body, lambda state: [state.pop(name) for name in list(state) if name.startswith("cls.")])
    assert "has no LM head" in error_of(check_head, encoder(body))
    assert "no MLM head" in error_of(decoding_head, encoder(body))
    assert not is_encoder(body)
    told = error_of(read_matrix, body)
    assert "--decoding" in told
    embedder = encoder(body, decoding=str(masked_model("bert")))
    check_head(embedder)
    np.testing.assert_allclose(scores_of(embedder), naive_logits(masked_model("bert"), TEXTS), atol=TOLERANCE)


def test_blank_texts_stay_blank_and_blocks_do_not_matter(masked_model, encoder, monkeypatch):
    head = decoding_head(encoder(masked_model("bert")))
    vectors = np.random.default_rng(3).normal(size=(11, 32)).astype(np.float32)
    vectors[[0, 7]] = 0
    whole = head.inputs(vectors)
    assert whole.shape == (11, 33)
    assert whole.dtype == np.float32
    assert not whole[[0, 7]].any()
    assert (np.delete(whole, [0, 7], axis=0)[:, -1] == 1).all()
    monkeypatch.setattr(masked, "ROWS", 3)
    np.testing.assert_allclose(head.inputs(vectors), whole, atol=1e-6)
    assert head.inputs(vectors[:0]).shape == (0, 33)


def test_adjusted_is_what_the_transform_makes(masked_model, encoder, naive_logits):
    folder = masked_model("mpnet")
    embedder, logits = encoder(folder), naive_logits(folder, TEXTS)
    head = decoding_head(embedder)
    vectors = embedder.encode(TEXTS)
    centred = fit_adjustment("centred", head.inputs(vectors)).after(head.inputs)
    np.testing.assert_allclose(centred.apply(vectors) @ head.matrix.T, logits - logits.mean(axis=0), atol=3 * TOLERANCE)
    # PC1 removed in the space of the inputs; logits are linear there.
    inputs = head.inputs(vectors).astype(np.float64)
    first = np.linalg.svd(inputs, full_matrices=False)[2][0]
    expected = logits - np.outer(inputs @ first, head.matrix @ first)
    pc1 = fit_adjustment("pc1", head.inputs(vectors)).after(head.inputs)
    np.testing.assert_allclose(pc1.apply(vectors) @ head.matrix.T, expected, atol=1e-4)
    assert not centred.apply(np.zeros((1, 32), dtype=np.float32)).any()


def test_decode_takes_embeddings_as_they_come(masked_model, encoder, naive_logits):
    embedder, logits = encoder(masked_model("bert")), naive_logits(masked_model("bert"), TEXTS)
    vectors = embedder.encode(TEXTS)
    pieces = embedder.tokenizer.get_vocab()
    special = [pieces[name] for name in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")]
    inputs = decoding_head(embedder).inputs
    for adjustment in (None, fit_adjustment("centred", inputs(vectors))):
        expected = logits[1] - (0 if adjustment is None else logits.mean(axis=0))
        expected[special] = -np.inf
        best = np.argsort(-expected)[:5]
        found = decode(vectors[1], embedder, 5, "token", adjustment)
        assert [pieces[token] for token, _ in found] == best.tolist()
        np.testing.assert_allclose([score for _, score in found], expected[best], atol=3 * TOLERANCE)


@pytest.mark.parametrize("kind", ["tied", "untied", "gpt2"])
def test_a_causal_lm_has_its_matrix_and_nothing_before_it(tiny_model, tiny_embedder, kind):
    embedder = tiny_embedder(kind)
    head = decoding_head(embedder)
    np.testing.assert_array_equal(head.matrix, decoding_matrix(embedder))
    vectors = embedder.encode(["the cat", ""])
    assert head.inputs(vectors) is vectors
    assert not is_encoder(tiny_model(kind))


PARTS = [
    "cls.predictions.transform.dense.bias",
    "cls.predictions.transform.LayerNorm.weight",
    "cls.predictions.transform.LayerNorm.bias",
    "cls.predictions.bias",
]


@pytest.mark.parametrize("part", PARTS)
def test_a_head_that_lacks_a_part_is_one_line(copied, encoder, part):
    folder = copied("bert")
    rewrite(folder, lambda state: state.pop(part))
    for call in (check_head, decoding_head):
        assert f"the MLM head in {folder} lacks {part}" in error_of(call, encoder(folder))


def test_without_a_matrix_and_untied_is_one_line(copied, encoder, change_config):
    folder = copied("bert")
    change_config(folder, tie_word_embeddings=False)
    assert "lacks cls.predictions.decoder.weight" in error_of(check_head, encoder(folder))


@pytest.mark.parametrize("part", PARTS)
def test_parts_that_do_not_fit_are_one_line(copied, encoder, part):
    import torch

    folder = copied("bert")
    rewrite(folder, lambda state: state.update({part: torch.ones(7)}))
    assert "do not fit" in error_of(decoding_head, encoder(folder))


def test_a_head_of_another_width_is_one_line(save_masked, masked_model, encoder):
    other = save_masked("bert", hidden_size=16)
    told = error_of(decoding_head, encoder(masked_model("bert"), decoding=str(other)))
    assert "has rows of 16, the embeddings have 32 numbers" in told


def test_nan_and_an_unknown_activation_are_one_line(copied, encoder, change_config):
    folder = copied("bert")
    change_config(folder, hidden_act="no-such-function")
    assert "activation 'no-such-function'" in error_of(decoding_head, encoder(folder))
    change_config(folder, hidden_act="gelu")
    rewrite(folder, lambda state: state["cls.predictions.bias"].__setitem__(2, float("nan")))
    told = error_of(decoding_head, encoder(folder))
    assert "cls.predictions.bias" in told
    assert "holds NaN or infinity" in told
