import runpy
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseembed.errors import ConfigError
from sparseembed.training.leaks import CONTAINED_FROM, shared_runs

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "leaks.py"
TEXTS = st.lists(st.sampled_from("abc"), max_size=14).map(" ".join)
LONG = "one two three four five six seven eight nine ten eleven twelve thirteen"


def naive(texts, queries, words):
    found = []
    for query, text in queries.items():
        split = text.split()
        length = min(words, len(split))
        runs = [" ".join(split[at : at + length]) for at in range(len(split) - length + 1)] if split else []
        whole = len(split) < min(words, CONTAINED_FROM)
        if any(run == text if whole else f" {run} " in f" {text} " for run in runs for text in texts):
            found.append(query)
    return found


@given(texts=st.lists(TEXTS, max_size=6), queries=st.dictionaries(st.integers().map(str), TEXTS, max_size=6))
@pytest.mark.parametrize("words", [1, 3, 6, 12])
def test_a_naive_search_finds_the_same(texts, queries, words):
    assert shared_runs(texts, queries, words) == naive(texts, queries, words)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (f"zero {LONG[:-9]}", True),  # twelve of its words
        (LONG.replace("four", "for"), False),
        ("ONE, two: three-four (five) six seven eight nine ten eleven TWELVE", True),
        ("three four five six seven", True),  # short, and all of it stands there
        ("three four five six", False),  # too short to tell anything
        ("three four five six eight", False),
        ("", False),
        ("?!", False),
    ],
)
def test_runs_by_hand(query, found):
    assert shared_runs([f"before {LONG} after"], {"q": query}) == (["q"] if found else [])


def test_a_query_of_few_words_is_found_as_a_whole_text():
    assert shared_runs(["Breast cancer.", "x"], {"b": "x y", "a": "breast cancer", "c": "cancer"}) == ["a"]


def test_a_run_needs_a_word():
    with pytest.raises(ConfigError, match="runs of 0 words"):
        shared_runs([], {}, 0)


@pytest.mark.parametrize(("text", "status"), [("nothing of it", 0), ("we ask how tall is the old tower, again", 1)])
def test_the_script_counts_and_exits(text, status, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text('{"_id": "d", "text": "x"}\n')
    (folder / "queries.jsonl").write_text('{"_id": "q1", "text": "How tall is the old tower?"}\n')
    (folder / "qrels" / "dev.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td\t1\n")
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text('{"query": "q", "positive": "p", "negative": "%s"}\n' % text)  # noqa: UP031
    command = ["leaks", str(pairs), "--against", str(folder), "--split", "dev"]
    assert _exit_status(monkeypatch, command) == status
    told = capsys.readouterr().out
    assert f"{status} of 1 queries stand in 1 pairs of 1 files" in told
    assert ("q1\tHow tall is the old tower?" in told) is bool(status)
    pairs.unlink()
    assert _exit_status(monkeypatch, command) == 2
    assert "no such file" in capsys.readouterr().err


def _exit_status(monkeypatch, command):
    monkeypatch.setattr(sys, "argv", command)
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    return caught.value.code
