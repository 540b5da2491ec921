"""One index of the examples' documents for all frameworks, made with a tiny model; and no telemetry."""

import os
import runpy
import sys
from pathlib import Path

import pytest

from sparseembed import build_index
from sparseembed.data.corpus import Corpus

EXAMPLES = Path(__file__).parents[2] / "examples"

# Before any framework is imported, which is when they decide whether to tell their makers.
os.environ.update(
    HAYSTACK_TELEMETRY_ENABLED="False",
    HF_HUB_DISABLE_TELEMETRY="1",
    LANGSMITH_TRACING="false",
    PT_TEST_TRANSFORMER_REPORTS="0",
)


@pytest.fixture(scope="session")
def small():
    """The collection of the examples: `documents`, `QUERIES` and `QRELS`."""
    return runpy.run_path(str(EXAMPLES / "small_collection.py"))


@pytest.fixture(scope="session")
def made_embedder(tiny_model):
    """An embedder of a tiny model that lives as long as the indexes here."""
    from sparseembed.embedders.load import load_embedder

    return load_embedder(str(tiny_model("tied")), dtype="float32", device="cpu")


@pytest.fixture(scope="session")
def small_index(small, made_embedder, tmp_path_factory):
    """The folder of an index of the collection; not to be changed."""
    folder = tmp_path_factory.mktemp("frameworks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARSEEMBED_CACHE", str(folder / "cache"))
        return build_index(Corpus(small["documents"](), "small"), folder / "index", made_embedder, k=40).path


@pytest.fixture
def run_example(tiny_model, monkeypatch, capsys):
    """Return a function that runs an example, with a tiny model or its own, and gives its names and what it printed."""

    def run(name, tiny=True):
        monkeypatch.setattr(sys, "argv", [name, str(tiny_model("tied"))] if tiny else [name])
        monkeypatch.syspath_prepend(str(EXAMPLES))
        monkeypatch.delitem(sys.modules, "small_collection", raising=False)
        capsys.readouterr()
        names = runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return names, capsys.readouterr().out

    return run
