"""Recipes beside each other: figures that can be told beforehand, the table, and a user's mistakes."""

import json
import sys

import numpy as np
import pytest
import recipes

from sparseembed.data.resolve import open_collection
from sparseembed.errors import ConfigError


def test_the_figures_are_those_of_a_plain_search(folder, tiny_embedder):
    collection, embedder = open_collection(str(folder)), tiny_embedder()
    found = recipes.figures(embedder, recipes.read_judged(f"{folder}:train"))
    assert list(found) == list(recipes.SYSTEMS)
    qrels, queries = collection.qrels("train"), collection.queries("train")
    documents = embedder.encode([document.contents for document in collection.corpus])
    documents /= np.linalg.norm(documents, axis=1, keepdims=True)
    gains = []
    for query, grades in qrels.items():
        asked = embedder.encode([queries[query]], "query")[0]
        order = [collection.corpus.ids[place] for place in np.argsort(-(documents @ asked), kind="stable")]
        rank = order.index(next(iter(grades))) + 1
        gains.append(1 / np.log2(rank + 1) if rank <= 10 else 0.0)
    assert found["dense"] == pytest.approx(np.mean(gains), abs=1e-6)


def test_the_table_has_a_row_for_each_recipe(folder, tiny_model, tmp_path, monkeypatch, capsys):
    pytest.importorskip("peft")
    pairs, file, out = tmp_path / "pairs.jsonl", tmp_path / "recipes.json", tmp_path / "tried"
    rows = [{"query": f"the cat number {n}", "positive": f"a text of cat and mat {n} {n * 7}"} for n in range(60)]
    pairs.write_text("".join(json.dumps(row) + "\n" for row in rows))
    short = {"steps": 2, "batch": 4, "query_length": 128, "document_length": 128}
    file.write_text(json.dumps({"one": short, "other": {**short, "rank": 2}}))
    arguments = [str(pairs), "--recipes", str(file), "--on", f"{folder}:train", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["recipes.py", *arguments, "--embedder", str(tiny_model("tied"))])
    assert recipes.main() == 0
    page = (out / "recipes.md").read_text()
    assert page in capsys.readouterr().out
    assert str(tmp_path) not in page
    lines = page.splitlines()[-2:]
    assert [line.split(" | ")[0] for line in lines] == ["| one", "| other"]
    assert (out / "other" / "adapter_model.safetensors").is_file()


@pytest.mark.parametrize("named", ["made", ":train", "made:test"])
def test_a_test_split_is_refused(named):
    with pytest.raises(ConfigError, match="a split that is not test"):
        recipes.read_judged(named)


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', '{"a": {"stepps": 3}}', '{"a": {"steps": 0}}'])
def test_what_is_no_recipe_is_told(tmp_path, text):
    file = tmp_path / "recipes.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"recipes\.json|steps"):
        recipes.read_recipes(file)
