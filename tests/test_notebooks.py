"""The notebooks of the documentation run, and show what they have kept."""

import importlib.util
import json
import re
from difflib import SequenceMatcher
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
NOTEBOOKS = sorted((DOCS / "notebooks").glob("*.ipynb"))
ALIKE = 0.9  # documents change with Python's patch version, last digits with the processor
# Folders of a machine, and how long something took there.
OF_A_MACHINE = re.compile(r"/(home|root|tmp|usr|work)\b|0x[0-9a-f]{6}|\b\d[\d.]* ?(ms|seconds|s)\b|\d\d:\d\d")


def cells(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def text_of(cell):
    """Return what a cell shows as text."""
    found = (output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell["outputs"])
    return "".join("".join(each) for each in found)


def words(text):
    """Return words, and numbers as numbers."""
    return re.sub(r"[-+]?\d[\d,.]*", "0", text).split()


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    """Return a notebook's path and what it holds."""
    return request.param, json.loads(request.param.read_text(encoding="utf-8"))


def test_there_are_two():
    assert [path.stem for path in NOTEBOOKS] == ["does-my-embedder-align", "your-first-index"]


def test_outputs_are_kept(notebook):
    _, held = notebook
    assert 10 <= len(held["cells"]) <= 24
    assert [cell["execution_count"] for cell in cells(held)] == list(range(1, len(cells(held)) + 1))
    outputs = [output for cell in cells(held) for output in cell["outputs"]]
    assert len(outputs) >= len(cells(held)) - 1
    assert {output["output_type"] for output in outputs} <= {"stream", "display_data"}
    assert {output["name"] for output in outputs if "name" in output} == {"stdout"}
    for cell in cells(held):
        assert not OF_A_MACHINE.search(text_of(cell)), cell["source"]


def test_pictures_are_described(notebook):
    _, held = notebook
    pictures = [cell for cell in cells(held) if any("image/png" in each.get("data", {}) for each in cell["outputs"])]
    assert len(pictures) == 1
    assert all(len(cell["metadata"]["alt"]) > 60 for cell in pictures)


@pytest.mark.jvm
@pytest.mark.model
def test_a_run_shows_what_is_kept(notebook):
    for package in ("nbclient", "ipykernel", "matplotlib"):
        pytest.importorskip(package)
    spec = importlib.util.spec_from_file_location("run_notebooks", DOCS / "run_notebooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    path, held = notebook
    run = json.loads(json.dumps(module.executed(path)))
    for kept, now in zip(cells(held), cells(run), strict=True):
        assert [each["output_type"] for each in kept["outputs"]] == [each["output_type"] for each in now["outputs"]]
        alike = SequenceMatcher(None, words(text_of(kept)), words(text_of(now)), autojunk=False).ratio()
        assert alike >= ALIKE, f"{''.join(kept['source'])}\n\nkept:\n{text_of(kept)}\nnow:\n{text_of(now)}"
