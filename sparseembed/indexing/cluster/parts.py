"""The parts of an index: each one's documents in a file, and each written with the statistics of all."""

import json
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from sparseembed.data.corpus import Corpus, Document
from sparseembed.data.passages import Splitting
from sparseembed.embedders.store import EmbeddingStore
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.errors import IndexFolderError
from sparseembed.files import atomic_file, atomic_folder, write_json
from sparseembed.index.checked import CheckedFiles, record, sha256_of
from sparseembed.index.manifest import FILE as MANIFEST
from sparseembed.index.manifest import Manifest, parsed_manifest
from sparseembed.index.statistics import Statistics, load_statistics
from sparseembed.index.transaction import Transaction
from sparseembed.indexing.build import write_index
from sparseembed.indexing.passages import PassagedStore, Split
from sparseembed.indexing.shards import Shard
from sparseembed.indexing.stores import store_names
from sparseembed.indexing.write import Source
from sparseembed.progress import track
from sparseembed.sharing.push import push_part, pushed_part
from sparseembed.sparse.config import SparseConfig

FILES = "files.json"


class Stores(NamedTuple):
    """The embeddings of a corpus, as a worker opens them.

    :param folder: The documents' store.
    :param rest: That of further passages; None where there are none.
    :param splitting: How texts were split.
    :param split: Which documents have several passages.
    :param names: What a manifest calls the stores.
    :param prompts: Document prompts: embeddings of a text, side by side in a row.
    """

    folder: Path
    rest: Path | None
    splitting: Splitting
    split: Split
    names: list[str]
    prompts: int

    @classmethod
    def of(cls, store: PassagedStore) -> "Stores":
        """Describe stores."""
        rest = store.rest.folder.absolute() if store.rest is not None else None
        names, folder = store_names(store), store.folder.absolute()
        return cls(folder, rest, store.splitting, store.split, names, store.prompts)

    def open(self) -> PassagedStore:
        """Open the stores."""
        rest = EmbeddingStore(self.rest) if self.rest is not None else None
        return PassagedStore(self.folder, self.splitting, self.split, rest, self.prompts)


class PartJob(NamedTuple):
    """One part of an index to be built.

    :param shard: Which one.
    :param documents: File of its documents.
    :param sha256: Of that file.
    :param first: Place of its first document in the corpus.
    :param out: Folder of all parts; or a URL, where the part is pushed to once it is built.
    :param overwrite: Whether another index that stands at that URL is replaced.
    :param config: The choices that were asked for.
    :param about: What manifests say of the whole corpus.
    :param recipe: Of the whole index.
    :param statistics: Folder of what was fitted; not there while words are counted.
    :param stores: The embeddings; None while words are counted.
    """

    shard: Shard
    documents: Path
    sha256: str
    first: int
    out: Path | str
    overwrite: bool
    config: SparseConfig
    about: dict[str, Any]
    recipe: dict[str, Any]
    statistics: Path
    stores: Stores | None = None

    @property
    def name(self) -> str:
        """Name of the part's folder."""
        return f"part-{self.shard.number}-of-{self.shard.of}"


def write_documents(corpus: Corpus, of: int, folder: Path) -> dict[str, dict[str, Any]]:
    """Write the documents of each part into a file of its own, in one pass over the corpus, or reuse the files.

    :param corpus: The documents.
    :param of: How many parts.
    :param folder: Where to; it appears once all files are there.
    :return: File name -> size and checksum.
    """
    listed = folder / FILES
    if not listed.is_file():
        documents = iter(corpus)
        with atomic_folder(folder) as made, track("planning", len(corpus), "documents") as bar:
            for number in range(1, of + 1):
                first, last = Shard(number, of).span(len(corpus))
                with atomic_file(made / f"{number}.jsonl") as handle:
                    for each in islice(documents, last - first):
                        row = [each.id, each.title, each.text, dict(each.metadata)]
                        handle.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
                        bar.update(1)
            next(documents, None)  # the end, where a corpus that has changed is noticed
            write_json(made / FILES, record(made))
    found: dict[str, dict[str, Any]] = json.loads(listed.read_bytes())
    return found


def part_documents(job: PartJob) -> Iterator[Document]:
    """Yield the documents of a part.

    :raises IndexFolderError: Their file is damaged.
    """
    if sha256_of(job.documents) != job.sha256:
        raise IndexFolderError(f"{job.documents} is damaged: remove {job.documents.parent} and run the command again")
    with job.documents.open(encoding="utf-8", newline="\n") as lines:
        for line in lines:
            yield Document(*json.loads(line))


def save_statistics(statistics: Statistics, folder: Path) -> None:
    """Write what was fitted where all workers read it."""
    with atomic_folder(folder) as made:
        write_json(made / FILES, statistics.save(made))


def read_statistics(folder: Path) -> tuple[Statistics, dict[str, Any]]:
    """Read what `save_statistics` has written, and what is known of its files."""
    records = json.loads((folder / FILES).read_bytes())
    return load_statistics(CheckedFiles(folder, records)), records


def write_part(job: PartJob, embedder: TransformerEmbedder) -> bool:
    """Build a part, unless it is there.

    :param job: Which.
    :param embedder: The embedder.
    :return: Whether it was built.
    """
    if isinstance(job.out, Path):
        return _write(job, embedder, job.out / job.name)
    pushed = pushed_part(job.out, job.name)
    if pushed is not None and _is_it(parsed_manifest(pushed.sealed, Path(MANIFEST)), job):
        return False
    with tempfile.TemporaryDirectory(prefix="sparseembed-part-") as folder:
        _write(job, embedder, Path(folder) / job.name)
        push_part(Path(folder) / job.name, job.out, job.name, job.overwrite)
    return True


def _is_it(standing: Manifest, job: PartJob) -> bool:
    """Say whether an index is the part that a job builds."""
    return (
        standing.shard == job.shard._asdict()
        and standing.recipe() == job.recipe
        and standing.statistics["files"] == read_statistics(job.statistics)[1]
        and not standing.updates
    )


def _write(job: PartJob, embedder: TransformerEmbedder, place: Path) -> bool:
    assert job.stores is not None
    statistics, _ = read_statistics(job.statistics)
    with Transaction(place, "a part of an index") as transaction:
        if transaction.manifest is not None and _is_it(transaction.manifest, job):
            return False
        name = f"{job.about['name']}-{job.shard.number}-of-{job.shard.of}"
        corpus = Corpus(lambda: part_documents(job), name)
        source = Source(corpus, job.stores.open(), job.first, job.stores.names)
        write_index(transaction, source, embedder, job.config, statistics, job.about, job.shard)
    return True
