"""Embedders by name. The names stand in `catalogue`."""

import difflib
import re
from pathlib import Path

from sparseembed.embedders.catalogue import CATALOGUE, MANY, Preset
from sparseembed.embedders.catalogue.oneword import DOCUMENT_PROMPT, MORE_PROMPTS, QUERY_PROMPT, prompted
from sparseembed.embedders.gguf import is_gguf
from sparseembed.embedders.spec import EmbedderSpec
from sparseembed.errors import EmbedderError
from sparseembed.text import one_line, shown

__all__ = [
    "DEFAULT",
    "DOCUMENT_PROMPT",
    "MORE_PROMPTS",
    "PRESETS",
    "QUERY_PROMPT",
    "find_preset",
    "find_spec",
    "prompted",
]

DEFAULT = "smollm2-135m-aligned"
PRESETS: dict[str, EmbedderSpec] = {preset.name: preset.spec for preset in CATALOGUE}
_LISTED = "`sparseembed embedders` lists the presets"


def find_preset(name: str) -> Preset:
    """Return a preset and what is known of it.

    :param name: Its name.
    :return: The preset; nothing is loaded.
    :raises EmbedderError: There is none of this name.
    """
    for preset in CATALOGUE:
        if preset.name == name:
            return preset
    raise EmbedderError(f"unknown preset {shown(name)}: {_nearest(name)}{_LISTED}")


def languages_of(embedder: str) -> tuple[str, ...] | None:
    """Return the languages that an embedder is known to embed; None where there are many, or they are not known.

    :param embedder: Its name.
    """
    preset = next((preset for preset in CATALOGUE if preset.name == embedder), None)
    return preset.languages if preset is not None and preset.languages not in ((), MANY) else None


def find_spec(embedder: str) -> EmbedderSpec:
    """Return the parts of an embedder named by the user.

    :param embedder: A preset, a folder or GGUF file on this disk, or a Hugging Face id (`owner/model`, with `@revision`
        if wanted). Anything but a preset gets the retrieval prompts, last-token pooling and causal attention.
    :return: Its parts; nothing is loaded.
    :raises EmbedderError: It is none of these.
    """
    if embedder in PRESETS:
        return PRESETS[embedder]
    path = _existing(embedder)
    if path is not None:
        if path.is_file() and not is_gguf(path):
            raise EmbedderError(f"{path} is a file, but no GGUF file: give a model folder, a GGUF file or a preset")
        return prompted(_file_name(path.resolve().name), str(path.resolve()))
    if re.fullmatch(r"[\w.-]+/[\w.-]+(@[\w./-]+)?", embedder) and not embedder.startswith((".", "/", "~")):
        model, _, revision = embedder.partition("@")
        return prompted(_file_name(model.replace("/", "--")), model, revision or None)
    if "/" in embedder or embedder.endswith(".gguf"):
        raise EmbedderError(f"there is no model at {one_line(embedder)}: check the path, or give a preset ({_LISTED})")
    raise EmbedderError(
        f"unknown embedder {shown(embedder)}: {_nearest(embedder)}{_LISTED}; "
        "a model folder, a GGUF file or a Hugging Face id (owner/model) works as well"
    )


def _nearest(name: str) -> str:
    close = difflib.get_close_matches(name.lower(), PRESETS, n=1, cutoff=0.4)
    return f"did you mean {close[0]}? " if close else ""


def _existing(name: str) -> Path | None:
    try:
        path = Path(name).expanduser()
        return path if path.exists() else None
    except (OSError, RuntimeError):  # too long for a file's name, or the home of an unknown user
        return None


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name.removesuffix(".gguf")).strip("-.") or "model"
