"""Each row of the efficiency benchmark runs, at small sizes and with a tiny model, and gives finite figures."""

import json
import math
import sys
import xml.etree.ElementTree as ElementTree

import efficiency
import numpy as np
import pytest
from efficiency_rows.made import Language, spell, write_corpus
from efficiency_rows.measure import Spread, exponent, in_turns
from efficiency_rows.stub import stub_embedder

from sparseembed.data.resolve import open_corpus


def call(monkeypatch, folder, model, *rows):
    arguments = ["--rows", *rows, "--quick", "--embedder", str(model), "--out", str(folder)]
    monkeypatch.setattr(sys, "argv", ["efficiency.py", *arguments])
    assert efficiency.main() == 0
    return json.loads((folder / "efficiency.json").read_text()), (folder / "efficiency.md").read_text()


def check(content, page, folder, rows):
    assert {row["row"] for row in content["rows"]} == rows
    for row in content["rows"]:
        for side in ("ours", "other"):
            assert all(math.isfinite(value) and value > 0 for value in row[side].values()), row
            assert row[side]["low"] <= row[side]["median"] <= row[side]["high"]
        assert row["ratio"] == pytest.approx(row["ours"]["median"] / row["other"]["median"])
        assert row["what"] in page
    assert content["machine"]["versions"]["numpy"] == np.__version__
    assert str(folder) not in page + json.dumps(content)
    for name in content["drawings"]:
        assert f"(efficiency-{name}.svg)" in page
        root = ElementTree.parse(folder / f"efficiency-{name}.svg").getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg"


@pytest.mark.jvm
def test_rows_of_steps(tiny_model, tmp_path, monkeypatch):
    content, page = call(monkeypatch, tmp_path, tiny_model("tied"), "decode", "steps", "write", "encode", "query")
    check(content, page, tmp_path, {"decode", "steps", "write", "encode", "query"})
    decoded = [row for row in content["rows"] if row["row"] == "decode"]
    assert all(row["more"]["same_in_top_k"] > 0.99 for row in decoded)
    assert {row["more"]["against"] for row in content["rows"] if row["row"] == "query"} == {
        "Lucene",
        "exact",
        "FAISS flat",
    }


@pytest.mark.jvm
def test_rows_of_whole_indexes(tiny_model, tmp_path, monkeypatch):
    rows = {"open", "first-hit", "text", "feedback", "growth", "add", "decode"}
    content, page = call(monkeypatch, tmp_path, tiny_model("tied"), *rows, "profile")
    check(content, page, tmp_path, rows)
    before = {row["row"]: row for row in content["rows"]}
    again, page = call(monkeypatch, tmp_path, tiny_model("tied"), "decode")
    check(again, page, tmp_path, rows)
    assert [row for row in again["rows"] if row["row"] != "decode"] == [
        row for row in content["rows"] if row["row"] != "decode"
    ]
    assert again["growth"] == content["growth"]
    growth = content["growth"]
    assert [build["documents"] for build in growth["builds"]] == growth["sizes"]
    assert all(math.isfinite(value) for value in growth["exponents"].values())
    for build in growth["builds"]:
        assert build["seconds"] == pytest.approx(sum(build["phases"].values()), rel=0.2)
        assert sum(build["bytes"].values()) == build["index_bytes"]
    assert not before["open"]["more"]["loaded"]["native"]["java"]
    assert "## index: " in (tmp_path / "efficiency-profile.md").read_text()


def test_made_texts_are_the_same_each_time_and_follow_heaps_law(tmp_path):
    language = Language()
    assert language.texts(0, 1500)[1000:1010] == language.texts(1000, 10)
    counts = [len(set(" ".join(language.texts(0, size)).lower().replace(".", "").split())) for size in (1000, 8000)]
    assert 0.5 < exponent((1000, 8000), counts) < 0.7
    assert len({spell(rank) for rank in range(10_000)}) == 10_000
    corpus = open_corpus(str(write_corpus(tmp_path / "made.jsonl", 20)))
    assert [document.text for document in corpus] == language.texts(0, 20)


def test_the_stub_gives_each_text_a_vector_of_its_own(tiny_model):
    stub = stub_embedder(str(tiny_model("tied")))
    vectors = stub.encode(["one", "two", " ", "one"])
    assert vectors.shape == (4, stub.dimension)
    assert (vectors[0] == vectors[3]).all()
    assert not (vectors[0] == vectors[1]).any()
    assert not vectors[2].any()
    assert stub.identity()["stub"]


def test_measures():
    assert exponent([1, 10, 100], [3, 300, 30_000]) == pytest.approx(2)
    assert Spread.of([3, 1, 2]) == (2, 1, 3, 3)
    assert Spread(2.0, 1.0, 4.0, 3).inverted(8) == (4, 2, 8, 3)
    calls = []
    took = in_turns({name: lambda name=name: calls.append(name) for name in "ab"}, repeats=2)
    assert calls == ["a", "b"] * 3
    assert took["a"].wall.runs == 2
