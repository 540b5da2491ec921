"""The embedder of an index: an index says how texts were embedded, and its user alone says what is loaded and run."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sparseembed.embedders.catalogue import CATALOGUE
from sparseembed.embedders.load import EmbedderLike, load_embedder
from sparseembed.embedders.presets import find_spec
from sparseembed.embedders.spec import EmbedderSpec
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.errors import ConfigError, IndexFolderError
from sparseembed.index.manifest import Manifest, differing_field
from sparseembed.text import shown

# What decides which files are read and whether their code runs; all other parts of a spec are mere data.
_TEXTS = ("name", "weights", "document_prompt", "query_prompt", "task", "pooling", "pool_over", "attention", "dtype")
_OPTIONAL = ("revision", "decoding")


@dataclass(frozen=True)
class Named:
    """What a user names of an index's embedder; all else is as the index says.

    :param embedder: Weights: a preset, a path or a Hugging Face id; None for those of the preset that the index names.
    :param adapters: Adapters on top of the preset's own.
    :param decoding: Where the decoding matrix comes from; the preset's own when None.
    :param trust_remote_code: Whether code that comes with the weights may run.
    :param changes: Other parts of an `EmbedderSpec`, such as a pooling, that are to be as the user says.
    """

    embedder: str | None = None
    adapters: tuple[str, ...] = ()
    decoding: str | None = None
    trust_remote_code: bool = False
    changes: Mapping[str, Any] = field(default_factory=dict)


def matching_embedder(manifest: Manifest, embedder: EmbedderLike | Named | None) -> TransformerEmbedder:
    """Return the embedder of an index, or refuse one that is not.

    An index is data, and may come from anybody. Its manifest is believed about prompts, pooling and the like. What it
    says of trust is ignored, and weights, adapters and decoding that it names are loaded only where they are a
    preset's or the caller names them too.

    :param manifest: The index's manifest.
    :param embedder: The embedder at hand. A string stands for weights alone, as `Named` of it. None for the preset that
        the manifest names.
    :return: The embedder.
    :raises IndexFolderError: It is not the one that made the index (the message names the field that differs); the
        manifest names no preset and the caller nothing; the manifest is damaged.
    """
    told = _spec(manifest)
    if embedder is None or isinstance(embedder, str):
        embedder = Named(embedder)
    if isinstance(embedder, Named):
        embedder = named_spec(manifest, embedder)
    chosen = load_embedder(embedder)
    if not _same_place(told.decoding, chosen.spec.decoding):
        raise _differs(chosen, f"decoding is {_or_none(told.decoding)} there and {_or_none(chosen.spec.decoding)} here")
    difference = differing_field(manifest.embedder_identity, chosen.identity())
    if difference is None:
        return chosen
    if not _same_place(told.weights, chosen.spec.weights):
        difference = f"weights is {shown(told.weights)} there and {shown(chosen.spec.weights)} here"
    elif told.adapters != chosen.spec.adapters:
        difference = f"adapters are {_listed(told.adapters)} there and {_listed(chosen.spec.adapters)} here"
    raise _differs(chosen, difference)


def named_spec(manifest: Manifest, named: Named) -> EmbedderSpec:
    """Return what an index's user names, used as the index says.

    :param manifest: The index's manifest: prompts, task, pooling, attention, maximal length and dtype are its.
    :param named: What the user names.
    :return: The parts of the embedder; nothing is loaded.
    :raises EmbedderError: Unknown name.
    :raises ConfigError: A part is outside its range.
    :raises IndexFolderError: The manifest names what is no preset, and the user does not; the manifest is damaged.
    """
    told = _spec(manifest)
    base = find_spec(named.embedder) if named.embedder is not None else _preset(told)
    if base is not None:
        choice = {
            "name": base.name,
            "weights": base.weights,
            "revision": base.revision,
            "adapters": (*base.adapters, *named.adapters),
            "decoding": named.decoding or base.decoding,
            "trust_remote_code": named.trust_remote_code,
        }
        spec = EmbedderSpec(**told.as_dict() | choice).with_changes(**named.changes)
        same = spec.adapters == told.adapters and _same_place(spec.decoding, told.decoding)
        if same or named.embedder is not None or named.adapters or named.decoding:
            return spec
    raise IndexFolderError(
        f"the index names an embedder that is no preset, and no index chooses what is loaded: if you trust it, pass "
        f"{_words(told, base)} (in Python: embedder=)"
    )


def _spec(manifest: Manifest) -> EmbedderSpec:
    """Read the manifest's embedder, trust and device left out: the one is the caller's, the other this machine's."""
    stored: dict[str, Any] = dict(manifest.embedder)
    # The dtype that `auto` stood for when the index was built, which this machine might choose otherwise.
    stored["dtype"] = manifest.embedder_identity.get("dtype")
    for part in ("trust_remote_code", "device"):
        stored.pop(part, None)
    adapters, more = stored.get("adapters", []), stored.get("more_prompts", [])
    whole = (
        all(isinstance(stored.get(part, ""), str) for part in _TEXTS)
        and all(isinstance(stored.get(part, ""), str | None) for part in _OPTIONAL)
        and type(stored.get("max_length", 8)) is int
        and isinstance(adapters, list | tuple)
        and isinstance(more, list | tuple)
        and all(isinstance(each, str) for each in (*adapters, *more))
        and "\0" not in "".join([stored.get("weights", ""), stored.get("decoding") or "", *adapters])
    )
    try:
        if whole:
            return EmbedderSpec(**stored)
        reason = "a part is of another type"
    except (TypeError, ConfigError) as error:
        reason = " ".join(str(error).split())[:120]
    raise IndexFolderError(
        f"the manifest of the index is damaged: its embedder is none ({reason}); build the index again with --overwrite"
    )


def _preset(told: EmbedderSpec) -> EmbedderSpec | None:
    """Find the preset that a manifest builds upon: the same weights, and the most of its adapters."""
    fitting = [
        preset.spec
        for preset in CATALOGUE
        if (preset.spec.weights, preset.spec.revision) == (told.weights, told.revision)
        and preset.spec.adapters == told.adapters[: len(preset.spec.adapters)]
    ]
    # Of two that differ in decoding alone, the one whose decoding is the manifest's.
    return max(fitting, key=lambda spec: (len(spec.adapters), spec.decoding == told.decoding), default=None)


def _words(told: EmbedderSpec, base: EmbedderSpec | None) -> str:
    """Return the options that name what a manifest names, beyond the preset it builds upon."""
    weights = told.weights + (f"@{told.revision}" if told.revision else "")
    words = [] if base is not None else [f"--embedder {_word(weights)}"]
    known = base.adapters if base is not None else ()
    words += [f"--adapter {_word(adapter)}" for adapter in told.adapters[len(known) :]]
    if told.decoding is not None and (base is None or told.decoding != base.decoding):
        words.append(f"--decoding {_word(told.decoding)}")
    return " ".join(words) or "--embedder with its weights"


def _word(name: str) -> str:
    """Return a name as a shell takes it; what cannot be printed is escaped, and what is endless is cut."""
    name = name if len(name) <= 300 else name[:300] + "…"
    return shlex.quote(name) if name.isprintable() else repr(name)


def _same_place(one: str | None, other: str | None) -> bool:
    if one == other or one is None or other is None:
        return one == other
    try:
        return Path(one).expanduser().samefile(Path(other).expanduser())
    except (OSError, RuntimeError, ValueError):
        return False


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(map(shown, names)) or "none"


def _or_none(name: str | None) -> str:
    return "its own" if name is None else shown(name)


def _differs(chosen: TransformerEmbedder, difference: str) -> IndexFolderError:
    return IndexFolderError(
        f"the embedder {chosen.spec.name} is not the one that made this index: {difference}; open the index with its "
        "own embedder, or build another"
    )
