"""What people at a terminal see, through a real pseudo-terminal; and what a pipe gets, which is as plain as ever."""

import io
import json
import os
import pty
import re
import subprocess
import sys

import pytest

from sparseembed.cli import demo, main
from sparseembed.cli.terminal import marked
from sparseembed.data.corpus import Corpus, Document
from sparseembed.evaluation.table import format_table
from sparseembed.files import cache_folder
from sparseembed.index.manifest import read_manifest
from sparseembed.retrieval.association import LITERAL, MEANING, Mark

ROWS = [
    {"_id": "w", "title": "Whales", "text": "A whale is no fish: it breathes air. " * 30},
    {"_id": "f", "title": "Foxes", "text": "A fox lives near the river \x1b[2J and eats."},
    {"_id": "日", "title": "日本語" * 40, "text": "A whale 日本 breathes."},
]


@pytest.fixture(scope="module")
def index(tiny_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("terminal")
    model = ["--embedder", str(tiny_model("tied")), "--dtype", "float32", "--device", "cpu"]
    (folder / "d.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    assert main(["index", str(folder / "d.jsonl"), "--out", str(folder / "i"), "-q", *model]) == 0
    return folder / "i"


def at_terminal(*words, typed="", **environment):
    """Run a command whose streams are a terminal of 60 columns; return what it shows, and its status."""
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM", "FORCE_COLOR")}
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "sparseembed", *map(str, words)]
    env = {**kept, "TERM": "xterm-256color", "COLUMNS": "60", **environment}
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    os.write(ours, typed.encode())
    shown = b""
    try:
        while part := os.read(ours, 1 << 16):
            shown += part
    except OSError:  # Linux: the other side is closed
        pass
    os.close(ours)
    return shown.decode().replace("\r", ""), process.wait()


def bare(shown):
    return re.sub(r"\x1b\[[0-9;]*m", "", shown)


@pytest.mark.jvm
def test_hits_have_title_score_and_marked_words_within_the_width(index, silence):
    from rich.cells import cell_len

    shown, status = at_terminal("search", index, "whale breathes")
    assert status == 0
    assert re.search(r"\x1b\[[0-9;]*m *1 ", shown)
    assert "\x1b[1;33mwhale\x1b[0m" in shown
    assert "\x1b[2J" not in shown
    lines = bare(shown).splitlines()
    assert any("Whales" in line for line in lines)
    assert max(map(cell_len, lines)) <= 60
    assert "marked: words of the query" in bare(shown)


@pytest.mark.jvm
def test_without_colour_words_are_marked_all_the_same(index, silence):
    shown, _ = at_terminal("search", index, "whale breathes", NO_COLOR="1")
    assert "\x1b[1mwhale\x1b[0m" in shown
    assert not re.search(r"\x1b\[(?:[0-9]+;)*3[0-7]m", shown)
    shown, _ = at_terminal("search", index, "whale breathes", TERM="dumb")
    assert "\x1b" not in shown
    assert "*whale*" in shown


@pytest.mark.jvm
def test_explain_draws_bars(index, silence):
    shown, status = at_terminal("explain", index, "whale breathes", "w", TERM="dumb", PYTHONIOENCODING="utf-8")
    assert status == 0
    assert "█" in shown
    assert re.search(r"^sum +[0-9,]+ *$", shown, flags=re.MULTILINE)
    assert "by its words" in shown


@pytest.mark.jvm
def test_a_pipe_gets_one_line_a_hit(index, capsys, silence):
    capsys.readouterr()
    assert main(["search", str(index), "whale breathes", "-k", "1"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].split() == ["rank", "score", "id", "text"]
    assert (len(out.splitlines()), "\x1b" in out) == (2, False)


@pytest.mark.jvm
def test_demo_answers_until_an_empty_line(index, monkeypatch, capsys, silence):
    monkeypatch.setattr(demo, "_indexed", lambda out: index)
    monkeypatch.setattr("sys.stdin", io.StringIO("whale\n\n  \nfox\n"))
    capsys.readouterr()
    assert main(["demo", "-k", "1"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["rank", "1", "rank", "1"]


@pytest.mark.jvm
def test_demo_reads_beginnings_and_replaces_its_own_index(index, tiny_model, tmp_path, monkeypatch, capsys, silence):
    monkeypatch.setattr(demo, "_TOKENS", 100)  # more than a tiny model's pieces of the prompt
    monkeypatch.setattr("sparseembed.embedders.load.DEFAULT", str(tiny_model("tied")))
    monkeypatch.setattr("sparseembed.data.resolve.open_corpus", lambda name: Corpus(documents, name))
    for last, words in (("walrus", []), ("ermine", []), ("otter", ["--out", str(tmp_path / "new")])):
        # each time another version of the collection
        documents = [Document("w", "", "A whale is no fish. " * 40 + last), Document("f", "", "A fox.")]
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{last}\n"))
        capsys.readouterr()
        assert main(["demo", *words]) == 0
        assert [line.split()[2] for line in capsys.readouterr().out.splitlines()[1:2]] == ["w"]
    manifest = read_manifest(cache_folder("demo", "pydocs"))
    assert (manifest.counts["documents"], manifest.counts["cut"]) == (2, 1)
    assert main(["demo", "--out", str(index)]) == 2  # an index of somebody's own is left alone
    assert read_manifest(index).counts["documents"] == len(ROWS)


def test_marks_where_there_are_no_styles():
    text = "a  red\nfox\x1bruns"
    marks = [Mark(3, 6, LITERAL, "red"), Mark(11, 15, MEANING, "go")]
    assert marked(text, marks, plain=True).plain == "a *red* fox_runs_"
    assert marked(text, marks, plain=False).plain == "a red foxruns"


def test_a_table_of_evaluation_fits_100_columns():
    row = {"system": "sparse", "variant": "aligned-inference-free", "nDCG@10": 0.1, "R@100": 0.2, "RR@10": 0.3}
    row |= {"query_encode_ms": 0.592, "search_ms": 1.3, "index_bytes": 20_200_000, "query_model_calls": 0}
    wide = {**row, "system": "s" * 12}
    assert max(map(len, format_table([row]).splitlines())) <= 100
    lines = format_table([wide]).splitlines()
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_commands_and_options(shell, capsys, silence):
    pytest.importorskip("shtab")
    capsys.readouterr()
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(word in script for word in ("search", "fit-query-encoder", "older-than", "small"))
    if shell == "bash":
        assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0
