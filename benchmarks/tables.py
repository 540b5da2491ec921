"""Print the reports of benchmarks/results as Markdown tables, as they stand in README.md.

python benchmarks/tables.py
"""

import sys
from pathlib import Path

from sparseembed.evaluation.harness import read_report
from sparseembed.evaluation.significance import Comparison
from sparseembed.evaluation.table import format_table


def main() -> None:
    """Print one table a report."""
    for path in sorted((Path(__file__).parent / "results").glob("*.json")):
        content = read_report(path).content
        comparisons = [Comparison(**each) for each in content["significance"]]
        sys.stdout.write(
            f"**{content['dataset']}**, split {content['split']}: {content['queries']:,} queries, "
            f"{content['documents']:,} documents\n\n"
            f"{format_table(content['rows'], comparisons=comparisons, style='markdown')}\n\n"
        )


if __name__ == "__main__":
    main()
