"""Encoders: DPR's two halves, and the prompt whose [MASK] is the embedding."""

import json

import numpy as np
import pytest

from sparseembed.embedders.presets import find_spec
from sparseembed.errors import EmbedderError

TEXTS = ["the cat sat on the mat", "A whale", "rivers carry water to the sea, and sand"]
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def dpr(tiny_tokenizer, tmp_path_factory):
    """Return a function that saves one half of a tiny DPR."""

    def save(half):
        import torch
        import transformers

        torch.manual_seed(len(half))
        shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
        settings = transformers.DPRConfig(
            vocab_size=tiny_tokenizer.get_vocab_size(),
            max_position_embeddings=64,
            initializer_range=0.2,
            pad_token_id=1,  # of token 0 each text has one, and DPR takes no padding for text
            **shape,
        )
        folder = tmp_path_factory.mktemp("dpr") / half
        getattr(transformers, half)(settings).save_pretrained(folder)
        tiny_tokenizer.save(str(folder / "tokenizer.json"))
        return folder

    return save


@pytest.mark.parametrize("half", ["DPRContextEncoder", "DPRQuestionEncoder"])
@pytest.mark.parametrize("binary", [False, True])
def test_each_half_of_dpr_gives_its_authors_vectors(dpr, tiny_embedder, half, binary):
    import torch
    import transformers
    from safetensors.torch import load_file

    folder = dpr(half)
    model = getattr(transformers, half).from_pretrained(folder).eval()
    if binary:
        torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()
    embedder = tiny_embedder(folder, attention="bidirectional", pooling="token:0")
    rows = [embedder.tokenizer.encode(text).ids for text in TEXTS]
    with torch.inference_mode():
        expected = [model(input_ids=torch.tensor([ids])).pooler_output[0].numpy() for ids in rows]
    np.testing.assert_allclose(embedder.encode(TEXTS), expected, atol=TOLERANCE)
    assert embedder.dimension == 32


def test_a_dpr_that_lacks_weights_is_one_line(dpr, tiny_embedder):
    from safetensors.torch import load_file, save_file

    folder = dpr("DPRContextEncoder")
    weights = load_file(folder / "model.safetensors")
    del weights["ctx_encoder.bert_model.encoder.layer.1.output.dense.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EmbedderError, match="lacks 1 of its weights") as caught:
        tiny_embedder(folder, attention="bidirectional").encode(["cat"])
    assert str(caught.value).isprintable()


def test_a_dpr_has_no_head_of_its_own(dpr, tiny_embedder):
    from sparseembed.alignment.head import check_head

    with pytest.raises(EmbedderError, match=r"no MLM head of an encoder.*--decoding"):
        check_head(tiny_embedder(dpr("DPRQuestionEncoder")))


@pytest.fixture
def masked_bert(tmp_path):
    """A tiny BERT with the pieces of PromptBERT's prompt, and [CLS] and [SEP] around each text."""
    import torch
    import transformers
    from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = ["this", "sentence", "of", "means", '"', ".", ":", "cats", "mask", "[", "]", "purr", "##r"]
    tokenizer = Tokenizer(models.WordPiece({piece: n for n, piece in enumerate(special + words)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in special])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    torch.manual_seed(5)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    config = transformers.BertConfig(
        vocab_size=len(special + words), max_position_embeddings=32, initializer_range=0.2, **shape
    )
    transformers.BertForMaskedLM(config).save_pretrained(tmp_path / "bert")
    tokenizer.save(str(tmp_path / "bert" / "tokenizer.json"))
    return tmp_path / "bert"


@pytest.mark.parametrize("name", ["promptbert-unsup", "promptbert-sup", "bert-base-prompt"])
def test_the_embedding_is_the_state_of_the_mask(masked_bert, tiny_embedder, name):
    import torch
    from transformers import BertModel

    spec = find_spec(name)
    parts = {part: getattr(spec, part) for part in ("document_prompt", "pooling", "attention", "max_length")}
    embedder = tiny_embedder(masked_bert, **parts)
    texts = ["cats purr", "Cats [MASK] purrr", "cats " * 50, "purr."]
    of = json.loads((masked_bert / "tokenizer.json").read_text())["model"]["vocab"]
    start = [of[word] for word in ("this", "sentence", ":" if name == "bert-base-prompt" else "of", '"')]
    end = [of[word] for word in ('"', "means", "[MASK]", ".", "[SEP]")]
    inside = [
        ["cats", "purr"],
        ["cats", "[", "mask", "]", "purr", "##r"],
        ["cats"] * (32 - 10),  # what the prompt leaves of 32 positions: the text is cut, the prompt never
        ["purr", "."],
    ]
    rows = [[of["[CLS]"], *start, *[of[piece] for piece in pieces], *end] for pieces in inside]
    assert max(map(len, rows)) == 32
    model = BertModel.from_pretrained(masked_bert, add_pooling_layer=False).eval()
    with torch.inference_mode():
        states = [model(input_ids=torch.tensor([ids])).last_hidden_state[0].numpy() for ids in rows]
    expected = [each[len(ids) - 3] for each, ids in zip(states, rows, strict=True)]
    assert all(ids[-3] == of["[MASK]"] for ids in rows)
    np.testing.assert_allclose(embedder.encode(texts), expected, atol=TOLERANCE)
