"""What a server allows and how it searches: decided when it starts, and the same for every request."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sparseembed.engines.registry import DEFAULT_ENGINE
from sparseembed.errors import ConfigError
from sparseembed.retrieval.query import DEFAULT_EXPANSION_WEIGHT
from sparseembed.retrieval.rescoring import FULL, NONE

if TYPE_CHECKING:
    from sparseembed.retrieval.embedder import Named
    from sparseembed.retrieval.searcher import Searcher

SHORTEST_TOKEN = 16


@dataclass(frozen=True)
class Settings:
    """Limits of requests, and what is allowed at all.

    :param max_query: Characters of a query, at most.
    :param max_k: Hits that a request may ask for, at most.
    :param max_body: Bytes of the body of documents to be added, at most; of other bodies, 1 MiB is the most anyway.
    :param seconds: What a request may take: its body to arrive, its work to be done, its response to be read; writes,
        which encode documents, are given as long as they need.
    :param threads: Searches that run at the same time in one process.
    :param max_waiting: Requests that one process has in hand at the same time; further ones are refused (503).
    :param writable: Whether documents may be added and deleted; only with a token.
    :param token: What writes and reloads must bring as `Authorization: Bearer TOKEN`; None where none is set.
    :param log_queries: Whether the texts of queries stand in the log.
    :param page: Whether the page for people is served at `/`.
    :param agents: Whether agents find tools at `/mcp`.
    :param inspect: Whether the page may load the indexes' embedders, to show what they see in a text.
    :param hosts: Names, in lower case, that requests may call the server by (their header `Host`); None for any.
    :param follow: Seconds between looks for a new commit of an index; 0 for never.
    """

    max_query: int = 2_000
    max_k: int = 1_000
    max_body: int = 8 << 20
    seconds: float = 10.0
    threads: int = 4
    max_waiting: int = 512
    writable: bool = False
    token: str | None = field(default=None, repr=False)
    log_queries: bool = False
    page: bool = True
    hosts: tuple[str, ...] | None = None
    follow: float = 1.0
    inspect: bool = False
    agents: bool = False

    def __post_init__(self) -> None:
        """Check them.

        :raises ConfigError: One is out of range, or documents may be written without a token.
        """
        for name in ("max_query", "max_k", "max_body", "seconds", "threads", "max_waiting"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be more than 0, not {getattr(self, name)}")
        if self.follow < 0:
            raise ConfigError(f"follow must be 0 or more seconds, not {self.follow}")
        if self.token is not None and len(self.token) < SHORTEST_TOKEN:
            raise ConfigError(f"the token is shorter than {SHORTEST_TOKEN} characters: make a longer one")
        if self.writable and self.token is None:
            raise ConfigError(
                "a writable server needs a token: name a file with one by --token-file, or set SPARSEEMBED_TOKEN"
            )


@dataclass(frozen=True)
class Searching:
    """How indexes are opened: the parameters of `Searcher.open`, which see."""

    expand: int = 0
    expansion_weight: float = DEFAULT_EXPANSION_WEIGHT
    rescore: int = 0
    encoder: str | None = None
    feedback: bool = False
    budget: float | None = None
    embedder: "Named | None" = field(default=None, compare=False)
    engine: str = DEFAULT_ENGINE

    @property
    def by_model(self) -> bool:
        """Whether queries go through a model."""
        return self.expand > 0 or self.encoder not in (None, "none")

    def open(self, path: Path) -> "Searcher":
        """Open a searcher of an index.

        :raises SparseEmbedError: As `Searcher.open`.
        """
        from sparseembed.retrieval.searcher import Searcher

        return Searcher.open(
            path,
            expand=self.expand,
            expansion_weight=self.expansion_weight,
            rescore=self.rescore,
            encoder=self.encoder,
            feedback=self.feedback,
            budget=self.budget,
            embedder=self.embedder,
            engine=self.engine,
        )

    @property
    def named(self) -> str:
        """The query encoder, also where none was named."""
        return self.encoder if self.encoder is not None else FULL if self.rescore else NONE

    @property
    def rescored(self) -> bool:
        """Whether hits are put in a new order by embeddings."""
        return self.feedback or self.named != NONE

    @property
    def reads(self) -> bool:
        """Whether a model reads queries, so that it is loaded anyway."""
        return bool(self.expand) or self.named != NONE

    def but(self, expand: int | None = None, encoder: str | None = None, feedback: bool | None = None) -> "Searching":
        """Return what a request asks for.

        Models are chosen when the server starts: a request may do without them, but cannot name others.

        :param expand: 0, or as many terms as the server expands by; None for what the server does.
        :param encoder: `none`, or the server's query encoder; None for what the server does.
        :param feedback: Whether hits like a hit count for it, which needs no model; None for what the server does.
        :raises ConfigError: It asks for more than the server was started with.
        """
        expand = self.expand if expand is None else expand
        encoder = self.named if encoder is None else encoder
        feedback = self.feedback if feedback is None else feedback
        if expand not in (0, self.expand):
            has = f"expands queries by {self.expand} terms or by none" if self.expand else "expands no queries"
            raise ConfigError(f"expand is {expand}, but this server {has}: it is chosen at its start, with --expand")
        if encoder not in (NONE, self.named):
            has = "no query encoder" if self.named == NONE else f"the query encoder {self.named}"
            raise ConfigError(f"encoder is {encoder}, but this server has {has}: it is chosen at its start, --encoder")
        words = encoder == NONE
        return replace(
            self,
            expand=expand,
            encoder=encoder,
            feedback=feedback,
            rescore=0 if words and not feedback else self.rescore,
            budget=None if words else self.budget,
            embedder=None if words and not expand else self.embedder,
        )
