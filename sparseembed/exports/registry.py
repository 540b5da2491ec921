"""Exports by name. A new format is a new sink and an entry here."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from sparseembed.engines.base import check_count
from sparseembed.errors import ConfigError
from sparseembed.exports.sink import Facts, Sink, Target, documents_of
from sparseembed.index.snapshot import open_snapshot
from sparseembed.outputs import check_output_folder
from sparseembed.progress import note, track
from sparseembed.text import one_line, shown


class Format(NamedTuple):
    """A form that an index can be exported to.

    :param help: What it is, in a line.
    :param sink: Makes the sink; it is not entered yet.
    :param files: Names of what an export writes into its folder, a regular expression: a folder that holds nothing else
        may be overwritten. None where the sink itself looks at what its folder holds, which may be an export to go on
        with.
    :param url: Whether it may go to a running engine.
    :param key: Environment variable that holds the engine's key.
    :param gzip: Whether files can be compressed.
    """

    help: str
    sink: Callable[[Target, Facts], Sink]
    files: str | None = None
    url: bool = False
    key: str | None = None
    gzip: bool = False


def _jsonl(target: Target, facts: Facts) -> Sink:
    from sparseembed.exports.jsonl import JsonlSink

    assert target.place is not None
    return JsonlSink(target.place, target.gzip)


def _search_engine(to: str) -> Callable[[Target, Facts], Sink]:
    def sink(target: Target, facts: Facts) -> Sink:
        if target.url is None:
            from sparseembed.exports.opensearch.files import BulkFiles

            return BulkFiles(to, target, facts)
        if target.place is not None:
            raise ConfigError(f"{to} goes to a folder or to a URL, not to both: give --out or --url")
        from sparseembed.exports.opensearch.live import SearchEngineSink

        return SearchEngineSink(to, target, facts)

    return sink


_BULK = r"index\.json|query\.json|bulk-\d{5,}\.ndjson(\.gz)?"  # what `opensearch.files` writes


SINKS: dict[str, Format] = {
    "jsonl": Format(
        'Pyserini\'s {"id", "contents", "vector"}, one document a line, for Anserini\'s IndexCollection',
        _jsonl,
        files=r"\d{5,}\.jsonl(\.gz)?",
        gzip=True,
    ),
    "opensearch": Format(
        "an index of OpenSearch in which a plain `match` query has our hits and scores: bulk files, or live",
        _search_engine("opensearch"),
        files=_BULK,
        url=True,
        key="OPENSEARCH_PASSWORD",
        gzip=True,
    ),
    "elasticsearch": Format(
        "the same for Elasticsearch, whose documents are longer on their way in",
        _search_engine("elasticsearch"),
        files=_BULK,
        url=True,
        key="ELASTICSEARCH_API_KEY",
        gzip=True,
    ),
    "elasticsearch-vector": Format(
        "Elasticsearch's sparse_vector, asked by weighted terms",
        _search_engine("elasticsearch-vector"),
        files=_BULK,
        url=True,
        key="ELASTICSEARCH_API_KEY",
        gzip=True,
    ),
}


def export_index(
    index: str | Path,
    to: str,
    out: str | Path | None = None,
    *,
    url: str | None = None,
    name: str | None = None,
    overwrite: bool = False,
    batch: int = Target.batch,
    gzip: bool = False,
) -> int:
    """Bring the documents of an index into another form, or to another engine.

    :param index: The index folder.
    :param to: A key of `SINKS`.
    :param out: The folder to write; one that is empty or not there.
    :param url: A running engine, in place of a folder or beside it.
    :param name: Of the collection, table or index there; the name of the index's folder when None.
    :param overwrite: Replace an export that stands there already.
    :param batch: Documents sent at once.
    :param gzip: Compress the files.
    :return: Documents written; 0 where all stood there already, from a run that had ended well.
    :raises ConfigError: Unknown format, or one that does not go there; something stands there already; a package is
        missing; the engine takes no such name, id or document.
    :raises EngineError: The engine is not there, refuses, or fails.
    :raises IndexFolderError: There is no index, or it is damaged.
    """
    form = _format(to)
    check_count("batch", batch)
    if gzip and not form.gzip:
        raise ConfigError(f"{to} has no compressed form: leave out --gzip")
    target = Target(
        _place(to, form, out, url, overwrite),
        url,
        name or re.sub(r"\W+", "_", Path(index).resolve().name) or Target.name,
        overwrite,
        batch,
        gzip,
        os.environ.get(form.key) if form.key and url else None,
    )
    snapshot = open_snapshot(Path(index))
    try:
        written = 0
        with form.sink(target, Facts(snapshot)) as sink:
            if not sink.whole:
                with track(f"exporting to {to}", snapshot.documents, "documents") as bar:
                    for document in documents_of(snapshot):
                        sink.add(document)
                        written += 1
                        bar.update(1)
            whole = sink.whole
        where = " and ".join(one_line(each) for each in (url, out) if each)
        if whole:
            note(f"nothing to do: all {snapshot.documents:,} documents stand in {where} already")
        else:
            note(f"exported {written:,} documents; wrote {where}")
    finally:
        snapshot.close()
    return written


def _format(to: str) -> Format:
    if to not in SINKS:
        raise ConfigError(f"unknown format {to!r}: formats are {', '.join(SINKS)}")
    return SINKS[to]


def _place(to: str, form: Format, out: str | Path | None, url: str | None, overwrite: bool) -> Path | None:
    """Look at where an export is to go, before the work."""
    if url is not None and not form.url:
        raise ConfigError(f"{to} is written to a folder, not sent to a URL: give --out FOLDER in place of --url")
    if out is None:
        if url is None:
            raise ConfigError(f"where is {to} to go? give --out FOLDER{' or --url URL' if form.url else ''}")
        return None
    place = check_output_folder(Path(out))
    if form.files is None or not place.is_dir():
        return place
    there = sorted(each.name for each in place.iterdir())
    if there and not overwrite:
        raise ConfigError(
            f"{one_line(out)} is not empty: choose another folder, remove what it holds, or replace an earlier export "
            "with --overwrite"
        )
    foreign = next((each for each in there if not re.fullmatch(form.files, each)), None)
    if foreign is not None:
        raise ConfigError(
            f"{one_line(out)} holds {shown(foreign)}, which no export to {to} has written: choose another folder"
        )
    return place
