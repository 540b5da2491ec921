"""Readable examples: texts with their aligned tokens, literal ones marked, before and after."""

from collections.abc import Mapping, Sequence
from typing import Any

from sparseembed.alignment.adjustment import fit_adjustment
from sparseembed.alignment.decoding import Decoder
from sparseembed.analysis.tokens import TokenSets
from sparseembed.arrays import Vectors
from sparseembed.data.sampling import even_places

TEXTS = 20
TOKENS = 10
SHOWN = 240  # characters of a text


def examples(
    texts: Sequence[str], sides: Mapping[str, Vectors], sets: TokenSets, decoder: Decoder, labels: Sequence[str]
) -> list[dict[str, Any]]:
    """Return an even sample of texts with their aligned tokens, of each side as it is and with PC1 removed.

    :param texts: The texts.
    :param sides: Side -> embeddings, shape (n, d) each.
    :param sets: The texts' tokens.
    :param decoder: The decoder.
    :param labels: Each term for people.
    :return: One entry a text: `text`, and `tokens`: "side, adjustment" -> a list of {token, literal}.
    """
    rows = even_places(len(texts), TEXTS)
    chosen = sets.take(rows)
    found: list[dict[str, Any]] = [{"text": texts[row][:SHOWN], "tokens": {}} for row in rows]
    for side, vectors in sides.items():
        for kind in ("none", "pc1"):
            top = decoder.top(fit_adjustment(kind, vectors).apply(vectors[rows]), TOKENS).terms
            for entry, terms, literal in zip(found, top, chosen.literal(top), strict=True):
                entry["tokens"][f"{side}, {kind}"] = [
                    {"token": labels[term], "literal": bool(mark)} for term, mark in zip(terms, literal, strict=True)
                ]
    return found
