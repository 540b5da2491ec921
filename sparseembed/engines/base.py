"""What an engine is: an impact query in, ranked hits out."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, NamedTuple, Self

from sparseembed.data.metadata import NONE, Metadata
from sparseembed.errors import ConfigError

if TYPE_CHECKING:
    from sparseembed.index.selection import Selection

MAX_WEIGHT = 2**24 - 1
"""The largest query weight: above it, float32 scores stop being exact."""


class Passage(NamedTuple):
    """The passage of a document that carried a hit: of all its passages the one that the query's terms say most for.

    :param number: Which passage, from 1.
    :param of: How many the document has.
    :param start: Where it begins in the document's text, in characters.
    :param end: Where it ends.
    :param text: What stands there.
    :param focus: Where its sentence begins in which most of the query's terms stand; the passage where none does.
    :param score: What terms that stand in it, or that its embedding brought, add to the document's score.
    """

    number: int
    of: int
    start: int
    end: int
    text: str
    focus: int
    score: int


class Hit(NamedTuple):
    """One document found: its id, its score (higher is better) and its rank, from 1."""

    id: str
    score: float
    rank: int

    @property
    def metadata(self) -> Metadata:
        """The document's metadata, in the hits of a searcher whose index has any; else empty."""
        return NONE

    @property
    def passage(self) -> Passage | None:
        """The passage that carried it; None where the document is one passage, or none was looked for."""
        return None


Run = Mapping[str, list[Hit]]
"""Query id -> hits, best first."""


def ranked(ids: Sequence[str], scores: Sequence[float]) -> list[Hit]:
    """Make hits of documents and their scores.

    :param ids: the documents, best first.
    :param scores: as many.
    :return: the hits, ranked from 1.
    """
    make = tuple.__new__  # Hit(...) is a function in Python that does the same in twice the time
    return [make(Hit, hit) for hit in zip(ids, scores, range(1, len(ids) + 1), strict=True)]


ImpactQuery = Mapping[str, int]
"""Term -> positive integer weight."""


class Engine(ABC):
    """Finds the documents whose impact vectors have the largest integer dot product with a query.

    Only documents with a score above 0 are hits; equal scores are ordered by document id, ascending, as UTF-8 bytes.
    """

    @property
    @abstractmethod
    def documents(self) -> int:
        """Number of documents, those without terms included."""

    def search(self, query: ImpactQuery, k: int, selection: "Selection | None" = None) -> list[Hit]:
        """Find the k best documents for one query.

        :param query: term -> positive integer weight; terms that the index lacks are ignored.
        :param k: number of hits wanted, 1 or more.
        :param selection: the documents to search, of the commit that the engine has opened; all when None.
        :return: at most k hits, best first; none for an empty query.
        :raises ConfigError: for k < 1, or a weight that is no positive integer.
        """
        check_count("k", k)
        checked = check_query(query)
        return self._search(checked, int(k), selection) if checked else []

    def search_batch(
        self, queries: Sequence[ImpactQuery], k: int, threads: int = 1, selection: "Selection | None" = None
    ) -> list[list[Hit]]:
        """Find the k best documents for each of many queries; the same hits as one `search` a query.

        :param queries: the queries.
        :param k: number of hits wanted for each, 1 or more.
        :param threads: number of queries searched at the same time.
        :param selection: as in `search`.
        :return: one list of hits a query, in the order of the queries.
        :raises ConfigError: for k or threads < 1, or a weight that is no positive integer.
        """
        check_count("k", k)
        check_count("threads", threads)
        return self._search_batch([check_query(query) for query in queries], int(k), int(threads), selection)

    def close(self) -> None:  # noqa: B027 (an engine without open files has nothing to do)
        """Release files and memory; closing twice is no error."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @abstractmethod
    def _search(self, query: dict[str, int], k: int, selection: "Selection | None") -> list[Hit]:
        """Search for a checked query that is not empty."""

    def _search_batch(
        self, queries: list[dict[str, int]], k: int, threads: int, selection: "Selection | None"
    ) -> list[list[Hit]]:
        """Search for checked queries, one after the other unless the engine knows better."""
        return [self._search(query, k, selection) if query else [] for query in queries]


def check_count(name: str, value: int) -> None:
    """Raise unless a count is a whole number, 1 or more.

    :param name: what the user calls it, for the message.
    :param value: the count.
    :raises ConfigError: if it is not.
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise ConfigError(f"{name} is {value!r}: it must be a whole number, 1 or more")


def check_query(query: ImpactQuery) -> dict[str, int]:
    """Check a query and give it back as a dict of plain ints.

    :param query: term -> weight.
    :return: the same terms and weights.
    :raises ConfigError: for a term that is no string, or a weight that is not in 1..2^24-1.
    """
    checked: dict[str, int] = {}
    for term, weight in query.items():
        if not isinstance(term, str):
            raise ConfigError(f"query term {term!r} is no string: give token ids as decimal strings")
        if not isinstance(weight, Integral) or isinstance(weight, bool) or not 0 < weight <= MAX_WEIGHT:
            raise ConfigError(
                f"query term {term!r} has the weight {weight!r}: weights are whole numbers from 1 to {MAX_WEIGHT}; "
                "scale and round real ones first"
            )
        checked[term] = int(weight)
    return checked
