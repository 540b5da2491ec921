"""Print the reports of benchmarks/results as Markdown tables, as they stand in results/README.md.

python benchmarks/tables.py > benchmarks/results/README.md
"""

import sys
from pathlib import Path

from compare import report_paths
from script import status

from sparseembed.evaluation.harness import read_report
from sparseembed.evaluation.significance import Comparison
from sparseembed.evaluation.table import format_table

RESULTS = Path(__file__).parent / "results"
HEAD = """\
# Reports

One table a report of `sparseembed eval`, made by `python benchmarks/tables.py`. Latency is the median of one query at a
time, in part measured while other work ran on the same machine: compare rows of one table, and those loosely.
"""


def main() -> int:
    """Print one table a report.

    :return: 0, or 2 for a user's mistake.
    """
    return status("tables", run)


def run() -> None:
    """Read the reports and print them."""
    sys.stdout.write(HEAD)
    for embedder, path in report_paths(RESULTS):
        content = read_report(path).content
        comparisons = [Comparison(**each) for each in content["significance"]]
        sys.stdout.write(
            f"\n## {content['dataset']}, {embedder}\n\nEmbedder {content['manifest']['embedder']['name']}, split "
            f"{content['split']}: {content['queries']:,} queries, {content['documents']:,} documents; "
            f"[the report]({path.relative_to(RESULTS)}).\n\n"
            f"{format_table(content['rows'], comparisons=comparisons, style='markdown')}\n"
        )


if __name__ == "__main__":
    sys.exit(main())
