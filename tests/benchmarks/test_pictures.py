"""The committed pictures are what their script draws of the committed results, told in words, and legible."""

import importlib.metadata
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pictures
import pytest
from drawn.labels import MARK, Field
from drawn.levels import Point, front, levels
from matplotlib.path import Path as Line
from matplotlib.transforms import Bbox

from sparseembed.charts import DARK, GRID

ROOT = Path(__file__).parents[2]
SVG = "{http://www.w3.org/2000/svg}"
LOCKED = re.search(r"^matplotlib==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)[1]
COMMITTED = [
    *("docs/pipeline.svg", "docs/images/tokens.svg", "docs/images/scores.svg"),
    *(f"benchmarks/results/{name}.svg" for name in ("encoders-ms", "encoders-bytes")),
    *(f"benchmarks/results/efficiency-{name}.svg" for name in ("ratios", "decoding")),
    *(f"benchmarks/results/ablation/{name}-{kind}.svg" for name in ("scifact", "nfcorpus") for kind in ("k", "m")),
    *(
        f"benchmarks/results/ablation/{name}-{kind}.svg"
        for name in ("scifact", "nfcorpus")
        for kind in ("mix", "bytes")
    ),
    "sparseembed/embedders/shipped/smollm2-135m-aligned/curve.svg",
]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "benchmarks").rglob("*.md"))]


@pytest.fixture(scope="module")
def drawn():
    return {path.relative_to(ROOT).as_posix(): svg for path, svg in pictures.pictures().items()}


def test_all_that_is_drawn_is_looked_at_here(drawn):
    assert sorted(drawn) == sorted(COMMITTED)


@pytest.mark.skipif(importlib.metadata.version("matplotlib") != LOCKED, reason="another matplotlib than the lock's")
@pytest.mark.parametrize("name", COMMITTED)
def test_committed_pictures_are_what_is_drawn(drawn, name):
    assert (ROOT / name).read_text(encoding="utf-8") == drawn[name], "run python benchmarks/pictures.py"


@pytest.mark.parametrize("name", COMMITTED)
def test_committed_pictures_are_told_and_their_texts_have_colours_that_are_checked(name):
    root = ET.parse(ROOT / name).getroot()
    assert len(root.findtext(f"{SVG}title")) > 9
    assert len(root.findtext(f"{SVG}desc")) > 40
    texts = list(root.iter(f"{SVG}text"))
    assert texts
    for text in texts:  # tests/test_charts.py holds that these colours stand out
        assert re.search(r"fill: (#\w{6})", text.get("style"))[1] in DARK.keys() - {GRID}
        assert float(re.search(r"font(?:-size)?: (?:bold )?([\d.]+)px", text.get("style"))[1]) >= 10
    _, _, width, _ = map(float, root.get("viewBox").split())
    assert width <= 420  # and so at least 8.5 pixels where a phone shows it 358 wide


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_pictures_of_pages_have_alternative_texts(page):
    for text in re.findall(r"!\[([^\]]*)\]\(", page.read_text(encoding="utf-8")):
        assert len(text) > 9, text


def test_every_svg_of_the_project_is_drawn_here_but_the_icon():
    folders = ("docs", "benchmarks", "sparseembed")
    found = [path.relative_to(ROOT).as_posix() for folder in folders for path in (ROOT / folder).rglob("*.svg")]
    assert {name for name in found if not name.endswith("/icon.svg")} == set(COMMITTED)


def test_tokens_and_scores_are_those_of_the_files(drawn):
    told = {
        name: ET.fromstring(drawn[f"docs/images/{name}.svg"]).findtext(f"{SVG}desc") for name in ("tokens", "scores")
    }
    for text in pictures._read(pictures.WORKED / "tokens.json")["texts"]:
        for side in text["tokens"].values():
            assert " ".join(each["token"] for each in side) in told["tokens"]
    hits = pictures._read(pictures.WORKED / "scores.json")["hits"]
    for hit in hits:
        assert sum(term["query_weight"] * term["impact"] for term in hit["terms"]) == hit["score"]
        assert f"= {hit['score']}" in told["scores"]


def test_the_curve_is_read_from_the_card():
    card = (
        "\n## Curve\n\n| step | a | b |\n| ---: | - | - |\n| 25 | a b 1.5, c 2 | - |\n\n## Limits\n| 9 | a 1 | b 1 |\n"
    )
    assert pictures.curve(card) == [{"step": 25, "loss": {"a b": 1.5, "c": 2.0}, "validation": {}}]


def test_the_front_is_what_nothing_beats():
    points = [Point("a", 1, 5), Point("b", 2, 4), Point("c", 3, 6), Point("d", 3, 5), Point("e", 9, 6)]
    assert [each.name for each in front(points)] == ["a", "c"]


def test_names_cover_neither_each_other_nor_a_mark():
    centres = [(100 + 4 * (at % 3), 100 + 3 * at) for at in range(8)]
    sizes = [(60, 11)] * 8
    field = Field(Bbox.from_bounds(0, 0, 300, 300), Line([(0, 0), (1, 0)]))
    cost, places = field.place(centres, sizes, range(8))
    assert cost < 8 * 150
    boxes = []
    for (x, y), (right, up) in zip(centres, places, strict=True):
        left = x + right - (30 if not right else 0 if right > 0 else 60)
        boxes.append(Bbox.from_bounds(left, y + up - 5.5, 60, 11))
    half = MARK / 2
    marks = [Bbox.from_bounds(x - half, y - half, MARK, MARK) for x, y in centres]
    for at, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:at])
        assert not any(box.overlaps(mark) for place, mark in enumerate(marks) if place != at)


@pytest.mark.parametrize(
    "points",
    [[Point("one", 1.0, 0.5)], [Point(f"system {n}", 10 ** (n / 5 - 2), 0.3 + n % 3 / 1000, n % 4) for n in range(14)]],
    ids=["one", "fourteen"],
)
def test_all_names_are_drawn(points):
    texts = [
        each.text for each in ET.fromstring(levels(points, list("abcd"), "open", "ms", "nDCG@10")).iter(f"{SVG}text")
    ]
    assert {each.name for each in points} <= set(texts)
