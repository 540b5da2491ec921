"""The adapter that is part of the package: whole, small, described, and on top of the default weights."""

import json

import numpy as np
import pytest

from sparseembed.embedders.adapters import CONFIG, SHIPPED, WEIGHTS, adapter_folder
from sparseembed.embedders.load import load_embedder
from sparseembed.embedders.presets import PRESETS
from sparseembed.errors import EmbedderError

NAME = "smollm2-135m-aligned"
LARGEST = 10_000_000  # bytes


@pytest.fixture(scope="module")
def folder():
    return adapter_folder(SHIPPED + NAME)


def test_it_is_whole_and_small(folder):
    files = {file.name: file.stat().st_size for file in folder.iterdir()}
    assert {CONFIG, WEIGHTS[0], "README.md", "curve.svg"} <= set(files)
    assert sum(files.values()) < LARGEST


def test_its_config_names_the_presets_base(folder):
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    assert config["base_model_name_or_path"] == PRESETS[NAME].weights == PRESETS["smollm2-135m"].weights


def test_its_card_tells_data_and_licences(folder):
    card = (folder / "README.md").read_text(encoding="utf-8")
    for section in ("## Data", "## Recipe", "## Held-out pairs", "## Curve", "## Limits"):
        assert section in card
    assert "| not given |" not in card


def test_it_differs_from_the_default_in_the_adapter_alone():
    ours, plain = PRESETS[NAME], PRESETS["smollm2-135m"]
    assert ours.with_changes(name="smollm2-135m", adapters=()) == plain


def test_an_unknown_shipped_adapter_is_told():
    with pytest.raises(EmbedderError, match=r"no adapter.*nothing-of-the-kind"):
        adapter_folder(SHIPPED + "nothing-of-the-kind")


@pytest.mark.model
def test_it_brings_a_question_nearer_to_its_answer():
    question = "What helps against high blood pressure?"
    answers = [
        "Less salt, more exercise and certain drugs lower hypertension.",
        "The orchestra will play two symphonies on Friday.",
        "Pressure in the tyres of a bicycle should be checked monthly.",
    ]
    margins = {}
    for name in ("smollm2-135m", NAME):
        embedder = load_embedder(name)
        vectors = np.concatenate([embedder.encode([question], "query"), embedder.encode(answers)])
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        cosines = vectors[1:] @ vectors[0]
        margins[name] = float(cosines[0] - cosines[1:].max())
    assert margins[NAME] > max(0.1, margins["smollm2-135m"])
