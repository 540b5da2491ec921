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
                mask = attention_mask(torch.tensor([8], device=model.device), 8, attention, model.dtype)
            try:
                states = model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
            except (RuntimeError, ValueError, TypeError, AttributeError) as error:
                reason = " ".join(str(error).split())[:160]
                raise EmbedderError(f"{name} does not run as an embedder: {type(error).__name__}: {reason}") from None
            first.append(states[0, 0].float())
    if not torch.isfinite(torch.stack(first)).all():
        return  # an error that names the text comes with the first vector
    change = float(torch.linalg.vector_norm(first[0] - first[1]) / torch.linalg.vector_norm(first[0]))
    if attention == "causal" and change > 1e-5:
        raise EmbedderError(f"{name} is no causal model, its tokens see later ones: pass --attention bidirectional")
    if attention == "bidirectional" and change <= 1e-5:
        raise EmbedderError(f"{name} takes no bidirectional mask: pass --attention causal")
