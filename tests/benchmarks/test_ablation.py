"""The ablation from end to end, on a made collection and a tiny model."""

import json
import sys
import xml.etree.ElementTree as ElementTree

import ablation
import numpy as np
import pytest
from apart.choices import FOLDED
from apart.meter import Meter
from apart.mixing import BLIND
from apart.space import Space
from apart.stored import task_of

from sparseembed.data.resolve import open_collection
from sparseembed.evaluation.bench import Bench
from sparseembed.evaluation.harness import run_evaluation

SAME = {
    "bm25 flat": "bm25",
    "dense centred": "dense, centred",
    "fusion weighted": "fusion, weighted",
    "sparse one-index": "one-index, defaults",
    "sparse one-index-pieces": "one-index with pieces, defaults",
    "sparse aligned-inference-free": "aligned alone, defaults",
}


def space_of(folder, embedder, tmp_path, kind="folded"):
    return Space(Bench(open_collection(str(folder)), "train", embedder, tmp_path, False), kind)


def call(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["ablation.py", *map(str, arguments)])
    return ablation.main()


@pytest.mark.jvm
def test_its_figures_on_test_are_those_of_the_evaluation(folder, tiny_model, tmp_path, monkeypatch, capsys):
    asked = (folder, "--embedder", tiny_model("tied"), "--quick", "--out", tmp_path, "--indexes", tmp_path / "indexes")
    assert call(monkeypatch, *asked) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert f"run `sparseembed encode {folder} --embedder" in message
    assert "pass --encode" in message

    assert call(monkeypatch, *asked, "--encode", "--name", "small") == 0
    content = json.loads((tmp_path / "small.json").read_text())
    reported = {each["system"]: each["measures"] for each in content["reported"]}
    report = run_evaluation(
        open_collection(str(folder)), embedder=str(tiny_model("tied")), indexes=tmp_path / "evaluated"
    )
    for row in report.content["rows"]:
        name = SAME.get(f"{row['system']} {row['variant']}")
        if name:
            assert reported[name] == pytest.approx(row["measures"], abs=1e-9), name
    shares = {row["choices"]["pieces"]: row for row in content["rows"] if row["field"] == "pieces"}
    assert len({row["ndcg"] for row in shares.values()}) > 1
    assert shares[0.0]["postings"] < shares[0.5]["postings"] > shares[1.0]["postings"]
    # Without literal and aligned terms mixed the one index is BM25, but for quantisation.
    mixes = {row["choices"]["mix"]: row for row in content["rows"] if row["section"] == "mix, train"}
    assert mixes[0.0]["postings"] < mixes[0.5]["postings"]
    blind = next(mix for mix in content["mixes"] if mix["way"] == BLIND)
    assert 0 < blind["on_sentences"] < 1
    assert report.content["manifest"]["systems"]["sparse one-index"]["mix"]["mix"] == blind["chosen"]
    assert {each["row"] for each in content["significance"]} == {name for name in reported if "one-index" in name}
    for name, steps in content["combinations"].items():
        figures = [step["ndcg"] for step in steps]
        assert figures == sorted(figures), name
    check_page(tmp_path, content)


def check_page(folder, content):
    page = (folder / "small.md").read_text()
    assert str(folder) not in page + json.dumps(content)
    assert "12 queries of the split train" in page
    for kind in ("k", "m", "mix", "bytes"):
        assert f"(small-{kind}.svg)" in page
        root = ElementTree.parse(folder / f"small-{kind}.svg").getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert "nDCG@10" in root.findtext("{http://www.w3.org/2000/svg}title")


def test_bad_input_is_one_line(folder, monkeypatch, capsys):
    assert call(monkeypatch, folder, "--split", "test") == 2
    assert capsys.readouterr().err == "ablation: nothing is tuned on the split test: name train or dev with --split\n"
    assert call(monkeypatch, folder / "nowhere") == 2
    assert "no such file or folder" in capsys.readouterr().err


def test_a_mix_by_confidence_has_the_fixed_one_as_its_mean(folder, tiny_embedder, tmp_path):
    space = space_of(folder, tiny_embedder(), tmp_path)
    config = FOLDED.but(literal=True, k=64, idf=False, floor="zero", weighting="log1p", mix=1.0).sparse
    counts = space.counts
    fixed, _ = space._weights(config, False)
    scaled, literal = space._weights(config, True)
    bm25 = space.collection.impacts(counts.take(space.order)).toarray()
    both = (scaled.toarray() - bm25).sum(axis=1), (fixed.toarray() - bm25).sum(axis=1)
    factors = both[0] / both[1]
    best = space.aligned("centred")[0].terms[:, :32]
    sure = np.array([(counts.matrix[[row]].toarray()[0, best[at]] > 0).mean() for at, row in enumerate(space.order)])
    assert factors == pytest.approx(sure / sure.mean(), abs=1e-3)
    assert factors.mean() == pytest.approx(1, abs=1e-3)
    flat = np.repeat(np.arange(130), np.diff(scaled.indptr))
    assert (literal == (bm25[flat, scaled.indices] > 0)).all()


def test_a_variant_is_measured_once(folder, tiny_embedder, tmp_path, monkeypatch):
    space = space_of(folder, tiny_embedder(), tmp_path)
    meter = Meter(space, task_of(space.bench.collection, "train"))
    first = meter.measure("one", "", "a", FOLDED.but(best=5))
    monkeypatch.setattr(meter, "evaluate", None)
    again = meter.measure("two", "best", "b", FOLDED.but(best=5))
    assert again == first._replace(section="two", field="best", name="b")
    assert first.postings <= 5
    assert first.bytes <= 5 * 3
