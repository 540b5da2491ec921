"""Where a causal LM keeps its output matrix, as its own class in transformers tells it."""

from sparseembed.alignment.checkpoint import Checkpoint
from sparseembed.embedders.hub import quiet_hub
from sparseembed.errors import EmbedderError


def output_names(checkpoint: Checkpoint) -> list[str]:
    """Return the names that the output matrix may have in a checkpoint.

    The model is made without memory for its weights, and asked for its output layer: Mamba's shares
    `backbone.embeddings`, RWKV calls it `head`.

    :param checkpoint: A checkpoint.
    :return: Names of the output matrix, and of the input matrix where that is shared, the likeliest first; none where
        the architecture is not known, is no causal LM, or has more than a matrix between its states and its logits.
    """
    with quiet_hub():
        import torch
        import transformers

        try:
            config = checkpoint.config
        except EmbedderError:
            return []
        if config.is_encoder_decoder or type(config) in transformers.MODEL_FOR_MASKED_LM_MAPPING:
            return []
        try:
            with torch.device("meta"):
                model = transformers.AutoModelForCausalLM.from_config(config)
            head = model.get_output_embeddings()
            layers = [head, model.get_input_embeddings()] if checkpoint.is_tied else [head]
        except Exception:  # each architecture fails in its own way
            return []
    if head is None:
        return []
    modules = list(model.named_modules(remove_duplicate=False))
    names = [f"{name}.weight" for layer in layers for name, module in modules if module is layer]
    prefix = f"{model.base_model_prefix}."
    return [*names, *(name.removeprefix(prefix) for name in names)]
