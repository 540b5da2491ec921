"""What the demonstrations are made of: instructions with their words, texts, and pairs of texts."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from sparseembed.embedders.spec import TEXT
from sparseembed.errors import DataError
from sparseembed.files import read_json
from sparseembed.text import clean_text

BUILT_IN = Path(__file__).with_name("texts.json")


@dataclass(frozen=True)
class Instruction:
    """What is asked of a text.

    :param name: What to call it.
    :param task: The instruction for an embedder that takes a task; empty for none.
    :param prompt: The document prompt, with `{text}`, of one that takes none; empty for none.
    :param words: Words that an answer is likely to be, in lower case: the instruction's own words.
    """

    name: str
    task: str = ""
    prompt: str = ""
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pair:
    """Two texts, and how they are related: `paraphrase`, `negation`, or any other word."""

    kind: str
    first: str
    second: str


@dataclass(frozen=True)
class Demonstrations:
    """The material of both demonstrations; either may be missing.

    :param instructions: None, or at least two: each is compared with the others.
    :param texts: The texts that stand under each instruction.
    :param pairs: The pairs.
    """

    instructions: tuple[Instruction, ...]
    texts: tuple[str, ...]
    pairs: tuple[Pair, ...]

    @property
    def sentences(self) -> list[str]:
        """The distinct texts of the pairs, in their order."""
        return list(dict.fromkeys(text for pair in self.pairs for text in (pair.first, pair.second)))


@lru_cache(maxsize=1)
def built_in() -> Demonstrations:
    """Return the demonstrations that come with the package."""
    return read_demonstrations(BUILT_IN)


def read_demonstrations(path: Path) -> Demonstrations:
    """Read demonstrations: a JSON object of `instructions` and `texts`, of `pairs`, or of all three.

    :param path: The file; see texts.json beside this module for its form.
    :return: The demonstrations.
    :raises DataError: The file cannot be read, is no such JSON, or is incomplete.
    """
    content = read_json(path, DataError, "give instructions and texts, pairs, or all three", pipes=True)
    if not isinstance(content, dict) or not set(content) & {"instructions", "pairs"}:
        raise DataError(f"{path} must hold an object with instructions and texts, with pairs, or with all three")
    found = Demonstrations(
        tuple(
            _instruction(entry, path, number) for number, entry in enumerate(_list(content, "instructions", path), 1)
        ),
        tuple(_text(entry, f"text {number}", path) for number, entry in enumerate(_list(content, "texts", path), 1)),
        tuple(_pair(entry, path, number) for number, entry in enumerate(_list(content, "pairs", path), 1)),
    )
    names = [each.name for each in found.instructions]
    if bool(names) != bool(found.texts):
        raise DataError(f"{path} has instructions without texts, or the reverse: each text is read under each of them")
    if len(names) == 1 or len(set(names)) < len(names):
        raise DataError(
            f"{path} needs two instructions at least, each of its own name: one is compared with the others"
        )
    if not names and not found.pairs:
        raise DataError(f"{path} has neither instructions nor pairs")
    return found


def _instruction(entry: Any, path: Path, number: int) -> Instruction:
    where = f"instruction {number}"
    fields = entry if isinstance(entry, dict) else {}
    parts = {key: fields.get(key) or "" for key in ("name", "task", "prompt")}
    for key, value in parts.items():
        _text(value or "-", f"{key} of {where}", path)
    if not parts["name"] or not (parts["task"] or parts["prompt"]):
        raise DataError(f"{path}, {where}: it needs a name, and a task or a prompt with {TEXT}")
    if parts["prompt"] and parts["prompt"].count(TEXT) not in (1, 2):
        raise DataError(f"{path}, {where}: its prompt must hold {TEXT} once, or twice for an echo")
    if TEXT in parts["task"]:
        raise DataError(f"{path}, {where}: its task must not hold {TEXT}, which belongs into a prompt")
    words = [_text(word, f"a word of {where}", path) for word in _list(fields, "words", path)]
    return Instruction(**parts, words=tuple(dict.fromkeys(word.strip().lower() for word in words)))


def _pair(entry: Any, path: Path, number: int) -> Pair:
    fields = entry if isinstance(entry, dict) else {}
    return Pair(*(_text(fields.get(key), f"{key} of pair {number}", path) for key in ("kind", "first", "second")))


def _list(fields: dict[str, Any], key: str, path: Path) -> list[Any]:
    found = fields.get(key, [])
    if not isinstance(found, list):
        raise DataError(f"{path}: {key} must be a list")
    return found


def _text(value: Any, what: str, path: Path) -> str:
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{path}: the {what} is missing, blank or no text")
    return clean_text(value)
