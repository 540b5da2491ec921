"""A block of documents on its way into an index."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from sparseembed.index.segment.passages import Passages


class Block(NamedTuple):
    """Some documents with their texts and impacts.

    A (document, term) pair occurs once; the terms of a document are in any order; a document may have none.

    :param ids: n document ids.
    :param texts: n contents.
    :param indptr: int64 (n + 1,): the postings of document i are those from `indptr[i]` to `indptr[i + 1]`.
    :param terms: int32 (nnz,): below `len(vocabulary)` a known term, else `extra[number - len(vocabulary)]`.
    :param impacts: uint16 (nnz,): from 1 to 65,535.
    :param vocabulary: the known terms; the same object in all blocks of one writer.
    :param extra: the terms of this block that are not in the vocabulary; may be empty.
    :param embeddings: int8 (n, d) by `eight_bits`, where the index carries them.
    :param metadata: n packed metadata, empty for a document without; None where no document has any.
    :param passages: the passages of those documents that have several, by place in the block.
    """

    ids: Sequence[str]
    texts: Sequence[str]
    indptr: np.ndarray
    terms: np.ndarray
    impacts: np.ndarray
    vocabulary: Sequence[str]
    extra: Sequence[str]
    embeddings: np.ndarray | None = None
    metadata: Sequence[bytes] | None = None
    passages: "Mapping[int, Passages] | None" = None
