"""What long work tells the user, and that the library is silent by itself."""

import doctest
import io

import pytest

from sparseembed import progress
from sparseembed.progress import ConsoleReporter, SilentReporter, duration, note, set_reporter, track


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """Return a clock that the test winds by itself."""

    class Clock:
        now = 100.0

    monkeypatch.setattr(progress.time, "monotonic", lambda: Clock.now)
    return Clock


@pytest.fixture
def console():
    """Return a function that makes a stream the listener for the length of a test."""
    before = set_reporter(SilentReporter())

    def listen(stream, every=60.0):
        set_reporter(ConsoleReporter(stream, every))
        return stream

    yield listen
    set_reporter(before)


def test_one_line_a_minute_where_there_is_no_terminal(console, clock):
    stream = console(io.StringIO())
    with track("encoding", 1_000, "texts") as bar:
        for _ in range(8):
            clock.now += 20
            bar.update(100)
    assert stream.getvalue().splitlines() == [
        "encoding: 300 of 1,000 texts (30%), 5.0 texts/s, 2 min 20 s left",
        "encoding: 600 of 1,000 texts (60%), 5.0 texts/s, 1 min 20 s left",
        "encoding: 800 texts in 2 min 40 s",
    ]


def test_work_done_by_an_earlier_run_is_not_in_the_rate(console, clock):
    stream = console(io.StringIO(), every=10)
    with track("encoding", 1_000, "texts", done=900) as bar:
        clock.now += 10
        bar.update(20, "3 cut")
        assert stream.getvalue() == "encoding: 920 of 1,000 texts (92%), 2.0 texts/s, 40 s left, 3 cut\n"


def test_slow_work_is_told_by_the_seconds_that_one_takes(console, clock):
    stream = console(io.StringIO(), every=10)
    with track("training", 100, "steps") as bar:
        clock.now += 40
        bar.update(4, "loss 0.9")
        assert stream.getvalue() == "training: 4 of 100 steps (4%), 10.0 s each, 16 min 0 s left, loss 0.9\n"


def test_short_work_says_nothing(console, clock):
    stream = console(io.StringIO())
    with track("indexing", 3, "documents") as bar:
        clock.now += 0.5
        bar.update(3)
    assert stream.getvalue() == ""


def test_no_rate_gives_no_time_left_and_no_total_no_error(console, clock):
    stream = console(io.StringIO(), every=0)
    with track("waiting", 5, "texts") as bar:
        bar.update(0)
    assert stream.getvalue() == "waiting: 0 of 5 texts (0%), 0.0 texts/s\n"
    with track("nothing", 0, "texts") as bar:
        bar.update(0)


def test_a_bar_is_closed_when_the_work_fails(console, clock):
    stream = console(io.StringIO())

    def fails():
        with track("encoding", 10, "texts") as bar:
            bar.update(4)
            clock.now += 2
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        fails()
    assert stream.getvalue() == "encoding: 4 texts in 2 s\n"


def test_a_moving_bar_on_a_terminal(console):
    stream = console(Terminal())
    with track("encoding", 10, "texts", done=2) as bar:
        bar.update(8, "done soon")
    shown = stream.getvalue()
    assert "\r" in shown
    assert "encoding" in shown
    assert "10/10" in shown


def test_notes_are_lines(console):
    stream = console(io.StringIO())
    note("reusing the embeddings")
    note("wrote a file")
    assert stream.getvalue() == "reusing the embeddings\nwrote a file\n"


def test_the_library_is_silent_by_itself(capfd):
    before = set_reporter(SilentReporter())
    try:
        note("nobody hears this")
        with track("unheard", 3, "texts") as bar:
            bar.update(3, "detail")
    finally:
        set_reporter(before)
    assert capfd.readouterr() == ("", "")


def test_setting_a_listener_gives_the_one_before():
    first, second = SilentReporter(), SilentReporter()
    before = set_reporter(first)
    assert set_reporter(second) is first
    assert set_reporter(before) is second


def test_standard_error_is_the_default(capsys):
    ConsoleReporter().note("here")
    assert capsys.readouterr() == ("", "here\n")


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 0 min"),
        (90061, "25 h 1 min"),
    ],
)
def test_durations(seconds, shown):
    assert duration(seconds) == shown


def test_examples_in_docstrings():
    from sparseembed.embedders import batching

    for module in (progress, batching):
        result = doctest.testmod(module)
        assert result.attempted
        assert not result.failed
