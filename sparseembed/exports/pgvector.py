"""PostgreSQL with pgvector: a table with a column `sparsevec`, one with the numbers of terms, and queries to them."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sparseembed.engines.base import Engine, Hit
from sparseembed.errors import ConfigError, EngineError
from sparseembed.exports.asking import refuse
from sparseembed.exports.kit import without_password
from sparseembed.exports.live import TIMEOUT, LiveSink, told
from sparseembed.exports.sink import Exported, Target
from sparseembed.exports.terms import Terms
from sparseembed.extras import extra, need
from sparseembed.text import shown

if TYPE_CHECKING:
    from sparseembed.index.selection import Selection

MOST_TERMS = 16_000
"""Non-zero elements of a `sparsevec`, at most."""
LONGEST_ID = 2_600
"""Bytes of an id, at most: a page of PostgreSQL's index holds three keys."""
LONGEST_NAME = 57
"""Bytes of a table's name, so that `NAME_terms` fits into 63."""
_COMMIT = "sparseembed, commit of the index: "


def connect(target: Target) -> Any:
    """Connect to the database.

    :raises ConfigError: psycopg is not installed.
    """
    psycopg = extra("psycopg", "pgvector", "exporting to PostgreSQL")
    return psycopg.connect(target.url, connect_timeout=TIMEOUT, autocommit=True)


def client_errors() -> tuple[type[Exception], ...]:
    """Return what PostgreSQL's client raises."""
    return (extra("psycopg", "pgvector", "exporting to PostgreSQL").Error, OSError)


def sparsevec(vector: dict[int, int], terms: int) -> str:
    """Return a vector in pgvector's form, whose dimensions are counted from 1.

    >>> sparsevec({0: 3, 7: 12}, 10)
    '{1:3,8:12}/10'
    """
    return "{" + ",".join(f"{number + 1}:{weight}" for number, weight in vector.items()) + "}/" + str(max(terms, 1))


class PgvectorSink(LiveSink):
    """Fills the table NAME (id, contents, metadata, impacts) and beside it NAME_terms (term, number)."""

    form, engine = "pgvector", "PostgreSQL"
    _connection: Any = None

    @classmethod
    def check_name(cls, name: str) -> None:
        """Raise unless PostgreSQL takes a table of that name."""
        if not 0 < len(name.encode()) <= LONGEST_NAME or "\0" in name:
            raise ConfigError(
                f"PostgreSQL takes no tables named {shown(name)}: give --name 1 to {LONGEST_NAME} bytes without U+0000"
            )

    def check_packages(self) -> None:
        """Raise where what speaks to PostgreSQL is not installed."""
        need(("psycopg",), "pgvector", "exporting to PostgreSQL")

    def open(self) -> None:
        """Connect."""
        self.errors = client_errors()
        psycopg = extra("psycopg", "pgvector", "exporting to PostgreSQL")
        self._sql = psycopg.sql
        self._connection = connect(self.target)
        if not self._rows("SELECT 1 FROM pg_extension WHERE extname = 'vector'"):
            self._connection.execute("CREATE EXTENSION vector")

    def close(self) -> None:
        """Disconnect."""
        if self._connection is not None:
            self._connection.close()

    def commit(self) -> str | None:
        """Return the commit that stands in the table's comment."""
        found = self._rows("SELECT to_regclass(quote_ident(%s)) IS NULL", self.target.name)
        if found[0][0]:
            return None
        comment = self._rows("SELECT obj_description(to_regclass(quote_ident(%s)))", self.target.name)[0][0] or ""
        return comment.removeprefix(_COMMIT) if comment.startswith(_COMMIT) else ""

    def drop(self) -> None:
        """Remove both tables."""
        self._run("DROP TABLE IF EXISTS {table}, {terms}")

    def create(self) -> None:
        """Make both tables, and fill that of the terms; all of it, or nothing."""
        terms = self.facts.terms
        with self._connection.transaction():
            self._run(
                "CREATE TABLE {table} (id text PRIMARY KEY, contents text NOT NULL, metadata jsonb, "
                "impacts sparsevec({dimensions}) NOT NULL)",
                dimensions=self._sql.Literal(max(len(terms), 1)),
            )
            self._run("CREATE TABLE {terms} (term text PRIMARY KEY, number integer NOT NULL)")
            with (
                self._connection.cursor() as cursor,
                cursor.copy(self._composed("COPY {terms} (term, number) FROM STDIN")) as copy,
            ):
                for number, term in enumerate(terms.list, start=1):
                    copy.write_row((term.replace("\0", "\ufffd"), number))
            self._run("COMMENT ON TABLE {table} IS {comment}", comment=self._sql.Literal(_COMMIT + self.facts.commit))

    def count(self) -> int:
        """Return the number of rows."""
        return int(self._run("SELECT count(*) FROM {table}").fetchone()[0])

    def present(self, ids: Sequence[str]) -> set[str]:
        """Return which documents have a row."""
        return {row[0] for row in self._run("SELECT id FROM {table} WHERE id = ANY(%s)", [list(ids)])}

    def send(self, documents: Sequence[Exported]) -> None:
        """Insert rows in one transaction; those that stand there already stay."""
        rows = self.rows(documents)
        statement = self._composed(
            "INSERT INTO {table} (id, contents, metadata, impacts) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING"
        )
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.executemany(statement, rows)

    def is_transient(self, error: Exception) -> bool:
        """Say whether the server had no room or no time; a lost connection stays lost."""
        return getattr(error, "sqlstate", None) in ("40001", "40P01", "55P03", "53000", "53300")

    def rows(self, documents: Sequence[Exported]) -> list[tuple[Any, ...]]:
        """Return the rows of documents.

        :raises ConfigError: PostgreSQL cannot hold one; the message names it.
        """
        return [self._row(each) for each in documents]

    def _row(self, document: Exported) -> tuple[Any, ...]:
        if len(document.id.encode()) > LONGEST_ID or "\0" in document.id:
            raise ConfigError(
                f"PostgreSQL takes no id such as {shown(document.id)}: ids have up to {LONGEST_ID:,} bytes, without "
                "U+0000"
            )
        if len(document.impacts) > MOST_TERMS:
            raise ConfigError(
                f"document {shown(document.id)} has {len(document.impacts):,} terms and pgvector's sparsevec takes "
                f"{MOST_TERMS:,}: build the index with a smaller -k, or with passages as documents"
            )
        terms = self.facts.terms
        metadata = json.dumps(without_nul(dict(document.metadata))) if document.metadata else None
        vector = sparsevec(terms.numbered(document.impacts), len(terms))
        return document.id, without_nul(document.text), metadata, vector

    def _composed(self, statement: str, **parts: Any) -> Any:
        table, terms = self._sql.Identifier(self.target.name), self._sql.Identifier(f"{self.target.name}_terms")
        return self._sql.SQL(statement).format(table=table, terms=terms, **parts)

    def _run(self, statement: str, values: Sequence[Any] | None = None, **parts: Any) -> Any:
        return self._connection.execute(self._composed(statement, **parts), values)

    def _rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self._connection.execute(statement, values or None).fetchall()
        return rows


def without_nul(value: Any) -> Any:
    """Return text, or text within lists and objects, with U+FFFD for U+0000, which PostgreSQL's texts cannot hold."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, list):
        return [without_nul(each) for each in value]
    if isinstance(value, dict):
        return {without_nul(name): without_nul(each) for name, each in value.items()}
    return value


class PgvectorEngine(Engine):
    """Asks tables that an export has filled; hits and scores are ours, in our order."""

    def __init__(self, target: Target, terms: Terms) -> None:
        """Connect.

        :param target: Where the tables are.
        :param terms: The numbers of terms.
        :raises EngineError: The database is not there.
        """
        self._target, self._terms = target, terms
        with self._told():
            self._connection = connect(target)
        sql = extra("psycopg", "pgvector", "searching in PostgreSQL").sql
        table = sql.Identifier(target.name)
        self._count = sql.SQL("SELECT count(*) FROM {}").format(table)
        # Without an index, and with all ties in order: exact.
        self._select = sql.SQL(
            "SELECT id, -(impacts <#> %(query)s::sparsevec) AS score FROM {} "
            "WHERE impacts <#> %(query)s::sparsevec < 0 "
            'ORDER BY impacts <#> %(query)s::sparsevec, id COLLATE "C" LIMIT %(k)s'
        ).format(table)

    @property
    def documents(self) -> int:
        """Number of rows."""
        with self._told():
            return int(self._connection.execute(self._count).fetchone()[0])

    def body(self, query: dict[str, int]) -> str:
        """Return a query as pgvector takes it."""
        return sparsevec(self._terms.numbered(query), len(self._terms))

    def _search(self, query: dict[str, int], k: int, selection: "Selection | None") -> list[Hit]:
        refuse(selection)
        if len(query) > MOST_TERMS:
            raise EngineError(f"the query has {len(query):,} terms and pgvector's sparsevec takes {MOST_TERMS:,}")
        with self._told():
            rows = self._connection.execute(self._select, {"query": self.body(query), "k": k}).fetchall()
        return [Hit(doc_id, float(score), rank) for rank, (doc_id, score) in enumerate(rows, start=1)]

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        with told(f"PostgreSQL at {without_password(self._target.url or '')}", client_errors, "ask again"):
            yield
