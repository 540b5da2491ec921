"""`sparseembed inspect`: the aligned tokens of a text."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sparseembed.cli import side_by_side
from sparseembed.cli.options import add_embedder_options, chosen_embedder, named_embedder, positive
from sparseembed.cli.text import columns, visible
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.errors import ConfigError

if TYPE_CHECKING:
    from sparseembed.alignment.adjustment import Adjustment

DESCRIPTION = """\
Embed a text, decode the embedding with the backbone's LM head, and show the tokens it ranks first. What all embeddings
share is taken out before: the mean of a few built-in texts, or with --index the mean or first component of that index's
own collection; --adjustment none shows the embedding as it is. --instruction
shows the text under several instructions side by side; --with shows what brings two texts together or holds them apart.
"""
EPILOG = """\
examples:
  sparseembed inspect "What can a person do about high blood pressure?"
  sparseembed inspect "What can a person do about high blood pressure?" --adjustment none
  sparseembed inspect "What can a person do about high blood pressure?" --index indexes/pydocs --side query
  sparseembed inspect "$(cat abstract.txt)" --embedder owner/model -k 50 --json
  sparseembed inspect "The soup was cold and the waiter rude." \\
    --instruction 'Text: "{text}". In one word, the topic of the text is: "' \\
    --instruction 'Text: "{text}". In one word, the sentiment of the text is: "'
  sparseembed inspect "The soup was cold." --embedder qwen3-embedding-0.6b --instruction "Classify the sentiment"
  sparseembed inspect "The medicine is safe." --with "The medicine is not safe."
"""


class _Token(NamedTuple):
    rank: int
    token: str
    score: float
    literal: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("text", metavar="TEXT", help="the text")
    parser.add_argument("-k", type=int, default=20, help="tokens wanted (default: 20)")
    parser.add_argument("--side", choices=("document", "query"), default="document", help="whose prompt to use")
    parser.add_argument("--terms", choices=("folded", "token"), default="folded", help="fold case and leading space")
    parser.add_argument("--index", metavar="INDEX", help="use the embedder and the adjustment of an index")
    parser.add_argument("--json", action="store_true", help="one JSON object a token; when comparing, one in all")
    side_by_side.add_arguments(parser)
    add_embedder_options(parser)


def run(options: argparse.Namespace) -> None:
    """Decode the text."""
    positive(options.k, "-k, the tokens wanted,")
    if not options.text.strip():
        raise ConfigError("the text is blank: there is nothing to embed")
    if side_by_side.wanted(options):
        side_by_side.run(options, *_embedder(options))
        return
    tokens = _tokens(options)
    if options.json:
        for token in tokens:
            sys.stdout.write(json.dumps(token._asdict(), ensure_ascii=False) + "\n")
        return
    rows = [
        (token.rank, visible(token.token), f"{token.score:.3f}", "literal" if token.literal else "") for token in tokens
    ]
    sys.stdout.write(columns(rows, ("rank", "token", "score", "literal"), right=frozenset({0, 2})) + "\n")


def _tokens(options: argparse.Namespace) -> list[_Token]:
    from sparseembed.api import decode
    from sparseembed.sparse.pieces import piece_space
    from sparseembed.text import clean_text

    embedder, adjustment = _embedder(options)
    text = clean_text(options.text)
    vector = embedder.encode([text], options.side)[0]
    pieces = embedder.tokenizer.encode(" " + text.strip(), add_special_tokens=False).ids
    space = piece_space(options.terms, embedder.tokenizer, max(pieces, default=0) + 1)
    numbers = {space.term_of_piece[piece] for piece in pieces} - {-1}
    literal = {space.labels[number] for number in numbers}
    return [
        _Token(rank, token, float(score), token in literal)
        for rank, (token, score) in enumerate(decode(vector, embedder, options.k, options.terms, adjustment), 1)
    ]


def _embedder(options: argparse.Namespace) -> "tuple[TransformerEmbedder, Adjustment | None]":
    if options.index is None:
        embedder = chosen_embedder(options)
        if side_by_side.wanted(options) or options.adjustment == "none":
            return embedder, None
        from sparseembed.alignment.general import general_adjustment

        return embedder, general_adjustment(embedder, options.side, options.adjustment or "centred")
    from sparseembed.index.snapshot import open_snapshot
    from sparseembed.retrieval.embedder import matching_embedder

    snapshot = open_snapshot(Path(options.index))
    embedder = matching_embedder(snapshot.manifest, named_embedder(options))
    return embedder, snapshot.adjustment(options.side)
