"""Training texts in the shapes that people have."""

import bz2
import gzip
import io
import json
import os
import threading

import pyarrow
import pyarrow.parquet
import pytest

from sparseembed.errors import DataError
from sparseembed.pseudo.pairs import read_sources
from sparseembed.pseudo.shapes import Pair

TWO = (Pair("a fox", "it runs", "a whale"), Pair("a sea", "it is deep", "the moon"))


def jsonl(*records):
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def parquet(columns):
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), file)
    return file.getvalue()


SHAPES = {
    "query, positive, negative": jsonl(*(pair._asdict() for pair in TWO)),
    "anchor": jsonl(*({"anchor": q, "positive": p, "negative": n} for q, p, n in TWO)),
    "lists": jsonl(*({"query": q, "pos": [p], "neg": [n, "more"], "prompt": "x"} for q, p, n in TWO)),
    "passages": jsonl(
        *(
            {
                "query_id": 1,
                "query": q,
                "positive_passages": [{"docid": "1", "title": p.split()[0], "text": " ".join(p.split()[1:])}],
                "negative_passages": [{"docid": "2", "text": n}],
            }
            for q, p, n in TWO
        )
    ),
    "arrays": jsonl(*TWO),
    "triplets": "\n".join("\t".join(pair) for pair in TWO).encode(),
    "header": b"negative,query,positive\r\n" + b"\r\n".join(",".join((n, q, p)).encode() for q, p, n in TWO),
    "array": json.dumps([pair._asdict() for pair in TWO], indent=1).encode(),
    "parquet": parquet(
        {
            "anchor": [pair.query for pair in TWO],
            "pos": [[pair.positive] for pair in TWO],
            "neg": [[pair.negative] for pair in TWO],
        }
    ),
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress])
def test_each_shape_gives_the_same_pairs(name, pack, tmp_path):
    (tmp_path / "x").write_bytes(pack(SHAPES[name]))
    (source,) = read_sources([tmp_path / "x"])
    assert source.pairs == TWO


def test_a_pair_for_each_positive(tmp_path):
    lines = jsonl(
        {"query": "q", "pos": ["a", "b", "c"], "neg": ["x", "y"]},
        {"query": "r", "pos": ["a", "b"], "neg": []},
        {"query": "s", "pos": ["a"]},
    )
    (tmp_path / "x").write_bytes(lines)
    assert read_sources([tmp_path / "x"])[0].pairs == (
        *(Pair("q", "a", "x"), Pair("q", "b", "y"), Pair("q", "c", "x")),
        *(Pair("r", "a"), Pair("r", "b"), Pair("s", "a")),
    )


def test_pairs_without_negatives_between_tabs(tmp_path):
    (tmp_path / "x").write_text('what is it\t"so" it is\nq\tp\n')
    assert read_sources([tmp_path / "x"])[0].pairs == (Pair("what is it", '"so" it is'), Pair("q", "p"))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("sentence1\tsentence2\tlabel\na b\tc d\t1\n", ":1: a table whose first line does not name"),
        ("a b\tc d\t0.8\n", ":1: a table whose first line does not name"),
        ("a b\tc d\te f\tg\n", ":1: a table whose first line does not name"),
        ("a b\tc d\te f\na b\tc d\n", ":2: 2 columns where 3 are needed"),
        ("just text\n", ":1: neither JSON nor a table"),
        ('{"question": "a", "answer": "b"}\n', ':1: no "query": '),
    ],
)
def test_what_could_be_misread_is_refused(content, problem, tmp_path):
    (tmp_path / "x").write_text(content)
    with pytest.raises(DataError) as caught:
        read_sources([tmp_path / "x"])
    assert str(caught.value).startswith(f"{tmp_path / 'x'}{problem}")
    assert "\n" not in str(caught.value)


def test_a_folder_of_several_formats(tmp_path):
    (tmp_path / "b.tsv.gz").write_bytes(gzip.compress(SHAPES["triplets"]))
    (tmp_path / "a.json").write_bytes(SHAPES["array"])
    (tmp_path / "c.parquet").write_bytes(SHAPES["parquet"])
    (tmp_path / "notes.txt").write_text("not read")
    sources = read_sources([tmp_path])
    assert [source.name for source in sources] == ["a", "b", "c"]
    assert all(source.pairs == TWO for source in sources)


def test_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "x")
    thread = threading.Thread(target=lambda: (tmp_path / "x").write_bytes(SHAPES["lists"]))
    thread.start()
    assert read_sources([tmp_path / "x"])[0].pairs == TWO
    thread.join()
