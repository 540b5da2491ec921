"""Write the files of this folder by other programs: `python write.py`, with pandas, polars, duckdb, datasets, pyarrow.

These were written by pandas 3.1.1, polars 2.1.0, DuckDB 2.0.1, datasets 5.2.0 and pyarrow 26.0.1; no test needs those.
"""

import shutil
from pathlib import Path

import datasets
import duckdb
import pandas
import polars

COLUMNS = ["id", "title", "text"]
ROWS = [
    (1, "Tides", 'The sea rises; it "falls", twice a day.'),
    (2, "", "Bread needs flour,\nwater, salt\tand time."),
    (3, "Été", "naïve 日本語 \U0001f600"),
    (4, "Blank", ""),
]


def by_pandas(out: Path) -> None:
    frame = pandas.DataFrame(ROWS, columns=COLUMNS)
    frame.to_csv(out / "pandas.csv", index=False)
    frame.to_csv(out / "pandas.tsv", sep="\t", index=False)
    frame.to_csv(out / "pandas-index.csv.gz")
    frame.to_csv(out / "pandas-excel.csv", sep=";", index=False, encoding="utf-8-sig", lineterminator="\r\n")
    frame.to_csv(out / "pandas-utf16.csv", sep="\t", index=False, encoding="utf-16", lineterminator="\r\n")
    frame.to_csv(out / "pandas.csv.zst", index=False, compression={"method": "zstd"})
    frame.to_json(out / "pandas-records.json", orient="records", force_ascii=False)
    frame.to_json(out / "pandas-indent.json", orient="records", indent=2)
    frame.to_json(out / "pandas-lines.jsonl.bz2", orient="records", lines=True)
    frame.to_parquet(out / "pandas.parquet")
    frame.to_feather(out / "pandas.feather")


def by_polars(out: Path) -> None:
    frame = polars.DataFrame(ROWS, schema=COLUMNS, orient="row")
    frame.write_csv(out / "polars.csv")
    frame.write_csv(out / "polars.tsv", separator="\t")
    frame.write_ndjson(out / "polars.ndjson")
    frame.write_json(out / "polars.json")
    frame.write_parquet(out / "polars.parquet")
    frame.write_ipc(out / "polars.arrow", compression="zstd")
    frame.write_ipc_stream(out / "polars-stream.arrow")


def by_duckdb(out: Path) -> None:
    database = duckdb.connect()
    database.execute("create table d(id integer, title varchar, text varchar)")
    database.executemany("insert into d values (?, ?, ?)", ROWS)
    for name, options in [
        ("duckdb.csv", "header"),
        ("duckdb.tsv", "header, delimiter '\t'"),
        ("duckdb-lines.json", "format json"),
        ("duckdb-array.json", "format json, array true"),
        ("duckdb.parquet", "format parquet"),
        ("duckdb-zstd.parquet", "format parquet, compression zstd"),
        ("duckdb.csv.gz", "header"),
    ]:
        database.execute(f"copy (select * from d order by id) to '{out / name}' ({options})")


def by_datasets(out: Path) -> None:
    made = datasets.Dataset.from_list([dict(zip(COLUMNS, row, strict=True)) for row in ROWS])
    for name in ("datasets", "datasets-dict"):
        shutil.rmtree(out / name, ignore_errors=True)
    made.save_to_disk(str(out / "datasets"), num_shards=2)
    datasets.DatasetDict(train=made).save_to_disk(str(out / "datasets-dict"))
    made.to_csv(str(out / "datasets.csv"))
    made.to_json(str(out / "datasets.jsonl"))
    made.to_parquet(str(out / "datasets.parquet"))


if __name__ == "__main__":
    for write in (by_pandas, by_polars, by_duckdb, by_datasets):
        write(Path(__file__).parent)
