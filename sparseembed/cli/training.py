"""What `train` and `adapt` share: the recipe's options, and how a result is told."""

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any

from sparseembed.cli.options import PARTS
from sparseembed.cli.text import columns
from sparseembed.training.recipe import OBJECTIVES, Recipe

_RUNNING = ("max_length", "dtype", "device")  # how it runs, which an index may choose anew
_HELP = {
    "steps": "optimiser steps",
    "batch": "pairs of a step",
    "alike": "share of a batch that is about the same: hard negatives; 0 draws by chance",
    "query_length": "tokens of a prompted query",
    "document_length": "tokens of a prompted document",
    "rank": "rank of the LoRA matrices",
    "layers": "share of the layers that is adapted, from the top",
    "learning_rate": "largest learning rate",
    "temperature": "InfoNCE's temperature",
    "sparsity": "weight of the FLOPS penalty, in units of its starting value",
    "cached_tokens": "tokens whose activations are held at once; larger batches are cached",
    "seed": "seed of the LoRA matrices and of the batches",
}


def add_training_options(parser: argparse.ArgumentParser, held_out: str, default: Recipe) -> None:
    """Add --out, --held-out, --restart and the recipe's options."""
    from sparseembed.training.run import HELD_OUT

    parser.add_argument("--out", metavar="ADAPTER", required=True, help="folder of the adapter")
    parser.add_argument("--held-out", type=int, default=HELD_OUT, help=f"{held_out} (default: {HELD_OUT})")
    parser.add_argument(
        "--restart", action="store_true", help="begin again where another training or adapter is in the way"
    )
    group = parser.add_argument_group("recipe")
    parser.set_defaults(default_recipe=default)
    group.add_argument(
        "--objectives",
        metavar="O",
        nargs="+",
        choices=OBJECTIVES,
        help="losses that are summed: dense, aligned; with hard negatives of BM25's residual and searched, which are "
        "added to its score, and distilled and fused, whose teacher is the model's own dense score "
        f"(default: {' '.join(default.objectives)})",
    )
    for name, told in _HELP.items():
        value = getattr(default, name)
        group.add_argument(
            f"--{name.replace('_', '-')}", type=type(value), metavar="N", help=f"{told} (default: {_shown(value)})"
        )


def _shown(value: int | float) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def chosen_recipe(options: argparse.Namespace) -> Recipe:
    """Return the recipe that the options name."""
    default: Recipe = options.default_recipe
    return default.with_changes(objectives=options.objectives, **{name: getattr(options, name) for name in _HELP})


def index_command(options: argparse.Namespace, dataset: str, out: Path) -> str:
    """Return the command that indexes with the adapter: the embedder as it was chosen for the training."""
    words = ["sparseembed", "index", dataset]
    for part in ("embedder", *PARTS):
        chosen = getattr(options, part)
        if chosen is not None and part not in _RUNNING:
            flag = "--adapter" if part == "adapters" else f"--{part.replace('_', '-')}"
            words += [word for value in (chosen if part == "adapters" else [chosen]) for word in (flag, value)]
    for flag, part in (("--id-field", "id_field"), ("--text-field", "text_fields"), ("--title-field", "title_field")):
        chosen = getattr(options, part, None)  # train has no corpus
        words += [word for value in ([chosen] if isinstance(chosen, str) else chosen or ()) for word in (flag, value)]
    return shlex.join([*words, "--adapter", str(out)])


def tell(path: Path, check: dict[str, Any], use: str) -> None:
    """Tell whether it helped, and what to do."""
    rows = [
        (
            kind,
            f"{gain['before']:.3f}",
            f"{gain['after']:.3f}",
            f"{gain['after'] - gain['before']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}]",
        )
        for kind, gain in check["mrr"].items()
    ]
    heads = ("held-out MRR", "before", "after", "difference, 95% interval")
    verdict = (
        f"it helped; use it: {use}"
        if check["helped"]
        else "it did not help beyond doubt: go on with the embedder as it was"
    )
    table = columns(rows, heads, right=frozenset({1, 2}))
    sys.stdout.write(f"{table}\n\n{verdict}\nthe adapter and its model card are in {path}\n")
