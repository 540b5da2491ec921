"""The scripts of benchmarks/ find their parts beside them, as when they are run; a made collection."""

import json
import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

NOUNS = "cat dog mat whale fish air milk river water sea sand light sun earth book green plant sugar mountain carbon"


@pytest.fixture(autouse=True)
def silent(silence):
    """Say nothing: the scripts set a reporter of their own."""


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Write 130 documents of random words, each with a title, and queries of two of a document's words."""
    folder, rng, words = tmp_path_factory.mktemp("data") / "made", random.Random(1), NOUNS.split()
    (folder / "qrels").mkdir(parents=True)
    texts = [" ".join(rng.choices(words, k=6)) for _ in range(130)]
    documents = [
        {"_id": f"d{n}", "title": f"{rng.choice(words)} {rng.choice(words)} {n}", "text": f"{text}. {text[::-1]}."}
        for n, text in enumerate(texts)
    ]
    queries = [{"_id": f"q{n}", "text": " ".join(text.split()[:2])} for n, text in enumerate(texts[:24])]
    for name, rows in (("corpus", documents), ("queries", queries)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for split, numbers in (("train", range(12)), ("test", range(12, 24))):
        lines = "".join(f"q{n}\td{n}\t1\n" for n in numbers)
        (folder / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + lines)
    return folder
