"""What every test of a command shares."""

import pytest

from sparseembed import progress
from sparseembed.cli import main


@pytest.fixture(autouse=True)
def listener():
    """Put back whoever listened to progress before a command ran."""
    before = progress.set_reporter(progress.SilentReporter())
    yield
    progress.set_reporter(before)


@pytest.fixture
def refused(capfd):
    """Return a function that runs a quiet command and gives the one line it must end with, without the prefix."""

    def command(*words):
        capfd.readouterr()
        try:
            status = main([*map(str, words), "-q"])
        except SystemExit as end:
            status = end.code
        out, err = capfd.readouterr()
        assert (status, out) == (2, "")
        assert err.count("\n") == 1
        assert err.endswith("\n")
        assert "Traceback" not in err
        prefix, _, message = err.strip().partition(": error: ")
        assert prefix.startswith("sparseembed")
        return message

    return command
