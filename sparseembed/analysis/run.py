"""`analyze`: from the name of an embedder and of texts to a report on disk."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sparseembed.alignment.decoding import Decoder
from sparseembed.alignment.head import check_head, decoding_head, is_encoder
from sparseembed.analysis.demonstrations.demonstrate import section
from sparseembed.analysis.demonstrations.lens import Lens
from sparseembed.analysis.findings import LEAST, Vocabulary, find
from sparseembed.analysis.report import write_report
from sparseembed.analysis.tokens import make_sets, text_terms
from sparseembed.arrays import Vectors
from sparseembed.charts import need_charts
from sparseembed.data.corpus import Corpus, Document
from sparseembed.data.fields import Fields
from sparseembed.data.sampling import even_places
from sparseembed.embedders.sources import model_folder
from sparseembed.embedders.spec import EmbedderSpec
from sparseembed.embedders.store import Texts, encode_to_store
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.errors import ConfigError, DataError, EmbedderError
from sparseembed.files import atomic_folder, cache_folder, digest
from sparseembed.outputs import check_output_folder

FORMAT = 1


class Chosen(NamedTuple):
    """Texts to analyse.

    :param name: Where they come from.
    :param texts: The texts, each with a token at least.
    :param terms: The distinct terms of each.
    :param left_out: Texts left out because they have none.
    """

    name: str
    texts: list[str]
    terms: list[list[int]]
    left_out: int


def raw_backbone(spec: EmbedderSpec) -> EmbedderSpec:
    """Return the paper's "before": the embedder's backbone, mean over the bare text, no adapter, causal attention.

    :param spec: The embedder's parts.
    :return: Its backbone's; attention is bidirectional where that is an encoder with an MLM head.
    :raises EmbedderError: The backbone cannot be found.
    """
    weights = spec.decoding or spec.weights
    revision = spec.revision if weights == spec.weights else None
    return EmbedderSpec(
        f"{spec.name}-raw",
        weights,
        revision,
        pooling="mean",
        attention="bidirectional" if is_encoder(model_folder(weights, revision)) else "causal",
        max_length=spec.max_length,
        dtype=spec.dtype,
        device=spec.device,
        trust_remote_code=spec.trust_remote_code,
    )


def open_texts(name: str, fields: Fields | None = None) -> Corpus:
    """Open texts: a .txt file with one text a line, or documents as `open_corpus` takes them.

    :param name: The file or collection.
    :param fields: Which fields of documents count; the usual ones when None.
    :return: The texts, as documents.
    :raises DataError: There is no such thing, or it cannot be read.
    """
    from sparseembed.data.resolve import open_corpus

    path = Path(name)
    if path.suffix != ".txt" or not path.is_file():
        return open_corpus(name, fields or Fields())
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): check its permissions") from None
    return Corpus([Document(str(row), "", line) for row, line in enumerate(lines, 1)], path.stem, str(path.resolve()))


def analyze(
    embedder: TransformerEmbedder,
    backbone: TransformerEmbedder,
    corpus: Corpus,
    out: Path,
    limit: int = 1000,
    terms: str = "token",
) -> dict[str, Any]:
    """Analyse whether an embedder aligns, and write the report.

    :param embedder: The embedder; its document prompt is used.
    :param backbone: The embedder to compare it with, usually its raw backbone.
    :param corpus: The texts; an even sample of at most `limit` is taken.
    :param out: Folder of the report; one that stands there is replaced.
    :param limit: Texts at most.
    :param terms: `token`, as in the paper, or `folded`: case and leading space do not matter.
    :return: The report, as report.json holds it.
    :raises ConfigError: `out` is something else than a report, or a choice is outside its range.
    :raises DataError: Fewer than 20 texts, or none with a token.
    :raises MissingPackageError: matplotlib is not installed.
    :raises EmbedderError: Embedder and backbone do not fit, or give NaN; no decoding matrix.
    """
    from sparseembed.sparse.pieces import piece_rows, piece_space

    need_charts()
    if limit < LEAST:
        raise ConfigError(f"limit must be at least {LEAST} texts, not {limit}")
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / "report.json").is_file())):
        raise ConfigError(f"{out} exists and is no report: choose another folder with --out")
    check_output_folder(out)
    check_head(embedder)
    _check_fit(embedder, backbone)
    matrix, inputs = decoding_head(embedder)
    space = piece_space(terms, embedder.tokenizer, len(matrix))
    chosen = _choose(corpus, limit, embedder, space.term_of_piece)
    sets = make_sets(chosen.terms, len(space.terms))
    sides = {side: inputs(_encode(each, chosen)) for side, each in (("embedder", embedder), ("backbone", backbone))}
    vocabulary = Vocabulary(matrix, piece_rows(space, matrix), space.labels)
    report = {
        "format": FORMAT,
        "about": {
            "embedder": embedder.spec.as_dict(),
            "backbone": backbone.spec.as_dict(),
            "texts": chosen.name,
            "count": len(chosen.texts),
            "left_out": chosen.left_out,
            "terms": terms,
        },
        **find(sides, chosen.texts, sets, vocabulary, device=embedder.device),
        "demonstrations": section(
            embedder, Lens(Decoder(vocabulary.rows, embedder.device), space, inputs), sides["embedder"]
        ),
    }
    with atomic_folder(out) as folder:
        write_report(report, folder)
    return report


def summary(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decides, of a report: verdict, texts, and each side's figures under each adjustment."""
    rows = [
        {
            "side": row["side"],
            "adjustment": row["adjustment"],
            "hit@10": row["hit"][9],
            "lar": row["lar"]["value"],
            "gar": row["gar"]["value"],
            "hit@10_lift": row["evidence"]["hit_lift"],
            "lar_lift": row["evidence"]["lar_lift"],
            "aligned": row["evidence"]["aligned"],
        }
        for row in report["measured"]
    ]
    return {"about": report["about"], "verdict": report["verdict"], "figures": rows}


def _check_fit(embedder: TransformerEmbedder, backbone: TransformerEmbedder) -> None:
    ours, theirs = embedder.tokenizer.get_vocab(), backbone.tokenizer.get_vocab()
    if ours != theirs:
        raise EmbedderError(
            f"the tokenizers of {embedder.spec.name} ({len(ours):,} pieces) and {backbone.spec.name} "
            f"({len(theirs):,} pieces) differ: compare an embedder with its own backbone"
        )
    if embedder.dimension != backbone.dimension:
        raise EmbedderError(
            f"{embedder.spec.name} gives {embedder.dimension} numbers and {backbone.spec.name} {backbone.dimension}: "
            "compare an embedder with its own backbone"
        )


def _choose(corpus: Corpus, limit: int, embedder: TransformerEmbedder, term_of_piece: list[int]) -> Chosen:
    rows = even_places(len(corpus), limit)
    texts = [document.contents for document in corpus.take(rows)]
    spec = embedder.spec
    terms = text_terms(texts, embedder.tokenizer, term_of_piece, spec.prompt("document"), spec.max_length)
    kept = [row for row, found in enumerate(terms) if found]
    if not kept:
        raise DataError(f"{corpus.name}: not one of {len(texts):,} texts has a token: give it texts of words")
    if len(kept) < LEAST:
        raise DataError(f"{corpus.name}: {len(kept)} texts have a token, and the analysis needs {LEAST}: give it more")
    return Chosen(corpus.name, [texts[row] for row in kept], [terms[row] for row in kept], len(texts) - len(kept))


def _encode(embedder: TransformerEmbedder, chosen: Chosen) -> Vectors:
    """Encode the texts, or go on where an earlier run stopped, or reuse what it finished."""
    fingerprint = digest(chosen.texts)
    identity = digest(embedder.identity("document"))
    folder = cache_folder(
        "analysis", f"{chosen.name}-{fingerprint[:10]}", f"{embedder.spec.name}-{identity[:10]}", "documents"
    )
    ids = [str(row) for row in range(1, len(chosen.texts) + 1)]
    texts = Texts(f"{chosen.name} by {embedder.spec.name}", fingerprint, ids, chosen.texts)
    return encode_to_store(folder, texts, embedder, "document").matrix()
