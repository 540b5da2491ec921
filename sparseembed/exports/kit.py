"""What lies beside an export so that it can be asked: which form it has, where it is, and the numbers of terms."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sparseembed.errors import ConfigError, DataError
from sparseembed.exports.sink import Facts, Target
from sparseembed.exports.terms import FILE as TERMS
from sparseembed.exports.terms import Terms
from sparseembed.files import write_json
from sparseembed.text import one_line, shown

FILE = "export.json"


@dataclass(frozen=True)
class Kit:
    """What an export is.

    :param format: A key of `SINKS`.
    :param name: Of the collection or table; empty for files.
    :param url: Where the engine runs, without a password; None for a database in the folder.
    :param commit: Of the index.
    :param documents: How many.
    :param analyzer: What finds the words of a query; None where terms are pieces.
    :param space: The term space.
    """

    format: str
    name: str
    url: str | None
    commit: str
    documents: int
    analyzer: str | None
    space: str

    @classmethod
    def of(cls, form: str, target: Target, facts: Facts, name: str | None = None) -> "Kit":
        """Describe an export that begins."""
        url = None if target.url is None else without_password(target.url)
        analyzer, space = facts.manifest.analyzer, facts.manifest.sparse["terms"]
        return cls(form, target.name if name is None else name, url, facts.commit, facts.documents, analyzer, space)

    def write(self, folder: Path, terms: Terms) -> None:
        """Write `export.json` and `terms.txt`."""
        folder.mkdir(parents=True, exist_ok=True)
        terms.write(folder / TERMS)
        write_json(folder / FILE, asdict(self))


def read_kit(folder: Path) -> Kit:
    """Read what an export is.

    :raises DataError: The folder holds no export, or its file is damaged.
    """
    try:
        stored: dict[str, Any] = json.loads((folder / FILE).read_bytes())
        return Kit(**stored)
    except FileNotFoundError:
        raise DataError(f"{one_line(folder)} is no export that can be asked: it has no {FILE}") from None
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{one_line(folder / FILE)} cannot be read ({one_line(error)}): export again") from None


def check_folder(folder: Path, form: str) -> None:
    """Raise unless a folder is empty, missing, or holds an export of a form.

    :raises ConfigError: It holds something else.
    """
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    try:
        kit = read_kit(folder)
    except DataError:
        raise ConfigError(f"{one_line(folder)} is not empty: choose another folder, or remove what it holds") from None
    if kit.format != form:
        raise ConfigError(f"{one_line(folder)} holds an export to {shown(kit.format)}: choose another folder")


def without_password(url: str) -> str:
    """Return a URL without a password in it."""
    from urllib.parse import urlsplit, urlunsplit

    try:
        parts = urlsplit(url)
        if parts.password is None:
            return url
    except ValueError:
        return url
    user, at, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=user.partition(":")[0] + at + host))
