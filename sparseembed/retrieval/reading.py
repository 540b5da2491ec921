"""What is done with queries beside searching their words: what a user asks for, and what that is in an index."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from sparseembed.errors import ConfigError
from sparseembed.index.snapshot import Snapshot
from sparseembed.progress import note
from sparseembed.retrieval.choosing import AUTO, choose_encoder, refused
from sparseembed.retrieval.query import Expanded, InferenceFree
from sparseembed.retrieval.rescoring import CANDIDATES, ENCODERS, FULL, NONE, Rescorer

if TYPE_CHECKING:
    from sparseembed.embedders.load import EmbedderLike
    from sparseembed.embedders.transformer import TransformerEmbedder
    from sparseembed.retrieval.embedder import Named


class Reading(NamedTuple):
    """What is done with the queries of one index: the parameters of `Searcher.open`, none of them open any more."""

    expand: int
    expansion_weight: float
    rescore: int
    encoder: str
    feedback: bool
    embedder: "TransformerEmbedder | None"

    def encoder_of(self, snapshot: Snapshot) -> Expanded | None:
        """Return what makes impact queries of texts in a commit; None for plain words.

        :raises IndexFolderError: The commit is of another embedder.
        """
        if self.embedder is not None:
            from sparseembed.retrieval.embedder import matching_embedder

            matching_embedder(snapshot.manifest, self.embedder)
        if not self.expand or self.embedder is None:
            return None
        return expander(snapshot, self.expand, self.expansion_weight, self.embedder)

    def rescorer_of(self, snapshot: Snapshot, warm: bool) -> Rescorer | None:
        """Return what puts the best hits of a commit in a new order; None where nothing does.

        :param snapshot: The commit.
        :param warm: Whether the first query begins to load, in the background, what makes later ones fast.
        :raises IndexFolderError: The commit carries no embeddings, or no such query encoder.
        """
        if not self.rescore:
            return None
        rescorer = Rescorer(snapshot, self.rescore, self.encoder, self.feedback, self.embedder, warm)
        why = refused(snapshot.manifest.rescoring, self.encoder)
        if why is not None:
            note(f"the {self.encoder} query encoder of {snapshot.path} is refused as a default, for {why}")
        if self.feedback and not rescorer.feedback:
            seen = (snapshot.manifest.rescoring or {}).get(self.encoder, {}).get("sentences")
            why = "its own sentences did not speak for it" if seen else "too few of its documents had several sentences"
            note(f"feedback is off in {snapshot.path}: {why} when it was fitted")
        return rescorer


@dataclass(frozen=True)
class Asked:
    """What a user asks for (see `Searcher.open`).

    :raises ConfigError: It makes no sense.
    """

    expand: int
    expansion_weight: float
    rescore: int
    encoder: str | None
    feedback: bool
    budget: float | None

    def __post_init__(self) -> None:
        """Check it."""
        if self.expand < 0:
            raise ConfigError(f"expand, the aligned terms of a query, must be 0 or more, not {self.expand}")
        if self.rescore < 0:
            raise ConfigError(f"rescore, the hits that are rescored, must be 0 or more, not {self.rescore}")
        known = (*ENCODERS, AUTO)
        if self.named not in known:
            raise ConfigError(f"unknown query encoder {self.named!r}: query encoders are {', '.join(known)}")
        if self.budget is not None and self.named != AUTO:
            raise ConfigError("a budget of milliseconds is for the query encoder auto: take that, or leave it out")
        if self.rescore and self.named == NONE and not self.feedback:
            raise ConfigError("there is nothing to rescore hits by: ask for a query encoder, or for feedback")

    @property
    def named(self) -> str:
        """The query encoder, also where none was named."""
        return self.encoder if self.encoder is not None else FULL if self.rescore else NONE

    def of(self, snapshot: Snapshot, embedder: "EmbedderLike | Named | None") -> Reading | None:
        """Return what that is in an index; None where queries are plain words.

        :param snapshot: The index.
        :param embedder: The embedder that reads queries; the one that the manifest names when None, if a preset.
        :raises IndexFolderError: It was not made by `embedder`, or carries no embeddings.
        """

        @cache
        def checked() -> "TransformerEmbedder":
            from sparseembed.retrieval.embedder import matching_embedder

            return matching_embedder(snapshot.manifest, embedder)

        encoder = self._encoder(snapshot, checked)
        feedback = self.feedback or self.named == AUTO
        rescore = self.rescore or (CANDIDATES if feedback or encoder != NONE else 0)
        used = checked() if embedder is not None or self.expand or encoder != NONE else None
        if not (self.expand or rescore):
            return None
        return Reading(self.expand, self.expansion_weight, rescore, encoder, feedback, used)

    def _encoder(self, snapshot: Snapshot, embedder: Callable[[], "TransformerEmbedder"]) -> str:
        if self.named != AUTO:
            return self.named
        choice = choose_encoder(snapshot, embedder, self.budget)
        note(f"query encoder {choice.encoder}: {choice.why}")
        return choice.encoder


def expander(snapshot: Snapshot, m: int, weight: float, embedder: "TransformerEmbedder") -> Expanded:
    """Return an encoder of expanded queries.

    :param snapshot: The index.
    :param m: M, aligned terms of a query.
    :param weight: Weight of the best of them, where a literal term's is 1.
    :param embedder: The index's embedder.
    """
    from sparseembed.alignment.decoding import Decoder
    from sparseembed.alignment.head import decoding_head

    space, head = snapshot.space, decoding_head(embedder)
    rows = space.rows(head.matrix, embedder.tokenizer)
    adjustment = snapshot.adjustment("query").after(head.inputs)
    return Expanded(
        InferenceFree(space.literal), space, embedder, Decoder(rows, embedder.device), adjustment, m, weight
    )
