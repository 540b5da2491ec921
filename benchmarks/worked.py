"""Worked examples for the documentation: texts' aligned tokens before and after the adjustment, and a query's scores.

    python benchmarks/worked.py --index indexes/pydocs

The index is that of `sparseembed index pydocs`. Writes results/worked/tokens.json, with the default embedder and the
adjustment that `sparseembed inspect` makes, and results/worked/scores.json, from what `sparseembed explain` tells of
the first hits. `python benchmarks/pictures.py` draws both.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from script import RESULTS, status

from sparseembed.alignment.general import general_adjustment
from sparseembed.api import decode
from sparseembed.embedders.load import load_embedder
from sparseembed.embedders.presets import DEFAULT
from sparseembed.files import write_json
from sparseembed.retrieval.searcher import Searcher
from sparseembed.sparse.pieces import piece_space

WORKED = RESULTS / "worked"
TEXTS = (
    "What can a person do about high blood pressure?",
    "The orchestra played the symphony without a conductor.",
    "Rising interest rates make it harder to buy a house.",
)
ADJUSTMENT = "centred"
SHOWN = 8  # tokens of a text
QUERY = "pick a random element from a list"
HITS = 3


def main() -> int:
    """Make the examples.

    :return: 0, or 2 for a user's mistake.
    """
    return status("worked", run)


def run() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser("worked", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--index", type=Path, default=Path("indexes/pydocs"), help="an index of pydocs")
    parser.add_argument("--out", type=Path, default=WORKED, metavar="DIR")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    write_json(options.out / "scores.json", scores(options.index))
    write_json(options.out / "tokens.json", tokens(DEFAULT))


def tokens(embedder: str) -> dict[str, Any]:
    """Decode the texts, as they are and adjusted.

    :param embedder: A preset or a model.
    """
    model = load_embedder(embedder)
    space = piece_space("folded", model.tokenizer, model.tokenizer.get_vocab_size())
    adjustments = {"none": None, ADJUSTMENT: general_adjustment(model, "document", ADJUSTMENT)}
    found = []
    for text, vector in zip(TEXTS, model.encode(list(TEXTS), "document"), strict=True):
        pieces = model.tokenizer.encode(" " + text, add_special_tokens=False).ids
        own = {space.labels[space.term_of_piece[piece]] for piece in pieces}
        sides = {
            name: [
                {"token": each.token, "score": round(each.score, 3), "literal": each.token in own}
                for each in decode(vector, model, SHOWN, "folded", adjustment)
            ]
            for name, adjustment in adjustments.items()
        }
        found.append({"text": text, "tokens": sides})
    return {"command": "python benchmarks/worked.py", "embedder": embedder, "side": "document", "texts": found}


def scores(index: Path) -> dict[str, Any]:
    """Explain the first hits of the query.

    :param index: An index of pydocs.
    """
    with Searcher.open(index, warm=False) as searcher:
        explained = [searcher.explain(QUERY, hit.id) for hit in searcher.search(QUERY, HITS)]
    hits = [
        {"id": each.id, "score": each.score, "terms": [term._asdict() for term in each.terms]} for each in explained
    ]
    return {"command": "python benchmarks/worked.py", "collection": "pydocs", "query": QUERY, "hits": hits}


if __name__ == "__main__":
    sys.exit(main())
