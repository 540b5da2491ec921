"""Tiny models with random weights and a real tokenizer, a cache of one's own, and how hypothesis runs."""

import os
import shutil
import stat
import warnings
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from sparseembed import progress

# Before anything imports numpy or torch, and for the processes that tests start: of matrices this small, threads only
# wait for each other, and the tests run in several processes.
os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
settings.load_profile("project")


@pytest.hookimpl(tryfirst=True)
def pytest_configure() -> None:
    """Take pytest-asyncio's default without its warning, which a setting would be where it isn't installed; and fsync.

    The disk's answer is waited for only where a process of its own is tested. A small index is synced 36 times, which
    can take longer than all the rest of its building, and no test cuts the power.
    """
    warnings.filterwarnings("ignore", message='The configuration option "asyncio_default_fixture_loop_scope"')
    os.fsync = _fsync_of(os.fsync)


def _fsync_of(real: Callable[[Any], None]) -> Callable[[Any], None]:
    def fsync(file: Any) -> None:
        number = file if isinstance(file, int) else file.fileno()
        kind = os.fstat(number).st_mode  # which fails for what is not open
        if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
            real(number)

    return fsync


SENTENCES = [
    "The cat sat on the mat and the dog sat on the cat.",
    "Photosynthesis is how green plants make sugar from light, water and carbon dioxide.",
    "A whale is no fish: it breathes air and feeds its young with milk.",
    "Rivers carry water from the mountains to the sea; Rivers also carry sand.",
    "the light of the sun takes eight minutes to reach the earth",
    "She reads books about green whales, and he reads about rivers.",
]


@pytest.fixture(scope="session")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a new name at each turn: numbered folders of pytest's own are counted anew each time, all of them."""
    folder = tmp_path_factory.mktemp("caches")
    return (folder / str(number) for number in count())


@pytest.fixture(autouse=True)
def isolated_cache(request: pytest.FixtureRequest, caches: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a cache of its own; the real model alone is converted once, in the user's."""
    if request.node.get_closest_marker("model") is None:
        cache = next(caches)
        cache.mkdir()
        monkeypatch.setenv("SPARSEEMBED_CACHE", str(cache))


@pytest.fixture(scope="session")
def analyzer() -> Any:
    """The English analyzer, on the one Java machine of the test run."""
    from sparseembed.analyzers.lucene import LuceneEnglishAnalyzer

    return LuceneEnglishAnalyzer()


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
    """Return a function that gives the folder of a tiny model: `tied`, `untied` (both Llama) or another architecture.

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
def silence() -> Iterator[None]:
    """Say nothing of long work, and put the reporter back that a test has set."""
    before = progress.set_reporter(progress.SilentReporter())
    yield
    progress.set_reporter(before)


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def build_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that builds an index for several tests, in a cache of its own: to change it, take a copy."""

    def build(corpus: Any, embedder: Any, **parts: Any) -> Path:
        from sparseembed import build_index

        before = progress.set_reporter(progress.SilentReporter())
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SPARSEEMBED_CACHE", str(tmp_path_factory.mktemp("cache")))
            built = build_index(corpus, tmp_path_factory.mktemp("built") / "index", embedder, **parts)
        progress.set_reporter(before)
        return built.path

    return build


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Return a browser without a window, where playwright and a chromium are installed."""
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium is installed")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=chromium, args=sandbox)
        yield launched
        launched.close()


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
    model = _tiny_of(kind, shape, transformers)
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))


def _tiny_of(kind: str, shape: dict[str, Any], transformers: Any) -> Any:
    few = {key: shape[key] for key in ("vocab_size", "initializer_range", "bos_token_id", "eos_token_id")}
    grouped = {**shape, "num_key_value_heads": 2}
    heads = {**grouped, "head_dim": 8}
    # One layer sees a window of four tokens, one all.
    windows = {"layer_types": ["sliding_attention", "full_attention"], "query_pre_attn_scalar": 8, "pad_token_id": 0}
    opt = {key: shape[key] for key in shape if key not in ("intermediate_size", "initializer_range")}
    t = transformers
    makers: dict[str, Callable[[], Any]] = {
        "tied": lambda: t.LlamaForCausalLM(t.LlamaConfig(**grouped, tie_word_embeddings=True)),
        "untied": lambda: t.LlamaForCausalLM(t.LlamaConfig(**shape, tie_word_embeddings=False)),
        "neox": lambda: t.GPTNeoXForCausalLM(t.GPTNeoXConfig(**shape)),
        "gpt2": lambda: t.GPT2LMHeadModel(t.GPT2Config(**few, n_embd=32, n_layer=2, n_head=4, n_positions=128)),
        "bert": lambda: t.BertModel(t.BertConfig(**shape)),
        "mpnet": lambda: t.MPNetModel(t.MPNetConfig(**shape, pad_token_id=1)),
        "mistral": lambda: t.MistralForCausalLM(t.MistralConfig(**grouped, sliding_window=None)),
        "qwen2": lambda: t.Qwen2ForCausalLM(t.Qwen2Config(**grouped)),
        "qwen3": lambda: t.Qwen3ForCausalLM(t.Qwen3Config(**heads, tie_word_embeddings=True)),
        "gemma3": lambda: t.Gemma3ForCausalLM(t.Gemma3TextConfig(**heads, **windows, sliding_window=4)),
        # Of a model that is bidirectional by itself the configuration halves the window, plus one.
        "gemma3-bi": lambda: t.Gemma3TextModel(
            t.Gemma3TextConfig(**heads, **windows, sliding_window=6, use_bidirectional_attention=True)
        ),
        "opt": lambda: t.OPTForCausalLM(t.OPTConfig(**opt, ffn_dim=64, init_std=0.2, pad_token_id=1)),
        "gptneo": lambda: t.GPTNeoForCausalLM(
            t.GPTNeoConfig(
                **few,
                hidden_size=32,
                num_layers=2,
                num_heads=4,
                intermediate_size=64,
                max_position_embeddings=128,
                attention_types=[[["global", "local"], 1]],
                window_size=4,
            )
        ),
    }
    return makers[kind]()
