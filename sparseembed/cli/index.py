"""`sparseembed index`: from a corpus to a searchable index."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from sparseembed.cli.options import (
    add_corpus_argument,
    add_embedder_options,
    add_language_options,
    add_prompts_option,
    chosen_corpus,
    chosen_embedder,
)
from sparseembed.cli.parser import advanced_group
from sparseembed.cli.sizes import SIZES, sized
from sparseembed.errors import ConfigError
from sparseembed.sparse.config import AUTO

if TYPE_CHECKING:
    from sparseembed.indexing.cluster.build import Spreading

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
  sparseembed index my.jsonl --size small
      the smallest index that still matches by meaning; --size large is the most thorough one
  sparseembed index artikel.jsonl --language de
      German texts: words by Lucene's German analysis; --language auto looks at a sample and says what it takes
  sparseembed index manuals.jsonl --passages 128/64
      passages of 128 words, the next one 64 words on; a document stays one hit, with the passage that carried it
"""
ADVANCED_EXAMPLES = """\
  sparseembed index ./scifact --terms folded -k 512
      the paper's index: aligned vocabulary pieces alone
  sparseembed index ./scifact --terms word+folded
      one-index mode with aligned pieces beside the words; queries go through a tokenizer, and through no model
  sparseembed index ./scifact --out indexes/scifact-half --mix 0.5
      this weight for the aligned words, in place of one chosen for the collection; nothing is encoded again
  sparseembed index manuals.jsonl --prompts keywords --prompts 'Passage: "{text}". It is about: "'
      two further embeddings of each text, under other prompts; a term has the best score of the three
  sparseembed index big.jsonl --out part1 --shard 1/2
  sparseembed index big.jsonl --out part2 --shard 2/2 --statistics part1
  sparseembed merge part1 part2 --out indexes/big
      two parts with the same statistics, joined to what one build makes
  sparseembed index big.jsonl --out /shared/big --embeddings /shared/embeddings --ray auto --workers 8
      on the machines of a Ray cluster, with the bytes of one machine
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
    parser.add_argument(
        "--size",
        choices=SIZES,
        help="how much the index keeps of each document: small, two thirds of the bytes for .01 of nDCG@10 on "
        "short queries; default; or large, with pieces of words beside the words (default: default)",
    )
    parser.add_argument(
        "--passages",
        metavar="P",
        help="split texts into passages with embeddings of their own, of which each term has its best weight: 128/64 "
        "(words, and words to the beginning of the next one), sentences:128 (whole sentences up to so many words), or "
        "off (default: auto, only texts that the embedder would cut)",
    )
    parser.add_argument(
        "--no-embeddings",
        dest="carried",
        action="store_const",
        const=False,
        help="leave out the documents' embeddings in 8 bits, 576 bytes a document by the default embedder, which "
        "search --rescore reads",
    )
    add_language_options(parser)
    add_embedder_options(parser)
    _add_parts_options(parser)
    _add_method_options(parser)


def _add_parts_options(parser: argparse.ArgumentParser) -> None:
    group = advanced_group(parser, "in parts")
    group.add_argument("--shard", metavar="I/N", help="build part I of N alone; sparseembed merge joins the parts")
    group.add_argument(
        "--statistics",
        metavar="INDEX",
        help="use the statistics of an index or of one part; none are fitted",
    )
    group = advanced_group(
        parser,
        "on a Ray cluster",
        "The work is spread over the machines of a Ray cluster, which must see the same folders and have the same\n"
        "software; the index has the bytes that one machine makes of the same embeddings. A worker that dies costs\n"
        "the job that it was doing, and the same command goes on after the driver has died.",
    )
    group.add_argument(
        "--ray",
        nargs="?",
        const="local",
        metavar="ADDRESS",
        help="address of the cluster, such as 10.0.0.1:6379, or auto; without ADDRESS, one of this machine alone",
    )
    group.add_argument("--workers", type=int, metavar="N", help="workers (default: one a GPU, else one a machine)")
    group.add_argument("--parts", type=int, metavar="N", help="parts that are written apart (default: one a worker)")
    group.add_argument(
        "--keep-parts",
        action="store_true",
        help="leave the parts in --out, where search finds them, and merge nothing; --out may be a URL of fsspec then",
    )
    group.add_argument("--work", metavar="DIR", help="folder for what is between (default: a hidden one beside --out)")


def _add_method_options(parser: argparse.ArgumentParser) -> None:
    from sparseembed.alignment.adjustment import ADJUSTMENTS
    from sparseembed.sparse.config import FLOORS, SCALES, TERM_SPACES, WEIGHTINGS

    group = advanced_group(parser, "from embedding to impacts (defaults depend on --terms)")
    group.add_argument(
        "--terms",
        choices=TERM_SPACES,
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
        "--kept",
        type=int,
        metavar="N",
        help="aligned terms of a document that become postings, the weightiest of the K, beside its own terms; 0 for "
        "all (default)",
    )
    group.add_argument(
        "--composed",
        type=int,
        metavar="N",
        help="documents that a word which the tokenizer splits must stand in to be given to documents without it "
        "(default: 3 with word and word+folded)",
    )
    group.add_argument(
        "--least",
        type=_least,
        metavar="N",
        help="documents of a word that is decoded onto; rarer ones are literal alone (default: auto, 1 for up to "
        "50,000 words and 2 for more)",
    )
    add_prompts_option(group)
    group.add_argument("--bits", type=int, help="bits of an impact (default: 5 with word and word+folded, else 8)")


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
        "kept",
        "composed",
        "least",
        "carried",
        "analyzer",
        "passages",
    )
    given = sized(options.size, {choice: getattr(options, choice) for choice in ("terms", *choices)})
    terms = given.pop("terms") or "word"
    embedder = chosen_embedder(options)
    spreading = _spreading(options)
    common = {
        "embeddings": options.embeddings,
        "overwrite": options.overwrite,
        "reencode": options.reencode,
        "language": options.language,
        **given,
    }
    corpus = chosen_corpus(options)
    if spreading is not None:
        from sparseembed.indexing.cluster.build import build_on_cluster

        build_on_cluster(corpus, options.out, embedder, terms, spreading, **common)
        return
    build_index(
        corpus,
        options.out,
        embedder,
        terms,
        shard=options.shard,
        statistics=options.statistics,
        **common,
    )


def _spreading(options: argparse.Namespace) -> "Spreading | None":
    """Return how the work is spread over a cluster; None where it is done here."""
    if options.ray is None:
        for name in ("workers", "parts", "keep_parts", "work"):
            if getattr(options, name):
                raise ConfigError(f"--{name.replace('_', '-')} is for --ray: give both, or neither")
        return None
    if options.shard or options.statistics:
        raise ConfigError("--ray makes parts and statistics by itself: leave out --shard and --statistics")
    from sparseembed.indexing.cluster.build import Spreading

    work = Path(options.work) if options.work else None
    return Spreading(options.ray, options.workers, options.parts, options.keep_parts, work)
