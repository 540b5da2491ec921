"""The page of query encoders, from reports: its means, its lead over fusion, and its pictures."""

import json
import xml.etree.ElementTree as ET
from itertools import pairwise

import encoders
import pytest

from sparseembed.charts import HEIGHT, WIDTH, Point, points


def report(name, documents, shift=0.0):
    rows = [
        {
            "system": system.split()[0],
            "variant": system.split()[1],
            "measures": {"nDCG@10": 0.3 + number / 100 + shift},
            "query_encode_ms": 0.001 if "full" not in system else 40.0,
            "search_ms": 1.0 + number,
            "index_bytes": 1000 * documents,
        }
        for number, system in enumerate([*encoders.SYSTEMS, "fusion rrf"])
    ]
    about = {"dataset": name, "split": "test", "queries": 4, "documents": documents}
    return {**about, "manifest": {"embedder": {"name": "e"}}, "rows": rows, "significance": []}


def test_the_page_holds_means_leads_and_costs(tmp_path, monkeypatch, capsys):
    for name, documents, shift in (("scifact", 10, 0.0), ("nfcorpus", 30, 0.1), ("arguana", 20, 0.2), ("pydocs", 9, 0)):
        (tmp_path / f"{name}.json").write_text(json.dumps(report(name, documents, shift)))
    monkeypatch.setattr("sys.argv", ["encoders.py", str(tmp_path), "--out", str(tmp_path / "out")])
    assert encoders.main() == 0
    told = (tmp_path / "out" / "encoders.md").read_text()
    assert told == capsys.readouterr().out
    row = next(line for line in told.splitlines() if line.startswith("| one index |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    # The better fusion is rrf, the last; the mean is over the three BEIR sets.
    assert cells[5:] == ["0.4600", f"{0.06 - 0.14:+.4f}", "0.00", "7.00", "1,000"]
    for name in ("encoders-ms.svg", "encoders-bytes.svg"):
        assert ET.parse(tmp_path / "out" / name).getroot().tag.endswith("svg")


def test_a_folder_without_reports_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["encoders.py", str(tmp_path)])
    assert encoders.main() == 2
    assert "no reports of sparseembed eval" in capsys.readouterr().err


def test_times_of_a_collection_that_was_not_measured_are_told(tmp_path, monkeypatch, capsys):
    (tmp_path / "scifact.json").write_text(json.dumps(report("scifact", 10)))
    monkeypatch.setattr("sys.argv", ["encoders.py", str(tmp_path), "--out", str(tmp_path / "out")])
    assert encoders.main() == 2
    assert "no report of pydocs" in capsys.readouterr().err
    monkeypatch.setattr(
        "sys.argv", ["encoders.py", str(tmp_path), "--out", str(tmp_path / "out"), "--times", "scifact"]
    )
    assert encoders.main() == 0


def test_points_stay_in_the_frame_and_their_names_apart():
    given = [Point(f"system {n}", 10 ** (n / 5 - 2), 0.3 + n % 3 / 1000, n % 4) for n in range(14)]
    root = ET.fromstring(points(given, ["a", "b", "c", "d"], "ms", "nDCG@10"))
    circles = [each for each in root.iter() if each.tag.endswith("circle")]
    assert len(circles) == 14
    assert all(0 <= float(each.get("cx")) <= WIDTH and 0 <= float(each.get("cy")) <= HEIGHT for each in circles)
    names = [each for each in root.iter() if each.tag.endswith("text") and (each.text or "").startswith("system")]
    places = sorted((float(each.get("y")), float(each.get("x"))) for each in names)
    assert len(names) == 14
    for one, other in pairwise(places):
        assert other[0] - one[0] >= 10.9 or abs(other[1] - one[1]) >= 149


@pytest.mark.parametrize("given", [[], [Point("one", 1.0, 0.5)]])
def test_few_points_are_drawn_too(given):
    assert ET.fromstring(points(given, ["a"], "x", "y")).tag.endswith("svg")
