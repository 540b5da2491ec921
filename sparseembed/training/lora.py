"""LoRA by PEFT: put onto an embedder's upper layers, read out and written in PEFT's own form."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparseembed.embedders.adapters import CONFIG, WEIGHTS
from sparseembed.errors import EmbedderError
from sparseembed.extras import need
from sparseembed.files import atomic_file, write_json
from sparseembed.training.recipe import Recipe

if TYPE_CHECKING:
    import torch

PREFIX = "base_model.model."  # of the names in a model that PEFT has wrapped


def require_peft() -> None:
    """Make sure that PEFT is there, before any work is done.

    :raises MissingPackageError: It is not installed.
    """
    need(("peft",), "train", "training")


def portable_name(weights: str) -> str:
    """Return what weights are called in files that go to other machines: of a folder or file only its own name.

    :param weights: As in `EmbedderSpec.weights`.
    """
    path = Path(weights).expanduser()
    return path.resolve().name if path.exists() else weights


def add_lora(model: Any, recipe: Recipe) -> Any:
    """Put LoRA onto all linear layers of a transformer's upper blocks; nothing else is trained.

    :param model: The body of a transformer; changed in place.
    :param recipe: Rank, alpha, share of layers and seed.
    :return: The wrapped model.
    :raises EmbedderError: It has no numbered blocks of linear layers.
    """
    require_peft()
    import torch
    from peft import LoraConfig, get_peft_model

    names = upper_layers(model, recipe.layers)
    if not names:
        raise EmbedderError("the model has no numbered blocks of linear layers, so LoRA cannot be put onto its top")
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        target_modules=names,
        lora_dropout=0.0,
        bias="none",
    )
    torch.manual_seed(recipe.seed)
    with warnings.catch_warnings():  # PEFT and transformers tell each other of renamed attributes
        warnings.simplefilter("ignore", FutureWarning)
        return get_peft_model(model, config)


def trained_parameters(model: Any) -> dict[str, "torch.Tensor"]:
    """Return the parameters that are trained, by name, in the model's order."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def write_adapter(folder: Path, parameters: Mapping[str, "torch.Tensor"], recipe: Recipe, base: str) -> None:
    """Write an adapter in PEFT's form, in bfloat16; the same parameters give the same bytes.

    :param folder: An existing folder.
    :param parameters: As `trained_parameters` returns them.
    :param recipe: Rank and alpha.
    :param base: Where the base model's weights come from.
    """
    import torch
    from safetensors.torch import save

    tensors = {
        name.replace(".default.", "."): parameter.detach().to("cpu", torch.bfloat16).contiguous()
        for name, parameter in parameters.items()
    }
    config = {
        "peft_type": "LORA",
        "task_type": "FEATURE_EXTRACTION",
        "base_model_name_or_path": portable_name(base),
        "r": recipe.rank,
        "lora_alpha": recipe.alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": sorted({name.split(".lora_")[0].removeprefix(PREFIX) for name in tensors}),
        "inference_mode": True,
    }
    write_json(folder / CONFIG, config)
    with atomic_file(folder / WEIGHTS[0]) as handle:
        handle.write(save(dict(sorted(tensors.items())), metadata={"format": "pt"}))


def upper_layers(model: Any, share: float) -> list[str]:
    """Return the names of the linear layers in the upper share of a model's blocks, at least one block.

    :param model: The body of a transformer.
    :param share: Share of the blocks, above 0 and at most 1.
    :return: Full names, in the model's order; none where the model has no numbered blocks.
    """
    import torch

    found = [
        (number, name)
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and (number := _number(name)) is not None
    ]
    numbers = sorted({number for number, _ in found})
    chosen = set(numbers[min(round(len(numbers) * (1 - share)), len(numbers) - 1) :] if numbers else [])
    return [name for number, name in found if number in chosen]


def _number(name: str) -> int | None:
    """Return the number of the block that a layer stands in: the first whole number in its name."""
    return next((int(part) for part in name.split(".") if part.isdigit()), None)


def snapshot(parameters: Mapping[str, "torch.Tensor"]) -> dict[str, "torch.Tensor"]:
    """Return copies of parameters, on the CPU."""
    return {name: parameter.detach().cpu().clone() for name, parameter in parameters.items()}


def restore(parameters: Mapping[str, "torch.Tensor"], kept: Mapping[str, "torch.Tensor"]) -> None:
    """Give parameters the values of a snapshot."""
    import torch

    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(kept[name])
