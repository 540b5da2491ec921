"""Run every system on a collection, judge them, and write down what came out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from sparseembed.data.collection import Collection
from sparseembed.data.qrels import Qrels
from sparseembed.embedders.load import EmbedderLike, load_embedder
from sparseembed.engines.base import Run
from sparseembed.errors import ConfigError
from sparseembed.evaluation.bench import Bench
from sparseembed.evaluation.measures import MEASURES, Evaluation, evaluate
from sparseembed.evaluation.packed import packed
from sparseembed.evaluation.runs import write_trec_qrels, write_trec_run
from sparseembed.evaluation.significance import Comparison, against_baselines
from sparseembed.evaluation.systems import SYSTEMS, Row
from sparseembed.evaluation.table import format_table, row_name
from sparseembed.files import json_bytes, read_json
from sparseembed.index.manifest import software_versions
from sparseembed.indexing.language import check_language, with_language
from sparseembed.outputs import check_output_folder, output_file
from sparseembed.progress import note
from sparseembed.sparse.config import default_config

BASELINES = ("bm25 flat", "dense centred")
RIVALS = (*BASELINES, "fusion weighted")  # every row is tested against those of them that ran


@dataclass(frozen=True)
class Report:
    """An evaluation, as it is written to benchmarks/results.

    :param content: The JSON value: dataset, split, queries, documents, manifest, rows, significance.
    :param runs: Name of a TREC run file -> its system's tag and run; empty for a report that was read.
    :param qrels: The judgements that they were measured by.
    """

    content: dict[str, Any]
    runs: Mapping[str, tuple[str, Run]] = field(default_factory=dict, repr=False, compare=False)
    qrels: Qrels = field(default_factory=dict, repr=False, compare=False)

    @property
    def table(self) -> str:
        """The table for a terminal, one row a system, with the marks of significance."""
        comparisons = [Comparison(**each) for each in self.content["significance"]]
        head = (
            f"{self.content['dataset']}, split {self.content['split']}: {self.content['queries']:,} queries, "
            f"{self.content['documents']:,} documents, embedder {self.content['manifest']['embedder']['name']}"
        )
        return head + "\n\n" + format_table(self.content["rows"], comparisons=comparisons)

    def write(self, path: Path) -> None:
        """Write the JSON file; its folder is made if need be.

        :raises ConfigError: It cannot be written.
        """
        try:
            with output_file(path) as handle:
                handle.write(json_bytes(self.content))
        except OSError as error:
            raise ConfigError(f"the report {path} cannot be written ({error.strerror}): choose another --out") from None
        note(f"wrote {path}")

    def write_runs(self, folder: Path) -> None:
        """Write a TREC run file a system, and the judgements as `qrels.txt`; the folder is made if need be.

        :raises DataError: They cannot be written.
        """
        for name, (tag, run) in self.runs.items():
            write_trec_run(folder / name, run, tag)
        if self.qrels:
            write_trec_qrels(folder / "qrels.txt", self.qrels)
        note(f"wrote {len(self.runs)} run files to {folder}")


def run_evaluation(
    collection: Collection,
    split: str | None = None,
    embedder: EmbedderLike | None = None,
    *,
    systems: Sequence[str] = (),
    indexes: Path = Path("indexes/eval"),
    reencode: bool = False,
    language: str | None = None,
    analyzer: str | None = None,
) -> Report:
    """Evaluate the systems of the table on a collection.

    :param collection: The collection; it needs judgements.
    :param split: The split to report; `test`, or the only one, when None.
    :param embedder: Embedder of the dense and sparse systems; the default preset when None.
    :param systems: Names of systems (`sparse`) or variants (`one-index`) to run; all when empty. The two baselines of
        the significance tests always run.
    :param indexes: Folder for the indexes.
    :param reencode: Encode anew a corpus or queries that have changed since they were encoded.
    :param language: As in `build_index`; BM25 and the indexes have the same analyzer.
    :param analyzer: Its name instead.
    :return: The report, without a system that the embedder lacks; nothing but indexes and embeddings is written.
    :raises ConfigError: Unknown system; no index can be written in that folder.
    :raises DataError: No judgements, or a changed corpus.
    """
    chosen = _chosen(systems)
    check_output_folder(indexes)
    check_language(language, analyzer)
    opened = load_embedder(embedder)
    words = default_config(analyzer=analyzer)
    words = with_language(words, collection.corpus, language, opened.spec.name)
    bench = Bench(collection, split, opened, indexes, reencode, words.analyzer)
    rows: list[Row] = []
    for number, (name, build) in enumerate(chosen.items(), 1):
        note(f"[{number}/{len(chosen)}] {' '.join(name)}")
        row = build(bench)
        if row is not None:
            rows.append(replace(row, run=packed(row.run)))
    evaluations = {_name(row): evaluate(row.run, bench.qrels) for row in rows}
    runs = {
        f"{bench.corpus.name}.{row.system}-{row.variant}.trec": (f"{row.system}-{row.variant}", row.run) for row in rows
    }
    return Report(_content(bench, rows, evaluations), runs, bench.qrels)


def _chosen(systems: Sequence[str]) -> dict[tuple[str, str], Any]:
    known = {word for name in SYSTEMS for word in name}
    for system in systems:
        if system not in known:
            raise ConfigError(f"unknown system {system!r}: choose among {', '.join(dict.fromkeys(_words()))}")
    return {
        name: build
        for name, build in SYSTEMS.items()
        if not systems or set(name) & set(systems) or " ".join(name) in BASELINES
    }


def _words() -> list[str]:
    return [word for name in SYSTEMS for word in name]


def _name(row: Row) -> str:
    return row_name({"system": row.system, "variant": row.variant})


def _content(bench: Bench, rows: Sequence[Row], evaluations: Mapping[str, Evaluation]) -> dict[str, Any]:
    comparisons = against_baselines(evaluations, [name for name in RIVALS if name in evaluations], MEASURES[0])
    corpus = bench.corpus
    return {
        "dataset": corpus.name,
        "split": bench.split,
        "queries": len([query for query, grades in bench.qrels.items() if grades]),
        "documents": len(corpus),
        "manifest": {
            "corpus": {"name": corpus.name, "fingerprint": corpus.fingerprint, "blank": corpus.blanks},
            "embedder": _portable(bench.embedder.spec.as_dict()),
            "embedder_identity": bench.embedder.identity(),
            "systems": {_name(row): row.about for row in rows},
            "versions": software_versions(),
        },
        "rows": [
            {
                "system": row.system,
                "variant": row.variant,
                "measures": evaluations[_name(row)].means,
                "query_encode_ms": round(row.latency.encode_ms, 3),
                "search_ms": round(row.latency.search_ms, 3),
                "index_bytes": row.index_bytes,
                "query_model_calls": row.query_model_calls,
            }
            for row in rows
        ],
        "significance": [asdict(each) for each in comparisons],
    }


def _portable(spec: dict[str, Any]) -> dict[str, Any]:
    """Leave the folders of this machine out of what may be published."""

    def name(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [name(each) for each in value]
        return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value

    return {key: name(value) if key in ("weights", "decoding", "adapters") else value for key, value in spec.items()}


def read_report(path: Path) -> Report:
    """Read a report that was written.

    :raises ConfigError: It is none.
    """
    remedy = "run sparseembed eval first"
    content = read_json(path, ConfigError, f"it is no evaluation report; {remedy}")
    if not isinstance(content, dict) or not {"dataset", "manifest", "rows", "significance"} <= set(content):
        raise ConfigError(f"{path} is no evaluation report: {remedy}")
    report = Report(content)
    try:
        report.table  # noqa: B018 - reads every part that a reader of reports may rely upon
    except (LookupError, TypeError, ValueError, AttributeError):
        raise ConfigError(f"{path} is damaged, a part of the report is missing or of another type: {remedy}") from None
    return report
