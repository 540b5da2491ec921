"""Tiny encoders with an MLM head and a WordPiece tokenizer, random down to the biases."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ("the", "cat", "sat", "on", "mat", "a", "whale", "breathes", "air", "river", "carry", "water", "to", "sea")
MORE = ("plant", "make", "sugar", "light", "sun", "green", "of", "this", "means", "sentence", ".", ",", '"')
PIECES = [*SPECIAL, *WORDS, *MORE, "##s", "##tion", "tion", "ac", "##er"]


@pytest.fixture(scope="session")
def wordpiece() -> Any:
    """Return a tokenizer as BERT's: lower case, `##` before a piece that continues a word, [CLS] and [SEP] around."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    vocabulary = {piece: number for number, piece in enumerate(PIECES)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in SPECIAL])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


@pytest.fixture(scope="session")
def save_masked(wordpiece: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that saves a tiny model with an MLM head and gives its folder."""

    def save(kind: str, **config: Any) -> Path:
        import torch

        torch.set_num_threads(1)
        torch.manual_seed(sum(map(ord, kind)))
        model = _make(kind, config)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim == 1:  # biases and LayerNorms, which begin at 0 and 1
                    parameter.add_(torch.randn_like(parameter) * 0.5)
        folder = tmp_path_factory.mktemp("masked") / f"{kind}-mlm"
        model.save_pretrained(folder)
        wordpiece.save(str(folder / "tokenizer.json"))
        return folder

    return save


@pytest.fixture(scope="session")
def masked_model(save_masked: Callable[..., Path]) -> Callable[[str], Path]:
    """Return a function that gives the folder of a tiny model with an MLM head, shared by all tests."""
    made: dict[str, Path] = {}

    def folder_of(kind: str) -> Path:
        if kind not in made:
            made[kind] = save_masked(kind)
        return made[kind]

    return folder_of


@pytest.fixture(scope="session")
def naive_logits() -> Callable[[Path, list[str], int], Any]:
    """Return a function that gives transformers' own logits at one place of each text, shape (n, V)."""

    def logits(folder: Path, texts: list[str], place: int = 0) -> Any:
        import numpy as np
        import torch
        from tokenizers import Tokenizer
        from transformers import AutoModelForMaskedLM

        model = AutoModelForMaskedLM.from_pretrained(folder, dtype=torch.float32).eval()
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        with torch.inference_mode():
            rows = [model(input_ids=torch.tensor([tokenizer.encode(text).ids])).logits[0, place] for text in texts]
        return np.stack([row.numpy() for row in rows])

    return logits


@pytest.fixture
def change_config() -> Callable[..., None]:
    """Return a function that changes fields of a model folder's configuration."""

    def change(folder: Path, **fields: Any) -> None:
        file = folder / "config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))

    return change


def _make(kind: str, config: dict[str, Any]) -> Any:
    import transformers as t

    t.utils.logging.disable_progress_bar()
    usual = {"vocab_size": len(PIECES), "initializer_range": 0.2, "pad_token_id": 0, "max_position_embeddings": 64}
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    if kind == "distilbert":
        sizes = {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64}
    makers = {
        "bert": (t.BertForMaskedLM, t.BertConfig),
        "pretraining": (t.BertForPreTraining, t.BertConfig),
        "roberta": (t.RobertaForMaskedLM, t.RobertaConfig),
        "mpnet": (t.MPNetForMaskedLM, t.MPNetConfig),
        "distilbert": (t.DistilBertForMaskedLM, t.DistilBertConfig),
    }
    model, settings = makers[kind]
    return model(settings(**{**usual, **sizes, **config}))
