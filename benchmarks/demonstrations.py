"""What an embedding says: the paper's two demonstrations, with any embedder.

    python benchmarks/demonstrations.py
    python benchmarks/demonstrations.py --embedder owner/model --out demonstrations.json
    python benchmarks/demonstrations.py --texts mine.json --adjustment none

(a) texts under several instructions, with a score for how far each moves the aligned tokens toward its own words;
(b) pairs of texts (a paraphrase, a negation, a related and an unrelated text), with the tokens that bring the two
together or hold them apart. `--texts` takes a file in the form of sparseembed/analysis/demonstrations/texts.json.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from script import status

from sparseembed.analysis.demonstrations.demonstrate import DEFAULT_KIND, KINDS, demonstrate
from sparseembed.analysis.demonstrations.lens import open_lens
from sparseembed.analysis.demonstrations.texts import read_demonstrations
from sparseembed.cli.options import add_embedder_options, chosen_embedder
from sparseembed.cli.side_by_side import told_pair
from sparseembed.cli.text import columns, visible
from sparseembed.files import write_json
from sparseembed.progress import ConsoleReporter, note, set_reporter


def main() -> int:
    """Run the demonstrations.

    :return: 0, or 2 for a user's mistake.
    """
    return status("demonstrations", run)


def run() -> None:
    """Read the arguments, run both demonstrations, print them and write them.

    :raises SparseEmbedError: A user's mistake.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", metavar="FILE", type=Path, help="JSON of instructions, texts and pairs of your own")
    parser.add_argument("--terms", choices=("folded", "token"), default="folded")
    parser.add_argument("--adjustment", choices=KINDS, default=DEFAULT_KIND)
    parser.add_argument("--out", metavar="FILE", type=Path, help="write all figures and tokens as JSON")
    add_embedder_options(parser)
    options = parser.parse_args()
    set_reporter(ConsoleReporter())
    material = read_demonstrations(options.texts) if options.texts else None
    embedder = chosen_embedder(options)
    found = demonstrate(embedder, open_lens(embedder, options.terms), material, options.adjustment)
    sys.stdout.write(told(found))
    if options.out:
        write_json(options.out, {"embedder": embedder.spec.as_dict(), "terms": options.terms, **found})
        note(f"wrote {options.out}")


def told(found: Mapping[str, Any]) -> str:
    """Lay both demonstrations out as text.

    :param found: What `demonstrate` returns.
    :return: The lines.
    """
    parts = []
    if found["instructions"]:
        parts += _instructions(found["instructions"])
    if found["relatedness"]:
        parts += _relatedness(found["relatedness"])
    return "\n\n".join([*parts, f"adjustment: {found['adjustment']}"]) + "\n"


def _instructions(found: Mapping[str, Any]) -> list[str]:
    rows = []
    for each in found["instructions"]:
        score = "none of its words is a token"
        if each["score"] is not None:
            score = f"{each['score']:+.2f} [{each['low']:+.2f}, {each['high']:+.2f}]"
        up = sum(shift > 0 for shift in each["moved"])
        rows.append((each["name"], score, f"{up} of {len(each['moved'])}", " ".join(each["words"])))
    parts = [
        f"# Instructions\n\nscore: {found['score']}",
        columns(rows, ("instruction", "score", "texts moved up", "its words")),
    ]
    for each in found["texts"]:
        lists = [[visible(token["token"]) for token in tokens] for tokens in each["tokens"].values()]
        parts.append(f"{each['text']}\n" + columns([*zip(*lists, strict=True)], [*each["tokens"]]))
    return parts


def _relatedness(found: Mapping[str, Any]) -> list[str]:
    rows = [
        (each["kind"], each["pairs"], f"{each['vocabulary_cosine']:.3f}", f"{each['dense_cosine']:.3f}")
        for each in found["kinds"]
    ]
    table = columns(rows, ("kind", "pairs", "vocabulary cosine", "dense cosine"), right=frozenset({1, 2, 3}))
    parts = ["# Similar, or only related", table, *([found["reading"]] if found["reading"] else [])]
    return [*parts, *(f"## {each['kind']}\n\n{told_pair(each)}" for each in found["pairs"])]


if __name__ == "__main__":
    sys.exit(main())
