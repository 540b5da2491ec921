"""The adapter that is part of the package: whole, small, described, and on top of the default weights."""

import json

import numpy as np
import pytest

from sparseembed.alignment.head import decoding_head
from sparseembed.embedders.adapters import CONFIG, SHIPPED, WEIGHTS, adapter_folder
from sparseembed.embedders.load import load_embedder
from sparseembed.embedders.presets import PRESETS
from sparseembed.embedders.query_head import FILE
from sparseembed.errors import EmbedderError
from sparseembed.training.batch import Batch, State, Texts, Vocabulary
from sparseembed.training.lexical import WordStatistics

NAME = "smollm2-135m-aligned"
LARGEST, LARGEST_HEAD = 10_000_000, 4_000_000  # bytes


@pytest.fixture(scope="module")
def folder():
    return adapter_folder(SHIPPED + NAME)


def test_it_is_whole_and_small(folder):
    files = {file.name: file.stat().st_size for file in folder.iterdir()}
    assert {CONFIG, WEIGHTS[0], "README.md", "curve.svg", FILE} <= set(files)
    assert files.pop(FILE) < LARGEST_HEAD
    assert sum(files.values()) < LARGEST


def test_its_config_names_the_presets_base(folder):
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    assert config["base_model_name_or_path"] == PRESETS[NAME].weights == PRESETS["smollm2-135m"].weights


def test_its_card_tells_data_and_licences(folder):
    card = (folder / "README.md").read_text(encoding="utf-8")
    for section in ("## Data", "## Query head", "## Recipe", "## Held-out pairs", "## Curve", "## Limits"):
        assert section in card
    assert "| not given |" not in card
    assert f"--adapter {SHIPPED}{NAME}" in card


def test_it_differs_from_the_default_in_the_adapter_alone():
    ours, plain = PRESETS[NAME], PRESETS["smollm2-135m"]
    assert ours.with_changes(name="smollm2-135m", adapters=()) == plain


def test_an_unknown_shipped_adapter_is_told():
    with pytest.raises(EmbedderError, match=r"no adapter.*nothing-of-the-kind"):
        adapter_folder(SHIPPED + "nothing-of-the-kind")


@pytest.mark.model
def test_decoded_words_of_an_answer_are_those_of_its_question():
    """The score of inference-free queries: own answer against the others, in standard deviations."""
    import torch

    pairs = [
        ("What helps against high blood pressure?", "Less salt, more exercise and certain drugs lower hypertension."),
        ("Who wrote Hamlet?", "The tragedy of the Danish prince is one of Shakespeare's plays."),
        ("How do plants feed themselves?", "Leaves make sugar out of light, water and carbon dioxide."),
        ("Why is the sea salty?", "Rivers carry minerals from rocks, and they stay when water evaporates."),
        ("How is bread leavened?", "Yeast ferments the dough, and the gas lets it rise."),
        ("When do birds migrate?", "Swallows leave for Africa in autumn and return in spring."),
    ]
    answers = [answer for _, answer in pairs]
    texts = Texts([question for question, _ in pairs], answers)
    statistics = WordStatistics(answers)
    margins = {}
    for name in ("smollm2-135m", NAME):
        embedder = load_embedder(name)
        vectors = torch.from_numpy(embedder.encode(answers))
        vocabulary = Vocabulary(decoding_head(embedder).matrix, embedder.tokenizer, statistics)
        scores = Batch(texts, vectors, vectors, State(), vocabulary).aligned.numpy()
        others = scores[~np.eye(len(pairs), dtype=bool)]
        margins[name] = float((np.diagonal(scores).mean() - others.mean()) / others.std())
    assert margins[NAME] > margins["smollm2-135m"] + 0.2, margins
