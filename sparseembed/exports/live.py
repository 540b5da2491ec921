"""Sinks that feed an engine: what stands there is looked at first, batches are tried again, a second run goes on."""

import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

from sparseembed.errors import ConfigError, EngineError, SparseEmbedError
from sparseembed.exports.kit import FILE, Kit, check_folder, without_password
from sparseembed.exports.sink import Exported, Facts, Sink, Target
from sparseembed.progress import note
from sparseembed.text import one_line, shown

TRIES = 5
WAIT = 0.5  # seconds before the second try; twice as long before each further one
TIMEOUT = 30  # seconds that an engine has for an answer
LOOK = "see that it runs and takes the key"

_Result = TypeVar("_Result")


class LiveSink(Sink):
    """Fills a collection of an engine. Subclasses say how; documents have ids that follow from theirs.

    A collection knows the commit of the index that it is filled from, and is whole once it has as many documents.
    """

    form = ""
    """Key of `SINKS`."""
    engine = ""
    """Its name for people."""

    def __init__(self, target: Target, facts: Facts) -> None:
        """Take where documents go; nothing is opened yet.

        :param target: Where they go.
        :param facts: What is known of the index.
        :raises ConfigError: The engine takes no collection of that name; the folder holds something else.
        """
        self.target, self.facts = target, facts
        self.check_name(target.name)
        if target.place is not None:
            check_folder(target.place, self.form)
        self.errors: tuple[type[Exception], ...] = ()
        self._batch: list[Exported] = []
        self._resumed = False

    @classmethod
    def check_name(cls, name: str) -> None:
        """Raise a ConfigError unless a collection may have that name."""

    def check_packages(self) -> None:
        """Raise a MissingPackageError where the engine's client is not installed."""

    @abstractmethod
    def open(self) -> None:
        """Connect."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the connection, if there is one."""

    @abstractmethod
    def commit(self) -> str | None:
        """Return the commit that the collection is filled from, "" where it is not ours, None where there is none."""

    @abstractmethod
    def drop(self) -> None:
        """Remove the collection."""

    @abstractmethod
    def create(self) -> None:
        """Make the collection, which knows its commit."""

    @abstractmethod
    def count(self) -> int:
        """Return how many documents it has."""

    @abstractmethod
    def present(self, ids: Sequence[str]) -> set[str]:
        """Return which of some documents it has."""

    @abstractmethod
    def send(self, documents: Sequence[Exported]) -> None:
        """Add documents, or replace those of the same ids."""

    def finish(self) -> None:
        """Do what makes them searchable, once all are sent."""

    def is_transient(self, error: Exception) -> bool:
        """Say whether it may go well another time."""
        return False

    @property
    def where(self) -> str:
        """The engine and where it is, for messages."""
        place = without_password(self.target.url) if self.target.url else self.target.place
        return f"{self.engine} at {one_line(place or '')}"

    def add(self, document: Exported) -> None:
        """Take a document; it is sent with the others of its batch."""
        self._batch.append(document)
        if len(self._batch) >= self.target.batch:
            self._flush()

    def __enter__(self) -> Self:
        try:
            self.check_packages()  # before anything is written
            place = self.target.place
            if place is not None and not (place / FILE).exists():  # the engine's files alone would not be known as ours
                self._write_kit(place)
            with self._told():
                self.open()
                self._begin()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            if exception[0] is None and not self.whole:
                self._flush()
                with self._told():
                    self.finish()
                    self._check_count()
        finally:
            self.close()

    def _begin(self) -> None:
        """Look at what stands there, and make the collection if need be."""
        place, name, overwrite = self.target.place, self.target.name, self.target.overwrite
        there = self.commit()
        same = there == self.facts.commit
        self.whole = same and not overwrite and self.count() == self.facts.documents
        self._resumed = same and not self.whole and self.count() < self.facts.documents
        if there is not None and not self.whole and not self._resumed:
            if not overwrite:
                what = "another commit of an index" if there else "something else"
                raise ConfigError(
                    f"{self.where} has a collection {shown(name)} already, of {what}: choose another --name, or "
                    "replace it with --overwrite"
                )
            self.drop()
        if place is not None:
            self._write_kit(place)
        if self._resumed:
            note(f"going on with {shown(name)}, which has {self.count():,} of {self.facts.documents:,} documents")
        elif not self.whole:
            self.create()

    def _write_kit(self, place: Path) -> None:
        Kit.of(self.form, self.target, self.facts).write(place, self.facts.terms)

    def _flush(self) -> None:
        batch, self._batch = self._batch, []
        if not batch:
            return
        with self._told():
            if self._resumed:
                known = self.retried(lambda: self.present([each.id for each in batch]))
                batch = [each for each in batch if each.id not in known]
            if batch:
                self.retried(lambda: self.send(batch))

    def _check_count(self) -> None:
        found = self.retried(self.count)
        if found != self.facts.documents:
            raise EngineError(
                f"{self.where} has {found:,} documents in {shown(self.target.name)} where {self.facts.documents:,} "
                "were sent: another program writes to it, or it lost some; export again with --overwrite"
            )

    def retried(self, call: Callable[[], _Result]) -> _Result:
        """Call, again where what failed may go well another time."""
        for attempt in range(TRIES - 1):
            try:
                return call()
            except self.errors as error:
                if not self.is_transient(error):
                    raise
                time.sleep(WAIT * 2**attempt)
        return call()

    @contextmanager
    def _told(self) -> Iterator[None]:
        remedy = "run the same command again, which goes on from there"
        with told(self.where, lambda: self.errors, remedy, self.advice):
            yield

    def advice(self, said: str) -> str:
        """Return what to look at where the engine's client said something."""
        return LOOK


@contextmanager
def told(
    where: str,
    errors: Callable[[], tuple[type[Exception], ...]],
    remedy: str,
    advice: Callable[[str], str] = lambda said: LOOK,
) -> Iterator[None]:
    """Say in one line what an engine's client raised.

    :param where: The engine and where it is.
    :param errors: Gives the classes that the client raises, once it is loaded.
    :param remedy: What to do then.
    :param advice: Gives what to look at first, by what was raised.
    :raises EngineError: One of them was raised.
    """
    try:
        yield
    except SparseEmbedError:
        raise
    except Exception as error:
        if not isinstance(error, errors()):
            raise
        said = reason(error)
        raise EngineError(f"{where} failed ({said}): {advice(said)}, then {remedy}") from None


def reason(error: Any) -> str:
    """Return what an exception says, in one line that is not too long."""
    said = one_line(str(error).strip()) or type(error).__name__
    return said if len(said) <= 300 else said[:297] + "..."
