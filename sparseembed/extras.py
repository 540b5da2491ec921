"""Packages that only some commands need: where one is missing, the user is told what to install."""

from importlib import import_module
from typing import Any

from sparseembed.errors import ConfigError


def extra(module: str, name: str, use: str) -> Any:
    """Import a module that does not come with the core.

    :param module: The module.
    :param name: The extra of pyproject.toml that brings it.
    :param use: What needs it, for the message, such as `exporting to Qdrant`.
    :return: The module.
    :raises ConfigError: It is not installed; the message has the line that installs it.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or module).partition(".")[0]
        raise ConfigError(
            f'{use} needs the package {missing}, which is not installed; run: pip install "sparseembed[{name}]"'
        ) from None
