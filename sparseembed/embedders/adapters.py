"""PEFT adapters: LoRA merged into a model's weights at load.

The merge is W + scale * B A for each layer, so little that it is done here rather than by the package peft, which
would be a dependency for these lines alone; what is more than LoRA of linear layers is refused.
"""

import json
import math
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sparseembed.arrays import Vectors
from sparseembed.embedders.hashes import fingerprint_of
from sparseembed.embedders.sources import fetch
from sparseembed.errors import EmbedderError
from sparseembed.files import expanded, read_json

SHIPPED = "shipped:"
_SHIPPED_FOLDER = Path(__file__).parent / "shipped"
CONFIG = "adapter_config.json"
ABOUT = "training.json"  # what an adapter that sparseembed has trained says of itself
WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
HEADS = ("lm_head", "embed_out")  # no part of an embedder's body, but of what decodes its vectors
ROWS = 16_384  # of a matrix, changed at once
# Settings that make an adapter more than W + scale * B A.
_BEYOND = ("use_dora", "use_qalora", "layer_replication", "alora_invocation_tokens", "megatron_config", "arrow_config")
_PART = re.compile(r"(.+)\.lora_([AB])(?:\.default)?\.weight")


def adapter_folder(adapter: str) -> Path:
    """Return an adapter's local folder, fetching it if need be.

    :param adapter: A folder, a Hugging Face id (`owner/model`, with `@revision` if wanted), or `shipped:NAME` for one
        that is part of this package.
    :return: The folder, which has an adapter's config and weights.
    :raises EmbedderError: It cannot be found or fetched, or is no adapter.
    """
    shipped = adapter.startswith(SHIPPED)
    folder = _SHIPPED_FOLDER / adapter.removeprefix(SHIPPED) if shipped else expanded(adapter)
    if not folder.is_dir():
        model, _, revision = adapter.partition("@")
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", model) or model.startswith("."):
            raise EmbedderError(f"there is no adapter at {' '.join(adapter.split())}: check the path")
        folder = fetch(model, revision or None, [CONFIG, *WEIGHTS])
    if not (folder / CONFIG).is_file():
        raise EmbedderError(f"{folder} is no adapter: it has no {CONFIG}")
    _weights_file(folder)
    return folder


def adapters_fingerprint(folders: Sequence[Path]) -> str:
    """Return a fingerprint of adapters and their order, as `sources.weights_fingerprint` of a model.

    :param folders: Adapter folders, in the order in which they are merged.
    :return: 64 hexadecimal digits.
    """
    return fingerprint_of([file for folder in folders for file in (folder / CONFIG, _weights_file(folder))])


def check_base(folder: Path, fingerprint: str) -> None:
    """Make sure that an adapter which names the weights it was trained on is put onto no others.

    :param folder: An adapter folder; one without training.json fits whatever its matrices fit.
    :param fingerprint: The embedder's `sources.weights_fingerprint`.
    :raises EmbedderError: It was trained on other weights.
    """
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        trained_on = about["base"]["embedder"]["weights_fingerprint"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return
    if trained_on != fingerprint:
        told = about.get("about")
        base = told.get("base") if isinstance(told, dict) else None
        named = f" ({base['weights']})" if isinstance(base, dict) and base.get("weights") else ""
        raise EmbedderError(
            f"the adapter {folder} was trained for other weights{named} than the embedder's: choose the embedder that "
            "it was trained from, or train one for this"
        )


def held_out_documents(folders: Sequence[Path], known: Callable[[str], bool]) -> set[str] | None:
    """Return the documents of a corpus that none of some adapters was trained on, where one was adapted to this corpus.

    :param folders: Adapter folders.
    :param known: Whether the corpus has a document of that id. An adapter is taken for one of this corpus where the
        corpus has at least half of the documents that it was checked on.
    :return: Ids, all of them known; None where no adapter is of this corpus.
    """
    found: set[str] | None = None
    for folder in folders:
        try:
            listed = json.loads((folder / ABOUT).read_text(encoding="utf-8"))["about"]["held_out_documents"]
            here = {each for each in listed if known(each)}
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue
        if here and 2 * len(here) >= len(listed):
            found = here if found is None else found & here
    return found


def merge_adapter(model: Any, folder: Path) -> None:
    """Add an adapter's change to a model's weights, in float32 whatever their type.

    For each adapted layer W becomes W + s B A (Hu et al., LoRA, 2021), with s = alpha / r, or alpha / sqrt(r) where
    the adapter is rank-stabilised (Kalajdzievski, 2023).

    :param model: The body of a transformer, changed in place.
    :param folder: An adapter folder.
    :raises EmbedderError: The adapter is damaged, made for another model, or more than LoRA of linear layers.
    """
    config: dict[str, Any] = _read_config(folder)
    layers = {name: parts for name, parts in _layers(folder).items() if not _is_head(name)}
    if not layers:
        raise EmbedderError(f"the adapter {folder} changes no layer of an embedder: check the path")
    modules = dict(model.named_modules())
    for name, parts in layers.items():
        module = _module(modules, name)
        if module is None:
            raise EmbedderError(f"{_other_base(folder, config)}: that one has no linear layer {name}")
        turned = type(module).__name__ == "Conv1D"  # GPT-2's layers keep their matrices the other way round
        _add(module.weight.T if turned else module.weight, name, parts, config, folder)


def merge_head(matrix: Vectors, folder: Path) -> None:
    """Add an adapter's change to the LM head that its model was trained with, where it has one.

    :param matrix: The decoding matrix, shape (V, d), float32, changed in place.
    :param folder: An adapter folder.
    :raises EmbedderError: As in `merge_adapter`.
    """
    import torch

    config = _read_config(folder)
    for name, parts in _layers(folder).items():
        if _is_head(name):
            _add(torch.from_numpy(matrix), name, parts, config, folder)


def _is_head(name: str) -> bool:
    return name.rpartition(".")[2] in HEADS


def _add(weight: Any, name: str, parts: dict[str, Any], config: dict[str, Any], folder: Path) -> None:
    import torch

    if set(parts) != {"A", "B"} or any(part.dim() != 2 for part in parts.values()):
        raise EmbedderError(f"{folder} is damaged: its weights for {name} are incomplete; fetch the adapter again")
    inner, outer = parts["A"].float(), parts["B"].float()
    if inner.shape[0] != outer.shape[1] or (outer.shape[0], inner.shape[1]) != tuple(weight.shape):
        raise EmbedderError(
            f"{_other_base(folder, config)}: {name} is {' x '.join(map(str, weight.shape))} there and "
            f"{outer.shape[0]} x {inner.shape[1]} in the adapter"
        )
    scale = _scale(config, name, inner.shape[0])
    with torch.no_grad():
        for row in range(0, len(weight), ROWS):
            change = scale * (outer[row : row + ROWS] @ inner)
            if not bool(torch.isfinite(change).all()):
                raise EmbedderError(f"{folder} holds NaN or infinity for {name}: fetch the adapter again")
            weight[row : row + ROWS].copy_(weight[row : row + ROWS].float() + change)


def _other_base(folder: Path, config: dict[str, Any]) -> str:
    base = config.get("base_model_name_or_path") or "a model it does not name"
    return f"the adapter {folder} is for {base}, and does not fit the embedder's weights"


def _read_config(folder: Path) -> dict[str, Any]:
    config: dict[str, Any] = read_json(folder / CONFIG, EmbedderError, "fetch the adapter again")
    try:
        kind = config.get("peft_type", "LORA")
        patterns = config.get("alpha_pattern") or {}
        numbers = [config["lora_alpha"], *patterns.values()] if kind == "LORA" else []
        if kind == "LORA" and not (int(config["r"]) > 0 and all(math.isfinite(float(each)) for each in numbers)):
            raise ValueError
        for pattern in patterns:
            re.compile(pattern)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError, re.error):
        raise EmbedderError(f"{folder}/{CONFIG} is damaged: fetch the adapter again") from None
    if kind != "LORA":
        raise _unsupported(folder, f"its kind is {kind}")
    for setting in _BEYOND:
        if config.get(setting):
            raise _unsupported(folder, f"it sets {setting}")
    start = str(config.get("init_lora_weights"))
    if start.startswith(("pissa", "olora", "loftq", "corda")):
        raise _unsupported(folder, f"it was started by {start}, which changes the base as well")
    return config


def _unsupported(folder: Path, why: str) -> EmbedderError:
    return EmbedderError(
        f"the adapter {folder} is more than LoRA of linear layers ({why}): merge it with the package peft "
        "(merge_and_unload, save_pretrained) and give the merged model's folder as the embedder"
    )


def _weights_file(folder: Path) -> Path:
    for name in WEIGHTS:
        if (folder / name).is_file():
            return folder / name
    raise EmbedderError(f"{folder} is no adapter: it has no {' or '.join(WEIGHTS)}")


def _layers(folder: Path) -> dict[str, dict[str, Any]]:
    """Read an adapter's matrices: layer's name in the adapter's base -> `A` and `B`."""
    file = _weights_file(folder)
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            tensors = load_file(file)
        else:
            import torch

            tensors = torch.load(file, map_location="cpu", weights_only=True)
        items = list(tensors.items())
    except Exception:  # damage shows as any of a dozen types
        raise EmbedderError(f"{file} is damaged: fetch the adapter again") from None
    layers: dict[str, dict[str, Any]] = defaultdict(dict)
    for key, tensor in items:
        match = _PART.fullmatch(key)
        name = (match[1] if match else key.rpartition(".")[0]).removeprefix("base_model.model.")
        if match:
            layers[name][match[2]] = tensor
        else:
            raise _unsupported(folder, f"it holds {key}")
    return layers


def _module(modules: dict[str, Any], name: str) -> Any:
    """Find a layer by its name in a model with a head, which is longer at the front."""
    parts = name.split(".")
    for first in range(len(parts)):
        module = modules.get(".".join(parts[first:]))
        if module is not None:
            weight = getattr(module, "weight", None)
            return module if weight is not None and weight.dim() == 2 and hasattr(module, "bias") else None
    return None


def _scale(config: dict[str, Any], name: str, rank: int) -> float:
    alpha = float(config["lora_alpha"])
    for pattern, value in (config.get("alpha_pattern") or {}).items():
        if re.fullmatch(rf"(.*\.)?({pattern})", name):
            alpha = float(value)
            break
    return alpha / math.sqrt(rank) if config.get("use_rslora") else alpha / rank
