"""Build an index: corpus -> embeddings -> fitted statistics -> written documents."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from sparseembed.alignment.head import check_head
from sparseembed.arrays import Vectors
from sparseembed.data.corpus import Corpus, Document
from sparseembed.embedders.load import EmbedderLike, load_embedder
from sparseembed.embedders.store import EmbeddingStore
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.errors import IndexFolderError
from sparseembed.index.manifest import FILE as MANIFEST
from sparseembed.index.manifest import Manifest, differing_field, read_manifest, recipe
from sparseembed.index.statistics import Statistics
from sparseembed.index.transaction import Transaction, is_free
from sparseembed.indexing.commit import first_manifest, segment_entry
from sparseembed.indexing.encoding import EncodedCorpus, encode_corpus
from sparseembed.indexing.fit import fit, sparsifier_of
from sparseembed.indexing.sample import BLOCK
from sparseembed.indexing.stores import store_name
from sparseembed.indexing.write import DocumentWriter, new_segment
from sparseembed.java.home import find_java_home
from sparseembed.outputs import check_output_folder
from sparseembed.progress import note, track
from sparseembed.sparse.config import SparseConfig, default_config


class BuiltIndex(NamedTuple):
    """An index on disk.

    :param path: Its folder.
    :param manifest: Its manifest.
    :param reused: Whether it stood there already.
    """

    path: Path
    manifest: Manifest
    reused: bool


def build_index(
    corpus: Corpus | str | Path,
    out: str | Path | None = None,
    embedder: EmbedderLike | None = None,
    terms: str = "word",
    *,
    embeddings: str | Path | None = None,
    overwrite: bool = False,
    reencode: bool = False,
    **choices: Any,
) -> BuiltIndex:
    """Index a corpus. Memory grows with its vocabulary and its ids, and not with its texts.

    :param corpus: A `Corpus`, a JSONL file, a folder in BEIR's layout, or the name of a collection.
    :param out: Folder of the index; `indexes/NAME` when None, NAME being the corpus's name and, but for `word`, the
        term space. The index is made in the folder, which may be a mount point or a link to a folder; open searchers
        of an index that stands there keep what they have opened.
    :param embedder: Preset, path, Hugging Face id or embedder; the default preset when None.
    :param terms: Term space: `word` (with the literal terms: the one-index mode), `folded`, `token`, or
            `word+folded` (the one-index mode with pieces beside the words).
    :param embeddings: Folder to keep the embeddings in; in the user's cache when None.
    :param overwrite: Replace an index of another recipe in `out`; without it such an index is left alone.
    :param reencode: Encode anew a corpus that has changed since it was encoded, and replace its index.
    :param choices: Fields of `SparseConfig`, such as `k=512`; `mix` is chosen for the corpus where it is not given.
    :return: The index; one of the same recipe that stands there already is reused.
    :raises ConfigError: A choice is outside its range.
    :raises DataError: The corpus cannot be read, or has changed since it was encoded.
    :raises EmbedderError: The embedder cannot be loaded, has no LM head, or gives NaN.
    :raises IndexFolderError: `out` holds something else, cannot be written to, or is being written to.
    :raises EngineError: Lucene or Java fails.
    """
    config = default_config(terms, **choices)
    chosen = load_embedder(embedder)
    opened = corpus if isinstance(corpus, Corpus) else _open(str(corpus))
    # Before hours of encoding, make sure that what comes after it can be done.
    check_head(chosen)
    find_java_home()
    path = Path(out) if out is not None else default_path(opened, config)
    path = check_output_folder(path)
    wanted = recipe(about_corpus(opened), chosen.identity(), chosen.spec.decoding, config.as_dict())
    standing = _standing(path, wanted, opened, overwrite or reencode)
    if standing is not None:
        note(f"reusing the index in {path}")
        return BuiltIndex(path, standing, True)
    with Transaction(path, "index") as transaction:
        encoded = encode_corpus(opened, chosen, Path(embeddings) if embeddings else None, reencode)
        statistics = fit(opened, encoded, chosen, config)
        manifest = write_index(transaction, opened, encoded, chosen, config, statistics)
    counts = manifest.counts
    note(
        f"indexed {counts['documents']:,} documents ({counts['blank']:,} blank), {counts['postings']:,} postings of "
        f"{counts['terms']:,} terms; wrote {path}"
    )
    return BuiltIndex(path, manifest, False)


def write_index(
    transaction: Transaction,
    corpus: Corpus,
    encoded: EncodedCorpus,
    embedder: TransformerEmbedder,
    config: SparseConfig,
    statistics: Statistics,
) -> Manifest:
    """Write a whole corpus with fitted statistics, and publish it as the index.

    :param transaction: A change of the index's folder.
    :param corpus: The documents.
    :param encoded: Their embeddings.
    :param embedder: What made them.
    :param config: The choices that were asked for.
    :param statistics: What was fitted.
    :return: The manifest.
    """
    folder = transaction.new_folder("fit")
    folder.mkdir()
    fitted = {"folder": folder.name, "files": statistics.save(folder)}
    place = transaction.new_folder("segment")
    lucene = transaction.lucene(fresh=True)
    with new_segment(place, statistics) as segment, track("indexing", len(corpus), "documents") as bar:
        writer = DocumentWriter(statistics, sparsifier_of(statistics, embedder), segment, lucene)
        for documents, vectors in in_blocks(corpus, encoded.documents):
            writer.add([each.id for each in documents], [each.contents for each in documents], vectors)
            bar.update(len(documents))
        info = segment.finish()
    lucene.merge()
    manifest = first_manifest(
        generation=transaction.generation,
        corpus=about_corpus(corpus),
        embedder=embedder,
        config=config,
        statistics=statistics,
        fitted=fitted,
        segments=[segment_entry(place, info)],
        written=writer.written,
        cut=int(encoded.documents.about["cut"]),
        embeddings=store_name(encoded.documents),
    )
    return transaction.publish(manifest)


def in_blocks(corpus: Corpus, store: EmbeddingStore) -> Iterator[tuple[list[Document], Vectors]]:
    """Yield documents with their embeddings, some at a time, in the corpus's order."""
    for documents, (_, vectors) in zip(corpus.batches(BLOCK), store.blocks(BLOCK), strict=True):
        yield documents, vectors


def default_path(corpus: Corpus, config: SparseConfig) -> Path:
    """Return where an index goes when the user names no place."""
    return Path("indexes") / (corpus.name if config.terms == "word" else f"{corpus.name}.{config.terms}")


def about_corpus(corpus: Corpus) -> dict[str, Any]:
    """Return what a manifest says of a corpus."""
    return {"name": corpus.name, "fingerprint": corpus.fingerprint}


def _open(dataset: str) -> Corpus:
    from sparseembed.data.resolve import open_corpus

    return open_corpus(dataset)


def _standing(path: Path, wanted: dict[str, Any], corpus: Corpus, overwrite: bool) -> Manifest | None:
    """Return the manifest of an index that can be reused; None where there is none or it may be replaced."""
    if not path.is_dir() or is_free(path):
        return None
    if not (path / MANIFEST).exists():
        raise IndexFolderError(f"{path} exists and is no index: choose another folder with --out")
    try:
        standing = read_manifest(path)
    except IndexFolderError:
        if overwrite:
            return None
        raise
    difference = differing_field(standing.recipe(), wanted)
    if difference is None and not standing.updates:
        return standing
    if overwrite:
        return None
    if standing.recipe().get("corpus fingerprint") != wanted["corpus fingerprint"]:
        same = standing.corpus.get("name") == corpus.name
        what = f"another version of {corpus.name}" if same else f"another corpus, {standing.corpus.get('name')}"
        raise IndexFolderError(
            f"{path} holds an index of {what}: pass --overwrite to replace it (--reencode too if the corpus has "
            "changed since it was encoded), or another --out"
        )
    raise IndexFolderError(
        f"{path} holds another index ({difference or 'documents were added or deleted since it was built'}): pass "
        "--overwrite to replace it, or another --out"
    )
