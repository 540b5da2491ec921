"""Attention masks for right-padded batches."""

from typing import TYPE_CHECKING, Any

from sparseembed.errors import EmbedderError

if TYPE_CHECKING:
    import torch


def attention_mask(lengths: "torch.Tensor", longest: int, attention: str, dtype: "torch.dtype") -> "torch.Tensor":
    """Return the mask that a transformer of transformers takes for right-padded texts.

    Causal: the usual 2-D mask of real tokens. Bidirectional: a 4-D additive mask, which transformers uses as it is, so
    that a decoder lets every real token see every other and none the padding.

    :param lengths: Real tokens of each text, shape (batch,).
    :param longest: Length of the padded batch.
    :param attention: `causal` or `bidirectional`.
    :param dtype: Type of the model's states.
    :return: Shape (batch, longest), int64; or (batch, 1, longest, longest), `dtype`.
    """
    import torch

    real = torch.arange(longest, device=lengths.device)[None, :] < lengths[:, None]
    if attention == "causal":
        return real.long()
    hidden = torch.zeros(real.shape, dtype=dtype, device=real.device).masked_fill_(~real, torch.finfo(dtype).min)
    return hidden[:, None, None, :].expand(-1, 1, longest, -1).contiguous()


def model_mask(model: Any, lengths: "torch.Tensor", longest: int, attention: str) -> Any:
    """Return the mask for a model, one for each kind of its layers where some see only a window.

    A window reaches as far to the right as to the left. A model that is bidirectional by itself gets the 2-D mask: it
    knows its windows' bounds.

    :param model: The body of a transformer.
    :param lengths: As in `attention_mask`.
    :param longest: As in `attention_mask`.
    :param attention: As in `attention_mask`.
    :return: As in `attention_mask`; or such masks by the kind of layer.
    """
    import torch

    config = getattr(model.config, "text_config", model.config)
    kinds = set(getattr(config, "layer_types", None) or ())
    if attention == "causal" or "sliding_attention" not in kinds:
        return attention_mask(lengths, longest, attention, model.dtype)
    if not any(getattr(module, "is_causal", False) for module in model.modules()):
        return attention_mask(lengths, longest, "causal", model.dtype)
    full = attention_mask(lengths, longest, attention, model.dtype)
    steps = torch.arange(longest, device=lengths.device)
    apart = (steps[:, None] - steps[None, :]).abs()
    local = full.masked_fill(apart >= config.sliding_window, torch.finfo(model.dtype).min)
    # Padding far from the text sees itself: a row that sees nothing may become NaN.
    local = local.masked_fill(apart == 0, 0)
    return {kind: local if kind == "sliding_attention" else full for kind in kinds}


def check_attention(model: Any, attention: str, name: str) -> None:
    """Make sure by a trial that a model's tokens see what the attention asked for says.

    An encoder sees to the right whatever it is told, padding included, so its vectors would depend on the batch.

    :param model: The body of a transformer.
    :param attention: `causal` or `bidirectional`.
    :param name: What the user calls the model.
    :raises EmbedderError: It sees more or less, or does not run on token ids alone.
    """
    import torch

    size = int(getattr(model.config, "text_config", model.config).vocab_size)
    first = []
    with torch.inference_mode():
        for later in (size // 3, size // 5):
            ids = torch.tensor([[size // 2, *[later] * 7]], device=model.device)
            mask = None
            if attention == "bidirectional":
                mask = model_mask(model, torch.tensor([8], device=model.device), 8, attention)
            try:
                states = model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
            except (RuntimeError, ValueError, TypeError, AttributeError) as error:
                reason = " ".join(str(error).split())[:160]
                hint = "; try --attention causal" if attention == "bidirectional" else ""
                raise EmbedderError(
                    f"{name} does not run as an embedder: {type(error).__name__}: {reason}{hint}"
                ) from None
            first.append(states[0, 0].float())
    if not torch.isfinite(torch.stack(first)).all():
        return  # an error that names the text comes with the first vector
    change = float(torch.linalg.vector_norm(first[0] - first[1]) / torch.linalg.vector_norm(first[0]))
    if attention == "causal" and change > 1e-5:
        raise EmbedderError(f"{name} is no causal model, its tokens see later ones: pass --attention bidirectional")
    if attention == "bidirectional" and change <= 1e-5:
        raise EmbedderError(f"{name} takes no bidirectional mask: pass --attention causal")
