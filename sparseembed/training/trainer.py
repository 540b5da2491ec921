"""The training loop: deterministic given a seed, resumable after a kill with the same result."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from sparseembed.alignment.head import decoding_head
from sparseembed.embedders.batching import is_out_of_memory
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.errors import ConfigError, EmbedderError
from sparseembed.files import atomic_file, digest, sweep_files
from sparseembed.progress import note, track
from sparseembed.pseudo.pairs import Pair
from sparseembed.training.batch import Batch, State, Texts, Vocabulary
from sparseembed.training.encoder import TrainedEncoder
from sparseembed.training.lexical import WordStatistics
from sparseembed.training.lora import restore, snapshot, write_adapter
from sparseembed.training.objectives import build_objectives
from sparseembed.training.recipe import Recipe

if TYPE_CHECKING:
    import torch

CHECKPOINT_EVERY = 20  # steps
VALIDATE_EVERY = 25  # steps
CLIP = 1.0  # largest norm of the gradient
OWN_RATE = 25.0  # learning rate of an objective's own parameters, in units of LoRA's
FORMAT = 3  # of a checkpoint


class Plan(Protocol):
    """Where batches come from; see batches.BatchPlan."""

    def batch(self, step: int) -> list[Pair]:
        """Return the pairs of a step."""


class Point(NamedTuple):
    """A point of the curve.

    :param step: Steps done.
    :param loss: Objective -> training loss, the mean since the last point.
    :param validation: Objective -> loss on the held-out batch; None between validations.
    """

    step: int
    loss: dict[str, float]
    validation: dict[str, float] | None = None


@dataclass(frozen=True)
class Job:
    """What is trained on what.

    :param plan: Batches.
    :param validation: Pairs of a held-out batch, in no training batch.
    :param documents: The texts that idf and BM25's lengths are counted on.
    :param data: Fingerprint of the data.
    """

    plan: Plan
    validation: Sequence[Pair]
    documents: Sequence[str]
    data: str


def train_adapter(embedder: TransformerEmbedder, job: Job, recipe: Recipe, work: Path, out: Path) -> list[Point]:
    """Train LoRA on an embedder and write it in PEFT's form.

    :param embedder: The embedder to start from.
    :param job: Batches, validation and statistics.
    :param recipe: The choices.
    :param work: Folder of the checkpoint; a run that was stopped goes on from there, to the same bytes.
    :param out: An existing folder, which the adapter is written into.
    :return: The curve.
    :raises ConfigError: The checkpoint is of another recipe, data or model; PEFT is missing.
    :raises EmbedderError: The loss is NaN or infinity, or the model cannot be loaded.
    """
    work.mkdir(parents=True, exist_ok=True)
    sweep_files(work)
    trainer = _Trainer(embedder, job, recipe, work / "checkpoint.pt")
    trainer.run()
    write_adapter(out, trainer.masters, recipe, embedder.spec.weights)
    return trainer.curve


class _Trainer:
    def __init__(self, embedder: TransformerEmbedder, job: Job, recipe: Recipe, checkpoint: Path) -> None:
        import torch

        self._job, self._recipe, self._checkpoint = job, recipe, checkpoint
        self._identity = digest(
            {
                "format": FORMAT,
                "recipe": recipe.as_dict(),
                "data": job.data,
                "embedder": embedder.identity(),
                "decoding": embedder.spec.decoding,
            }
        )
        kept = _read(checkpoint, self._identity)
        self.encoder = TrainedEncoder(embedder, recipe)
        self._objectives = build_objectives(recipe)
        statistics = WordStatistics(job.documents)
        head = decoding_head(embedder)
        if head.matrix.shape[1] != embedder.dimension:
            raise ConfigError(
                f"{embedder.spec.name} has an MLM head, which training cannot go through: take a causal LM"
            )
        self._vocabulary = Vocabulary(head.matrix, embedder.tokenizer, statistics, self.encoder.device)
        self._state = State()
        own = [parameter for each in self._objectives.values() for parameter in each.parameters]
        # Updates are far smaller than bfloat16's steps: the optimiser works on float32 copies.
        self.masters = {name: each.detach().float().clone() for name, each in self.encoder.parameters.items()}
        groups: list[dict[str, Any]] = [{"params": list(self.masters.values()), "scale": 1.0}]
        if own:
            groups.append({"params": own, "scale": OWN_RATE})
        self._own = own
        self._optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate, weight_decay=0.0)
        self._done = 0
        self.curve: list[Point] = []
        self._since: list[dict[str, float]] = []
        if kept is not None:
            self._restore(kept)

    def run(self) -> None:
        steps = self._recipe.steps
        if self._done:
            note(f"going on after step {self._done:,} of {steps:,}, from {self._checkpoint}")
        with track("training", steps, "steps", self._done) as bar:
            while self._done < steps:
                losses = self._step()
                self._done += 1
                self._since.append(losses)
                last = self._done == steps
                if self._done % VALIDATE_EVERY == 0 or last:
                    self._validate()
                if self._done % CHECKPOINT_EVERY == 0 or last:
                    self._save()
                bar.update(1, self._told(losses))

    def _step(self) -> dict[str, float]:
        import torch

        rate = self._recipe.rate(self._done)
        for group in self._optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        texts = as_texts(self._job.plan.batch(self._done))
        items = self._items(texts)
        parts: dict[str, float] = {}

        def loss_of(vectors: "torch.Tensor") -> "torch.Tensor":
            batch = self._batch(texts, vectors)
            self._state.update(batch)
            losses = {name: objective.loss(batch) for name, objective in self._objectives.items()}
            parts.update({name: float(loss.detach()) for name, loss in losses.items()})
            return torch.stack(list(losses.values())).sum()

        self._optimizer.zero_grad(set_to_none=True)
        try:
            total = self.encoder.backward(items, loss_of)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise EmbedderError(
                f"memory does not suffice for step {self._done + 1}{self._kept()}: pass a smaller --cached-tokens "
                "or --batch"
            ) from None
        for name, parameter in self.encoder.parameters.items():
            self.masters[name].grad = None if parameter.grad is None else parameter.grad.float()
            parameter.grad = None
        norm = torch.nn.utils.clip_grad_norm_(list(self.masters.values()), CLIP)
        if not math.isfinite(total) or not math.isfinite(float(norm)):
            raise EmbedderError(
                f"the loss is NaN or infinity at step {self._done + 1}{self._kept()}: take a smaller learning rate, or "
                "float32"
            )
        self._optimizer.step()
        restore(self.encoder.parameters, self.masters)
        return parts

    def _kept(self) -> str:
        """Say, for an error, what a checkpoint holds."""
        saved = self._done // CHECKPOINT_EVERY * CHECKPOINT_EVERY
        return f"; what was learned up to step {saved} is kept" if saved else ""

    def _items(self, texts: Texts) -> list[Any]:
        return [*self.encoder.tokenize(texts.queries, "query"), *self.encoder.tokenize(texts.documents, "document")]

    def _batch(self, texts: Texts, vectors: "torch.Tensor") -> Batch:
        count = len(texts.queries)
        return Batch(texts, vectors[:count], vectors[count:], self._state, self._vocabulary)

    def _validate(self) -> None:
        """Add a point to the curve, with the losses of the held-out batch."""
        import torch

        found: dict[str, float] | None = None
        if self._job.validation:
            texts = as_texts(self._job.validation)
            items = self._items(texts)
            with torch.no_grad():
                batch = self._batch(texts, self.encoder.embed_all(items))
                found = {name: float(objective.loss(batch)) for name, objective in self._objectives.items()}
        means = {name: sum(each[name] for each in self._since) / len(self._since) for name in self._objectives}
        self.curve.append(Point(self._done, means, found))
        self._since = []

    def _told(self, losses: Mapping[str, float]) -> str:
        told = "loss " + " + ".join(f"{name} {loss:.3f}" for name, loss in losses.items())
        if self.curve and self.curve[-1].validation:
            told += ", held out " + " + ".join(f"{loss:.3f}" for loss in self.curve[-1].validation.values())
        return told

    def _save(self) -> None:
        import torch

        kept = {
            "identity": self._identity,
            "done": self._done,
            "parameters": snapshot(self.masters),
            "own": [parameter.detach().cpu() for parameter in self._own],
            "optimizer": self._optimizer.state_dict(),
            "state": self._state.as_dict(),
            "curve": [list(point) for point in self.curve],
            "since": self._since,
        }
        try:
            with atomic_file(self._checkpoint) as handle:
                torch.save(kept, handle)
        except (OSError, RuntimeError) as error:
            reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:120]
            raise EmbedderError(
                f"the checkpoint {self._checkpoint} cannot be written ({reason}): make room, and run the same again"
            ) from None

    def _restore(self, kept: Mapping[str, Any]) -> None:
        import torch

        restore(self.masters, kept["parameters"])
        restore(self.encoder.parameters, self.masters)
        with torch.no_grad():
            for parameter, value in zip(self._own, kept["own"], strict=True):
                parameter.copy_(value)
        self._optimizer.load_state_dict(kept["optimizer"])
        device = self.encoder.device
        self._state.restore({name: None if each is None else each.to(device) for name, each in kept["state"].items()})
        self._done = kept["done"]
        self.curve = [Point(*point) for point in kept["curve"]]
        self._since = kept["since"]


def as_texts(pairs: Sequence[Pair]) -> Texts:
    """Return the texts of pairs: queries, positives, then the negatives there are."""
    negatives = [pair.negative for pair in pairs if pair.negative]
    return Texts([pair.query for pair in pairs], [*(pair.positive for pair in pairs), *negatives])


def _read(checkpoint: Path, identity: str) -> dict[str, Any] | None:
    """Read a checkpoint of the same job; None where there is none.

    :raises ConfigError: It is of another job, or damaged.
    """
    if not checkpoint.exists():
        return None
    import torch

    try:
        kept: dict[str, Any] = torch.load(checkpoint, map_location="cpu", weights_only=True)
        same = kept["identity"] == identity
    except Exception:  # damage shows as any of a dozen types
        raise ConfigError(f"the checkpoint {checkpoint} is damaged: pass --restart to begin again") from None
    if not same:
        raise ConfigError(
            f"the checkpoint {checkpoint} is of another recipe, corpus or model: pass --restart to begin again, or "
            "another --out"
        )
    return kept
