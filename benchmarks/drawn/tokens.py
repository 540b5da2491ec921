"""Texts' aligned tokens, before and after the adjustment, side by side."""

from collections.abc import Mapping
from typing import Any

from sparseembed.charts import COLOURS, canvas, lay_bars, styled, svg

SIDES = {"none": "before: as embedded", "centred": "after: mean taken out"}
ROW, HEAD, LEGEND = 16, 58, 30  # points
STANDS, CLOSE = COLOURS[0], COLOURS[1]


@styled()
def tokens(found: Mapping[str, Any]) -> str:
    """Draw the tokens of each text as bars.

    :param found: What worked.py wrote to tokens.json.
    :return: An `<svg>` element, which may also be a file.
    """
    texts = found["texts"]
    count = max(len(side) for text in texts for side in text["tokens"].values())
    figure = canvas(height=LEGEND + len(texts) * (HEAD + ROW * count))
    parts = figure.subfigures(len(texts), 1, squeeze=False)[:, 0]
    for part, text in zip(parts, texts, strict=True):
        part.suptitle(f"“{text['text']}”", x=0.01, ha="left", fontsize=12, fontweight="bold")
        for axes, (side, name) in zip(part.subplots(1, len(SIDES)), SIDES.items(), strict=True):
            shown = text["tokens"][side]
            colours = [STANDS if each["literal"] else CLOSE for each in shown]
            lay_bars(axes, [each["token"] for each in shown], [each["score"] for each in shown], colours, name, ".1f")
            axes.title.set_fontsize(11)
            for label, each in zip(axes.get_yticklabels(), shown, strict=True):
                label.set_fontweight("bold" if each["literal"] else "normal")
    figure.legend(handles=_marks(), loc="outside lower left", ncols=2, columnspacing=1.5)
    told = " ".join(f"{text['text']} {_told(text['tokens'])}." for text in texts)
    return svg(figure, "Aligned tokens of texts before and after the adjustment", told)


def _marks() -> list[Any]:
    from matplotlib.patches import Patch

    return [Patch(color=STANDS, label="stands in the text (bold)"), Patch(color=CLOSE, label="does not")]


def _told(sides: Mapping[str, Any]) -> str:
    return "; ".join(f"{name}: {' '.join(each['token'] for each in sides[side])}" for side, name in SIDES.items())
