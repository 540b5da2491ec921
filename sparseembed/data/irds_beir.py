"""BEIR's sets through ir_datasets, which downloads their zip files; our own reader reads them.

ir_datasets would keep a second copy of the documents, which goes stale when the zip file changes.
"""

import zipfile
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import cast

from sparseembed.data.beir import is_beir_folder, read_beir
from sparseembed.data.collection import Collection
from sparseembed.data.irds_calls import fetching
from sparseembed.errors import DataError
from sparseembed.text import one_line, shown

BEIR = "beir/"


def open_beir_zip(dataset_id: str) -> Collection:
    """Open $IR_DATASETS_HOME/beir/SET/source.zip, which is downloaded if it is not there.

    :param dataset_id: An id of ir_datasets that begins with "beir/", perhaps with a split at its end.
    :return: The collection.
    :raises DataError: If the zip file can neither be found nor downloaded, or is wrong.
    """
    from ir_datasets.util import DownloadConfig, home_path

    base = Path(home_path()) / "beir"
    downloads = DownloadConfig.context("beir", base)
    rest = dataset_id.removeprefix(BEIR)
    # "webis-touche2020/v2" has a zip file of its own, so the longest key that fits is the right one.
    keys = [key for key in downloads.contents() if rest == key or rest.startswith(f"{key}/")]
    if not keys:
        raise DataError(f"ir_datasets id {shown(dataset_id)} has no documents: name a set, such as beir/scifact")
    key = max(keys, key=len)
    url, place = downloads.contents()[key]["url"], base / key / "source.zip"
    by_hand = f"save {url} as {one_line(place)}, or unpack it and give its folder"
    with fetching(dataset_id, by_hand):
        archive = Path(downloads[key].path())
    return _read_zip(archive, key, rest.removeprefix(key).strip("/"), by_hand)


def _read_zip(archive: Path, key: str, part: str, by_hand: str) -> Collection:
    """Read one set of the zip file; `part` is a split, or one of several sets in it (CQADupStack's), or ""."""
    try:
        root = cast(Traversable, zipfile.Path(zipfile.ZipFile(archive)))
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{one_line(archive)}: not a readable zip file ({one_line(error)}): {by_hand}") from None
    top = root / key.split("/")[0]
    if part and is_beir_folder(top / part):
        return read_beir(top / part, f"{key}/{part}", f"ir_datasets:{BEIR}{key}/{part}")
    if not is_beir_folder(top):
        raise DataError(f"{one_line(archive)}: no {top.name}/corpus.jsonl in it: {by_hand}")
    collection = read_beir(top, key, f"ir_datasets:{BEIR}{key}")
    if not part:
        return collection
    if part not in collection.splits:
        known = ", ".join(collection.splits) or "none"
        raise DataError(f"{one_line(archive)}: no qrels for split {shown(part)}: the splits in it are {known}")
    return Collection(collection.corpus, (part,), collection.load_queries, collection.load_qrels)
