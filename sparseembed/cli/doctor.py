"""`sparseembed doctor`: what the machine and the installation have, and how to mend what is wrong."""

import argparse
import json
import sys

from sparseembed.cli.text import columns, printable

DESCRIPTION = """\
Look at Python, the packages of the core, torch, Java, the processor, memory, disk and cache, and tell which extras are
installed and what each would give. What is wrong comes with the command that mends it. Packages are tried in a process
of their own, so that a broken one is told of too. The status is 0 where all that the core needs is there, else 1.
"""
EPILOG = """\
examples:
  sparseembed doctor
  sparseembed doctor --json
  sparseembed doctor --json | jq -r '.findings[] | select(.state == "wrong") | .remedy'
"""
_SIGNS = {"good": "ok", "note": "note", "wrong": "WRONG"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--json", action="store_true", help="as one JSON object")


def run(options: argparse.Namespace) -> int:
    """Examine; return 0 where all is well, else 1."""
    from sparseembed.doctor.examine import examine

    found = examine()
    if options.json:
        value = {
            "well": found.well,
            "findings": [each._asdict() for each in found.findings],
            "extras": [{**each._asdict(), "installed": each.installed} for each in found.extras],
        }
        sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
        return 0 if found.well else 1
    lines = []
    for each in found.findings:
        lines.append(f"{_SIGNS[each.state]:5}  {each.topic:9}  {printable(each.told)}")
        if each.remedy:
            lines.append(f"{'':18}-> {printable(each.remedy)}")
    rows = [
        (each.name, "yes" if each.installed else "no", each.gives, "" if each.installed else each.install)
        for each in found.extras
    ]
    if rows:
        lines += ["", columns(rows, ("extra", "there", "gives", "install with"))]
    lines += ["", "all that the core needs is there" if found.well else "something is wrong: see WRONG above"]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0 if found.well else 1
