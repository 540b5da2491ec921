"""`sparseembed adapt`: a corpus teaches the embedder."""

import argparse
from pathlib import Path

from sparseembed.cli.options import add_corpus_argument, add_embedder_options, chosen_corpus, chosen_embedder
from sparseembed.cli.training import add_training_options, chosen_recipe, index_command, tell
from sparseembed.training.recipe import ADAPT

DESCRIPTION = """\
Train a LoRA adapter on pseudo-queries made of a corpus's own documents (title -> text, sentence -> the rest, key terms
-> text), so that a document's embedding and its aligned tokens tell it from the others. Some documents are held out: on
them it is checked whether the adapter helped. A run that was stopped goes on from its last checkpoint, to the same
bytes.
"""
EPILOG = """\
examples:
  sparseembed adapt ./scifact --out adapters/scifact
  sparseembed index ./scifact --adapter adapters/scifact
  sparseembed adapt my.jsonl --out adapters/mine --steps 120 --objectives dense aligned residual
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_corpus_argument(parser)
    add_training_options(parser, "documents held out for the check", ADAPT)
    add_embedder_options(parser)


def run(options: argparse.Namespace) -> None:
    """Adapt the embedder."""
    from sparseembed.training.run import adapt

    recipe, embedder, out = chosen_recipe(options), chosen_embedder(options), Path(options.out)
    trained = adapt(chosen_corpus(options), embedder, out, recipe, held_out=options.held_out, restart=options.restart)
    tell(out, trained.about["check"], index_command(options, options.dataset, out))
