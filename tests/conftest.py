"""Tiny models with random weights and a real tokenizer, a cache of one's own, and how hypothesis runs."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
settings.load_profile("project")

SENTENCES = [
    "The cat sat on the mat and the dog sat on the cat.",
    "Photosynthesis is how green plants make sugar from light, water and carbon dioxide.",
    "A whale is no fish: it breathes air and feeds its young with milk.",
    "Rivers carry water from the mountains to the sea; Rivers also carry sand.",
    "the light of the sun takes eight minutes to reach the earth",
    "She reads books about green whales, and he reads about rivers.",
]


@pytest.fixture(autouse=True)
def isolated_cache(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Give each test a cache of its own; the real model alone is converted once, in the user's."""
    if request.node.get_closest_marker("model") is None:
        monkeypatch.setenv("SPARSEEMBED_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="session")
def tiny_tokenizer() -> Any:
    """Return a byte-level BPE tokenizer trained on a few sentences: `Ġ` marks a leading space, `<s>` begins a text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES * 3, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return tokenizer


@pytest.fixture(scope="session")
def tiny_model(tiny_tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that gives the folder of a tiny model: `tied`, `untied` (both Llama), `neox`, `gpt2`, `bert`.

    The folders are shared by all tests: to damage one, take a copy (`model_copy`).
    """
    made: dict[str, Path] = {}

    def folder_of(kind: str) -> Path:
        if kind not in made:
            made[kind] = tmp_path_factory.mktemp("models") / kind
            _save_tiny(kind, tiny_tokenizer, made[kind])
        return made[kind]

    return folder_of


@pytest.fixture
def model_copy(tiny_model: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that copies a tiny model's folder, for tests that change it."""
    return lambda kind: Path(shutil.copytree(tiny_model(kind), tmp_path / f"{kind}-copy"))


@pytest.fixture
def tiny_embedder(tiny_model: Callable[[str], Path]) -> Callable[..., Any]:
    """Return a function that makes an embedder of a tiny model, in float32 on the processor."""

    def make(model: str | Path = "tied", **parts: Any) -> Any:
        from sparseembed.embedders.spec import EmbedderSpec
        from sparseembed.embedders.transformer import TransformerEmbedder

        folder = model if isinstance(model, Path) else tiny_model(model)
        return TransformerEmbedder(
            EmbedderSpec(folder.name, str(folder), **{"dtype": "float32", "device": "cpu", **parts})
        )

    return make


def _save_tiny(kind: str, tokenizer: Any, folder: Path) -> None:
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)  # of models this small, threads only wait for each other
    torch.manual_seed(sum(map(ord, kind)))
    # Weights ten times as large as usual: attention is then felt in every state.
    shape = {
        "vocab_size": tokenizer.get_vocab_size(),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": 128,
        "initializer_range": 0.2,
        "bos_token_id": 0,
        "eos_token_id": 1,
    }
    if kind == "tied":
        config = transformers.LlamaConfig(**shape, num_key_value_heads=2, tie_word_embeddings=True)
        model = transformers.LlamaForCausalLM(config)
    elif kind == "untied":
        model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**shape, tie_word_embeddings=False))
    elif kind == "neox":
        model = transformers.GPTNeoXForCausalLM(transformers.GPTNeoXConfig(**shape))
    elif kind == "gpt2":
        renamed = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128}
        kept = {key: shape[key] for key in ("vocab_size", "initializer_range", "bos_token_id", "eos_token_id")}
        model = transformers.GPT2LMHeadModel(transformers.GPT2Config(**kept, **renamed))
    else:
        model = transformers.BertModel(transformers.BertConfig(**shape))
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
