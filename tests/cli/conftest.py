"""What every test of a command shares."""

import pytest

from sparseembed import progress


@pytest.fixture(autouse=True)
def listener():
    """Put back whoever listened to progress before a command ran."""
    before = progress.set_reporter(progress.SilentReporter())
    yield
    progress.set_reporter(before)
