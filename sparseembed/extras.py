"""Packages that only some commands need: where one is missing, the user is told what to install."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from sparseembed.errors import ConfigError


class MissingPackageError(ConfigError):
    """A package that an extra of ours installs, and that is not there."""


@contextmanager
def needing(name: str, use: str) -> Iterator[None]:
    """Say how to install what is missing, where packages are imported that do not come with the core.

    :param name: The extra of pyproject.toml that they come with.
    :param use: What needs them, for the message, such as `exporting to Qdrant`.
    :raises MissingPackageError: One of them is not there; the message has the line that installs it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or str(error)).partition(".")[0]
        raise MissingPackageError(
            f'{use} needs the package {missing}, which is not installed; run: pip install "sparseembed[{name}]"'
        ) from None


def extra(module: str, name: str, use: str) -> Any:
    """Import a module that does not come with the core.

    :param module: The module.
    :param name: As in `needing`.
    :param use: As in `needing`.
    :return: The module.
    :raises MissingPackageError: It is not installed.
    """
    with needing(name, use):
        return import_module(module)
