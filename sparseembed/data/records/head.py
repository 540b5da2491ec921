"""The beginning of a file, which tells its format."""

from dataclasses import dataclass
from functools import cached_property
from importlib.resources.abc import Traversable

from sparseembed.data.lines import UTF16, reading

HEAD = 1 << 16  # bytes that are looked at


@dataclass(frozen=True)
class Head:
    """The first bytes of a file, unpacked.

    :param raw: The bytes, at most `HEAD`.
    """

    raw: bytes

    @cached_property
    def text(self) -> str:
        """The bytes as text, without a byte order mark; what is no text in it is U+FFFD."""
        encoding = "utf-16" if self.raw[:2] in UTF16 else "utf-8-sig"
        return self.raw.decode(encoding, "replace")

    @property
    def whole(self) -> bool:
        """Whether the file has no more than this."""
        return len(self.raw) < HEAD

    @cached_property
    def first_line(self) -> str:
        """The first line that is not blank, without white space around it."""
        return self.text.lstrip().partition("\n")[0].rstrip()

    @property
    def one_line(self) -> bool:
        """Whether the first line goes beyond what was read."""
        return not self.whole and "\n" not in self.text.lstrip()


def read_head(source: Traversable) -> Head:
    """Read the beginning of a file.

    :param source: A file that can be read again; a compressed one is unpacked.
    :raises DataError: It cannot be read.
    """
    with reading(source) as stream:
        parts, size = [], 0
        while size < HEAD and (part := stream.read(HEAD - size)):
            parts.append(part)
            size += len(part)
    return Head(b"".join(parts))
