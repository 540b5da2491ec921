"""Build an index: corpus -> embeddings -> fitted statistics -> written documents."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sparseembed.alignment.head import check_head
from sparseembed.data.corpus import Corpus
from sparseembed.data.metadata import packed
from sparseembed.embedders.load import EmbedderLike, load_embedder
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.errors import IndexFolderError
from sparseembed.index.manifest import FILE as MANIFEST
from sparseembed.index.manifest import Manifest, all_choices, differing_field, read_manifest, recipe
from sparseembed.index.snapshot import open_snapshot
from sparseembed.index.statistics import Statistics
from sparseembed.index.transaction import Transaction, is_free, tidy
from sparseembed.indexing.commit import first_manifest, segment_entry
from sparseembed.indexing.encoding import encode_corpus
from sparseembed.indexing.fit import fit, sparsifier_of
from sparseembed.indexing.language import check_language, with_language
from sparseembed.indexing.shards import Shard
from sparseembed.indexing.stores import store_names
from sparseembed.indexing.write import DocumentWriter, Source, new_segment
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
    shard: str | None = None,
    statistics: str | Path | None = None,
    language: str | None = None,
    **choices: Any,
) -> BuiltIndex:
    """Index a corpus. Memory grows with its vocabulary and its ids, and not with its texts.

    :param corpus: A `Corpus`, or a file, a folder, a URL or the name of a collection, as `open_corpus` takes them;
        `open_corpus(path, Fields(id="nr", text=("headline", "body")))` names the fields of its documents.
    :param out: Folder of the index; `indexes/NAME` when None, NAME being the corpus's name and, but for `word`, the
        term space. The index is made in the folder, which may be a mount point or a link to a folder; open searchers
        of an index that stands there keep what they have opened.
    :param embedder: Preset, path, Hugging Face id or embedder; the default preset when None.
    :param terms: Term space: `word` (with the literal terms: the one-index mode), `folded`, `token`, or
            `word+folded` (the one-index mode with pieces beside the words).
    :param embeddings: Folder to keep the embeddings in; in the user's cache when None.
    :param overwrite: Replace an index of another recipe in `out`; without it such an index is left alone.
    :param reencode: Encode anew a corpus that has changed since it was encoded, and replace its index.
    :param shard: `I/N`: build part I of N alone, to be joined with `merge_indexes`.
    :param statistics: An index, or a part of one, whose statistics are used instead of fitting new ones.
    :param language: Code of the corpus's language, such as `de`, whose analyzer finds the words; or `auto`, to find it
        out from a sample. English when None, unless `analyzer` is among the choices.
    :param choices: Fields of `SparseConfig`, such as `k=512`; `mix` is chosen for the corpus where it is not given.
    :return: The index; one of the same recipe that stands there already is reused.
    :raises ConfigError: A choice is outside its range.
    :raises DataError: The corpus cannot be read, or has changed since it was encoded.
    :raises EmbedderError: The embedder cannot be loaded, has no LM head, or gives NaN.
    :raises IndexFolderError: `out` holds something else, cannot be written to, or is being written to.
    :raises EngineError: Lucene or Java fails.
    """
    opened, chosen, config, path, wanted = asked(corpus, out, embedder, terms, language, choices)
    part = Shard.parse(shard) if shard is not None else None
    standing = standing_index(path, wanted, opened, overwrite or reencode, part)
    if standing is not None:
        tidy(path)
        note(f"reusing the index in {path}")
        return BuiltIndex(path, standing, True)
    with Transaction(path, "index") as transaction:
        kept = Path(embeddings) if embeddings else None
        wants = part.take(opened) if part is not None else opened
        if statistics is not None:
            fitted = given_statistics(Path(statistics), chosen, config)
            source = Source(wants, encode_corpus(wants, chosen, kept, reencode, config.passages).documents)
        else:
            encoded = encode_corpus(opened, chosen, kept, reencode, config.passages)
            fitted = fit(opened, encoded, chosen, config)
            source = Source(wants, encoded.documents, part.span(len(opened))[0] if part is not None else 0)
        manifest = write_index(transaction, source, chosen, config, fitted, about_corpus(opened), part)
    return told(path, manifest)


class Asked(NamedTuple):
    """What is to be built: everything that can be told before the work.

    :param corpus: The documents.
    :param embedder: The embedder.
    :param config: The choices.
    :param path: Where the index goes.
    :param recipe: What decides its contents.
    """

    corpus: Corpus
    embedder: TransformerEmbedder
    config: SparseConfig
    path: Path
    recipe: dict[str, Any]


def asked(
    corpus: Corpus | str | Path,
    out: str | Path | None,
    embedder: EmbedderLike | None,
    terms: str,
    language: str | None,
    choices: Mapping[str, Any],
) -> Asked:
    """Open the corpus and make sure, before hours of encoding, that what comes after it can be done.

    Parameters and errors are those of `build_index`.
    """
    config = default_config(terms, **choices)
    check_language(language, choices.get("analyzer"), terms)
    chosen = load_embedder(embedder)
    opened = corpus if isinstance(corpus, Corpus) else _open(str(corpus))
    config = with_language(config, opened, language, chosen.spec.name)
    check_head(chosen)
    find_java_home()
    path = check_output_folder(Path(out) if out is not None else default_path(opened, config))
    wanted = recipe(about_corpus(opened), chosen.identity(), chosen.spec.decoding, config.as_dict())
    return Asked(opened, chosen, config, path, wanted)


def told(path: Path, manifest: Manifest) -> BuiltIndex:
    """Say what was built."""
    counts = manifest.counts
    split = f", {counts['split']:,} split into {counts['passages']:,} passages" if "split" in counts else ""
    note(
        f"indexed {counts['documents']:,} documents ({counts['blank']:,} blank{split}), {counts['postings']:,} "
        f"postings of {counts['terms']:,} terms; wrote {path}"
    )
    return BuiltIndex(path, manifest, False)


def write_index(
    transaction: Transaction,
    source: Source,
    embedder: TransformerEmbedder,
    config: SparseConfig,
    statistics: Statistics,
    corpus: dict[str, Any] | None = None,
    shard: Shard | None = None,
) -> Manifest:
    """Write documents with fitted statistics, and publish them as the index.

    :param transaction: A change of the index's folder.
    :param source: The documents and their embeddings.
    :param embedder: What made them.
    :param config: The choices that were asked for.
    :param statistics: What was fitted.
    :param corpus: What the manifest says of the whole corpus; the source's when None.
    :param shard: Which part of it the source is; all when None.
    :return: The manifest.
    """
    folder = transaction.new_folder("fit")
    folder.mkdir()
    fitted = {"folder": folder.name, "files": statistics.save(folder)}
    place = transaction.new_folder("segment")
    lucene = transaction.lucene(fresh=True)
    with new_segment(place, statistics) as segment, track("indexing", len(source.corpus), "documents") as bar:
        writer = DocumentWriter(statistics, sparsifier_of(statistics, embedder), segment, lucene)
        for documents, vectors, several in source.blocks():
            metadata = [packed(each.metadata) for each in documents]
            ids, texts = [each.id for each in documents], [each.contents for each in documents]
            writer.add(ids, texts, vectors, several, metadata)
            bar.update(len(documents))
        info = segment.finish()
    lucene.merge()
    manifest = first_manifest(
        generation=transaction.generation,
        corpus=corpus or about_corpus(source.corpus),
        embedder=embedder,
        config=config,
        statistics=statistics,
        fitted=fitted,
        segments=[segment_entry(place, info)],
        written=writer.written,
        cut=source.cut(embedder.reach),
        embeddings=store_names(source.store) if source.names is None else source.names,
    )
    if shard is not None:
        manifest = manifest.but(shard=shard._asdict())
    return transaction.publish(manifest)


def given_statistics(index: Path, embedder: TransformerEmbedder, config: SparseConfig) -> Statistics:
    """Read the statistics of an index, to write other documents with them.

    :param index: An index, or a part of one.
    :param embedder: The embedder at hand.
    :param config: The choices that are asked for.
    :raises IndexFolderError: It was made by another embedder, or with other choices.
    """
    snapshot = open_snapshot(index)
    try:
        manifest = snapshot.manifest
        difference = differing_field(manifest.embedder_identity, embedder.identity()) or differing_field(
            all_choices(manifest.sparse), all_choices(config.as_dict())
        )
        if difference is not None:
            raise IndexFolderError(f"the statistics of {index} do not fit: {difference}")
        return snapshot.statistics()
    finally:
        snapshot.close()


def default_path(corpus: Corpus, config: SparseConfig) -> Path:
    """Return where an index goes when the user names no place."""
    return Path("indexes") / (corpus.name if config.terms == "word" else f"{corpus.name}.{config.terms}")


def about_corpus(corpus: Corpus) -> dict[str, Any]:
    """Return what a manifest says of a corpus."""
    metadata = {"metadata": corpus.metadata_fingerprint} if corpus.metadata_fingerprint else {}
    return {"name": corpus.name, "fingerprint": corpus.fingerprint, **metadata}


def _open(dataset: str) -> Corpus:
    from sparseembed.data.resolve import open_corpus

    return open_corpus(dataset)


def standing_index(
    path: Path, wanted: dict[str, Any], corpus: Corpus, overwrite: bool, shard: Shard | None
) -> Manifest | None:
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
    difference = differing_field(
        {**standing.recipe(), "shard": standing.shard}, {**wanted, "shard": shard._asdict() if shard else None}
    )
    if difference is None and "passages" not in standing.sparse and standing.counts.get("cut"):
        difference = "its long texts were cut by an earlier version"
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
