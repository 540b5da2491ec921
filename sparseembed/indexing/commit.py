"""What the manifest of a new commit says."""

from pathlib import Path
from typing import Any

from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.files import digest
from sparseembed.index.manifest import Manifest, recipe, software_versions
from sparseembed.index.segment.format import SegmentInfo
from sparseembed.index.statistics import Statistics
from sparseembed.indexing.write import Written
from sparseembed.sparse.config import SparseConfig


def segment_entry(folder: Path, info: SegmentInfo, deleted: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return what a manifest says of a segment.

    :param folder: Its folder.
    :param info: What it holds.
    :param deleted: Its deletions, as `write_tombstones` told; None for none.
    """
    return {
        "folder": folder.name,
        "documents": info.documents,
        "postings": info.postings,
        "terms": info.terms,
        "files": info.files,
        "deleted": deleted,
    }


def split_counts(split: int, passages: int) -> dict[str, int]:
    """Return what a manifest's counts say of passages; nothing where each document is one."""
    return {"split": split, "passages": passages} if split else {}


def first_manifest(
    *,
    generation: int,
    corpus: dict[str, Any],
    embedder: TransformerEmbedder,
    config: SparseConfig,
    statistics: Statistics,
    fitted: dict[str, Any],
    segments: list[dict[str, Any]],
    written: Written,
    cut: int,
    embeddings: list[str],
) -> Manifest:
    """Return the manifest of an index that was fitted and written anew; what Lucene holds is still to be filled in.

    :param generation: Number of the commit.
    :param corpus: name, fingerprint.
    :param embedder: The embedder.
    :param config: The choices that were asked for.
    :param statistics: What was fitted.
    :param fitted: Folder and files of the statistics.
    :param segments: The segments.
    :param written: Sums over the documents.
    :param cut: Texts that were longer than the embedder takes.
    :param embeddings: Where their embeddings are kept.
    """
    identity, sparse = embedder.identity(), config.as_dict()
    wanted = recipe(corpus, identity, embedder.spec.decoding, sparse)
    analyzer = statistics.space.analyzer
    return Manifest(
        build=digest([wanted, fitted["files"], [segment["files"] for segment in segments]])[:32],
        generation=generation,
        corpus=corpus,
        embedder=embedder.spec.as_dict(),
        embedder_identity=identity,
        sparse=sparse,
        analyzer=analyzer.name if analyzer is not None else None,
        quantizer={"scale": statistics.quantizer.scale, "levels": statistics.quantizer.levels},
        counts={
            "documents": written.documents,
            "blank": written.blank,
            "cut": cut,
            "empty_vectors": written.empty,
            "postings": written.postings,
            **split_counts(written.split, written.passages),
            "terms": sum(segment["terms"] for segment in segments),
        },
        statistics=fitted,
        segments=segments,
        lucene={},
        versions=software_versions(),
        mix=statistics.mix,
        rescoring=statistics.rescoring,
        embeddings=embeddings,
    )
