"""Which query encoder to take: the cheapest that the collection's own sentences say is enough, within a budget."""

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from sparseembed.errors import ConfigError
from sparseembed.index.snapshot import Snapshot
from sparseembed.retrieval.rescoring import ENCODERS, FITTED, NONE, Rescorer, without_embeddings

if TYPE_CHECKING:
    from sparseembed.embedders.transformer import TransformerEmbedder

AUTO = "auto"
QUERY = "what an average query of about ten words asks for"
TIMES = 5  # encodings that a time is the least of


class Choice(NamedTuple):
    """A query encoder and what speaks for it.

    :param encoder: `none`, `static`, `small` or `full`.
    :param milliseconds: What a query took, for each encoder that was timed here.
    :param why: A reason for people.
    """

    encoder: str
    milliseconds: dict[str, float]
    why: str


class Measured(NamedTuple):
    """What a query encoder brings in an index, and what it costs here.

    :param encoder: `none`, `static`, `small` or `full`.
    :param found: nDCG@10, with feedback, on the collection's own sentences, each of which asks for the document that it
        was taken out of; None where there were too few.
    :param milliseconds: What encoding a query takes on this machine.
    :param refused: Why it is not taken where it is not named; None where it may be.
    """

    encoder: str
    found: float | None
    milliseconds: float
    refused: str | None


def measured_encoders(snapshot: Snapshot, embedder: Callable[[], "TransformerEmbedder"]) -> list[Measured]:
    """Return what each query encoder of an index brings, which its manifest holds, and costs, which is timed here.

    :param snapshot: The index.
    :param embedder: Opens its embedder.
    :return: The encoders that it has, by what they cost.
    :raises IndexFolderError: The index carries no embeddings.
    """
    told = _told(snapshot)
    known = [encoder for encoder in ENCODERS if encoder in told and (encoder not in FITTED or "depth" in told[encoder])]
    times = {NONE: 0.0}
    for encoder in known:
        if encoder != NONE:
            times[encoder] = milliseconds(Rescorer(snapshot, encoder=encoder, embedder=embedder()))
    return [Measured(each, told[each].get("nDCG@10"), times[each], refused(told, each)) for each in known]


def choose_encoder(
    snapshot: Snapshot,
    embedder: Callable[[], "TransformerEmbedder"],
    budget: float | None = None,
    known_times: Mapping[str, float] | None = None,
) -> Choice:
    """Choose what encodes queries of an index.

    An encoder is enough where it stays behind no costlier one within the budget by more than one standard error on the
    collection's own sentences, which were searched when the index was fitted. Without a budget nothing but the choice
    is timed, and nothing where words are enough: no model is loaded for an encoder that is not taken.

    :param snapshot: The index.
    :param embedder: Opens its embedder, to see how long a query takes here.
    :param budget: Milliseconds that encoding a query may take; None for as many as it needs.
    :param known_times: Encoder -> milliseconds that a query was seen to take; what is not in it is timed.
    :return: The choice.
    :raises ConfigError: The budget is not above 0.
    :raises IndexFolderError: The index carries no embeddings.
    """
    if budget is not None and not budget > 0:
        raise ConfigError(f"the budget must be more than 0 milliseconds a query, not {budget:g}")
    told = _told(snapshot)
    known = [encoder for encoder in ENCODERS if encoder in told and refused(told, encoder) is None]
    if _enough(told, NONE, known):
        return Choice(NONE, {}, "no encoder finds more of the collection's sentences beyond doubt")
    timed = known[1:] if budget is not None else [_cheapest(told, known)]
    took = {}
    for encoder in timed:
        seen = (known_times or {}).get(encoder)
        took[encoder] = seen or milliseconds(Rescorer(snapshot, encoder=encoder, embedder=embedder()))
    within = known if budget is None else [NONE, *(encoder for encoder, time in took.items() if time <= budget)]
    chosen = _cheapest(told, within)
    times = ", ".join(f"{encoder} {time:.1f} ms" for encoder, time in took.items())
    limit = "" if budget is None else f" within {budget:g} ms"
    reasons = {encoder: why for encoder in FITTED if (why := refused(told, encoder)) is not None}
    reason = "".join(f"; the {encoder} one is refused, for {why}" for encoder, why in reasons.items())
    best = "the cheapest that finds as many of the collection's sentences as any"
    if not told[NONE].get("behind"):
        best = "the costliest, as too few documents have the sentences that would tell what each finds,"
    return Choice(chosen, took, f"{best}{limit} ({times}){reason}")


def refused(told: Mapping[str, Any] | None, encoder: str) -> str | None:
    """Say why a query encoder is not taken where the user does not name it; None where it is.

    :param told: What the manifest says of rescoring.
    :param encoder: The query encoder.
    """
    refused: str | None = (told or {}).get(encoder, {}).get("refused")
    return refused


def milliseconds(rescorer: Rescorer) -> float:
    """Return what encoding a query takes, the least of a few times."""
    best = float("inf")
    for _ in range(TIMES + 1):
        start = perf_counter()
        rescorer.encode([QUERY])
        best = min(best, perf_counter() - start)
    return 1000 * best


def _told(snapshot: Snapshot) -> Mapping[str, Any]:
    told: Mapping[str, Any] | None = snapshot.manifest.rescoring
    if told is None:
        raise without_embeddings(snapshot.path)
    return told


def _cheapest(told: Mapping[str, Any], within: list[str]) -> str:
    """Return the cheapest encoder that is enough; the costliest where none is."""
    return next((encoder for encoder in within if _enough(told, encoder, within)), within[-1])


def _enough(told: Mapping[str, Any], encoder: str, within: list[str]) -> bool:
    costlier = within[within.index(encoder) + 1 :]
    behind = told[encoder].get("behind", {})
    return all(other in behind and behind[other]["by"] <= behind[other]["error"] for other in costlier)
