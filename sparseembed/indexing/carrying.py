"""What an index keeps of a document's passages: which one brought each aligned term, and how much of its impact."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sparseembed.alignment.decoding import BestOf
from sparseembed.index.block import Block
from sparseembed.index.eight_bits import eight_bits
from sparseembed.index.segment.passages import Passages
from sparseembed.index.statistics import Statistics
from sparseembed.indexing.passages import Several


def carried(
    block: Block,
    several: Mapping[int, Several],
    best: Mapping[int, Sequence[BestOf]],
    added: Any,
    statistics: Statistics,
) -> dict[int, Passages]:
    """Return what is kept of the passages of a block's documents.

    :param block: The documents, with their impacts.
    :param several: Place of a document in the block -> its passages, ascending.
    :param best: The same place -> its aligned terms by their best passages.
    :param added: What aligned terms add to these documents' weights, scipy CSR, a row a document of `several`.
    :param statistics: Hold the quantiser.
    """
    held = {}
    names = [*block.vocabulary, *block.extra]
    for row, (place, passages) in enumerate(several.items()):
        of = {
            int(term): int(number)
            for part in best[place]
            for term, number in zip(part.terms, part.passages, strict=True)
        }
        own = slice(added.indptr[row], added.indptr[row + 1])
        shares = dict(zip(added.indices[own].tolist(), added.data[own].tolist(), strict=True))
        span = slice(block.indptr[place], block.indptr[place + 1])
        impacts = dict(zip(block.terms[span].tolist(), block.impacts[span].tolist(), strict=True))
        aligned = {
            names[term]: (of[term], min(impact, round(shares[term] * statistics.quantizer.scale)))
            for term, impact in impacts.items()
            if term in shares
        }
        others = [names[term] for term in impacts]
        held[place] = Passages.of(passages.spans, aligned, others, _rows(passages, statistics))
    return held


def _rows(passages: Several, statistics: Statistics) -> np.ndarray | None:
    """Return the passages' embeddings in 8 bits, where the index carries embeddings."""
    if not statistics.centres.size:
        return None
    return np.concatenate([eight_bits(vectors, statistics.centres[0]) for vectors in passages.blocks()])
