"""Strings as Java sees them: UTF-16 units, of which a character outside the basic plane has two."""

from collections.abc import Callable


def in_units(change: Callable[[str], str]) -> Callable[[str], str]:
    """Return a function that changes a word as Java would, unit by unit.

    :param change: What is done to a word.
    """

    def changed(word: str) -> str:
        if word.isascii() or max(word) <= "\uffff":
            return change(word)
        return characters(change(units(word)))

    return changed


def units(word: str) -> str:
    """Write characters outside the basic plane as the two surrogates that Java has for them."""
    data = word.encode("utf-16-le", "surrogatepass")
    return "".join(chr(low | high << 8) for low, high in zip(data[::2], data[1::2], strict=True))


def characters(word: str) -> str:
    """Put the surrogates of `units` together again."""
    return word.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
