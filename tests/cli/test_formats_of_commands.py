"""Commands over the formats of corpora, queries and lists of ids."""

import argparse
import gzip
import io
import json
from pathlib import Path

import pyarrow
import pyarrow.feather
import pytest

from sparseembed.cli import main

ROWS = [
    ("a1", "Foxes", "A fox lives near the river."),
    ("a2", "Whales", "A whale is no fish."),
    ("a3", "", "Tea, hot."),
]


@pytest.fixture
def model(tiny_model):
    return ["--embedder", str(tiny_model("tied")), "--dtype", "float32", "--device", "cpu"]


@pytest.fixture
def feed(monkeypatch):
    """Return a function that makes bytes the standard input."""
    return lambda raw: monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw)))


def csv_of(rows):
    return "nr;head;body\r\n" + "".join(f'{nr};"{head}";"{body}"\r\n' for nr, head, body in rows)


def run_lines(path):
    return [line.split()[:4:2] for line in Path(path).read_text().splitlines()]


@pytest.mark.jvm
def test_from_a_table_on_standard_input_to_hits(model, feed, tmp_path, monkeypatch, capfd, refused):
    monkeypatch.chdir(tmp_path)
    fields = ["--id-field", "nr", "--text-field", "head", "--text-field", "body"]
    feed(gzip.compress(csv_of(ROWS).encode("utf-8-sig")))
    assert main(["index", "-", "--out", "idx", "-q", *fields, *model]) == 0
    pyarrow.feather.write_feather(pyarrow.table({"nr": [4], "head": ["Owls"], "body": ["An owl sees."]}), "more")
    assert main(["add", "idx", "more", "-q", *fields, *model[:2]]) == 0
    capfd.readouterr()
    assert main(["search", "idx", "owl fox", "--json", "-q"]) == 0
    hits = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    texts = {hit["id"]: hit["text"] for hit in hits}
    assert (texts["a1"], texts["4"]) == ("Foxes\nA fox lives near the river.", "Owls\nAn owl sees.")
    feed(b"4\towl\nq2\twhale\n")
    assert main(["search", "idx", "--queries", "-", "--run", "r", "-k", "1", "-q"]) == 0
    assert run_lines("r")[-1] == ["q2", "a2"]
    assert ["4", "4"] not in run_lines("r")
    feed(b"4\towl\nq2\twhale\n")
    assert main(["search", "idx", "--queries", "-", "--run", "r", "-k", "1", "--keep-self", "-q"]) == 0
    assert run_lines("r") == [["4", "4"], ["q2", "a2"]]
    Path("gone").write_bytes(gzip.compress("\ufeffa1\r\n\r\n4\r\n".encode()))
    assert "id 'a 2' holds white space" in refused("delete", "idx", "a1", "a 2")
    assert main(["delete", "idx", "--ids", "gone", "-q"]) == 0
    assert "lacks 1 of 1 documents, the first is 'a1'" in refused("delete", "idx", "a1")


def test_the_same_message_for_ids_with_white_space(refused, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    problem = "id 'a b' holds white space or a control character, which would break a TREC run file"
    Path("docs.tsv").write_text("id\ttext\na b\tx\n")
    Path("set/qrels").mkdir(parents=True)
    Path("set/corpus.jsonl").write_text('{"_id": "d", "text": "x"}\n')
    assert problem in refused("index", "docs.tsv", *model)
    for queries, qrels in (("a b\tx\n", "q\td\t1\n"), ("q\tx\n", "a b\td\t1\n"), ("q\tx\n", "q\ta b\t1\n")):
        Path("set/queries.tsv").write_text(queries)
        Path("set/qrels/test.tsv").write_text(qrels)
        assert problem in refused("eval", "set", *model)


@pytest.mark.parametrize("words", [["index"], ["encode"], ["adapt", "--out", "adapted"]])
def test_a_field_that_is_missing_names_those_that_there_are(words, refused, model, tmp_path):
    file = tmp_path / "docs.csv"
    file.write_text(csv_of(ROWS))
    assert refused(words[0], file, *words[1:], "--id-field", "number", *model) == (
        f'{file}:1: a table whose first line does not name "number" and "text" or "contents", but has '
        "'nr', 'head', 'body': name columns by --id-field and --text-field, by their numbers where the table has no "
        "header"
    )


def test_the_command_that_adapt_tells_names_the_fields(tmp_path):
    from sparseembed.cli.options import PARTS
    from sparseembed.cli.training import index_command

    parts = dict.fromkeys(("embedder", *PARTS))
    fields = {"id_field": "nr", "text_fields": ["head", "the body"], "title_field": None}
    options = argparse.Namespace(**parts, **fields)
    assert index_command(options, "x.csv", Path("out")) == (
        "sparseembed index x.csv --id-field nr --text-field head --text-field 'the body' --adapter out"
    )
    assert index_command(argparse.Namespace(**parts), "x", Path("out")) == "sparseembed index x --adapter out"
