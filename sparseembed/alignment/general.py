"""An adjustment for texts of no particular collection: what all embeddings of an embedder share is taken out."""

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from sparseembed.alignment.adjustment import Adjustment, fit_adjustment
from sparseembed.alignment.head import decoding_head
from sparseembed.arrays import Vectors
from sparseembed.embedders.general import general_texts
from sparseembed.files import atomic_file, cache_folder, digest

if TYPE_CHECKING:
    from sparseembed.embedders.transformer import TransformerEmbedder


def general_adjustment(embedder: "TransformerEmbedder", side: str = "document", kind: str = "centred") -> Adjustment:
    """Fit an adjustment on a few general texts that are part of this package.

    An embedding that is decoded as it is ranks first what every embedding does, such as `The` and `1`. An index fits
    its own adjustment, on its own collection; this one is for a text alone.

    :param embedder: The embedder.
    :param side: `document` or `query`: whose prompt.
    :param kind: As in `fit_adjustment`.
    :return: The adjustment. The texts' embeddings are kept in the user's cache.
    :raises EmbedderError: The embedder cannot be loaded, or has no LM head.
    :raises ConfigError: Unknown kind.
    """
    head = decoding_head(embedder)
    return fit_adjustment(kind, head.inputs(_embeddings(embedder, side)), head.matrix)


def _embeddings(embedder: "TransformerEmbedder", side: str) -> Vectors:
    texts = general_texts()
    file = cache_folder("general", f"{digest([texts, embedder.identity(side)])[:32]}.npy")
    with suppress(OSError, ValueError, EOFError):
        kept: Vectors = np.load(file, allow_pickle=False)
        if kept.shape == (len(texts), embedder.dimension) and kept.dtype == np.float32 and np.isfinite(kept).all():
            return kept
    vectors = embedder.encode(texts, side)
    with suppress(OSError):  # a cache that cannot be written costs time, and nothing else
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(file) as handle:
            np.save(handle, vectors)
    return vectors
