"""Charts: the same bytes each time, told in words, legible in light and dark, whatever the texts."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from sparseembed.charts import COLOURS, DARK, GRID, PAGE, Series, bars, lines, named_bars, need_charts, styled
from sparseembed.extras import MissingPackageError

SVG = "{http://www.w3.org/2000/svg}"
FALLING = Series("falling $x$ <&>", range(1, 9), [1 / x for x in range(1, 9)])
RISING = Series("rising", range(1, 9), range(8))
DRAWN = {
    "lines": lambda: lines([FALLING, RISING], "x", "y"),
    "logarithmic": lambda: lines([FALLING, RISING], "x", "y", log="xy"),
    "bars": lambda: bars([FALLING, RISING], "x", "y"),
    "named": lambda: named_bars(["␣the", "$a$", "<b>&", "漢字", "a" * 40], [1, 2.5, -1, 0, 3], "score"),
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_chart_is_the_same_each_time_and_tells_what_it_shows(name):
    svg = DRAWN[name]()
    assert svg == DRAWN[name]()
    root = ET.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    assert [each.tag for each in root][:2] == [f"{SVG}title", f"{SVG}desc"]
    assert root.get("role") == "img"
    assert "nan" not in re.sub(r"<text.*?</text>", "", svg)
    assert not re.search(r"<metadata|\d{4}-\d\d-\d\d|atplotlib", svg)


def test_text_stays_text_as_it_is():
    texts = [each.text for each in ET.fromstring(DRAWN["named"]()).iter(f"{SVG}text")]
    assert {"␣the", "$a$", "<b>&", "漢字", "a" * 15 + "…", "2.5", "score"} <= set(texts)
    told = ET.fromstring(DRAWN["lines"]()).findtext(f"{SVG}desc")
    assert told == "falling $x$ <&>: 1 at 1, 0.125 at 8; rising: 0 at 1, 7 at 8"


def test_ids_of_two_charts_in_one_page_are_apart():
    ids = [re.findall(r'\bid="([^"]+)"', lines([FALLING], "x", name)) for name in "yz"]
    assert ids[0]
    assert not set(ids[0]) & set(ids[1])


@pytest.mark.parametrize(
    "draw",
    [
        lambda: lines([], "x", "y"),
        lambda: bars([], "x", "y"),
        lambda: named_bars([], [], "x"),
        lambda: lines([Series("one", [3], [4])], "x", "y"),
        lambda: lines([Series("none", [], [])], "x", "y", log="y"),
        lambda: lines([Series("zeros", [1, 2, 3], [5, 0, 1])], "x", "y", log="y"),
    ],
    ids=["no lines", "no bars", "no names", "one point", "no point", "zero on a logarithmic scale"],
)
def test_little_can_be_drawn_too(draw):
    assert ET.fromstring(draw()).tag == f"{SVG}svg"


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    """Contrast of two colours, as WCAG 2 has it."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_that_of_the_standard():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=0.001)


@pytest.mark.parametrize("colour", [each for each in DARK if each not in (PAGE, GRID)])
def test_text_and_marks_stand_out_in_light_and_dark(colour):
    assert contrast(colour, PAGE) >= 4.5
    assert contrast(DARK[colour], DARK[PAGE]) >= 4.5


@pytest.mark.parametrize("name", DRAWN)
def test_each_colour_has_one_for_the_dark(name):
    svg = DRAWN[name]()
    body = svg.partition("</style>")[2]
    assert set(re.findall(r"#[0-9a-f]{6}", body)) <= DARK.keys()
    for light in {*re.findall(r"(?:fill|stroke): (#[0-9a-f]{6})", body)}:
        assert f'"fill: {light}"]{{fill:{DARK[light]}!important}}' in svg
        assert f'"stroke: {light}"]{{stroke:{DARK[light]}!important}}' in svg


def test_settings_of_a_user_change_nothing():
    import matplotlib

    before = lines([FALLING], "x", "y")
    with matplotlib.rc_context({"lines.linewidth": 9, "font.size": 30, "svg.fonttype": "path", "axes.grid": True}):
        assert lines([FALLING], "x", "y") == before
        assert matplotlib.rcParams["font.size"] == 30
    with styled():
        assert matplotlib.rcParams["svg.fonttype"] == "none"
    assert len(set(COLOURS)) == 4


def test_without_matplotlib_the_install_line_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.style", None)
    for draw in (need_charts, lambda: lines([FALLING], "x", "y")):
        with pytest.raises(MissingPackageError, match=r'needs the package matplotlib.*"sparseembed\[plot\]"'):
            draw()


def test_importing_charts_loads_no_matplotlib():
    code = "import sys, sparseembed.charts, sparseembed.analysis.report; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
