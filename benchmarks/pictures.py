"""All charts of the documentation, the results and the shipped adapter, drawn anew from what is committed.

    python benchmarks/pictures.py

Measures nothing: reads results/**/*.json, and the shipped adapter's card. matplotlib's version is that of the lock, if
the files are to be the same to the byte.
"""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

import encoders
from apart.meter import Row as Variant
from apart.page import Result
from apart.page import drawings as apart
from drawn.flow import flow
from drawn.scores import scores
from drawn.tokens import tokens
from efficiency_rows.page import NAME as EFFICIENCY
from efficiency_rows.page import drawings as efficiency
from efficiency_rows.row import Row
from script import RESULTS, status
from worked import WORKED

from sparseembed.embedders.adapters import SHIPPED, adapter_folder
from sparseembed.evaluation.harness import read_report
from sparseembed.training.card import curve_svg

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
ADAPTER = SHIPPED + "smollm2-135m-aligned"
TIMES = "pydocs"  # the collection whose milliseconds are shown


def main() -> int:
    """Draw all.

    :return: 0, or 2 for a user's mistake.
    """
    return status("pictures", run)


def run() -> None:
    """Write all pictures."""
    parser = argparse.ArgumentParser("pictures", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.parse_args()
    for path, svg in pictures().items():
        path.write_text(svg, encoding="utf-8")
        sys.stdout.write(f"wrote {path.relative_to(ROOT)}\n")


def pictures() -> dict[Path, str]:
    """Draw all: file -> SVG."""
    drawn = {
        DOCS / "pipeline.svg": flow(),
        DOCS / "images" / "tokens.svg": tokens(_read(WORKED / "tokens.json")),
        DOCS / "images" / "scores.svg": scores(_read(WORKED / "scores.json")),
        adapter_folder(ADAPTER) / "curve.svg": curve_svg(curve((adapter_folder(ADAPTER) / "README.md").read_text())),
    }
    reports = [read_report(path).content for path in sorted(encoders.DEFAULT.glob("*.json"))]
    for file, svg in encoders.drawings(encoders.lines(reports, TIMES)).items():
        drawn[RESULTS / file] = svg
    content = _read(RESULTS / f"{EFFICIENCY}.json")
    for name, svg in efficiency(content, [Row.from_dict(row) for row in content["rows"]]).items():
        drawn[RESULTS / f"{EFFICIENCY}-{name}.svg"] = svg
    for path in sorted((RESULTS / "ablation").glob("*.json")):
        result = Result({}, [Variant(**row) for row in _read(path)["rows"]])
        for kind, svg in apart(result).items():
            drawn[path.with_name(f"{path.stem}-{kind}.svg")] = svg
    return drawn


def curve(card: str) -> list[dict[str, Any]]:
    """Return the losses by step that an adapter's card tells.

    :param card: Its text.
    """
    section = card.partition("\n## Curve\n")[2].partition("\n## ")[0]
    points = []
    for step, loss, held_out in re.findall(r"^\| (\d+) \| (.+) \| (.+) \|$", section, re.MULTILINE):
        points.append({"step": int(step), "loss": _losses(loss), "validation": _losses(held_out)})
    return points


def _losses(told: str) -> dict[str, float]:
    return {name: float(loss) for name, loss in (each.rsplit(" ", 1) for each in told.split(", ") if each != "-")}


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


if __name__ == "__main__":
    sys.exit(main())
