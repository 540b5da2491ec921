"""The report: its figures recomputed from its own JSON, its page well formed and alone in the world."""

import json
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparseembed.alignment.decoding import Decoder, DecodingRows
from sparseembed.analysis.demonstrations.instructions import follow
from sparseembed.analysis.demonstrations.lens import Lens
from sparseembed.analysis.demonstrations.relatedness import relate
from sparseembed.analysis.demonstrations.texts import Instruction, Pair
from sparseembed.analysis.findings import Vocabulary, find
from sparseembed.analysis.report import page, write_report
from sparseembed.analysis.tokens import make_sets
from sparseembed.sparse.pieces import PieceSpace

VOID = {"meta", "br"}
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
        self.open, self.seen, self.texts = [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


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
    assert "http" not in page.replace("http://www.w3.org/", "")  # names of the charts' formats
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in outline.seen}
    assert not {"src", "href"} & {name for _, attributes in outline.seen for name in attributes}
    assert any(attributes.get("name") == "viewport" for tag, attributes in outline.seen if tag == "meta")
    assert "prefers-color-scheme:dark" in page
    assert sum(tag == "svg" for tag, _ in outline.seen) == 6
    assert sum(tag == "details" for tag, _ in outline.seen) == 20


def test_the_charts_are_xml_and_told(written):
    files = sorted(file.stem for file in written.glob("*.svg"))
    assert files == ["contribution", "hit-at-k", "lambda", "pc1-tokens", "singular-values", "variation"]
    for file in written.glob("*.svg"):
        root = ET.parse(file).getroot()
        title, told = (root.findtext(f"{{http://www.w3.org/2000/svg}}{tag}") for tag in ("title", "desc"))
        assert title
        assert any(character.isdigit() for character in told)


@pytest.fixture(scope="module")
def telling(written, tmp_path_factory):
    """The same report with demonstrations, whose names, texts and tokens are spelled like markup."""
    space = PieceSpace(list("012345"), [NASTY, "b", "c", "d", "e", "f"], list(range(6)))
    seen = Lens(Decoder(DecodingRows(np.eye(6, dtype=np.float32), np.arange(6))), space, lambda vectors: vectors)
    vectors = np.random.default_rng(1).normal(size=(2, 3, 6)).astype(np.float32)
    asked = [Instruction(NASTY, prompt=NASTY, words=("b",)), Instruction("other", words=("x",))]
    followed = follow(asked, [NASTY, "b", "c"], {NASTY: vectors[0], "other": vectors[1]}, seen, [{"b"}, set(), set()])
    for entry in followed["instructions"]:
        entry["prompt"] = NASTY
    pairs = [Pair(kind, NASTY, text) for kind, text in (("paraphrase", "b"), ("negation", NASTY), (NASTY, "c"))]
    related = relate(pairs, [NASTY, "b", "c"], vectors[0], vectors[0], seen)
    found = {
        "adjustment": "pc1",
        "instructions": {"fitted_on": NASTY, **followed},
        "relatedness": {"fitted_on": NASTY, **related},
    }
    folder = tmp_path_factory.mktemp("telling")
    report = json.loads((written / "report.json").read_text(encoding="utf-8"))
    write_report({**report, "demonstrations": found}, folder)
    return folder


def test_what_the_embedding_says_is_told_and_can_be_read_from_the_json(telling):
    page = (telling / "report.html").read_text(encoding="utf-8")
    outline = Outline()
    outline.feed(page)
    outline.close()
    assert outline.open == []
    assert not {"script", "link", "img"} & {tag for tag, _ in outline.seen}
    assert sum(tag == "details" for tag, _ in outline.seen) == 20 + 3 + 3
    classes = [attributes.get("class", "") for tag, attributes in outline.seen if tag == "span"]
    assert "literal own" in classes
    found = json.loads((telling / "report.json").read_text(encoding="utf-8"))["demonstrations"]
    first, other = found["instructions"]["instructions"]
    up = sum(shift > 0 for shift in first["moved"])
    assert f"<td>{first['score']:+.2f} [{first['low']:+.2f}, {first['high']:+.2f}]</td><td>{up} of 3</td>" in page
    assert other["score"] is None
    assert "<td>none of its words is a token</td>" in page
    negation = found["relatedness"]["kinds"][1]
    assert negation["vocabulary_cosine"] == pytest.approx(1)
    assert "<td>negation</td><td>1.000</td><td>1.000</td><td>1</td>" in page
    assert "Negations lie nearer than paraphrases" in page
    shared = found["relatedness"]["pairs"][0]["together"][0]
    assert f"{1e4 * shared['share']:+.1f}</span>" in page


MARKUP = [
    "<script>",
    "</script>",
    "<b",
    ">",
    "&",
    "&lt;",
    "&#60;",
    '"',
    "'",
    "<!--",
    "]]>",
    "{{",
    "}}",
    "{% raw %}",
    "x",
]


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=20) | st.lists(st.sampled_from(MARKUP), max_size=12).map("".join))
def test_any_text_is_shown_as_text(telling, text):
    report = json.loads((telling / "report.json").read_text(encoding="utf-8"))
    report["examples"] = [{"text": f"1{text}2", "tokens": {f"3{text}4": [{"token": "t", "literal": True}]}}]
    report["verdict"]["reason"] = f"5{text}6"
    report["demonstrations"]["instructions"]["score"] = f"7{text}8"
    report["about"]["embedder"]["name"] = f"9{text}0"
    outline = Outline()
    outline.feed(
        page(report, dict.fromkeys(("hit-at-k", "lambda", "contribution", "pc1-tokens", "singular-values"), ""))
    )
    outline.close()
    assert outline.open == []
    assert not {"script", "b"} & {tag for tag, _ in outline.seen}
    assert outline.texts.count(f"Does 9{text}0 align?") == 2
    assert {f"1{text}2", f"3{text}4", f"5{text}6."} <= set(outline.texts)
    assert any(f"Score: 7{text}8. Brackets" in shown for shown in outline.texts)


def test_a_report_without_demonstrations_says_why(written, tmp_path):
    assert "What the embedding says" not in (written / "report.html").read_text(encoding="utf-8")
    report = json.loads((written / "report.json").read_text(encoding="utf-8"))
    write_report({**report, "demonstrations": {"left_out": f"no room {NASTY}"}}, tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "What the embedding says" in page
    assert "Left out: no room &lt;script&gt;" in page
    empty = {"adjustment": "pc1", "instructions": None, "relatedness": None}
    write_report({**report, "demonstrations": empty}, tmp_path)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_shows_it_without_violations_and_prints_it_dark_on_white(written, browser, width, dark):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme="dark" if dark else "light")
    shown = context.new_page()
    shown.goto((written / "report.html").as_uri())
    found = axe.Axe().run(shown)
    assert found.violations_count == 0, found.generate_report()
    assert shown.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    shown.emulate_media(media="print")
    assert shown.evaluate("getComputedStyle(document.querySelector('p')).color") == "rgb(0, 0, 0)"
    context.close()
