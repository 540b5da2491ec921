"""Build an index on a Ray cluster: encoded, counted and written in parts, with the bytes of one machine.

    documents    cut into parts once, a file each, in the work folder
    encoding     each 256 texts are a job; their shard of the store of embeddings has the same bytes whoever makes it
    statistics   words are counted part by part and summed; what else is fitted is fitted to samples, by the driver
    parts        each is a job: an index of its documents, written with the statistics of all
    index        the parts merged, or left as they are, to be searched as one

Everything is kept in folders that all machines see, and is there whole or not at all: a worker that dies costs the job
that it was doing, and a driver that is started again goes on with what is missing.
"""

import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from copy import copy
from pathlib import Path
from socket import gethostname
from typing import Any, NamedTuple, Self

import numpy as np

from sparseembed.analyzers.registry import open_analyzer
from sparseembed.arrays import Ints
from sparseembed.data.corpus import Corpus
from sparseembed.data.remote import is_url
from sparseembed.embedders.blocks import Block
from sparseembed.embedders.load import EmbedderLike
from sparseembed.embedders.spec import EmbedderSpec
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.errors import ConfigError, IndexFolderError
from sparseembed.files import cache_folder, read_json, write_json
from sparseembed.index.joined import joined_manifest, last_manifest
from sparseembed.index.manifest import FILE, differing_field, parsed_manifest, read_manifest, software_versions
from sparseembed.indexing.build import Asked, BuiltIndex, about_corpus, asked, standing_index, told
from sparseembed.indexing.cluster.address import LOCAL
from sparseembed.indexing.cluster.parts import PartJob, Stores, save_statistics, write_documents
from sparseembed.indexing.cluster.pool import Job, Workers
from sparseembed.indexing.cluster.worker import Wanted, package_fingerprint
from sparseembed.indexing.encoding import EncodedCorpus, encode_corpus
from sparseembed.indexing.fit import count_words, fit
from sparseembed.indexing.shards import Shard, merge_indexes
from sparseembed.lock import writer_lock
from sparseembed.progress import note, track
from sparseembed.sharing.places import open_place
from sparseembed.sharing.push import seal_parts
from sparseembed.sparse.config import SparseConfig
from sparseembed.sparse.spaces import Backbone, FittedSpace, fit_counted
from sparseembed.sparse.vocabulary import WordCounter

_PLAN = "plan.json"
_SEEN = ".seen-"
_STALE = 86_400.0  # seconds
_PART = re.compile(r"part-(\d+)-of-(\d+)")


class Spreading(NamedTuple):
    """How a build is spread.

    :param address: Of the Ray cluster, `auto`, or `local` for one of this machine alone.
    :param workers: How many; None for one a GPU, or where there are none one a machine.
    :param parts: Parts that the index is written in; None for as many as there are workers.
    :param keep_parts: Whether they are left as they are, in the folder of the index, and not merged.
    :param work: Folder for what is between corpus and index; beside the index when None. All machines must see it.
    """

    address: str = LOCAL
    workers: int | None = None
    parts: int | None = None
    keep_parts: bool = False
    work: Path | None = None

    def check(self) -> Self:
        """Raise `ConfigError` unless all is within range."""
        for name, value in (("--workers", self.workers), ("--parts", self.parts)):
            if value is not None and value < 1:
                raise ConfigError(f"{name} must be 1 or more, not {value}")
        return self


class SpreadEmbedder(TransformerEmbedder):
    """An embedder whose stores are filled by workers; single texts are embedded here."""

    _workers: Workers

    @classmethod
    def of(cls, embedder: TransformerEmbedder, workers: Workers) -> Self:
        """Return an embedder that shares what another one has loaded."""
        made = cls(embedder.spec)
        made.__dict__.update(copy(embedder).__dict__)
        made._workers = workers
        return made

    def encode_blocks(self, folder: Path, blocks: Iterable[Block], side: str) -> Iterator[Block]:
        """Let workers encode; see `blocks.Spread`."""
        place = folder.absolute()
        jobs = (Job(f"texts {each.ids[0]} to {each.ids[-1]}", "encode", (place, each, side)) for each in blocks)
        for job, _ in self._workers.run(jobs):
            yield job.arguments[1]


def build_on_cluster(
    corpus: Corpus | str | Path,
    out: str | Path | None = None,
    embedder: EmbedderLike | None = None,
    terms: str = "word",
    spreading: Spreading | None = None,
    *,
    embeddings: str | Path | None = None,
    overwrite: bool = False,
    reencode: bool = False,
    language: str | None = None,
    **choices: Any,
) -> BuiltIndex:
    """Index a corpus on a Ray cluster. Parameters and errors are those of `build_index`, and further

    :param spreading: The cluster, and how the work is spread.
    :param embeddings: Folder to keep the embeddings in, which all machines must see; in the user's cache when None.
    :return: The index, or with `keep_parts` the folder of its parts.
    :raises ConfigError: Ray is not installed, or its cluster cannot be reached or has no room.
    :raises EmbedderError: A worker has no model, other software, or does not see the folders.
    """
    spreading = (spreading or Spreading()).check()
    url = str(out) if out is not None and is_url(str(out)) else None
    if url is not None and not spreading.keep_parts:
        raise ConfigError(f"{url} is a URL, where parts can be left: pass --keep-parts, or push the index afterwards")
    plan = asked(corpus, out if url is None else None, embedder, terms, language, choices)
    replace = overwrite or reencode
    if url is not None:
        open_place(url)
    elif spreading.keep_parts:
        _check_parts(plan, replace)
    else:
        standing = standing_index(plan.path, plan.recipe, plan.corpus, replace, None)
        if standing is not None:
            note(f"reusing the index in {plan.path}")
            return BuiltIndex(plan.path, standing, True)
    work = (spreading.work or plan.path.parent / f".{plan.path.name}.work").absolute()
    with writer_lock(work, f"building {plan.path}"):
        kept = Path(embeddings).absolute() if embeddings else None
        built = _build(plan, spreading, url, work, kept, replace, reencode)
    shutil.rmtree(work, ignore_errors=True)
    return built


def _build(
    plan: Asked,
    spreading: Spreading,
    url: str | None,
    work: Path,
    embeddings: Path | None,
    replace: bool,
    reencode: bool,
) -> BuiltIndex:
    stores, keep = embeddings or cache_folder("embeddings"), spreading.keep_parts
    out = url or (plan.path.absolute() if keep else work / "parts")
    seen = [_mark(folder) for folder in (work, stores, out) if isinstance(folder, Path)]
    wanted = Wanted(software_versions(), package_fingerprint(), plan.embedder.identity(), seen)
    try:
        with Workers(spreading.address, spreading.workers, _spec(plan.embedder), wanted) as workers:
            parts = _parts(plan, spreading, work, workers.count)
            planned = _planned(plan, work, out, parts, replace)
            _write_parts(plan, planned, work, embeddings, reencode, workers)
    finally:
        for file in seen:
            file.unlink(missing_ok=True)
    names = [job.name for job in planned]
    if url is not None:
        sealed = [parsed_manifest(each.sealed, Path(FILE)) for each in seal_parts(url, names)]
        note(f"the parts are in {url}: sparseembed pull {url} FOLDER fetches them")
        return BuiltIndex(Path(url), joined_manifest(sealed), False)
    if keep:
        return told(plan.path, last_manifest(plan.path))
    merged = merge_indexes([work / "parts" / name for name in names], plan.path, replace)
    return BuiltIndex(plan.path, merged, False)


def _planned(plan: Asked, work: Path, out: Path | str, parts: int, replace: bool) -> list[PartJob]:
    """Cut the corpus into parts, once; return what is to be done with each."""
    files = write_documents(plan.corpus, parts, work / "documents")
    about, statistics = about_corpus(plan.corpus), work / "statistics"
    jobs = []
    for number in range(1, parts + 1):
        shard = Shard(number, parts)
        file = f"{number}.jsonl"
        first = shard.span(len(plan.corpus))[0]
        given = (shard, work / "documents" / file, files[file]["sha256"], first, out, replace)
        jobs.append(PartJob(*given, plan.config, about, plan.recipe, statistics))
    return jobs


def _write_parts(
    plan: Asked, jobs: list[PartJob], work: Path, embeddings: Path | None, reencode: bool, workers: Workers
) -> None:
    """Let workers do everything up to the parts."""
    statistics = work / "statistics"
    spread = SpreadEmbedder.of(plan.embedder, workers)
    encoded = encode_corpus(plan.corpus, spread, embeddings, reencode, plan.config.passages)
    if not statistics.exists():
        _fit(plan, encoded, jobs, statistics, workers)
    described = Stores.of(encoded.documents)
    jobs = [job._replace(stores=described) for job in jobs]
    with track("writing parts", len(jobs), "parts") as bar:
        for _ in workers.run(Job(f"part {job.shard.number}", "write", (job,)) for job in jobs):
            bar.update(1)


def _fit(plan: Asked, encoded: EncodedCorpus, jobs: list[PartJob], folder: Path, workers: Workers) -> None:
    def count(corpus: Corpus, config: SparseConfig, backbone: Backbone) -> tuple[FittedSpace, Ints]:
        if config.terms != "word":  # pieces are counted by the tokenizer, here
            return count_words(corpus, config, backbone)
        filled: dict[int, np.ndarray] = {}
        with WordCounter(open_analyzer(config.analyzer)) as counter, track("counting words", len(jobs), "parts") as bar:
            for done, counted in workers.run(
                Job(f"the words of part {job.shard.number}", "count", (job, config.analyzer)) for job in jobs
            ):
                counter.add_packed(counted.words)
                filled[done.arguments[0].shard.number] = counted.filled
                bar.update(1)
            least = config.least if isinstance(config.least, int) else None
            fitted = fit_counted(counter, least, config.analyzer)
        return fitted, np.flatnonzero(np.concatenate([filled[number] for number in sorted(filled)]))

    save_statistics(fit(plan.corpus, encoded, plan.embedder, plan.config, count), folder)


def _parts(plan: Asked, spreading: Spreading, work: Path, workers: int) -> int:
    """Return how many parts there are; what another plan has left is removed."""
    file = work / _PLAN
    wanted = {"recipe": plan.recipe, "name": plan.corpus.name, "package": package_fingerprint()}
    if file.is_file():
        standing = read_json(file, IndexFolderError, f"remove {work} and run the command again")
        same = isinstance(standing, dict) and all(standing.get(name) == value for name, value in wanted.items())
        if same and spreading.parts in (None, standing["parts"]):
            note(f"going on with what is in {work}")
            return int(standing["parts"])
        for name in ("documents", "statistics", "parts"):
            shutil.rmtree(work / name, ignore_errors=True)
    parts = min(spreading.parts or workers, len(plan.corpus))
    write_json(file, {**wanted, "parts": parts})
    return parts


def _check_parts(plan: Asked, replace: bool) -> None:
    """Make sure that the folder of the parts is free, or holds parts of this index."""
    for folder in sorted(plan.path.iterdir()) if plan.path.is_dir() else ():
        if not folder.name.startswith(".") and not _PART.fullmatch(folder.name):
            raise IndexFolderError(f"{plan.path} holds {folder.name}, which is no part: choose another folder")
        if (folder / FILE).is_file() and not replace:
            difference = differing_field(read_manifest(folder).recipe(), plan.recipe)
            if difference is not None:
                raise IndexFolderError(
                    f"{folder} is a part of another index ({difference}): pass --overwrite, or another --out"
                )


def _spec(embedder: TransformerEmbedder) -> EmbedderSpec:
    """Return what workers load: the dtype is this machine's choice, and not each one's own."""
    return embedder.spec.with_changes(dtype=embedder.dtype)


def _mark(folder: Path) -> Path:
    """Leave a file in a folder, to see whether other machines see it."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.glob(f"{_SEEN}*"):
        if _is_stale(file):
            file.unlink(missing_ok=True)
    descriptor, name = tempfile.mkstemp(
        prefix=f"{_SEEN}{os.getpid()}-", suffix=f"@{gethostname()}", dir=folder.absolute()
    )
    os.close(descriptor)
    return Path(name)


def _is_stale(mark: Path) -> bool:
    """Say whether a driver that was killed has left a mark: of one on another machine, its age tells."""
    try:
        old = time.time() - mark.stat().st_mtime > _STALE
        process, _, rest = mark.name.removeprefix(_SEEN).partition("-")
        if rest.endswith(f"@{gethostname()}"):
            os.kill(int(process), 0)
    except (ProcessLookupError, FileNotFoundError):
        return True
    except PermissionError:  # it runs, and is another user's
        return False
    return old
