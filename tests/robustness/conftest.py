"""The embedder of the indexes that these tests share."""

import pytest


@pytest.fixture(scope="module")
def embedder(tiny_model):
    from sparseembed.embedders.spec import EmbedderSpec
    from sparseembed.embedders.transformer import TransformerEmbedder

    return TransformerEmbedder(EmbedderSpec("tied", str(tiny_model("tied")), dtype="float32", device="cpu"))
