"""The model card says what training.json holds, and nothing of the machine that it was written on."""

import json
import re
import xml.etree.ElementTree as ET

import pytest

from sparseembed.pseudo.pairs import Source
from sparseembed.training.card import card, curve_svg
from sparseembed.training.run import train


@pytest.fixture
def made(model_copy, tiny_embedder, source, recipe, tmp_path):
    """An adapter of a base, an adapter and a decoding matrix that are folders, from two sources."""
    small = recipe.with_changes(objectives=("dense", "residual"), steps=3)
    folder = model_copy("tied")
    sources = [Source("first", source.pairs[:60]), Source("second", source.pairs[60:])]
    before = train([source], tiny_embedder(folder), tmp_path / "before", small, held_out=8).path
    embedder = tiny_embedder(folder, adapters=(str(before),), decoding=str(folder), query_prompt="ask: {text}")
    out = tmp_path / "adapters" / "my-name"
    return train(sources, embedder, out, small, held_out=12, licences={"first": "CC-BY-SA 4.0", "gone": "MIT"})


def table(page, heading):
    """Return the rows below a heading, as lists of cells."""
    section = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in section.splitlines() if line[:1] == "|"]
    return rows[2:]


def test_the_page_and_the_json_say_the_same(made):
    page = (made.path / "README.md").read_text()
    about, told = made.about, made.about["about"]
    assert page.startswith("# my-name\n")
    assert re.findall(r"^## (.+)$", page, re.M) == ["Data", "Recipe", "Held-out pairs", "Curve", "Limits"]
    kept = {source["name"]: source["pairs"] for source in told["sources"]}
    assert table(page, "Data") == [
        ["first", str(kept["first"]), "CC-BY-SA 4.0"],
        ["second", str(kept["second"]), "not given"],
    ]
    assert f"120 pairs of 2 files; {told['held_out']} pairs held out." in page
    rows = dict(table(page, "Recipe"))
    assert list(rows) == list(about["recipe"])
    assert rows["objectives"] == "dense, residual"
    for key, value in about["recipe"].items():
        if key != "objectives":
            assert float(rows[key]) == pytest.approx(value, rel=1e-4)
    checked = table(page, "Held-out pairs")
    assert [row[0] for row in checked] == ["dense", "aligned", "mean"]
    for kind, before, after, difference in checked:
        gain = about["check"]["mrr"][kind]
        assert [float(before), float(after)] == pytest.approx([gain["before"], gain["after"]], abs=5e-4)
        numbers = [float(each) for each in re.findall(r"[+-][\d.]+", difference)]
        assert numbers == pytest.approx([gain["after"] - gain["before"], gain["low"], gain["high"]], abs=5.1e-4)
    assert f"among {about['check']['queries']}," in page
    for row, point in zip(table(page, "Curve"), told["curve"], strict=True):
        assert int(row[0]) == point["step"]
        for cell, losses in zip(row[1:], (point["loss"], point["validation"]), strict=True):
            assert cell == f"dense {losses['dense']:.3f}, residual {losses['residual']:.3f}"
    assert "query prompt: `ask: {text}`" in page
    assert all(f"{package} {version}" in page for package, version in told["versions"].items())
    assert ("It helped" in page) is about["check"]["helped"]


def test_no_path_of_this_machine_is_in_any_file(made, tmp_path):
    for file in made.path.iterdir():
        assert str(tmp_path).encode() not in file.read_bytes(), file.name
        assert str(tmp_path.parent).encode() not in file.read_bytes(), file.name
    base = made.about["about"]["base"]
    assert base == {
        "name": "tied-copy",
        "embedder": "tied-copy",
        "weights": "tied-copy",
        "revision": None,
        "adapters": ["before"],
    }
    assert made.about["base"]["decoding"] == "tied-copy"
    config = json.loads((made.path / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tied-copy"
    page = (made.path / "README.md").read_text()
    command = "sparseembed index DATASET --embedder tied-copy --adapter path/to/before --adapter path/to/my-name\n"
    assert command in page


def test_the_curve_is_a_picture_by_itself(made):
    root = ET.parse(made.path / "curve.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "http" not in (made.path / "curve.svg").read_text().replace("http://www.w3.org/", "")
    text = " ".join(root.itertext())
    for name in ("dense", "residual"):
        assert f"{name}, training" in text
        assert f"{name}, held out" in text


def points(*steps):
    return [{"step": step, "loss": {"dense": 1.0 / step}, "validation": None} for step in steps]


def test_a_curve_of_one_point_and_one_without_validation():
    for curve in (points(3), points(1, 2, 4)):
        root = ET.fromstring(curve_svg(curve))
        assert "nan" not in ET.tostring(root, encoding="unicode").lower()


def test_a_card_tells_whether_it_helped(made):
    trained = {**made.about, "check": {**made.about["check"], "helped": True}}
    assert "It helped: the interval of the mean lies above 0." in card("x", trained)
    trained["check"] = {**trained["check"], "helped": False}
    assert "**It did not help beyond doubt: use the embedder without it.**" in card("x", trained)


def test_a_licence_cannot_break_the_table(made):
    told = {**made.about["about"], "sources": [{"name": "a|b", "pairs": 12_345, "licence": "this | or\nthat"}]}
    assert "\n| a\\|b | 12,345 | this \\| or that |\n" in card("x", {**made.about, "about": told})


def test_a_preset_and_a_hub_id_are_named_as_a_command_takes_them(made):
    from sparseembed.embedders.presets import DEFAULT, find_spec
    from sparseembed.training.run import _base

    assert _base(find_spec(DEFAULT))["embedder"] == DEFAULT
    assert _base(find_spec("owner/model@v1"))["embedder"] == "owner/model@v1"
    own = find_spec("opt-eol-cse")
    assert own.adapters
    assert _base(own.with_changes(adapters=(*own.adapters, "owner/more")))["adapters"] == ["owner/more"]
