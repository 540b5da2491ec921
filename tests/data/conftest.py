"""Small collections in BEIR's layout, and a check that an error is one line."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

import sparseembed.errors
from sparseembed.errors import DataError

ROOT = Path(sparseembed.errors.__file__).parents[1]

DOCUMENTS = [
    {"_id": "d1", "title": "Whales", "text": "live in the sea"},
    {"_id": "d2", "text": "Cats live in houses"},
    {"_id": "d3", "title": "", "text": "  "},
]
QUERIES = [{"_id": "q3", "text": "where do cats live"}, {"_id": "q1", "text": "sea"}, {"_id": "q2", "text": "unjudged"}]
QRELS = {"test": [("q1", "d1", 2), ("q1", "d2", 0), ("q3", "d2", 1)], "train": [("q2", "d1", 1)]}


@pytest.fixture
def write_jsonl() -> Callable[[Path, Iterable[object]], Path]:
    """Return a function that writes records as JSONL, ASCII only, so that surrogates can be written too."""

    def write(path: Path, records: Iterable[object]) -> Path:
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        return path

    return write


@pytest.fixture
def write_beir(write_jsonl) -> Callable[..., Path]:
    """Return a function that writes a folder in BEIR's layout: 3 documents, 3 queries, splits test and train."""

    def write(folder: Path, documents=DOCUMENTS, queries=QUERIES, qrels=QRELS) -> Path:
        (folder / "qrels").mkdir(parents=True)
        write_jsonl(folder / "corpus.jsonl", documents)
        write_jsonl(folder / "queries.jsonl", queries)
        for split, rows in qrels.items():
            lines = ["query-id\tcorpus-id\tscore", *("\t".join(map(str, row)) for row in rows)]
            (folder / "qrels" / f"{split}.tsv").write_text("\n".join(lines) + "\n")
        return folder

    return write


@pytest.fixture
def message_of() -> Callable[..., str]:
    """Return a function that makes a call which must raise DataError, checks the message's form, and returns it."""

    def message(call: Callable[..., object], *arguments: object) -> str:
        with pytest.raises(DataError) as caught:
            call(*arguments)
        text = str(caught.value)
        assert text == " ".join(text.split()), "the message is not one line"
        assert text.isprintable()
        assert ": " in text, "the message says nothing about what to do"
        return text

    return message


@pytest.fixture
def run_python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs a program in a new process, which must end with 0; keywords are its environment."""

    def run(program: str, **variables: object) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"PYTHONPATH": str(ROOT)} | {name: str(value) for name, value in variables.items()}
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        return done

    return run
