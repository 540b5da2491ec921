"""Indexes of a tiny model, for a whole module of tests."""

import pytest

from sparseembed import build_index
from sparseembed.data.corpus import Corpus


def small_index(tiny_model, tmp_path_factory, documents, **choices):
    """Build an index of documents with the tiny model, in a cache of its own; return its folder."""
    from sparseembed.embedders.spec import EmbedderSpec
    from sparseembed.embedders.transformer import TransformerEmbedder

    folder = tiny_model("tied")
    embedder = TransformerEmbedder(EmbedderSpec(folder.name, str(folder), dtype="float32", device="cpu"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARSEEMBED_CACHE", str(tmp_path_factory.mktemp("cache")))
        out = tmp_path_factory.mktemp("index") / "small"
        return build_index(Corpus(list(documents), "small"), out, embedder, **choices).path
