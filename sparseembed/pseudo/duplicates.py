"""Texts that are the same, nearly the same, or hold one another: they are no negatives of each other."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from sparseembed.arrays import Floats, Ints
from sparseembed.pseudo.folding import WordTable

NEAR = 0.7
RUN = 5
# A pair of texts is compared when it shares words among each text's rarest, which make up this part of its weight.
_PREFIX = 0.4
# Words of more texts than this find no candidates, which bounds the time; of so few texts, all near pairs are found.
_COMMONEST = 500
_PRODUCTS_A_BLOCK = 20_000_000
_VERIFIED_AT_ONCE = 20_000


def equal_texts(table: WordTable) -> Ints:
    """Number the texts so that those with the same words in the same order share a number.

    :param table: The words of n texts.
    :return: Each text's number, shape (n,): that of the first text that is equal to it.
    """
    first: dict[bytes, int] = {}
    return np.asarray([first.setdefault(table.text(n).tobytes(), n) for n in range(len(table))], dtype=np.int64)


def near_groups(table: WordTable) -> Ints:
    """Group texts that are equal or nearly equal.

    Two texts are near when their sets of words x, y have sum(idf over x and y) / sum(idf over x or y) >= 0.7, with idf
    ln(1 + n / df) over these texts: a Jaccard coefficient in which the words of a template ("What are the symptoms of
    ...") weigh little. Groups are transitive.

    :param table: The words of n texts.
    :return: The group of each text, shape (n,): numbers from 0, in the order of their first texts.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    equal = equal_texts(table)
    distinct, row_of = np.unique(equal, return_inverse=True)
    if not len(distinct):
        return equal
    pairs = list(_near_pairs(table, distinct))
    left, right = (np.concatenate([pair[side] for pair in pairs]) if pairs else np.zeros(0, int) for side in (0, 1))
    links = coo_array((np.ones(len(left)), (left, right)), shape=(len(distinct), len(distinct)))
    _, group = connected_components(links, directed=False)
    _, first, labels = np.unique(group[row_of], return_index=True, return_inverse=True)
    numbers = np.empty(len(first), dtype=np.int64)
    numbers[np.argsort(first)] = np.arange(len(first))
    return numbers[labels]


def contained(table: WordTable, least: int = RUN) -> list[tuple[int, int]]:
    """Find texts whose words stand, as one run, within another text.

    :param table: The words of n texts.
    :param least: Texts with fewer words are not looked for.
    :return: Pairs (text, text that holds it), of texts that are not equal; of equal texts the first stands for all.
    """
    equal = equal_texts(table)
    lengths = np.diff(table.starts)
    hashes = _run_hashes(table.ids, least)
    looked_for = np.flatnonzero((equal == np.arange(len(table))) & (lengths >= least))
    by_first: dict[int, list[int]] = defaultdict(list)
    for text in looked_for.tolist():
        by_first[int(hashes[table.starts[text]])].append(text)
    hits = np.flatnonzero(np.isin(hashes, np.asarray(list(by_first), dtype=np.uint64)))
    holders = np.searchsorted(table.starts, hits, side="right") - 1
    first_of = equal.tolist()
    found: set[tuple[int, int]] = set()
    places: list[tuple[int, int]] = list(zip(hits.tolist(), holders.tolist(), strict=True))
    for position, holder in places:
        if first_of[holder] != holder:
            continue
        room = int(table.starts[holder + 1]) - position
        for text in by_first[int(hashes[position])]:
            length = int(lengths[text])
            fits = length <= room and length < lengths[holder]
            if fits and np.array_equal(table.ids[position : position + length], table.text(text)):
                found.add((text, holder))
    return sorted(found)


def _run_hashes(ids: npt.NDArray[np.int32], length: int) -> npt.NDArray[np.uint64]:
    """Hash the run of words that starts at each position; the last ones, and runs over two texts, mean nothing."""
    values = np.random.default_rng(0).integers(1, 2**63, int(ids.max(initial=0)) + 1, dtype=np.uint64)[ids]
    hashes = np.zeros(len(ids), dtype=np.uint64)
    for offset in range(min(length, len(ids))):
        hashes[: len(ids) - offset] *= np.uint64(0x9E3779B97F4A7C15)  # odd, so that no word's value is lost
        hashes[: len(ids) - offset] += values[offset:]
    return hashes


def _near_pairs(table: WordTable, texts: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Yield pairs of rows that are near: candidates share enough weight among their rarest words, and are verified."""
    matrix, weights = _rarest_first(table, texts)
    weighted = matrix.copy()
    weighted.data = weights[matrix.indices]
    totals = np.asarray(weighted.sum(axis=1)).ravel()
    prefix, beyond = _prefixes(weighted, totals, np.bincount(matrix.indices, minlength=matrix.shape[1]))
    binary = prefix.copy()
    binary.data = np.ones_like(prefix.data)
    transposed = binary.T.tocsr()
    for start, end in _blocks(binary):
        products = (prefix[start:end] @ transposed).tocoo()
        left, right, shared = products.row + start, products.col, products.data
        needed = NEAR / (1 + NEAR) * (totals[left] + totals[right])
        kept = (left < right) & (shared + np.maximum(beyond[left], beyond[right]) >= needed - 1e-9)
        left, right = left[kept].astype(np.int64), right[kept].astype(np.int64)
        for at in range(0, len(left), _VERIFIED_AT_ONCE):
            i, j = left[at : at + _VERIFIED_AT_ONCE], right[at : at + _VERIFIED_AT_ONCE]
            both = np.asarray(weighted[i].multiply(matrix[j]).sum(axis=1)).ravel()
            near = both >= NEAR * (totals[i] + totals[j] - both) - 1e-9
            yield i[near], j[near]


def _rarest_first(table: WordTable, texts: Ints) -> tuple[Any, Floats]:
    """Return which words stand in which text, the rarest word as the first column, and the words' idf."""
    from scipy.sparse import csr_array

    lengths = np.diff(table.starts)[texts]
    words = np.concatenate([table.text(int(text)) for text in texts]).astype(np.int64)
    size = len(table.vocabulary)
    keys = np.unique(np.repeat(np.arange(len(texts)), lengths) * max(size, 1) + words)
    rows, words = np.divmod(keys, max(size, 1))
    frequency = np.bincount(words, minlength=size)
    column_of = np.empty(size, dtype=np.int64)
    order = np.argsort(frequency, kind="stable")
    column_of[order] = np.arange(size)
    starts = np.searchsorted(rows, np.arange(len(texts) + 1))
    matrix = csr_array((np.ones(len(words)), column_of[words], starts), shape=(len(texts), size))
    matrix.sort_indices()
    idf: Floats = np.log1p(len(texts) / np.maximum(frequency[order], 1)).astype(np.float64)
    return matrix, idf


def _prefixes(weighted: Any, totals: Floats, frequency: Any) -> tuple[Any, Floats]:
    """Return each row's rarest words, and the weight of its other words that a second text may have too."""
    from scipy.sparse import csr_array

    rows = np.repeat(np.arange(len(totals)), np.diff(weighted.indptr))
    before = np.concatenate([[0.0], np.cumsum(weighted.data)])
    before = before[:-1] - before[weighted.indptr[rows]]
    shared = frequency[weighted.indices] > 1
    kept = (before <= _PREFIX * totals[rows]) & shared & (frequency[weighted.indices] <= _COMMONEST)
    others = shared & ~kept
    weights = np.bincount(rows[others], weights=weighted.data[others], minlength=len(totals))
    beyond = np.asarray(weights, dtype=np.float64)
    starts = np.searchsorted(rows[kept], np.arange(len(totals) + 1))
    return csr_array((weighted.data[kept], weighted.indices[kept], starts), shape=weighted.shape), beyond


def _blocks(binary: Any) -> Iterator[tuple[int, int]]:
    """Cut the rows into blocks whose product with all others stays small in memory."""
    counts = np.bincount(binary.indices, minlength=binary.shape[1])[binary.indices]
    cost = np.concatenate([[0], np.cumsum(counts)])[binary.indptr]
    start, rows = 0, binary.shape[0]
    while start < rows:
        end = max(start + 1, int(np.searchsorted(cost, cost[start] + _PRODUCTS_A_BLOCK, side="right")) - 1)
        yield start, min(end, rows)
        start = end
