"""`sparseembed merge`: one index of parts that were built apart."""

import argparse

DESCRIPTION = """\
Join the parts that `sparseembed index --shard I/N` built with the same statistics: the result is what one build makes.
"""
EPILOG = """\
examples:
  sparseembed index big.jsonl --out part1 --shard 1/2
  sparseembed index big.jsonl --out part2 --shard 2/2 --statistics part1
  sparseembed merge part1 part2 --out indexes/big
  sparseembed merge parts/* --out indexes/big --overwrite
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("parts", metavar="PART", nargs="+", help="the folders of all parts, in any order")
    parser.add_argument("--out", metavar="DIR", required=True, help="where the index goes")
    parser.add_argument("--overwrite", action="store_true", help="replace an index that stands in --out")


def run(options: argparse.Namespace) -> None:
    """Merge the parts."""
    from sparseembed.indexing.shards import merge_indexes

    merge_indexes(options.parts, options.out, options.overwrite)
