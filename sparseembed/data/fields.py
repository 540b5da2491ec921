"""Which fields of a record are a document's id, text and title."""

from collections.abc import Iterable
from dataclasses import dataclass

from sparseembed.text import shown

ID_NAMES = ("_id", "id")
TEXT_NAMES = ("text", "contents")
TITLE_NAME = "title"


@dataclass(frozen=True)
class Fields:
    """The fields that a user names; what is not named is looked for under the usual names.

    :param id: The id's field; `_id` or `id` when None.
    :param text: The fields of the text, joined by line breaks; `text` or `contents` when there are none.
    :param title: The title's field; `title`, unless it is one of `text`, when None.
    """

    id: str | None = None
    text: tuple[str, ...] = ()
    title: str | None = None

    @property
    def id_names(self) -> tuple[str, ...]:
        """Names that the id may have, the first that is there counts."""
        return ID_NAMES if self.id is None else (self.id,)

    @property
    def text_names(self) -> tuple[str, ...]:
        """Names that the text may have: the first that is there counts, or all of them where a user named them."""
        return self.text or TEXT_NAMES

    @property
    def title_name(self) -> str | None:
        """The name that the title has, if there is one."""
        if self.title is None:
            return None if TITLE_NAME in self.text else TITLE_NAME
        return self.title

    @property
    def named(self) -> tuple[str, ...]:
        """All names that a user gave, which must be there."""
        return (*filter(None, (self.id,)), *self.text, *filter(None, (self.title,)))

    @property
    def all_names(self) -> tuple[str, ...]:
        """All names that are looked at."""
        return (*self.id_names, *self.text_names, *filter(None, (self.title_name,)))

    def suffix(self) -> str:
        """Return what tells these fields from the usual ones in a corpus's identity; "" for the usual ones."""
        if not self.named:
            return ""
        return f" (id {self.id or ''}, text {' + '.join(self.text)}, title {self.title or ''})"


def there_are(names: Iterable[str]) -> str:
    """List the fields of a record for a message, the first ten."""
    listed = [shown(name) for name in names]
    more = f" and {len(listed) - 10} more" if len(listed) > 10 else ""
    return f"there are {', '.join(listed[:10])}{more}" if listed else "there are none"
