"""Data sets that the library `datasets` saved to disk: a folder of Arrow streams, and what tells their order."""

import json
from importlib.resources.abc import Traversable
from typing import Any

from sparseembed.data.lines import reading
from sparseembed.data.records.arrow import open_arrow
from sparseembed.data.records.base import Records, Wants
from sparseembed.data.records.folder import FolderRecords
from sparseembed.data.records.head import read_head
from sparseembed.errors import DataError
from sparseembed.text import one_line, shown

_STATE, _SPLITS = "state.json", "dataset_dict.json"


def is_saved(folder: Traversable) -> bool:
    """Tell whether a folder is a data set, or one of several splits, that `save_to_disk` wrote."""
    return (folder / _SPLITS).is_file() or (folder / _STATE).is_file()


def open_saved(folder: Traversable, wants: Wants) -> Records | None:
    """Open a data set that `save_to_disk` wrote; None where the folder is none.

    :param folder: The folder of a data set, or of one with a single split.
    :param wants: The fields that are wanted.
    :raises DataError: A file is missing or damaged, or there are several splits.
    """
    if (folder / _SPLITS).is_file():
        splits = _read(folder / _SPLITS).get("splits")
        if not isinstance(splits, list) or not splits or not all(isinstance(name, str) for name in splits):
            raise _damaged(folder / _SPLITS, "no list of splits")
        if len(splits) > 1:
            names = ", ".join(shown(str(folder / name)) for name in splits)
            raise DataError(f"{one_line(folder)}: a data set of {len(splits)} splits: give one of them, {names}")
        return open_saved(folder / splits[0], wants) or _none(folder / splits[0])
    if not (folder / _STATE).is_file():
        return None
    state = _read(folder / _STATE)
    if state.get("_indices_data_files"):
        raise DataError(f"{one_line(folder)}: a data set with a mapping of rows: save it again with a newer datasets")
    files = state.get("_data_files")
    listed = [entry.get("filename") for entry in files if isinstance(entry, dict)] if isinstance(files, list) else []
    if not listed or not all(isinstance(name, str) and name and "/" not in name for name in listed):
        raise _damaged(folder / _STATE, "no list of data files")
    return FolderRecords(one_line(folder), [_part(folder / str(name), wants) for name in listed])


def _part(file: Traversable, wants: Wants) -> Records:
    return open_arrow(file, read_head(file), wants) or _damaged_part(file)


def _damaged_part(file: Traversable) -> Records:
    raise _damaged(file, "no Arrow stream")


def _read(file: Traversable) -> dict[str, Any]:
    with reading(file) as stream:
        try:
            found = json.loads(stream.read())
        except (ValueError, RecursionError):
            raise _damaged(file, "no JSON") from None
    return found if isinstance(found, dict) else {}


def _none(folder: Traversable) -> Records:
    raise DataError(f"{one_line(folder)}: no {_STATE} in it: the data set is not complete, save it again")


def _damaged(file: Traversable, problem: str) -> DataError:
    return DataError(f"{one_line(file)}: {problem} in it: the data set is damaged, save it again")
