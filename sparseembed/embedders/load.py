"""Embedders by name, each loaded once a process."""

from functools import lru_cache
from typing import Any

from sparseembed.embedders.presets import DEFAULT, find_spec
from sparseembed.embedders.spec import EmbedderSpec
from sparseembed.embedders.transformer import TransformerEmbedder

EmbedderLike = str | EmbedderSpec | TransformerEmbedder


def load_embedder(embedder: EmbedderLike | None = None, **changes: Any) -> TransformerEmbedder:
    """Return an embedder; its weights are read when first needed, and only once a process.

    :param embedder: A preset, path or Hugging Face id (see `presets.find_spec`), an `EmbedderSpec`, or an embedder,
        which is returned as it is; the default preset when None.
    :param changes: Parts to change, such as `pooling="mean"` or `max_length=256`; those that are None are left.
    :return: The embedder.
    :raises EmbedderError: Unknown name.
    :raises ConfigError: A part is outside its range.
    """
    if isinstance(embedder, TransformerEmbedder):
        return embedder
    spec = embedder if isinstance(embedder, EmbedderSpec) else find_spec(embedder or DEFAULT)
    return _loaded(spec.with_changes(**changes))


@lru_cache(maxsize=4)
def _loaded(spec: EmbedderSpec) -> TransformerEmbedder:
    return TransformerEmbedder(spec)
