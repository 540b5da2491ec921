"""The efficiency of every step, as ratios of two things measured in one run.

    python benchmarks/efficiency.py
    python benchmarks/efficiency.py --rows decode query --quick
    python benchmarks/efficiency.py --rows growth --large

Made texts and a stub embedder take the place of a collection and a model, wherever neither is what is measured.
Writes benchmarks/results/efficiency.json, efficiency.md with drawings, and efficiency-profile.md.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from efficiency_rows import decoding, encoding, feedback, growth, machine, opening, queries, writing
from efficiency_rows.page import NAME, draw, page
from efficiency_rows.profiling import profile
from efficiency_rows.row import Row
from efficiency_rows.workplace import Workplace
from script import RESULTS, called, publish, status

from sparseembed.progress import ConsoleReporter, note, set_reporter

ROWS: dict[str, Callable[[Workplace], list[Row]]] = {
    "decode": decoding.measure_decoding,
    "steps": decoding.measure_steps,
    "write": writing.measure,
    "encode": encoding.measure,
    "query": queries.measure,
    "feedback": feedback.measure,
    "open": opening.measure_opening,
    "first-hit": opening.measure_first_hit,
    "text": opening.measure_texts,
}
FURTHER = ("growth", "add", "profile")


def main() -> int:
    """Measure, and write the page.

    :return: 0, or 2 for a user's mistake.
    """
    return status("efficiency", lambda: run(_options()))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    every = [*ROWS, *FURTHER]
    parser.add_argument("--rows", nargs="+", choices=every, default=every, metavar="ROW", help=", ".join(every))
    parser.add_argument("--quick", action="store_true", help="small sizes: a check that it runs, and no measurement")
    parser.add_argument("--large", action="store_true", help="growth up to a million documents")
    parser.add_argument("--embedder", help="a preset, model folder, GGUF file or Hugging Face id")
    parser.add_argument(
        "--work", type=Path, metavar="DIR", help="where corpora and indexes go (default: removed after)"
    )
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR")
    return parser.parse_args()


def run(options: argparse.Namespace) -> None:
    """Measure the rows that were asked for; others stay as they were measured before on the same machine.

    :raises SparseEmbedError: A user's mistake.
    """
    set_reporter(ConsoleReporter())
    start, about = time.monotonic(), machine.describe()
    options.out.mkdir(parents=True, exist_ok=True)
    content = standing(options.out / f"{NAME}.json", about, options.quick)
    rows = [row for row in content["rows"] if row.row not in options.rows]
    with ExitStack() as stack:
        made = stack.enter_context(tempfile.TemporaryDirectory(prefix="sparseembed-bench-"))
        folder = options.work or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        place = Workplace(folder, options.embedder, options.quick)
        for name, measure in ROWS.items():
            if name in options.rows:
                note(f"row {name}")
                rows += measure(place)
        if "growth" in options.rows:
            found, content["growth"] = growth.measure_growth(place, options.large)
            rows += found
        if "add" in options.rows:
            found, content["add"] = growth.measure_adding(place)
            rows += found
        if "profile" in options.rows:
            written = options.out / f"{NAME}-profile.md"
            written.write_text(profile(place), encoding="utf-8")
            note(f"wrote {written}")
    took = {"command": called("efficiency.py"), "minutes": (time.monotonic() - start) / 60, "load": about["load"]}
    content["runs"] |= dict.fromkeys(options.rows, took)
    rows.sort(key=lambda row: [*ROWS, *FURTHER].index(row.row))  # stable: a row's parts keep their order
    content["drawings"] = draw(content, rows, options.out)
    publish(options.out / NAME, page(content, rows), content | {"rows": [row.as_dict() for row in rows]})


def standing(path: Path, about: dict[str, Any], quick: bool) -> dict[str, Any]:
    """Return what was measured before on the same machine with the same packages, or nothing.

    :param path: The file of figures.
    :param about: The machine.
    :param quick: Whether this run is a quick one.
    """
    fresh: dict[str, Any] = {"quick": quick, "machine": about, "runs": {}, "rows": []}
    if not path.exists():
        return fresh
    before = json.loads(path.read_text(encoding="utf-8"))
    same = {**before["machine"], "load": 0} == {**about, "load": 0} and before["quick"] == quick
    return before | {"rows": [Row.from_dict(row) for row in before["rows"]]} if same else fresh


if __name__ == "__main__":
    sys.exit(main())
