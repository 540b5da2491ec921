"""What the model saw in a text: its aligned tokens, before and after the adjustment. Takes the embedder."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from sparseembed.errors import SparseEmbedError

if TYPE_CHECKING:
    from sparseembed.embedders.transformer import TransformerEmbedder
    from sparseembed.retrieval.embedder import Named
    from sparseembed.retrieval.searcher import Searcher

TOKENS = 20
SIDES = ("document", "query")
LONGEST = 2_000
"""Characters of a text, at most."""

_TURN = 1.0  # seconds to wait for another request's text: a thread of the server that waits does not search


class BusyError(SparseEmbedError):
    """The model is being loaded, or reads another text: it reads one at a time."""


class SeenToken(NamedTuple):
    """An aligned token.

    :param share: Its score as a share of the best one's.
    :param literal: Whether it stands in the text.
    """

    token: str
    score: float
    share: float
    literal: bool


class Seen(NamedTuple):
    """The aligned tokens of a text, best first.

    :param before: Of the embedding as it is.
    :param after: With what all texts of the collection share taken out.
    """

    before: list[SeenToken]
    after: list[SeenToken]


class Reader:
    """Reads texts with the embedders of indexes: the last one is kept, and one text is read at a time."""

    def __init__(self, named: "Named | None", seconds: float) -> None:
        """Take the parts.

        :param named: What the server's user names of the indexes' embedder; None for the presets that they name.
        :param seconds: What a request may wait. Reading goes on behind it, so that a model that is loaded slowly is
            there for a later one.
        """
        self._named, self._seconds = named, seconds
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="inspect")
        self._last: tuple[object, TransformerEmbedder] | None = None

    def read(self, searcher: "Searcher", text: str, side: str) -> Seen:
        """Read a text.

        :param searcher: A searcher of the index, whose embedder and adjustment are used.
        :param text: The text, not blank.
        :param side: `document` or `query`.
        :raises BusyError: It is not read in time.
        :raises SparseEmbedError: The embedder cannot be loaded, or is not the index's.
        """
        if not self._lock.acquire(timeout=min(_TURN, self._seconds)):
            raise BusyError("the model is being loaded, or reads another text: try again in a few seconds")
        reading = self._thread.submit(self._read, searcher, text, side)
        try:
            return reading.result(self._seconds)
        except TimeoutError:
            if reading.done():  # the model's own, if it has one
                raise
            raise BusyError("the model is being loaded: try again in a few seconds") from None

    def _read(self, searcher: "Searcher", text: str, side: str) -> Seen:
        try:
            return _seen(self._embedder(searcher), searcher, text, side)
        finally:
            self._lock.release()

    def _embedder(self, searcher: "Searcher") -> "TransformerEmbedder":
        from sparseembed.retrieval.embedder import matching_embedder

        key = searcher.manifest.embedder_identity
        if self._last is None or self._last[0] != key:
            self._last = None  # one model in memory, not two
            self._last = (key, matching_embedder(searcher.manifest, self._named))
        return self._last[1]


def _seen(embedder: "TransformerEmbedder", searcher: "Searcher", text: str, side: str) -> Seen:
    from sparseembed.api import decode
    from sparseembed.sparse.pieces import piece_space
    from sparseembed.text import clean_text

    text = clean_text(text)
    vector = embedder.encode([text], side)[0]
    pieces = embedder.tokenizer.encode(" " + text.strip(), add_special_tokens=False).ids
    space = piece_space("folded", embedder.tokenizer, max(pieces, default=0) + 1)
    literal = {space.labels[number] for number in {space.term_of_piece[piece] for piece in pieces} - {-1}}

    def tokens(adjusted: bool) -> list[SeenToken]:
        adjustment = searcher.insight.adjustment(side) if adjusted else None
        found = decode(vector, embedder, TOKENS, "folded", adjustment)
        best = max(max((each.score for each in found), default=0.0), 1e-9)
        return [
            SeenToken(
                each.token.strip() or repr(each.token)[1:-1].replace(" ", "␣"),
                each.score,
                max(each.score, 0) / best,
                each.token in literal,
            )
            for each in found
        ]

    return Seen(tokens(False), tokens(True))
