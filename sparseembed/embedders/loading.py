"""The body of a transformer: weights, adapters, dtype and device."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sparseembed.embedders.adapters import merge_adapter
from sparseembed.embedders.hub import quiet_hub
from sparseembed.embedders.spec import EmbedderSpec
from sparseembed.errors import EmbedderError

# Types of models that wrap another one's body -> its class, and the prefix of its weights' names.
_WRAPPED = {"dpr": ("BertModel", r"^(?:ctx_encoder|question_encoder)\.bert_model\.")}


def load_body(folder: Path, adapters: Sequence[Path], spec: EmbedderSpec, dtype: str, device: str) -> Any:
    """Load a transformer without its head, its adapters merged.

    :param folder: A model folder.
    :param adapters: Adapter folders, in the order in which they are merged.
    :param spec: The embedder's parts.
    :param dtype: Type of the weights.
    :param device: Where to put it.
    :return: The model, ready to run.
    :raises EmbedderError: It cannot be loaded, or an adapter does not fit it.
    """
    with quiet_hub():
        try:
            model, info = _from_pretrained(folder, spec, dtype)
        except EmbedderError:
            raise
        except Exception as error:  # a broken folder shows as any of a dozen types
            reason = " ".join(str(error).split())[:200]
            raise EmbedderError(f"cannot load the model in {folder}: {reason}") from None
        missing = [key for key in info["missing_keys"] if "pooler" not in key]
        if missing:
            # transformers would go on with random numbers in their place.
            raise EmbedderError(
                f"the model in {folder} lacks {len(missing)} of its weights (the first is {sorted(missing)[0]}): "
                "the checkpoint is incomplete or of another architecture"
            )
        for adapter in adapters:
            merge_adapter(model, adapter)
        try:
            return model.eval().to(device)
        except (RuntimeError, AssertionError) as error:
            reason = " ".join(str(error).split())[:160]
            raise EmbedderError(f"cannot put the model on device {device!r}: {reason}") from None


def _from_pretrained(folder: Path, spec: EmbedderSpec, dtype: str) -> Any:
    import torch
    import transformers

    trusted = spec.trust_remote_code
    common: dict[str, Any] = {"dtype": getattr(torch, dtype), "output_loading_info": True}
    config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=trusted)
    if config.is_encoder_decoder:
        raise EmbedderError(
            f"the model in {folder} is a {config.model_type}, an encoder with a decoder beside it: give a causal LM or "
            "an encoder with an MLM head"
        )
    wrapped = _WRAPPED.get(config.model_type)
    if wrapped is None:
        return transformers.AutoModel.from_pretrained(folder, trust_remote_code=trusted, **common)
    return getattr(transformers, wrapped[0]).from_pretrained(folder, key_mapping={wrapped[1]: ""}, **common)


def has_bfloat16(device: str) -> bool:
    """Say whether a device calculates in bfloat16 rather than imitating it."""
    import torch

    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported())
    if device != "cpu":
        return False
    try:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    except (AttributeError, RuntimeError):
        return False
