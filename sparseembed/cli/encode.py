"""`sparseembed encode`: the expensive first half of `index`, alone."""

import argparse
from pathlib import Path

from sparseembed.cli.options import (
    add_corpus_argument,
    add_embedder_options,
    add_prompts_option,
    chosen_corpus,
    chosen_embedder,
)
from sparseembed.data.passages import AUTO

DESCRIPTION = """\
Encode a corpus and keep the embeddings, in shards of float32 vectors. `index` and `eval` reuse them. A run that was
killed goes on after its last full shard, and ends with the same bytes as an undisturbed one.
"""
EPILOG = """\
examples:
  sparseembed encode ./scifact
  sparseembed encode my.jsonl --embeddings embeddings/mine --max-length 256
  sparseembed encode ./scifact --embedder owner/model --pooling mean --attention bidirectional
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_corpus_argument(parser)
    parser.add_argument("--embeddings", metavar="DIR", help="where embeddings are kept (default: in the cache)")
    parser.add_argument("--passages", metavar="P", default=AUTO, help="as in sparseembed index (default: auto)")
    parser.add_argument("--reencode", action="store_true", help="encode anew a corpus that has changed")
    add_prompts_option(parser)
    add_embedder_options(parser)


def run(options: argparse.Namespace) -> None:
    """Encode the corpus."""
    from sparseembed.indexing.encoding import encode_corpus

    corpus = chosen_corpus(options)
    folder = Path(options.embeddings) if options.embeddings else None
    encode_corpus(corpus, chosen_embedder(options), folder, options.reencode, options.passages)
