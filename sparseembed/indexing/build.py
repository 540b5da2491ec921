"""Build an index: corpus -> embeddings -> weighted terms -> impact vectors -> Lucene."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sparseembed.alignment.adjustment import SAMPLE, Adjustment, fit_adjustment
from sparseembed.alignment.decoding import Decoder
from sparseembed.alignment.head import check_head, decoding_head
from sparseembed.data.corpus import Corpus
from sparseembed.embedders.load import EmbedderLike, load_embedder
from sparseembed.embedders.store import EmbeddingStore
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.errors import IndexFolderError
from sparseembed.files import atomic_folder
from sparseembed.index.manifest import FILE as MANIFEST
from sparseembed.index.manifest import Manifest, differing_field, read_manifest, recipe, software_versions
from sparseembed.index.vectors import VectorWriter
from sparseembed.indexing.encoding import EncodedCorpus, encode_corpus
from sparseembed.indexing.mixing import MixChoice, choose_mix
from sparseembed.java.home import find_java_home
from sparseembed.progress import note, track
from sparseembed.sparse.config import AUTO, SparseConfig, default_config
from sparseembed.sparse.quantize import Quantizer, fit_quantizer
from sparseembed.sparse.sparsify import Sparsifier
from sparseembed.sparse.spill import Block, Spill
from sparseembed.sparse.terms import BUILDERS, Analysed

BLOCK = 512  # documents sparsified at once


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
    """Index a corpus.

    :param corpus: A `Corpus`, a JSONL file, a folder in BEIR's layout, or the name of a collection.
    :param out: Folder of the index; `indexes/NAME` when None, NAME being the corpus's name and, but for `word`, the
        term space.
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
    :raises IndexFolderError: `out` holds something else.
    :raises EngineError: Lucene or Java fails.
    """
    config = default_config(terms, **choices)
    chosen = load_embedder(embedder)
    if not isinstance(corpus, Corpus):
        from sparseembed.data.resolve import open_corpus

        corpus = open_corpus(str(corpus))
    # Before hours of encoding, make sure that what comes after it can be done.
    check_head(chosen)
    find_java_home()
    path = Path(out) if out is not None else default_path(corpus, config)
    wanted = recipe(_about_corpus(corpus), chosen.identity(), chosen.spec.decoding, config.as_dict())
    standing = _standing(path, wanted, corpus, overwrite or reencode)
    if standing is not None:
        note(f"reusing the index in {path}")
        return BuiltIndex(path, standing, True)
    encoded = encode_corpus(corpus, chosen, Path(embeddings) if embeddings else None, reencode)
    with atomic_folder(path) as part:
        manifest = _Build(corpus, chosen, config, encoded).into(part)
    counts = manifest.counts
    note(
        f"indexed {counts['documents']:,} documents ({counts['blank']:,} blank), {counts['postings']:,} postings of "
        f"{counts['terms']:,} terms; wrote {path}"
    )
    return BuiltIndex(path, manifest, False)


def default_path(corpus: Corpus, config: SparseConfig) -> Path:
    """Return where an index goes when the user names no place."""
    return Path("indexes") / (corpus.name if config.terms == "word" else f"{corpus.name}.{config.terms}")


def _about_corpus(corpus: Corpus) -> dict[str, Any]:
    return {"name": corpus.name, "fingerprint": corpus.fingerprint}


def _standing(path: Path, wanted: dict[str, Any], corpus: Corpus, overwrite: bool) -> Manifest | None:
    """Return the manifest of an index that can be reused; None where there is none or it may be replaced."""
    blocked = next((parent for parent in path.parents if parent.is_file()), None)
    if blocked is not None:  # found before the encoding, not after it
        raise IndexFolderError(f"{path} cannot be made, {blocked} is a file: choose another folder with --out")
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
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
    if difference is None and (path / "lucene").is_dir():
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
        f"{path} holds another index ({difference or 'its lucene folder is missing'}): pass --overwrite to replace it, "
        "or another --out"
    )


class _Build:
    """One build of an index into an empty folder."""

    def __init__(
        self, corpus: Corpus, embedder: TransformerEmbedder, config: SparseConfig, encoded: EncodedCorpus
    ) -> None:
        self._corpus, self._embedder, self._config, self._encoded = corpus, embedder, config, encoded
        # Ascending ids: Lucene then breaks ties by id for nothing, and its document number is our row.
        ids = corpus.ids
        self._order = np.asarray(sorted(range(len(ids)), key=ids.__getitem__), dtype=np.int64)

    def into(self, folder: Path) -> Manifest:
        matrix, inputs = decoding_head(self._embedder)
        contents = [document.contents for document in self._corpus]
        analysed = BUILDERS[self._config.terms](contents, self._embedder, len(matrix))
        adjustment = fit_adjustment(self._config.adjustment, inputs(sample(self._encoded.documents)), matrix)
        query_adjustment = fit_adjustment(self._config.adjustment, inputs(self._encoded.query_like.matrix()), matrix)
        decoder = Decoder(analysed.space.rows(matrix, self._embedder.tokenizer), self._embedder.device)
        sparsifier = Sparsifier(self._config, analysed.counts, decoder, adjustment.after(inputs))
        mix = None
        if self._config.literal and self._config.mix == AUTO:
            mix = choose_mix(self._corpus, self._encoded, self._embedder, analysed.space, sparsifier)
            sparsifier = sparsifier.but(self._config.with_changes(mix=mix.mix))
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            spill = Spill(Path(scratch) / "blocks")
            self._sparsify(sparsifier, spill)
            quantizer = fit_quantizer(spill.largest, self._config.bits)
            counts, fingerprint = self._write(folder, spill, quantizer, analysed)
        (folder / "terms").mkdir()
        analysed.space.save(folder / "terms")
        save_adjustments(folder / "adjustment", adjustment, query_adjustment)
        manifest = self._manifest(quantizer, counts, fingerprint, mix)
        manifest.write(folder)
        return manifest

    def _sparsify(self, sparsifier: Sparsifier, spill: Spill) -> None:
        with track("decoding", len(self._order), "documents") as bar:
            for start in range(0, len(self._order), BLOCK):
                rows = self._order[start : start + BLOCK]
                spill.add(sparsifier.block(rows, self._encoded.documents.take(rows)))
                bar.update(len(rows))

    def _write(
        self, folder: Path, spill: Spill, quantizer: Quantizer, analysed: Analysed
    ) -> tuple[dict[str, int], str]:
        from sparseembed.index.lucene_writer import ImpactIndexWriter

        empty = 0
        with (
            track("indexing", len(self._order), "documents") as bar,
            VectorWriter(folder / "vectors") as vectors,
            ImpactIndexWriter(folder / "lucene") as lucene,
        ):
            for row, vector in zip(self._order, _vectors(spill, quantizer, analysed), strict=True):
                document = self._corpus[int(row)]
                vectors.add(document.id, document.contents, vector)
                lucene.add(document.id, vector)
                empty += not vector
                bar.update(1)
        about = self._encoded.documents.about
        counts = {
            "documents": len(self._order),
            "blank": self._corpus.blanks,
            "cut": int(about["cut"]),
            "empty_vectors": empty,
            "postings": vectors.postings,
            "terms": len(analysed.space.terms),
        }
        return counts, vectors.fingerprint

    def _manifest(
        self, quantizer: Quantizer, counts: dict[str, int], fingerprint: str, mix: MixChoice | None
    ) -> Manifest:
        from sparseembed.analyzers.lucene import ANALYZER_NAME

        return Manifest(
            corpus=_about_corpus(self._corpus),
            embedder=self._embedder.spec.as_dict(),
            embedder_identity=self._embedder.identity(),
            sparse=self._config.as_dict(),
            analyzer=ANALYZER_NAME if self._config.terms.startswith("word") else None,
            quantizer={"scale": quantizer.scale, "levels": quantizer.levels},
            counts=counts,
            vectors={"sha256": fingerprint},
            versions=software_versions(),
            mix=mix.as_dict() if mix else None,
        )


def sample(store: EmbeddingStore) -> npt.NDArray[np.float32]:
    """Return the vectors that an adjustment is fitted on: all, or an even sample of about 20,000, shape (n, d)."""
    step = max(1, -(-len(store) // SAMPLE))
    return store.take(np.arange(0, len(store), step, dtype=np.int64))


def _vectors(spill: Spill, quantizer: Quantizer, analysed: Analysed) -> Iterator[dict[str, int]]:
    """Yield each row's impacts by term, largest first, equal ones by the term's number."""
    terms = analysed.space.terms
    for block in spill:
        impacts = quantizer.apply(block.weights, block.literal)
        for row in range(len(block.indptr) - 1):
            yield _vector(block, impacts, row, terms)


def _vector(block: Block, impacts: npt.NDArray[np.int32], row: int, terms: Any) -> dict[str, int]:
    span = slice(block.indptr[row], block.indptr[row + 1])
    numbers, values = block.terms[span], impacts[span]
    order = np.argsort(-values, kind="stable")
    return {terms[int(numbers[place])]: int(values[place]) for place in order if values[place] > 0}


def save_adjustments(folder: Path, documents: Adjustment, queries: Adjustment) -> None:
    """Store both sides' adjustments.

    :param folder: A folder that does not exist yet.
    """
    folder.mkdir()
    for side, adjustment in (("document", documents), ("query", queries)):
        np.save(folder / f"{side}.npy", np.concatenate([[np.float32(adjustment.shift)], adjustment.vector]))


def load_adjustment(folder: Path, side: str, kind: str) -> Adjustment:
    """Read one side's adjustment back.

    :param folder: The folder given to `save_adjustments`.
    :param side: `document` or `query`.
    :param kind: The adjustment's kind, from the manifest.
    :raises IndexFolderError: It is missing or damaged.
    """
    try:
        stored = np.load(folder / f"{side}.npy").astype(np.float32)
    except (OSError, ValueError, EOFError):
        raise IndexFolderError(f"{folder}/{side}.npy is missing or damaged: build the index again") from None
    if len(stored) < 2:
        return Adjustment("none", np.zeros(0, dtype=np.float32))
    return Adjustment(kind, stored[1:], float(stored[0]))
