"""Exports by name. A new format is a new sink and an entry here."""

from collections.abc import Callable
from pathlib import Path

from sparseembed.errors import ConfigError
from sparseembed.exports.sink import Sink, documents_of
from sparseembed.index.snapshot import open_snapshot
from sparseembed.outputs import check_output_folder
from sparseembed.progress import note, track


def _jsonl(place: Path) -> Sink:
    from sparseembed.exports.jsonl import JsonlSink

    return JsonlSink(place)


SINKS: dict[str, Callable[[Path], Sink]] = {"jsonl": _jsonl}


def export_index(index: str | Path, to: str, out: str | Path) -> int:
    """Write the documents of an index in another form.

    :param index: The index folder.
    :param to: A key of `SINKS`.
    :param out: Where to write; a folder that is empty or not there.
    :return: Documents written.
    :raises ConfigError: Unknown format; `out` cannot be written to, or holds something.
    :raises IndexFolderError: There is no index, or it is damaged.
    """
    if to not in SINKS:
        raise ConfigError(f"unknown format {to!r}: formats are {', '.join(SINKS)}")
    place = check_output_folder(Path(out))
    if place.is_dir() and any(place.iterdir()):
        raise ConfigError(f"{out} is not empty: choose another folder, or remove what it holds")
    snapshot = open_snapshot(Path(index))
    try:
        written = 0
        with SINKS[to](place) as sink, track(f"exporting to {to}", snapshot.documents, "documents") as bar:
            for document in documents_of(snapshot):
                sink.add(document)
                written += 1
                bar.update(1)
    finally:
        snapshot.close()
    note(f"exported {written:,} documents; wrote {out}")
    return written
