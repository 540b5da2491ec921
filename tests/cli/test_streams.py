"""The real command in a process of its own: closed and full streams, words in any order, and places written through."""

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import sparseembed
from sparseembed import progress
from sparseembed.cli import main

ROOT = Path(sparseembed.__file__).parents[1]
DOCUMENTS = {
    "fox": "A fox lives near the river.",
    "q1": "whale milk",
    "whale": "A whale is no fish: it feeds its young with milk.",
    "tu\u202ern": "A fox \u202e turns the \x1b[31m line.",
}
QUERIES = {"q1": "whale milk", "q2": "fox"}


@pytest.fixture(scope="module")
def shop(tiny_model, tmp_path_factory):
    """A folder with a collection, `beir`, and its index, `index`."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "beir" / "qrels").mkdir(parents=True)
    lines = [{"_id": key, "text": text} for key, text in DOCUMENTS.items()]
    (folder / "beir" / "corpus.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    lines = [{"_id": key, "text": text} for key, text in QUERIES.items()]
    (folder / "beir" / "queries.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "beir" / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\twhale\t1\nq2\tfox\t1\n")
    model = ["--embedder", str(tiny_model("tied")), "--dtype", "float32", "--device", "cpu"]
    words = ["index", str(folder / "beir"), "--out", str(folder / "index"), "--embeddings", str(folder / "vectors")]
    before = progress.set_reporter(progress.SilentReporter())
    assert main([*words, *model, "-q"]) == 0
    progress.set_reporter(before)
    return folder


def shell(script, *words, **environment):
    """Run a line of a shell in which `sparseembed` is the command and $1 ... are the words."""
    function = f'sparseembed() {{ "{sys.executable}" -m sparseembed "$@"; }}\n'
    command = ["bash", "-c", function + script, "bash", *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ, **environment}
    )


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("closed", [">&-", ">/dev/full", "1</dev/null"])
@pytest.mark.parametrize("words", ["--version", "--help", "search --help", "embedders"])
def test_what_cannot_be_said_is_an_error_of_one_line(words, closed, unbuffered):
    done = shell(f"sparseembed {words} {closed}", PYTHONUNBUFFERED=unbuffered)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("sparseembed: error: ")


@pytest.mark.jvm
@pytest.mark.parametrize("closed", [">&-", ">/dev/full"])
def test_a_search_into_nothing_is_an_error_of_one_line(shop, closed):
    done = shell(f'sparseembed search "$1" fox -q {closed}', shop / "index")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("sparseembed: error: ")


@pytest.mark.jvm
def test_an_encoding_that_lacks_letters_shows_them_escaped(shop):
    done = shell('sparseembed search "$1" "fox whale" -q --json', shop / "index", PYTHONIOENCODING="ascii")
    assert done.stdout.isascii()
    found = {hit["id"]: hit["text"] for hit in map(json.loads, done.stdout.splitlines())}
    assert found == DOCUMENTS
    done = shell(
        'sparseembed search "$1" "𝐚 é" -q --engine=exact; printf "é\\n" | sparseembed delete "$1" -q --ids -',
        shop / "index",
        PYTHONIOENCODING="ascii",
    )
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)
    assert "lacks 1 of 1 documents, the first is '\\xe9'" in done.stderr


def test_astral_letters_are_escaped_as_json_has_them():
    program = (
        "import sys; from sparseembed.cli.streams import open_standard_streams; open_standard_streams();"
        "sys.stdout.write('\"a\\u00e9\\U0001d41a\\u4e2d\"')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        check=True,
    )
    assert json.loads(done.stdout) == "a\u00e9\U0001d41a\u4e2d"
    assert done.stdout.isascii()


def test_quiet_before_the_command(capfd):
    assert main(["-q", "embedders", "smollm2-135m", "--json"]) == 0
    first = capfd.readouterr().out
    assert main(["embedders", "--json", "smollm2-135m", "-q"]) == 0
    assert capfd.readouterr().out == first != ""


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("sparseembed nothing 2>&-", 2),
        ("sparseembed nothing 2>/dev/full", 2),
        ("sparseembed embedders 2>&- >&-", 2),
        ("sparseembed embedders >/dev/full 2>/dev/full", 2),
        ("sparseembed embedders <&- 2>&-", 0),
        ("sparseembed embedders | head -n 1; exit ${PIPESTATUS[0]}", 0),
    ],
)
def test_the_status_is_right_where_nothing_can_be_told(line, status):
    done = shell(line, PYTHONUNBUFFERED="")
    assert done.returncode == status
    assert done.stderr == ""


def test_no_file_gets_what_was_meant_for_a_closed_stream(tmp_path):
    (tmp_path / "docs.jsonl").write_text('{"_id": "1", "text": "x"}\n{"_id": "1", "text": "x"}\n')
    before = (tmp_path / "docs.jsonl").read_bytes()
    assert shell('sparseembed encode "$1" >&- 2>&- <&-', tmp_path / "docs.jsonl").returncode == 2
    assert (tmp_path / "docs.jsonl").read_bytes() == before


@pytest.mark.jvm
@pytest.mark.parametrize(
    "words",
    [
        ("INDEX", "fox", "-k", "1"),
        ("INDEX", "-k", "1", "fox"),
        ("-k", "1", "INDEX", "fox"),
        ("INDEX", "-k", "1", "--", "fox"),
        ("-k1", "INDEX", "--engine", "exact", "fox"),
    ],
)
def test_words_and_options_in_any_order(shop, capfd, words):
    assert main(["search", "-q", *[str(shop / "index") if word == "INDEX" else word for word in words]]) == 0
    out, err = capfd.readouterr()
    assert out.splitlines()[1].split()[2] == "fox"
    assert len(out.splitlines()) == 2
    assert err == ""


@pytest.mark.jvm
def test_options_stand_between_the_words_of_other_commands(shop, capfd, refused):
    assert main(["explain", str(shop / "index"), "-q", "fox", "--json", "fox"]) == 0
    assert json.loads(capfd.readouterr().out)["id"] == "fox"
    assert "more: more than the words of the command (INDEX, QUERY)" in refused(
        "search", shop / "index", "-k", "1", "fox", "more"
    )
    assert "DOC_ID" in refused("explain", shop / "index", "-q", "fox")
    assert "there is no option --nope" in refused("explain", shop / "index", "fox", "--nope", "fox")


@pytest.mark.jvm
def test_a_run_leaves_out_the_query_s_own_document(shop, tmp_path):
    words = ["search", str(shop / "index"), "--queries", str(shop / "beir" / "queries.jsonl"), "-q", "-k", "1"]
    found = {}
    for name, more in (("eval", []), ("all", ["--keep-self"])):
        assert main([*words, "--run", str(tmp_path / name), *more]) == 0
        found[name] = [line.split()[:4:2] + line.split()[3:4] for line in (tmp_path / name).read_text().splitlines()]
    assert found["all"] == [["q1", "q1", "1"], ["q2", "fox", "1"]]
    assert found["eval"] == [["q1", "whale", "1"], ["q2", "fox", "1"]]


@pytest.mark.jvm
def test_a_run_goes_through_devices_pipes_and_links(shop, tmp_path, capfd):
    words = ["search", str(shop / "index"), "--queries", str(shop / "beir" / "queries.jsonl"), "-q", "--run"]
    assert main([*words, str(tmp_path / "plain")]) == 0
    expected = (tmp_path / "plain").read_text()
    capfd.readouterr()
    assert main([*words, "/dev/null"]) == 0
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("target")
    read = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_text()))
    reader.start()
    assert main([*words, str(tmp_path / "pipe")]) == 0
    reader.join()
    assert read == [expected]
    assert main([*words, str(tmp_path / "link")]) == 0
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == expected
    done = shell('sparseembed search "$1" --queries "$2" -q --run /dev/stdout', shop / "index", words[3])
    assert (done.returncode, done.stdout, done.stderr) == (0, expected, "")
    done = shell(
        'sparseembed search "$1" --queries "$2" -q --run >(cat >"$3")', shop / "index", words[3], tmp_path / "s"
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_bad_place_for_a_run_is_refused_before_the_index_is_opened(refused, shop, tmp_path):
    for place in (tmp_path, shop / "beir" / "queries.jsonl" / "x", "/proc/x"):
        message = refused("search", tmp_path / "none", "--queries", shop / "beir" / "queries.jsonl", "--run", place)
        assert str(place) in message
        assert "there is no index" not in message


@pytest.mark.jvm
def test_what_an_index_holds_is_shown_escaped_and_is_json_in_json(shop, capfd):
    words = ["search", str(shop / "index"), "fox", "-q"]
    assert main(words) == 0
    out = capfd.readouterr().out
    assert r"tu\u202ern" in out
    assert all(c.isprintable() for c in out.replace("\n", ""))
    assert main(["explain", str(shop / "index"), "fox", "tu\u202ern", "-q"]) == 0
    out = capfd.readouterr().out
    assert out.startswith(r"tu\u202ern: A fox turns the")
    assert all(c.isprintable() for c in out.replace("\n", ""))
    assert main([*words, "--json"]) == 0
    found = {each["id"]: each["text"] for each in map(json.loads, capfd.readouterr().out.splitlines())}
    assert found["tu\u202ern"] == DOCUMENTS["tu\u202ern"]


def test_an_error_shows_what_it_quotes_escaped(refused):
    for words in (("search", "no\x1b[2J\u202e"), ("search", "x", "--no\x1b[2J"), ("no\x1b[2J",)):
        assert refused(*words, *(["q"] if words[0] == "search" else [])).isprintable()


@pytest.mark.jvm
def test_the_table_of_eval_is_printed_where_its_file_cannot_be_written(shop, tmp_path, tiny_model, capfd):
    model = ["--embedder", str(tiny_model("tied")), "--dtype", "float32", "--device", "cpu"]
    words = ["eval", str(shop / "beir"), "--systems", "flat", "-q", "--indexes", str(tmp_path / "indexes"), *model]
    assert main([*words, "--out", "/dev/full", "--runs", str(tmp_path / "runs")]) == 2
    out, err = capfd.readouterr()
    assert "bm25" in out
    assert "/dev/full" in err
    assert err.count("\n") == 1
    assert list((tmp_path / "runs").glob("*.trec"))
    assert main([*words, "--out", "/dev/null"]) == 0
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


@pytest.mark.parametrize("option", ["--out", "--runs", "--indexes"])
def test_a_bad_place_is_refused_by_eval_before_a_text_is_encoded(
    refused, shop, tmp_path, tiny_model, option, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    model = ["--embedder", tiny_model("tied"), "--dtype", "float32", "--device", "cpu"]
    message = refused("eval", shop / "beir", option, tmp_path / "file" / "x", *model)
    assert str(tmp_path / "file") in message
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert not list(Path(os.environ["SPARSEEMBED_CACHE"]).rglob("*.npy"))
