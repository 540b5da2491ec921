"""An index by the bulk filter: what it stores is the projection that the decoding matrix gives."""

import numpy as np
import pytest

from sparseembed.alignment.matrix import decoding_matrix
from sparseembed.data.corpus import Corpus, Document
from sparseembed.index.snapshot import open_snapshot
from sparseembed.indexing.build import build_index

TEXTS = [
    "The cat sat on the mat.",
    "Rivers carry water to the sea.",
    "A whale breathes air.",
    "Green plants make sugar.",
]


@pytest.mark.jvm
def test_an_index_stores_and_reads_back_its_bulk_filter(tiny_embedder, tmp_path):
    corpus = Corpus([Document(str(number), "", text) for number, text in enumerate(TEXTS)], "four")
    embedder = tiny_embedder("tied")
    build_index(corpus, tmp_path / "index", embedder=embedder, terms="folded", adjustment="bulk:0.8")
    snapshot = open_snapshot(tmp_path / "index")
    read = snapshot.adjustment("document")
    assert read.kind == "bulk:0.8"
    vectors = embedder.encode(TEXTS)
    # The same filter the long way: coordinates on all right-singular vectors, the outer tenths set to zero.
    directions = np.linalg.svd(decoding_matrix(embedder).astype(np.float64), full_matrices=False)[2]
    cut = round(len(directions) * 0.1)
    middle = directions[cut : len(directions) - cut]
    assert cut >= 1
    np.testing.assert_allclose(read.apply(vectors), vectors @ middle.T @ middle, atol=1e-4)
    snapshot.close()
