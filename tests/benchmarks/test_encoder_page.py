"""The page of query encoders, from reports: its means, its lead over fusion, and its pictures."""

import json
import xml.etree.ElementTree as ET

import encoders


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
    assert cells[5:] == ["0.4600", f"{0.06 - len(encoders.SYSTEMS) / 100:+.4f}", "0.00", "7.00", "1,000"]
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
