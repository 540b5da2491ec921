"""`sparseembed train`: an embedder from text pairs."""

import argparse
from pathlib import Path

from sparseembed.cli.options import add_embedder_options, chosen_embedder
from sparseembed.cli.training import add_training_options, chosen_recipe, index_command, tell
from sparseembed.errors import DataError
from sparseembed.files import read_json
from sparseembed.training.recipe import Recipe

DESCRIPTION = """\
Train a LoRA adapter on pairs of a query and a text that answers it: {"query", "positive", "negative"?}, "anchor" for
"query", lists "pos" and "neg" (a pair for each positive), lists of passages as Tevatron has them, or two or three
columns between tabs; in JSONL, JSON, CSV, TSV, Parquet or Arrow, each perhaps compressed, or saved by datasets. The
batches are of one file each; some pairs are held out for a check. A run that was stopped goes on from its last
checkpoint, to the same bytes.
"""
EPILOG = """\
examples:
  sparseembed train pairs/ --out adapters/general
  sparseembed train triples.train.small.tsv.gz --out adapters/general
  sparseembed train squad.jsonl titles.jsonl --out adapters/general --steps 1000 --batch 64
  sparseembed train pairs/ --licences licences.json --out adapters/general
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("files", metavar="FILE", nargs="+", help="files of pairs, or folders of them")
    parser.add_argument(
        "--licences", metavar="FILE", help="JSON object, file's name without its ending -> licence: for the model card"
    )
    add_training_options(parser, "pairs held out for the check", Recipe())
    add_embedder_options(parser)


def run(options: argparse.Namespace) -> None:
    """Train the adapter."""
    from sparseembed.pseudo.pairs import read_sources
    from sparseembed.training.run import train

    recipe, embedder, out = chosen_recipe(options), chosen_embedder(options), Path(options.out)
    licences = _licences(options.licences)
    trained = train(
        read_sources([Path(file) for file in options.files]),
        embedder,
        out,
        recipe,
        held_out=options.held_out,
        restart=options.restart,
        licences=licences,
    )
    tell(out, trained.about["check"], index_command(options, "DATASET", out))


def _licences(name: str | None) -> dict[str, str]:
    if name is None:
        return {}
    found = read_json(Path(name), DataError, "write an object, file's name -> licence", pipes=True)
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise DataError(f'{name} is no object of names and licences: write {{"squad": "CC-BY-SA 4.0"}}')
    return found
