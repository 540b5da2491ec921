"""Folders in BEIR's layout: corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv, each perhaps compressed."""

from importlib.resources.abc import Traversable
from pathlib import Path

from sparseembed.data.collection import Collection
from sparseembed.data.corpus import Corpus
from sparseembed.data.documents import read_documents
from sparseembed.data.fields import Fields
from sparseembed.data.opening import ENDINGS, plain_name
from sparseembed.data.qrels import read_qrels
from sparseembed.data.queries import read_queries
from sparseembed.errors import DataError
from sparseembed.text import one_line, shown

_SPLIT_ORDER = ("train", "dev", "validation", "test")
_FORMATS = (".jsonl", ".json", ".tsv", ".csv", ".parquet", ".arrow")  # names alone: the content tells the format
_QRELS = (".tsv", ".qrels", ".trec", ".csv", ".jsonl", ".parquet")
_USUAL = Fields()
_LAYOUT = "a folder in BEIR's layout holds corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv"


def is_beir_folder(folder: Traversable) -> bool:
    """Tell whether a folder holds a corpus in BEIR's layout.

    :param folder: A folder, or one inside a zip file.
    :return: Whether corpus.jsonl is there, perhaps compressed, or a corpus in another format.
    """
    return _find(folder, "corpus") is not None


def is_part(folder: Traversable) -> bool:
    """Tell whether a folder holds queries or judgements in BEIR's layout, or a folder in it."""
    return _find(folder, "queries") is not None or (folder / "qrels").is_dir() or bool(_nested_hint(folder))


def open_beir(folder: Path, fields: Fields = _USUAL) -> Collection:
    """Open a folder in BEIR's layout; queries and judgements are read later.

    :param folder: The folder.
    :param fields: Which fields of its documents count.
    :return: The collection; without qrels its splits are empty.
    :raises DataError: If a file is missing or wrong.
    """
    resolved = folder.resolve()
    return read_beir(folder, resolved.name, str(resolved), fields)


def read_beir(folder: Traversable, name: str, identity: str, fields: Fields = _USUAL) -> Collection:
    """Open a folder in BEIR's layout that may lie inside a zip file.

    :param folder: The folder.
    :param name: The corpus's name.
    :param identity: The corpus's identity, equal between runs.
    :param fields: Which fields of its documents count.
    :return: The collection.
    :raises DataError: If a file is missing or wrong.
    """
    files = _split_files(folder)
    queries = _find(folder, "queries")
    if files and queries is None:
        raise DataError(f"{one_line(folder)}: qrels but no queries.jsonl: add the queries that they judge")
    return Collection(
        corpus=read_beir_corpus(folder, name, identity, fields),
        splits=tuple(files),
        load_queries=lambda: {} if queries is None else read_queries(queries),
        load_qrels=lambda split: read_qrels(files[split]),
    )


def read_beir_corpus(folder: Traversable, name: str, identity: str, fields: Fields = _USUAL) -> Corpus:
    """Read the documents of a folder in BEIR's layout, which needs neither queries nor judgements.

    :param folder: The folder.
    :param name: The corpus's name.
    :param identity: The corpus's identity, equal between runs.
    :param fields: Which fields count.
    :return: The corpus.
    :raises DataError: If corpus.jsonl is missing or wrong.
    """
    source = _find(folder, "corpus")
    if source is None:
        raise DataError(f"{one_line(folder)}: no corpus.jsonl in this folder: {_LAYOUT}{_nested_hint(folder)}")
    return Corpus(read_documents(source, fields), name, identity + fields.suffix())


def _find(folder: Traversable, name: str) -> Traversable | None:
    for candidate in (folder / f"{name}{kind}{ending}" for kind in _FORMATS for ending in ENDINGS):
        if candidate.is_file():
            return candidate
    return None


def _split_files(folder: Traversable) -> dict[str, Traversable]:
    qrels = folder / "qrels"
    if not qrels.is_dir():
        return {}
    found: dict[str, Traversable] = {}
    files = sorted(qrels.iterdir(), key=lambda entry: entry.name)
    # Sorted, "test.tsv" comes before "test.tsv.gz" and so is the one that is kept.
    for kind in _QRELS:
        endings = tuple(kind + ending for ending in ENDINGS)
        for file in files:
            split = plain_name(file.name, kind)
            if file.name.endswith(endings) and split and not split.startswith("."):
                found.setdefault(split, file)
    known = [split for split in _SPLIT_ORDER if split in found]
    return {split: found[split] for split in [*known, *(split for split in found if split not in _SPLIT_ORDER)]}


def _nested_hint(folder: Traversable) -> str:
    """Point at a folder one level down, where an unpacked archive often puts the files."""
    if folder.is_dir():
        for child in sorted(folder.iterdir(), key=lambda entry: entry.name):
            if child.is_dir() and is_beir_folder(child):
                return f"; perhaps {shown(str(child))} is meant"
    return ""
