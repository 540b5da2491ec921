"""`sparseembed embedders`: the embedders that go by a name."""

import argparse
import json
import sys

from sparseembed.cli.text import columns, visible
from sparseembed.embedders.catalogue import CATALOGUE, Preset
from sparseembed.embedders.presets import find_preset

DESCRIPTION = """\
Without a name: a table of the presets. With one: each of its parts, where they were looked up, and what is not sure.
Verified means that prompt, pooling, attention, adapters and closing token were read in the authors' code or model card.
Nothing is fetched or loaded.
"""
EPILOG = """\
examples:
  sparseembed embedders
  sparseembed embedders gritlm-7b
  sparseembed embedders --json | grep '"verified": false'
  sparseembed index my.jsonl --embedder qwen3-embedding-0.6b --task "Given a claim, find documents that refute it"
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("name", metavar="NAME", nargs="?", help="a preset, to see its parts")
    parser.add_argument("--json", action="store_true", help="one JSON object a preset")


def run(options: argparse.Namespace) -> None:
    """List the presets, or show one."""
    presets = CATALOGUE if options.name is None else (find_preset(options.name),)
    if options.json:
        for preset in presets:
            sys.stdout.write(json.dumps(preset.as_dict(), ensure_ascii=False) + "\n")
    elif options.name is None:
        sys.stdout.write(_table() + "\n")
    else:
        sys.stdout.write(_parts(presets[0]) + "\n")


def _table() -> str:
    heads = ("name", "group", "weights", "pooling", "attention", "languages", "licence", "verified")
    rows = [
        (
            preset.name,
            preset.group,
            preset.spec.weights,
            preset.spec.pooling,
            preset.spec.attention,
            " ".join(preset.languages) or "?",
            preset.licence,
            _yes(preset.verified),
        )
        for preset in CATALOGUE
    ]
    return columns(rows, heads)


def _parts(preset: Preset) -> str:
    rows = []
    for part, value in preset.as_dict().items():
        values = value or ("",) if isinstance(value, tuple) else (value,)
        for number, each in enumerate(values, 1):
            label = part.replace("_", " ") + (f" {number}" if len(values) > 1 else "")
            rows.append(f"{label:17} {_shown(each)}".rstrip())
    return "\n".join(rows)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return _yes(value)
    return "-" if value is None or value == "" else visible(str(value))


def _yes(value: bool) -> str:
    return "yes" if value else "no"
