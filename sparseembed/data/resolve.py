"""From what a user calls a collection to the collection."""

import difflib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TypeVar, cast

from sparseembed.data.beir import is_beir_folder, open_beir, read_beir, read_beir_corpus
from sparseembed.data.collection import Collection
from sparseembed.data.corpus import Corpus
from sparseembed.data.documents import read_documents
from sparseembed.data.fields import Fields
from sparseembed.data.folders import read_folder
from sparseembed.data.irds import full_id, known_names, open_irds
from sparseembed.data.irds_calls import import_problem
from sparseembed.data.opening import ENDINGS, plain_name
from sparseembed.data.remote import RemotePath, is_url, open_url
from sparseembed.data.source import STANDARD_INPUT, spooled
from sparseembed.errors import DataError
from sparseembed.text import one_line, shown

DATA_VARIABLE = "SPARSEEMBED_DATA"
BUILT_IN = "pydocs"

_FILE_ENDINGS = (".jsonl", ".json", *ENDINGS[1:], ".zip", ".tsv", ".csv", ".txt", ".parquet", ".arrow", "/", os.sep)
_Opened = TypeVar("_Opened", Collection, Corpus)
_USUAL = Fields()


def open_collection(dataset: str, fields: Fields = _USUAL) -> Collection:
    """Open a collection by what a user calls it.

    In this order: a folder in BEIR's layout; the name of such a folder under the one that $SPARSEEMBED_DATA names; the
    built-in "pydocs"; an id of ir_datasets, for which "beir/" may be left out. A URL of a folder works as well.

    :param dataset: The folder, name or id.
    :param fields: Which fields of the folder's documents count.
    :return: The collection. Its documents have been read; queries and judgements are read when asked for.
    :raises DataError: If there is no such collection, or its files are wrong.
    """
    with _readable(dataset):
        if is_url(dataset):
            folder = open_url(dataset)
            return read_beir(cast("Traversable", folder), folder.name, dataset, fields)
        path = _path_of(dataset)
        if dataset == STANDARD_INPUT or (path is not None and (path.is_file() or path.is_fifo())):
            raise DataError(
                f"{one_line(dataset)}: a file, and a collection with queries is a folder: give a folder that holds "
                "corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv (a file alone can be indexed and searched)"
            )
        return _open(dataset, path, fields, lambda folder: open_beir(folder, fields), lambda folder: None)


def open_corpus(path_or_dataset: str, fields: Fields = _USUAL) -> Corpus:
    """Open documents alone: a file or folder of any format, or any collection.

    What a pipe or standard input gives is kept in a temporary file, since a corpus is read more than once.

    :param path_or_dataset: The file, folder, pipe or URL, "-" for standard input, or what `open_collection` takes.
    :param fields: Which fields of the documents count; a named collection's own are not asked for.
    :return: The corpus.
    :raises DataError: If there is nothing of that name, or a file is wrong.
    """
    with _readable(path_or_dataset):
        if is_url(path_or_dataset):
            return _remote(open_url(path_or_dataset), path_or_dataset, fields)
        path = _path_of(path_or_dataset)
        if path_or_dataset == STANDARD_INPUT or (path is not None and path.is_fifo()):
            return _of_pipe(path_or_dataset, fields)
        if path is not None and path.is_file():
            return _of_file(path, str(path.resolve()), fields)
        opened = _open(
            path_or_dataset,
            path,
            fields,
            lambda folder: _named_corpus(folder, fields),
            lambda folder: _folder_corpus(folder, fields),
        )
        return opened if isinstance(opened, Corpus) else opened.corpus


def _of_file(source: Path | RemotePath, identity: str, fields: Fields) -> Corpus:
    name = plain_name(source.name, "")
    for ending in _FILE_ENDINGS:
        name = name.removesuffix(ending)
    return Corpus(read_documents(cast("Traversable", source), fields), name, identity + fields.suffix())


def _of_pipe(name: str, fields: Fields) -> Corpus:
    spool = spooled(name)
    corpus = Corpus(read_documents(cast("Traversable", spool), fields), "pipe", str(spool))
    # A pipe's path is another one in each run, and may be the same for other documents.
    corpus.identity = f"pipe:{corpus.fingerprint}"
    return corpus


def _remote(place: RemotePath, url: str, fields: Fields) -> Corpus:
    if place.is_file():
        return _of_file(place, url, fields)
    if not place.is_dir():
        raise DataError(f"{one_line(url)}: no such file or folder: check the URL")
    folder = cast("Traversable", place)
    found = read_folder(folder, place.name, url, fields)
    return found or read_beir_corpus(folder, place.name, url, fields)


def _folder_corpus(folder: Path, fields: Fields) -> Corpus | None:
    resolved = folder.resolve()
    return read_folder(folder, resolved.name, str(resolved), fields)


def _named_corpus(folder: Path, fields: Fields) -> Corpus:
    """Read the documents of a folder that a user means; a folder without any is an error."""
    resolved = folder.resolve()
    return _folder_corpus(folder, fields) or read_beir_corpus(folder, resolved.name, str(resolved), fields)


def _open(
    dataset: str,
    path: Path | None,
    fields: Fields,
    open_found: Callable[[Path], _Opened],
    open_other: Callable[[Path], _Opened | None],
) -> _Opened | Collection:
    """Try what a name may stand for, one after the other.

    :param open_found: Opens a folder that the name stands for.
    :param open_other: Opens a folder in another layout than BEIR's, if it holds documents.
    """
    looks_like_path = _looks_like_path(dataset)
    if path is not None and path.is_dir() and (looks_like_path or is_beir_folder(path)):
        return open_found(path)
    if looks_like_path:
        if path is not None and path.exists() and not path.is_dir():
            raise DataError(f"{one_line(path)}: neither a file, a folder nor a pipe: give one of these")
        raise _no_such_path(dataset, path)
    data = _data_folder()
    if data is not None and (data / dataset).is_dir():
        return open_found(data / dataset)
    if dataset == BUILT_IN:
        from sparseembed.data.pydocs import open_pydocs

        return _as_named(dataset, fields, open_pydocs)
    found = open_other(path) if path is not None and path.is_dir() else None
    if found is not None:
        return found
    dataset_id = full_id(dataset)
    if dataset_id is not None:
        return _as_named(dataset, fields, lambda: open_irds(dataset_id))
    raise _unknown(dataset, path)


def _as_named(dataset: str, fields: Fields, open_known: Callable[[], Collection]) -> Collection:
    """Open a collection whose fields have names of their own."""
    if fields.named:
        raise DataError(f"{dataset}: its fields are known: leave out --id-field, --text-field and --title-field")
    return open_known()


@contextmanager
def _readable(dataset: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:  # no permission, a name that is too long for the system
        problem = error.strerror or one_line(error)
        where = one_line(error.filename or dataset)
        raise DataError(f"{where}: cannot be read ({problem}): check the path and its permissions") from None


def _path_of(dataset: str) -> Path | None:
    """Give the path that a name would be, or None if it cannot be one."""
    if not dataset.strip():
        raise DataError("no collection is named: give a folder, 'pydocs', or an ir_datasets id such as scifact")
    return _expanded(dataset) if "\0" not in dataset else None


def _looks_like_path(dataset: str) -> bool:
    return dataset.startswith((".", "~", "/")) or dataset.endswith(_FILE_ENDINGS) or Path(dataset).is_absolute()


def _data_folder() -> Path | None:
    value = os.environ.get(DATA_VARIABLE)
    return _expanded(value) if value else None


def _expanded(name: str) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError:  # ~nobody-of-that-name
        return Path(name)


def _no_such_path(dataset: str, path: Path | None) -> DataError:
    hint = ""
    if path is not None and path.parent.is_dir():
        near = _nearest(path.name, [entry.name for entry in path.parent.iterdir()])
        hint = f"; the nearest there is {shown(str(path.parent / near))}" if near else ""
    return DataError(f"{one_line(dataset)}: no such file or folder: check the path{hint}")


def _unknown(dataset: str, path: Path | None) -> DataError:
    known = known_names()
    tried = [f"a folder in BEIR's layout ({'has no corpus.jsonl' if path and path.is_dir() else 'no such folder'})"]
    data = _data_folder()
    names = [BUILT_IN, *known]
    if data is None:
        tried.append(f"a name under ${DATA_VARIABLE} (not set)")
    elif not data.is_dir():
        tried.append(f"a name under ${DATA_VARIABLE} (no such folder: {one_line(data)})")
    else:
        tried.append(f"a name under ${DATA_VARIABLE} ({one_line(data)})")
        names += sorted(entry.name for entry in data.iterdir() if entry.is_dir() and is_beir_folder(entry))
    tried.append(f"the built-in {BUILT_IN!r}")
    tried.append("an ir_datasets id" if known else f"an ir_datasets id (ir_datasets is unusable: {import_problem()})")
    near = _nearest(dataset, names)
    hint = f"the nearest known name is {shown(near)}" if near else "give the path of a folder that holds corpus.jsonl"
    return DataError(f"no collection {shown(dataset)}; tried {', '.join(tried)}: {hint}")


def _nearest(name: str, candidates: list[str]) -> str:
    lowered = {candidate.lower(): candidate for candidate in reversed(candidates)}
    found = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
    return lowered[found[0]] if found else ""
