"""Fit the head of a small query encoder to general texts, and put it beside the adapter of an embedder.

The texts are queries and sentences of training pairs; no pair is learnt from, for the whole model's embeddings are what
the head is fitted to. How near it comes to them is measured on texts that it was not fitted to.
"""

import argparse
import random
import sys
from pathlib import Path

import numpy as np
from script import called, status

from sparseembed.embedders.early import DEPTH, STRENGTH, EarlyHead, fit_early_head
from sparseembed.embedders.load import load_embedder
from sparseembed.embedders.query_head import write_general_head
from sparseembed.embedders.store import Texts, encode_to_store
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.files import cache_folder, digest
from sparseembed.progress import note, track
from sparseembed.pseudo.pairs import read_sources
from sparseembed.pseudo.query_like import WORDS
from sparseembed.pseudo.sentences import split_sentences

QUERIES, SENTENCES = 600, 200
"""Of each file, at most."""

HELD_OUT = 600
BLOCK = 2048


def texts_of(files: list[Path], seed: int) -> list[str]:
    """Return queries and sentences of training pairs, in random order, each once.

    :param files: Files of pairs.
    :param seed: Decides which, and their order.
    """
    chance = random.Random(seed)
    found: set[str] = set()
    for source in read_sources(files):
        pairs = list(source.pairs)
        queries = sorted({_short(pair.query) for pair in pairs} - {""})
        chance.shuffle(queries)
        sentences = [split_sentences(pair.positive) for pair in chance.sample(pairs, min(len(pairs), 2 * SENTENCES))]
        found |= {*queries[:QUERIES], *[_short(chance.choice(each)) for each in sentences if each][:SENTENCES]}
    ordered = sorted(found - {""})
    chance.shuffle(ordered)
    return ordered


def fit(texts: list[str], embedder: TransformerEmbedder) -> tuple[EarlyHead, dict[int, float]]:
    """Fit the head; also return its mean cosine on texts held out, by the number of texts that it was fitted to.

    :param texts: The texts; the first of them are held out.
    :param embedder: The whole model.
    """
    given = Texts("general texts", digest(texts), [str(row) for row in range(len(texts))], texts)
    kept = cache_folder("embeddings", "general", digest(embedder.identity("query"))[:10])
    wanted = encode_to_store(kept, given, embedder, "query", redo=True).matrix()
    features = np.empty((len(texts), 2 * embedder.dimension), dtype=np.float32)
    with track("first layers", len(texts), "texts") as bar:
        for start in range(0, len(texts), BLOCK):
            block = texts[start : start + BLOCK]
            features[start : start + BLOCK] = embedder.early(block, DEPTH)
            bar.update(len(block))
    curve = {}
    for share in (8, 4, 2, 1):
        count = (len(texts) - HELD_OUT) // share
        rows = slice(HELD_OUT, HELD_OUT + count)
        head = fit_early_head(features[rows], wanted[rows], DEPTH, STRENGTH)
        centre = wanted[rows].mean(axis=0)
        found, own = head.apply(features[:HELD_OUT]) - centre, wanted[:HELD_OUT] - centre
        norms = np.linalg.norm(found, axis=1) * np.linalg.norm(own, axis=1)
        curve[count] = float(((found * own).sum(axis=1) / norms).mean())
    return head, curve


def _short(text: str) -> str:
    return " ".join(text.split()[:WORDS])


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pairs", nargs="+", type=Path, help="files of training pairs")
    parser.add_argument("--embedder", help="a preset with one adapter (default: the default embedder)")
    parser.add_argument("--out", type=Path, required=True, help="the adapter's folder, which the head is put into")
    parser.add_argument("--seed", type=int, default=0, help="decides which texts are taken (default: 0)")
    options = parser.parse_args()
    embedder = load_embedder(options.embedder)
    texts = texts_of(sorted(options.pairs), options.seed)
    note(f"{len(texts):,} texts of {len(options.pairs)} files")
    head, curve = fit(texts, embedder)
    for count, cosine in curve.items():
        sys.stdout.write(f"fitted to {count:,} texts: mean cosine with the whole model's {cosine:.3f} on others\n")
    sys.stdout.write(f"{called('query_head.py')}\n{write_general_head(options.out, head, embedder)}\n")


if __name__ == "__main__":
    sys.exit(status("query_head", main))
