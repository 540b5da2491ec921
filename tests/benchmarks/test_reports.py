"""The table across embedders, from reports on disk."""

import json
import shutil
from pathlib import Path

import compare
import pytest
import tables

SYSTEMS = {
    "bm25 flat": 0.5,
    "dense cosine": 0.2,
    "dense centred": 0.4,
    "fusion rrf": 0.45,
    "fusion weighted": 0.55,
    "sparse aligned-inference-free": 0.3,
    "sparse aligned-expanded": 0.35,
    "sparse one-index": 0.56,
}


def report(name, shift=0.0, systems=SYSTEMS):
    rows = [
        {"system": key.split()[0], "variant": key.split()[1], "measures": {"nDCG@10": value + shift}}
        for key, value in systems.items()
    ]
    counted = {"p_value": 0.01, "p_corrected": 0.02, "better": 3, "worse": 1, "tied": 0}
    test = {"row": "sparse one-index", "measure": "nDCG@10", "difference": 0.06 + shift, "significant": True, **counted}
    significance = [
        {**test, "baseline": "bm25 flat"},
        {**test, "baseline": "fusion weighted", "significant": False},
        {**test, "baseline": "dense centred", "row": "fusion rrf"},
    ]
    about = {"dataset": name, "split": "test", "queries": 4, "documents": 9, "manifest": {"embedder": {"name": "e"}}}
    kept = [each for each in significance if {each["row"], each["baseline"]} <= systems.keys()]
    return {**about, "rows": rows, "significance": kept}


@pytest.fixture
def results(tmp_path):
    (tmp_path / "untrained").mkdir()
    (tmp_path / "ablation").mkdir()
    (tmp_path / "a.json").write_text(json.dumps(report("a")))
    (tmp_path / "b.json").write_text(json.dumps(report("b", 0.1)))
    (tmp_path / "untrained" / "a.json").write_text(json.dumps(report("a", -0.1, dict(list(SYSTEMS.items())[:3]))))
    (tmp_path / "ablation" / "a.json").write_text("{}")
    return tmp_path


def test_rows_hold_figures_and_what_follows_from_them(results):
    first, second, third = compare.read_rows(results)
    assert (first["dataset"], first["embedder"], first["marks"]) == ("a", "latest", {"one": "+b", "pieces": ""})
    assert [first[key] for key in ("gain", "lead", "kept")] == pytest.approx([0.06, 0.01, 0.75])
    assert (second["embedder"], second["one"], second["lead"]) == ("untrained", None, None)
    assert second["bm25"] == pytest.approx(0.4)
    assert third["dataset"] == "b"


def test_means_are_of_embedders_with_all_collections(results):
    rows = compare.read_rows(results)
    (mean,) = compare.means(rows, ["a", "b"])
    assert (mean["dataset"], mean["embedder"]) == ("mean of 2", "latest")
    assert mean["one"] == pytest.approx(0.61)
    assert mean["gain"] == pytest.approx(0.06)
    assert [row["embedder"] for row in compare.means(rows, ["a"])] == ["latest", "untrained"]


def test_the_table_is_printed_with_the_best_of_each_row_in_bold(results, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["compare", str(results), "--mean", "a", "b"])
    assert compare.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 3 + 1
    assert "| **0.5600** <sup>+b</sup> | - | +0.0600 | +0.0100 | 0.75 |" in lines[2]
    assert "**0.4000** | 0.1000 | 0.3000 | - | - | - | - |" in lines[3]


def test_what_is_no_report_is_one_line(results, monkeypatch, capsys):
    (results / "untrained" / "b.json").write_text('{"rows": [], "significance": []}')
    monkeypatch.setattr("sys.argv", ["compare", str(results)])
    assert compare.main() == 2
    assert "b.json is no evaluation report" in capsys.readouterr().err


def test_an_empty_folder_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["compare", str(tmp_path)])
    assert compare.main() == 2
    assert "no reports of sparseembed eval" in capsys.readouterr().err


@pytest.fixture
def published(tmp_path):
    """The reports that are part of the project, without what was measured on this machine since."""
    for path in tables.RESULTS.glob("*/*.json"):
        (tmp_path / path.parent.name).mkdir(exist_ok=True)
        shutil.copy(path, tmp_path / path.parent.name)
    return tmp_path


def test_the_page_of_reports_is_what_the_reports_say(published, monkeypatch, capsys):
    page = (tables.RESULTS / "README.md").read_text(encoding="utf-8")
    monkeypatch.setattr(tables, "RESULTS", published)
    assert tables.main() == 0
    assert capsys.readouterr().out == page


def test_the_table_of_results_is_what_the_reports_say(published, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["compare", str(published)])
    assert compare.main() == 0
    assert capsys.readouterr().out in (Path(__file__).parents[2] / "docs" / "results.md").read_text(encoding="utf-8")
