"""What long work tells the user: notes, and bars with a rate and the time left.

The library is silent by default; the command line installs a `ConsoleReporter`. Work that wants to be heard calls
`note` and `track`, and need not know who listens.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO


class Bar(Protocol):
    """A running count of work done."""

    def update(self, amount: int, detail: str = "") -> None:
        """Add `amount` units; `detail` is shown beside the rate."""


class Reporter(Protocol):
    """Who is told about long work."""

    def note(self, text: str) -> None:
        """Take one line of news."""

    def bar(self, label: str, total: int, unit: str, done: int) -> "_ClosableBar":
        """Open a bar that stands at `done` of `total`."""


class _ClosableBar(Bar, Protocol):
    def close(self) -> None: ...


class _SilentBar:
    def update(self, amount: int, detail: str = "") -> None:
        pass

    def close(self) -> None:
        pass


class SilentReporter:
    """Says nothing: the default inside other people's programs."""

    def note(self, text: str) -> None:
        """Drop the note."""

    def bar(self, label: str, total: int, unit: str, done: int) -> _SilentBar:
        """Return a bar that shows nothing."""
        return _SilentBar()


class _TerminalBar:
    def __init__(self, label: str, total: int, unit: str, done: int, stream: TextIO) -> None:
        from tqdm import tqdm

        self._bar = tqdm(
            desc=label,
            total=total,
            initial=done,
            unit=" " + unit,
            file=stream,
            dynamic_ncols=True,
            smoothing=0.1,
            leave=True,
        )

    def update(self, amount: int, detail: str = "") -> None:
        if detail:
            self._bar.set_postfix_str(detail, refresh=False)
        self._bar.update(amount)

    def close(self) -> None:
        self._bar.close()


class _LineBar:
    """One line a minute: for logs, where a moving bar would be noise."""

    def __init__(self, label: str, total: int, unit: str, done: int, stream: TextIO, every: float) -> None:
        self._label, self._total, self._unit, self._stream, self._every = label, total, unit, stream, every
        self._done = self._first = done
        self._start = self._said = time.monotonic()
        self._detail = ""

    def update(self, amount: int, detail: str = "") -> None:
        self._done += amount
        self._detail = detail or self._detail
        if time.monotonic() - self._said >= self._every and self._done < self._total:
            self._say()

    def _say(self) -> None:
        self._said = now = time.monotonic()
        rate = (self._done - self._first) / max(now - self._start, 1e-9)
        left = f", {duration((self._total - self._done) / rate)} left" if rate > 0 and self._done < self._total else ""
        pace = f"{1 / rate:,.1f} s each" if 0 < rate < 1 else f"{rate:,.1f} {self._unit}/s"
        share = f"{100 * self._done / max(self._total, 1):.0f}%"
        detail = f", {self._detail}" if self._detail else ""
        self._stream.write(
            f"{self._label}: {self._done:,} of {self._total:,} {self._unit} ({share}), {pace}{left}{detail}\n"
        )
        self._stream.flush()

    def close(self) -> None:
        took = time.monotonic() - self._start
        if took >= 1.0:
            self._stream.write(f"{self._label}: {self._done:,} {self._unit} in {duration(took)}\n")
            self._stream.flush()


class ConsoleReporter:
    """Bars on a terminal, one line a minute elsewhere; everything on standard error."""

    def __init__(self, stream: TextIO | None = None, every: float = 60.0) -> None:
        """Write to a stream.

        :param stream: Where to write; standard error when None.
        :param every: Seconds between lines where the stream is no terminal.
        """
        self._stream = stream or sys.stderr
        self._every = every

    def note(self, text: str) -> None:
        """Write one line of news."""
        self._stream.write(text + "\n")
        self._stream.flush()

    def bar(self, label: str, total: int, unit: str, done: int) -> _ClosableBar:
        """Open a bar fit for the stream."""
        if self._stream.isatty():
            return _TerminalBar(label, total, unit, done, self._stream)
        return _LineBar(label, total, unit, done, self._stream, self._every)


_reporter: Reporter = SilentReporter()


def set_reporter(reporter: Reporter) -> Reporter:
    """Choose who is told about long work.

    :param reporter: The new listener, for the whole process.
    :return: The one before it.
    """
    global _reporter
    before, _reporter = _reporter, reporter
    return before


def note(text: str) -> None:
    """Tell the user one line: what is reused, what was written where."""
    _reporter.note(text)


@contextmanager
def track(label: str, total: int, unit: str, done: int = 0) -> Iterator[Bar]:
    """Show the progress of long work.

    :param label: What is being done.
    :param total: Units in all.
    :param unit: Their name, in the plural.
    :param done: Units that an earlier run has done already.
    """
    bar = _reporter.bar(label, total, unit, done)
    try:
        yield bar
    finally:
        bar.close()


def duration(seconds: float) -> str:
    """Format a time span for people.

    >>> duration(3.2), duration(75), duration(7260)
    ('3 s', '1 min 15 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
