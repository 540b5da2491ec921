"""Plain texts: each file of a folder is a document, and its path below the folder is the id."""

import re
from collections.abc import Iterator, Sequence
from importlib.resources.abc import Traversable
from urllib.parse import quote

from sparseembed.data.corpus import Document
from sparseembed.data.lines import all_lines
from sparseembed.text import clean_text

_TO_ESCAPE = re.compile(r"[\s%\x00-\x1f\x7f-\x9f]")


class TextDocuments:
    """The documents of plain text files, read anew each time they are iterated over."""

    def __init__(self, files: Sequence[tuple[str, Traversable]]) -> None:
        """Take files; nothing is read yet.

        :param files: The path of each below the folder, and the file.
        """
        self._files = files

    def __iter__(self) -> Iterator[Document]:
        """Give the documents in order.

        :raises DataError: A file cannot be read, or is no text.
        """
        for path, file in self._files:
            yield Document(path_id(path), "", "".join(all_lines(file)))


def path_id(path: str) -> str:
    """Make an id of a path: white space, control characters and "%" are written as in a URL.

    >>> path_id("my notes/a.txt")
    'my%20notes/a.txt'
    """
    return _TO_ESCAPE.sub(lambda found: quote(found[0], safe=""), clean_text(path))
