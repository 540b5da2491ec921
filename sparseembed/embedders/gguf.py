"""GGUF files to model folders, once, in the user's cache: a GGUF file takes 12 seconds to load, its copy two."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from threading import Lock

from sparseembed.embedders.hashes import file_sha256
from sparseembed.embedders.hub import quiet_hub
from sparseembed.errors import EmbedderError
from sparseembed.extras import INDEX, extra
from sparseembed.files import atomic_folder, cache_folder
from sparseembed.progress import note

MAGIC = b"GGUF"
_CONVERTING = Lock()  # `_read_once` changes what all threads see


def is_gguf(path: Path) -> bool:
    """Say whether a file is a GGUF file, by its first bytes and whatever its name.

    :raises EmbedderError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError as error:
        raise EmbedderError(f"{path} cannot be read ({error.strerror}): check its permissions") from None


def convert_gguf(path: Path) -> Path:
    """Return a model folder with the dequantised weights (float32) and tokenizer of a GGUF file.

    :param path: A GGUF file of an architecture that transformers can read.
    :return: The folder in the user's cache, made now or by an earlier call.
    :raises EmbedderError: transformers cannot read the file.
    """
    folder = cache_folder("models", f"{path.stem}-{file_sha256(path)[:16]}")
    if (folder / "config.json").is_file():
        return folder
    note(f"converting {path.name} to safetensors, once (about 12 s)")
    with atomic_folder(folder) as part, _CONVERTING, _read_once():
        _convert(path, part)
    note(f"wrote {folder}")
    return folder


@contextmanager
def _read_once() -> Iterator[None]:
    """Have transformers read a file once, and not three times, and name its tensors once, and not for each module."""
    names = vars(extra("gguf", INDEX, "a GGUF file"))
    kept = {name: names[name] for name in ("GGUFReader", "get_tensor_name_map")}
    names.update({name: lru_cache(each) for name, each in kept.items()})
    try:
        yield
    finally:
        names.update(kept)


def _convert(path: Path, into: Path) -> None:
    with quiet_hub():
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer, modeling_gguf_pytorch_utils
        from transformers.utils import logging

        # The conversion takes its bar from tqdm itself; from the library's own tqdm, it heeds the library's settings.
        vars(modeling_gguf_pytorch_utils)["tqdm"] = logging.tqdm
        try:
            loaded = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
            tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
        except Exception as error:  # a damaged file shows as any of a dozen types
            reason = " ".join(str(error).split())[:200]
            raise EmbedderError(f"cannot read {path} as a GGUF model: {reason}") from None
        # A model loaded from GGUF refuses save_pretrained; a fresh one with its state does not.
        config = type(loaded.config).from_dict(
            {key: value for key, value in loaded.config.to_dict().items() if key != "quantization_config"}
        )
        fresh = AutoModelForCausalLM.from_config(config)
        fresh.load_state_dict(loaded.state_dict())
        fresh.save_pretrained(into)
        tokenizer.save_pretrained(into)
    if "quantization_config" in json.loads((into / "config.json").read_text()):
        raise EmbedderError(f"converting {path} kept its quantisation: this version of transformers is not supported")
