"""`train` and `adapt`: from pairs, or from a corpus alone, to an adapter on disk."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from sparseembed.charts import need_charts
from sparseembed.data.corpus import Corpus
from sparseembed.data.sampling import even_places
from sparseembed.embedders.adapters import ABOUT
from sparseembed.embedders.presets import PRESETS
from sparseembed.embedders.spec import EmbedderSpec
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.errors import ConfigError, DataError
from sparseembed.files import atomic_folder, digest, read_json, write_json
from sparseembed.index.manifest import software_versions
from sparseembed.outputs import check_output_folder
from sparseembed.progress import note
from sparseembed.pseudo.folding import squeeze
from sparseembed.pseudo.pairs import Pair, Source, fingerprint
from sparseembed.pseudo.queries import pseudo_pairs
from sparseembed.training.batches import BatchPlan
from sparseembed.training.card import write_card
from sparseembed.training.hard import with_hard_negatives
from sparseembed.training.lexical import WordStatistics
from sparseembed.training.lora import portable_name, require_peft
from sparseembed.training.objectives import wants_hard_negatives
from sparseembed.training.probe import Probe, probe
from sparseembed.training.recipe import ADAPT, Recipe
from sparseembed.training.trainer import Job, Point, train_adapter

FORMAT = 1
VALIDATION = 96  # pairs of the batch that the curve's held-out loss is measured on
HELD_OUT = 200  # documents, or pairs
LEAST_HELD_OUT = 2  # pairs: one alone is always found
PROBE_LENGTH = 256  # tokens of a text when before and after are compared


class Trained(NamedTuple):
    """An adapter on disk.

    :param path: Its folder.
    :param about: What training.json holds.
    :param reused: Whether it stood there already.
    """

    path: Path
    about: dict[str, Any]
    reused: bool

    @property
    def helped(self) -> bool:
        """Whether held-out texts are found better with it, beyond doubt."""
        return bool(self.about["check"]["helped"])


class _Data(NamedTuple):
    """What is trained on.

    :param kind: `pairs` or `corpus`.
    :param name: What the data are called.
    :param sources: Training pairs.
    :param held_out: Pairs for checking, none of whose texts is trained on.
    :param documents: The texts that words are counted on.
    :param fingerprint: Of all of it.
    :param licences: Source -> licence, as far as it is given.
    :param held_out_documents: Ids of a corpus's documents that the held-out pairs are of.
    """

    kind: str
    name: str
    sources: list[Source]
    held_out: list[Pair]
    documents: list[str]
    fingerprint: str
    licences: Mapping[str, str]
    held_out_documents: Sequence[str] = ()


def train(
    sources: Sequence[Source],
    embedder: TransformerEmbedder,
    out: Path,
    recipe: Recipe | None = None,
    *,
    held_out: int = HELD_OUT,
    restart: bool = False,
    licences: Mapping[str, str] | None = None,
) -> Trained:
    """Train an adapter on text pairs.

    :param sources: The pairs, by source.
    :param embedder: The embedder to start from.
    :param out: Folder of the adapter.
    :param recipe: The choices; the defaults when None.
    :param held_out: Pairs to hold out, an even share of each source.
    :param restart: Begin again where an unfinished training, or another adapter, is in the way.
    :param licences: Source -> licence of its data, for the model card.
    :return: The adapter; one of the same recipe, data and base that stands there is reused.
    :raises ConfigError: Something else stands in `out`, or a checkpoint is of another job.
    :raises DataError: Too few pairs.
    :raises EmbedderError: The model cannot be loaded, or the loss is NaN.
    """
    require_peft()
    need_charts()
    kept, aside = hold_out(sources, held_out)
    name = f"{sum(len(source.pairs) for source in sources):,} pairs of {len(sources)} files"
    documents = [pair.positive for source in kept for pair in source.pairs]
    data = _Data("pairs", name, kept, aside, documents, digest([fingerprint(sources), held_out]), licences or {})
    return _run(data, embedder, out, recipe or Recipe(), restart)


def adapt(
    corpus: Corpus,
    embedder: TransformerEmbedder,
    out: Path,
    recipe: Recipe | None = None,
    *,
    held_out: int = HELD_OUT,
    restart: bool = False,
) -> Trained:
    """Adapt an embedder to a corpus, without queries and judgements.

    :param corpus: The documents.
    :param embedder: The embedder to start from.
    :param out: Folder of the adapter.
    :param recipe: The choices; `recipe.ADAPT` when None.
    :param held_out: Documents to hold out; the adapter is checked on them.
    :param restart: As in `train`.
    :return: The adapter; `helped` tells whether it is worth using.
    :raises ConfigError: As in `train`.
    :raises DataError: The corpus gives too few pseudo-queries.
    :raises EmbedderError: As in `train`.
    """
    require_peft()
    need_charts()
    recipe = recipe or ADAPT
    made = pseudo_pairs(corpus, recipe.seed, held_out)
    documents = [document.contents for document in corpus]
    name = f"{corpus.name}, {len(corpus):,} documents"
    job = digest([corpus.fingerprint, held_out])
    data = _Data("corpus", name, made.train, made.held_out, documents, job, {}, made.held_out_ids)
    return _run(data, embedder, out, recipe, restart)


def hold_out(sources: Sequence[Source], count: int) -> tuple[list[Source], list[Pair]]:
    """Put pairs aside for checking, an even share of each source; none of their texts is trained on.

    :param sources: The sources.
    :param count: Pairs to hold out; at most a tenth of all.
    :return: The sources without them and without further pairs of the same texts, and the pairs put aside, no two of
        which share a text.
    :raises ConfigError: Fewer than two are to be held out.
    :raises DataError: Nothing would be left to train on, or to check on.
    """
    if count < LEAST_HELD_OUT:
        raise ConfigError(f"held out {count} pairs: hold out at least {LEAST_HELD_OUT}, or nothing tells if it helped")
    every = [(number, pair) for number, source in enumerate(sources) for pair in source.pairs]
    wanted = min(count, len(every) // 10)
    aside: list[Pair] = []
    texts: set[str] = set()
    for place in even_places(len(every), wanted):
        pair = every[int(place)][1]
        folded = _folded(pair)
        if texts.isdisjoint(folded):
            aside.append(pair)
            texts |= folded
    kept = [
        Source(source.name, tuple(_without(pair, texts) for pair in source.pairs if texts.isdisjoint(_folded(pair))))
        for source in sources
    ]
    kept = [source for source in kept if source.pairs]
    if len(aside) < 2 or sum(len(source.pairs) for source in kept) < 2:
        raise DataError(f"{len(every):,} pairs are too few to train on and to check with: give at least some hundreds")
    return kept, aside


def _folded(pair: Pair) -> set[str]:
    return {_fold(text) for text in (pair.query, pair.positive)}


def _without(pair: Pair, texts: set[str]) -> Pair:
    """Return a pair whose negative is none of the given texts: left out where it is."""
    return pair._replace(negative=None) if pair.negative and _fold(pair.negative) in texts else pair


def _fold(text: str) -> str:
    return squeeze(text).casefold()


def _run(data: _Data, embedder: TransformerEmbedder, out: Path, recipe: Recipe, restart: bool) -> Trained:
    decoding = embedder.spec.decoding
    identity: dict[str, Any] = {
        "format": FORMAT,
        "kind": data.kind,
        "data": data.fingerprint,
        "recipe": recipe.as_dict(),
        "base": {"embedder": embedder.identity(), "decoding": decoding},
    }
    hard = wants_hard_negatives(recipe)
    if hard:
        identity["negatives"] = "bm25"
    job_digest = digest(identity)
    told = identity
    if decoding:  # its place is part of what the job is, but training.json goes to other machines
        told = {**identity, "base": {**identity["base"], "decoding": portable_name(decoding)}, "job": job_digest}
    standing = _standing(out, told, restart)
    if standing is not None:
        note(f"reusing the adapter in {out}")
        return Trained(out, standing, True)
    check_output_folder(out)
    work = out.parent / f".{out.name}.training"
    check_output_folder(work)
    if restart:
        shutil.rmtree(work, ignore_errors=True)
    counts = ", ".join(f"{len(source.pairs):,} {source.name}" for source in data.sources[:6])
    more = f" and {len(data.sources) - 6} more" if len(data.sources) > 6 else ""
    note(f"training on {data.name} ({counts}{more}); {len(data.held_out)} pairs held out")
    sources = with_hard_negatives(data.sources, recipe.seed) if hard else data.sources
    plan = BatchPlan(sources, recipe.batch, recipe.seed, recipe.alike)
    # The curve's batch is a part of what is held out, spread over it.
    places = even_places(len(data.held_out), VALIDATION)
    job = Job(plan, [data.held_out[int(place)] for place in places], data.documents, job_digest)
    with atomic_folder(out) as folder:
        curve = train_adapter(embedder, job, recipe, work, folder)
        found = _check(data, embedder, folder)
        about = {**told, "about": _about(data, embedder, curve, found), "check": found.as_dict()}
        write_json(folder / ABOUT, about)
        write_card(folder, out.name, about)
    shutil.rmtree(work, ignore_errors=True)
    note(f"wrote {out}")
    return Trained(out, about, False)


def _check(data: _Data, embedder: TransformerEmbedder, folder: Path) -> Probe:
    length = min(PROBE_LENGTH, embedder.spec.max_length)
    before = TransformerEmbedder(replace(embedder.spec, max_length=length))
    after = TransformerEmbedder(
        replace(embedder.spec, max_length=length, adapters=(*embedder.spec.adapters, str(folder)))
    )
    return probe(before, after, data.held_out, WordStatistics(data.documents))


def _about(data: _Data, embedder: TransformerEmbedder, curve: Sequence[Point], found: Probe) -> dict[str, Any]:
    spec = embedder.spec
    return {
        "data": data.name,
        "sources": [
            {"name": source.name, "pairs": len(source.pairs), "licence": data.licences.get(source.name)}
            for source in data.sources
        ],
        "held_out": len(data.held_out),
        "held_out_documents": list(data.held_out_documents),
        "base": _base(spec),
        "prompts": {"document": spec.prompt("document"), "query": spec.prompt("query")},
        "curve": [point._asdict() for point in curve],
        "versions": software_versions(),
    }


def _base(spec: EmbedderSpec) -> dict[str, Any]:
    """Return what the base is called, without the paths of this machine."""
    weights = portable_name(spec.weights)
    preset = PRESETS.get(spec.name)
    own = preset.adapters if preset else ()
    revised = f"{weights}@{spec.revision}" if spec.revision else weights
    return {
        "name": spec.name,
        "embedder": spec.name if preset else revised,
        "weights": weights,
        "revision": spec.revision,
        "adapters": [portable_name(adapter) for adapter in spec.adapters[len(own) :]],
    }


def _standing(out: Path, told: Mapping[str, Any], restart: bool) -> dict[str, Any] | None:
    """Return what a finished adapter of the same job says of itself; None where there is nothing in the way.

    :raises ConfigError: Something else stands there.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    try:
        about = read_json(out / ABOUT, ConfigError, "")
        if not isinstance(about, dict):
            raise ConfigError
    except ConfigError:
        raise ConfigError(f"{out} exists and is no adapter of ours: choose another folder with --out") from None
    if all(about.get(key) == value for key, value in told.items()):
        if not _is_check(about.get("check")):
            raise ConfigError(f"{out / ABOUT} is damaged: pass --restart, or choose another --out")
        return about
    if restart:
        return None
    raise ConfigError(
        f"{out} holds an adapter of another recipe, corpus or base model: pass --restart to replace it, or choose "
        "another --out"
    )


def _is_check(found: Any) -> bool:
    """Whether a value is what a `Probe` says, as far as people are told of it."""
    gains = found.get("mrr") if isinstance(found, dict) and "helped" in found else None
    parts = ("before", "after", "low", "high")
    return isinstance(gains, dict) and all(
        isinstance(gain, dict) and all(isinstance(gain.get(part), float | int) for part in parts)
        for gain in gains.values()
    )
