"""`sparseembed index`: from a corpus to a searchable index."""

import argparse

from sparseembed.alignment.adjustment import ADJUSTMENTS
from sparseembed.cli.options import (
    add_corpus_argument,
    add_embedder_options,
    add_language_options,
    add_prompts_option,
    chosen_corpus,
    chosen_embedder,
)
from sparseembed.sparse.config import AUTO, FLOORS, SCALES, TERM_SPACES, WEIGHTINGS

NAME = "index"
HELP = "encode a corpus and build its index"
DESCRIPTION = """\
Encode a corpus with an LLM embedder, turn each embedding into weighted aligned terms, and write them into a Lucene
impact index. Embeddings are kept and reused: another K, adjustment or term space takes seconds. A run that was killed
goes on where it stopped. Memory grows with the vocabulary and the ids, and not with the texts.
"""
EPILOG = """\
examples:
  sparseembed index pydocs
      the built-in collection, in one-index mode: BM25 impacts and aligned words in one index,
      searched with plain words and no model
  sparseembed index my.jsonl --out indexes/mine
      your own documents, one JSON object a line: {"id": "1", "title": "...", "text": "..."}
  sparseembed index articles.csv.gz --id-field nr --text-field headline --text-field body
      a table with named columns; articles.parquet, a folder of JSON files and so on are given in the same way
  zstdcat dump.jsonl.zst | sparseembed index - --out indexes/dump
      what a program writes
  sparseembed index ./scifact --terms folded -k 512
      the paper's index: aligned vocabulary pieces alone
  sparseembed index ./scifact --terms word+folded
      one-index mode with aligned pieces beside the words; queries go through a tokenizer, and through no model
  sparseembed index ./scifact --out indexes/scifact-half --mix 0.5
      this weight for the aligned words, in place of one chosen for the collection; nothing is encoded again
  sparseembed index artikel.jsonl --language de
      German texts: words by Lucene's German analysis; --language auto looks at a sample and says what it takes
  sparseembed index manuals.jsonl --passages 128/64
      passages of 128 words, the next one 64 words on; a document stays one hit, with the passage that carried it
  sparseembed index manuals.jsonl --prompts keywords --prompts 'Passage: "{text}". It is about: "'
      two further embeddings of each text, under other prompts; a term has the best score of the three
  sparseembed index big.jsonl --out part1 --shard 1/2
  sparseembed index big.jsonl --out part2 --shard 2/2 --statistics part1
  sparseembed merge part1 part2 --out indexes/big
      two parts with the same statistics, joined to what one build makes
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_corpus_argument(parser)
    parser.add_argument("--out", metavar="DIR", help="where the index goes (default: indexes/NAME)")
    parser.add_argument("--embeddings", metavar="DIR", help="where embeddings are kept (default: in the cache)")
    parser.add_argument("--overwrite", action="store_true", help="replace an index of other settings in --out")
    parser.add_argument(
        "--reencode", action="store_true", help="encode anew a corpus that has changed, and replace its index"
    )
    parser.add_argument("--shard", metavar="I/N", help="build part I of N alone; sparseembed merge joins the parts")
    parser.add_argument(
        "--statistics",
        metavar="INDEX",
        help="use the statistics of an index or of one part; none are fitted",
    )
    group = parser.add_argument_group("from embedding to impacts (defaults depend on --terms)")
    group.add_argument(
        "--terms",
        choices=TERM_SPACES,
        default="word",
        help="what a term is (default: word, the one-index mode); word+folded has pieces beside the words",
    )
    group.add_argument("-k", type=int, metavar="K", help="aligned terms of a document")
    group.add_argument("--adjustment", metavar="A", help=f"before decoding: {', '.join(ADJUSTMENTS)}")
    group.add_argument("--floor", choices=FLOORS, help="subtracted from the K scores: nothing, or the smallest of them")
    group.add_argument("--weighting", choices=WEIGHTINGS, help="function of a floored score")
    group.add_argument("--scale", choices=SCALES, help="divide by the document's largest weight, or not")
    group.add_argument("--idf", action=argparse.BooleanOptionalAction, default=None, help="multiply weights by idf")
    group.add_argument(
        "--literal",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="the document's own terms with their BM25 impacts",
    )
    group.add_argument(
        "--mix",
        type=_mix,
        metavar="W",
        help="weight of aligned terms beside literal ones, or auto: chosen for the collection, on sentences taken out "
        "of its documents (default: auto)",
    )
    group.add_argument(
        "--pieces", type=float, metavar="SHARE", help="with word+folded: share of the pieces beside aligned words, 0..1"
    )
    group.add_argument(
        "--least",
        type=_least,
        metavar="N",
        help="documents of a word that is decoded onto; rarer ones are literal alone (default: auto, 1 for up to "
        "50,000 words and 2 for more)",
    )
    group.add_argument(
        "--passages",
        metavar="P",
        help="split texts into passages with embeddings of their own, of which each term has its best weight: 128/64 "
        "(words, and words to the beginning of the next one), sentences:128 (whole sentences up to so many words), or "
        "off (default: auto, only texts that the embedder would cut)",
    )
    add_prompts_option(group)
    group.add_argument("--bits", type=int, help="bits of an impact (default: 8, impacts 1..255)")
    group.add_argument(
        "--no-embeddings",
        dest="carried",
        action="store_const",
        const=False,
        help="leave out the documents' embeddings in 8 bits, 576 bytes a document by the default embedder, which "
        "search --rescore reads",
    )
    add_language_options(parser)
    add_embedder_options(parser)


def _mix(text: str) -> float | str:
    return text if text == AUTO else float(text)


def _least(text: str) -> int | str:
    return text if text == AUTO else int(text)


def run(options: argparse.Namespace) -> None:
    """Build the index."""
    from sparseembed.indexing.build import build_index

    choices = (
        "k",
        "adjustment",
        "floor",
        "weighting",
        "scale",
        "idf",
        "literal",
        "mix",
        "pieces",
        "bits",
        "least",
        "carried",
        "analyzer",
        "passages",
    )
    embedder = chosen_embedder(options)
    build_index(
        chosen_corpus(options),
        options.out,
        embedder,
        options.terms,
        embeddings=options.embeddings,
        overwrite=options.overwrite,
        reencode=options.reencode,
        shard=options.shard,
        statistics=options.statistics,
        language=options.language,
        **{choice: getattr(options, choice) for choice in choices},
    )
