"""The report: its figures recomputed from its own JSON, its page well formed and alone in the world."""

import json
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest

from sparseembed.alignment.decoding import DecodingRows
from sparseembed.analysis.findings import Vocabulary, find
from sparseembed.analysis.report import write_report
from sparseembed.analysis.tokens import make_sets

VOID = {"meta", "br", "line", "rect", "polyline"}
NASTY = '<script>alert("x")</script> & '


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A report on 30 texts over 150 tokens, one of which is spelled like markup."""
    rng = np.random.default_rng(4)
    matrix = rng.normal(size=(150, 24)).astype(np.float32)
    lists = [rng.choice(150, size=rng.integers(2, 12), replace=False).tolist() for _ in range(30)]
    vectors = np.stack([matrix[each].mean(axis=0) for each in lists])
    backbone = vectors + 5 * rng.normal(size=24).astype(np.float32)
    labels = [NASTY, *(f" t{row}" for row in range(1, 150))]
    texts = [NASTY + " ".join(labels[term] for term in each) for each in lists]
    vocabulary = Vocabulary(matrix, DecodingRows(matrix, np.arange(150)), labels)
    sides = {"embedder": vectors, "backbone": backbone}
    spec = {"name": "made<b>", "pooling": "mean", "document_prompt": "{text}"}
    about = {"embedder": spec, "backbone": spec, "texts": "made", "count": 30, "left_out": 2, "terms": "token"}
    folder = tmp_path_factory.mktemp("report")
    write_report({"about": about, **find(sides, texts, make_sets(lists, 150), vocabulary)}, folder)
    return folder


@pytest.fixture
def report(written):
    return json.loads((written / "report.json").read_text(encoding="utf-8"))


class Outline(HTMLParser):
    """Checks that tags nest, and keeps them."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_rates_can_be_recomputed_from_the_json(report):
    sizes = report["sizes"]
    assert len(report["measured"]) == 20
    for row in report["measured"]:
        ranks = row["first_ranks"]
        for k in (1, 10, 100):
            assert row["hit"][k - 1] == pytest.approx(sum(0 < rank <= k for rank in ranks) / len(ranks))
        lar = sum(matched / size for matched, size in zip(row["matched"], sizes, strict=True)) / len(sizes)
        assert row["lar"]["value"] == pytest.approx(lar)
        assert row["lar"]["low"] <= lar <= row["lar"]["high"]
        assert row["gar"]["value"] == pytest.approx(row["gar_matched"] / row["gar_present"])
        assert all(
            low <= hit <= high for low, hit, high in zip(row["hit_low"], row["hit"], row["hit_high"], strict=True)
        )
        evidence = row["evidence"]
        assert evidence["hit"] == pytest.approx(row["hit"][9])
        lift = (evidence["hit"] - evidence["hit_chance"]) / (1 - evidence["hit_chance"])
        assert evidence["hit_lift"] == pytest.approx(lift)


def test_each_side_is_measured_under_each_adjustment_and_the_backbone_needs_pc1(report):
    of = {(row["side"], row["adjustment"]): row for row in report["measured"]}
    assert len(of) == 20
    assert of["backbone", "pc1"]["hit"][9] > of["backbone", "none"]["hit"][9]
    assert of["embedder", "none"]["evidence"]["aligned"]


def test_examples_mark_the_literal_tokens(report):
    assert len(report["examples"]) == 20
    for entry in report["examples"]:
        assert set(entry["tokens"]) == {"embedder, none", "embedder, pc1", "backbone, none", "backbone, pc1"}
        words = entry["text"].split()
        for token in entry["tokens"]["embedder, none"]:
            if token["token"] != NASTY:
                assert token["literal"] == (token["token"].strip() in words)


def test_the_page_is_well_formed_and_loads_nothing(written):
    page = (written / "report.html").read_text(encoding="utf-8")
    outline = Outline()
    outline.feed(page)
    outline.close()
    assert outline.open == []
    assert "http" not in page
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in outline.seen}
    assert not {"src", "href"} & {name for _, attributes in outline.seen for name in attributes}
    assert any(attributes.get("name") == "viewport" for tag, attributes in outline.seen if tag == "meta")
    assert "prefers-color-scheme:dark" in page
    assert sum(tag == "svg" for tag, _ in outline.seen) == 6
    assert sum(tag == "details" for tag, _ in outline.seen) == 20


def test_the_charts_are_xml_and_stay_within_their_frame(written):
    files = sorted(file.stem for file in written.glob("*.svg"))
    assert files == ["contribution", "hit-at-k", "lambda", "pc1-tokens", "singular-values", "variation"]
    for file in written.glob("*.svg"):
        root = ET.parse(file).getroot()
        _, _, width, height = map(float, root.get("viewBox").split())
        points = [
            tuple(map(float, point.split(",")))
            for line in root.iter("{http://www.w3.org/2000/svg}polyline")
            for point in line.get("points").split()
        ]
        for rect in root.iter("{http://www.w3.org/2000/svg}rect"):
            x, y, w, h = (float(rect.get(name)) for name in ("x", "y", "width", "height"))
            points += [(x, y), (x + w, y + h)]
        assert points
        assert all(-0.5 <= x <= width + 0.5 and -0.5 <= y <= height + 0.5 for x, y in points)
