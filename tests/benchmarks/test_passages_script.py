"""The scripts that measure passages and several prompts, from end to end on a made collection."""

import json
import sys

import numpy as np
import passages
import prompts
import pytest

from sparseembed.data.resolve import open_collection
from sparseembed.errors import DataError


def test_joined_documents_have_the_judgements_of_all_their_parts(folder):
    collection = open_collection(str(folder))
    whole = passages.task(collection, "train", 1, 1)
    assert len(whole.corpus) == 130
    assert len(whole.queries) == 12
    joined = passages.task(collection, "train", 1, 10)
    assert len(joined.corpus) == 13
    assert joined.qrels["q3"] == {"d0": 1}
    assert joined.qrels["q11"] == {"d10": 1}
    assert all(part.contents in joined.corpus[0].contents for part in list(collection.corpus)[:10])
    every = passages.task(collection, "train", 5, 1)
    assert [each.id for each in every.corpus][:3] == ["d0", "d5", "d10"]
    assert set(every.qrels) == {"q0", "q5", "q10"}
    with pytest.raises(DataError, match="no query"):
        passages.task(collection, "train", 130, 1) and passages.task(collection, "test", 130, 1)


def test_texts_are_cut_and_encoded_once(tiny_embedder):
    embedder = passages.Recalling.of(tiny_embedder())
    whole = embedder.encode_counted(["cat dog mat whale", "cat dog"]).vectors
    calls = embedder.model_calls
    cut = embedder.cutting(2)
    np.testing.assert_array_equal(cut.encode_counted(["cat dog mat whale"]).vectors[0], whole[1])
    assert (embedder.model_calls, cut.model_calls) == (calls, calls)
    assert cut.identity("document") != embedder.identity("document")
    assert cut.identity("query") == embedder.identity("query")


@pytest.mark.jvm
@pytest.mark.parametrize("module", [passages, prompts])
def test_the_scripts_measure_and_write(module, folder, tiny_model, tmp_path, monkeypatch, capsys):
    more = {
        passages: ["--ways", "whole", "cut 4", "6/3"],
        prompts: ["--prompts", "keywords", "{text} again", "--timed", "8"],
    }[module]
    called = [module.__name__, str(folder), "--split", "train", "--embedder", str(tiny_model("tied")), *more]
    monkeypatch.setattr(sys, "argv", [*called, "--out", str(tmp_path)])
    assert module.main() == 0
    page = (tmp_path / "made.md").read_text()
    content = json.loads((tmp_path / "made.json").read_text())
    assert page == capsys.readouterr().out
    assert str(folder) not in page
    rows = {row["way"]: row for row in content["rows"]}
    if module is passages:
        assert list(rows) == ["whole", "cut 4", "6/3"]
        assert rows["6/3"]["split"] > 100
        assert rows["6/3"]["read"] > 1.9
        assert all(set(row["ndcg"]) == {"dense", "words alone", "one index"} for row in rows.values())
    else:
        assert list(rows) == [
            "its own",
            "its own + keywords",
            "its own + {text} again",
            "its own + keywords + {text} again",
        ]
        assert content["seconds"]["all, together"] > 0
    assert all(len(each) == 12 for row in rows.values() for each in row["ndcg"].values())
