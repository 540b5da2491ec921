"""Packages that take seconds to import: the process that runs their tests imports them, not each that lists them."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest


class Lazily:
    """A module that is imported when a name of it is first asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module(self._name), name)


def needs(package: str) -> pytest.MarkDecorator:
    """Return the mark of tests that are skipped where a package is not installed."""
    return pytest.mark.skipif(find_spec(package) is None, reason=f"{package} is not installed")
