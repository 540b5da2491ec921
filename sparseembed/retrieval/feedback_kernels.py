"""A kernel of feedback: which hits are nearest to each hit. `retrieval.feedback` says when it is loaded."""

import numpy as np

from sparseembed.jit import Array, kernel


def _nearest(rows: Array, among: int, nearest: int, places: Array, gaps: Array) -> int:
    """Find the nearest of the first rows to each row by cosine, itself left out, and as many more as are just as near.

    `rows` (n, d) are int16, so that the processor's multiply-and-add of pairs is used; their inner products must fit
    int32. The first `among` rows are looked at, more than `nearest`. `places` and `gaps` (n * n,) get, in order,
    row x n + other, and the other's cosine less the nearest's.

    Returns how many there are.
    """
    count, length = rows.shape
    cosines = np.empty((count, count), np.float64)
    norms = np.empty(count, np.float64)
    for row in range(count):
        one = rows[row]
        # The first rows before it, and itself for its length.
        for step in range(min(row, among) + 1):
            other = step if step < min(row, among) else row
            two = rows[other]
            total = np.int32(0)
            for at in range(length):
                total = np.int32(total + np.int32(np.int32(one[at]) * np.int32(two[at])))
            cosines[row, other] = total
        norms[row] = np.sqrt(cosines[row, row])
        norms[row] = norms[row] if norms[row] > 0 else 1.0
        for other in range(min(row, among)):
            cosines[row, other] = cosines[other, row] = cosines[row, other] / (norms[row] * norms[other])
        cosines[row, row] = -np.inf
    best = np.empty(nearest, np.float64)
    found = 0
    for row in range(count):
        best[:] = -np.inf
        for other in range(among):
            value = cosines[row, other]
            if value > best[nearest - 1]:
                place = nearest - 1
                while place and best[place - 1] < value:
                    best[place] = best[place - 1]
                    place -= 1
                best[place] = value
        for other in range(among):
            if cosines[row, other] >= best[nearest - 1]:
                places[found] = row * count + other
                gaps[found] = cosines[row, other] - best[0]
                found += 1
    return found


# Each division, root and difference as numpy's: what is found must not depend on whether this is loaded.
nearest_others = kernel(_nearest, error_model="numpy")
