"""What the scripts that measure on a split to tune on are asked."""

import argparse
from pathlib import Path

from script import RESULTS


def tuning_parser(description: str | None, name: str) -> argparse.ArgumentParser:
    """Return a parser that knows the collection, its split, the embedder and where the result goes.

    :param description: What the script does.
    :param name: Where the result goes by default, in the folder of results.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collection", help="collection whose train or dev split is searched")
    parser.add_argument("--split", help="split to measure on (default: train, else dev); never test")
    parser.add_argument("--embedder", help="a preset, model folder, GGUF file or Hugging Face id")
    parser.add_argument("--out", type=Path, default=RESULTS / name, metavar="DIR")
    return parser
