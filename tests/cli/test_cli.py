"""The commands: what each prints, writes, reuses and loads."""

import json
import os
import subprocess
import sys

import pytest

from sparseembed import __version__
from sparseembed.cli import COMMANDS, main

DOCUMENTS = [
    {"_id": "cat", "title": "Cats", "text": "The cat sat on the mat."},
    {"id": "whale", "text": "A whale is no fish:\nit breathes air."},
    {"_id": "river", "contents": "Rivers carry water to the sea."},
    {"_id": "blank", "text": " "},
    {"_id": "odd", "text": "bell \x07, null \x00, lone \ud800, smile 😀, café"},
]


@pytest.fixture(scope="module")
def workshop(tiny_model, tmp_path_factory):
    """A folder with documents, a model's options, and an index of each of three term spaces."""
    folder = tmp_path_factory.mktemp("workshop")
    (folder / "mine.jsonl").write_text("".join(json.dumps(each) + "\n" for each in DOCUMENTS))
    model = ["--embedder", str(tiny_model("tied")), "--dtype", "float32", "--device", "cpu"]
    for terms in ("word", "folded", "word+folded"):
        words = ["index", str(folder / "mine.jsonl"), "--out", str(folder / terms), "--terms", terms, "-k", "8", "-q"]
        assert main([*words, "--embeddings", str(folder / "vectors"), *model]) == 0
    return folder, model


@pytest.fixture
def run(capsys):
    """Return a function that runs a command in this process and gives its output and its notes."""

    def command(*words):
        capsys.readouterr()
        assert main([str(word) for word in words]) == 0
        return tuple(capsys.readouterr())

    return command


def test_each_command_teaches_by_example(capsys):
    for words in ([], *([name] for name in COMMANDS)):
        with pytest.raises(SystemExit) as end:
            main([*words, "--help"])
        assert end.value.code == 0
        told = capsys.readouterr().out
        assert "examples:\n" in told
        assert told.count(f"  sparseembed {' '.join(words)}") >= 2
    assert {"index", "search", "eval", "cache", "doctor"} <= COMMANDS.keys()


def test_version(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert (end.value.code, capsys.readouterr().out) == (0, f"sparseembed {__version__}\n")


@pytest.mark.jvm
def test_search_prints_a_small_table(workshop, run):
    folder, _ = workshop
    out, err = run("search", folder / "word", "does a whale breathe", "-k", 2)
    lines = out.splitlines()
    assert lines[0].split() == ["rank", "score", "id", "text"]
    assert lines[1].split()[0] == "1"
    assert lines[1].split()[2] == "whale"
    assert lines[1].endswith("A whale is no fish: it breathes air.")
    assert 2 <= len(lines) <= 3
    assert err == ""


@pytest.mark.jvm
@pytest.mark.parametrize("terms", ["word", "folded", "word+folded"])
def test_search_as_json_agrees_with_the_exact_engine_and_with_explain(workshop, run, terms):
    folder, _ = workshop
    for query in ("cat", "water cat", "whale fish sea", "smile 😀 café"):
        out, _ = run("search", folder / terms, query, "--json")
        assert run("search", folder / terms, query, "--json", "--engine", "exact")[0] == out
        hits = [json.loads(line) for line in out.splitlines()]
        assert [hit["rank"] for hit in hits] == list(range(1, len(hits) + 1))
        assert "blank" not in {hit["id"] for hit in hits}
        for hit in hits:
            told = json.loads(run("explain", folder / terms, query, hit["id"], "--json")[0])
            assert told["id"] == hit["id"]
            assert told["score"] == hit["score"] == sum(term["score"] for term in told["terms"])


@pytest.mark.jvm
def test_explain_prints_terms_their_origin_and_the_sum(workshop, run):
    folder, _ = workshop
    out, _ = run("explain", folder / "word", "cat mat zebra", "cat")
    told, _, table = out.partition("\n\n")
    assert told == "cat: Cats The cat sat on the mat."
    lines = [line.split() for line in table.partition("\n\n")[0].splitlines()]
    assert lines[0] == ["term", "origin", "query", "impact", "score"]
    assert {line[0]: line[1] for line in lines[1:-1]} == {"cat": "literal", "mat": "literal"}
    assert lines[-1] == ["sum", str(sum(int(line[4]) for line in lines[1:-1]))]
    assert table.endswith("\n\nnot in the document: zebra\n")


@pytest.mark.jvm
def test_explain_of_a_document_that_shares_nothing_sums_to_nought(workshop, run):
    folder, _ = workshop
    told = json.loads(run("explain", folder / "word", "zebra", "blank", "--json")[0])
    assert told == {"id": "blank", "score": 0, "terms": [], "unmatched": ["zebra"]}


@pytest.mark.jvm
@pytest.mark.parametrize("query", ["", " \t", "zebra", "\x00\x1b[31m", "\ud800\udfff", "🐙"])
def test_a_query_that_shares_nothing_is_no_error(workshop, run, query):
    folder, _ = workshop
    out, err = run("search", folder / "word", query)
    assert (out, err) == ("", "no hits: no document shares a term with the query\n")
    assert run("search", folder / "word", query, "-q") == ("", "")
    assert run("search", folder / "word", query, "--json") == ("", "")


@pytest.mark.jvm
def test_strange_characters_in_documents_are_kept_but_for_surrogates(workshop, run):
    folder, _ = workshop
    (line,) = run("search", folder / "word", "bell null lone smile", "-k", 1, "--json")[0].splitlines()
    assert json.loads(line)["text"] == "bell \x07, null \x00, lone \ufffd, smile 😀, café"
    out, _ = run("search", folder / "word", "bell null lone smile", "-k", 1)
    assert out.splitlines()[1].endswith("bell , null , lone \ufffd, smile 😀, café")


@pytest.mark.jvm
def test_many_queries_go_into_a_run_file(workshop, run, tmp_path):
    folder, _ = workshop
    queries = {"q1": "cat mat", "q2": "", "q3": "sea whale"}
    file = tmp_path / "queries.jsonl"
    file.write_text("".join(json.dumps({"_id": key, "text": text}) + "\n" for key, text in queries.items()))
    for threads in (1, 2):
        out, err = run(
            "search", folder / "word", "--queries", file, "--run", tmp_path / "x.trec", "-k", 2, "--threads", threads
        )
        assert out == ""
        found = {}
        for line in (tmp_path / "x.trec").read_text().splitlines():
            query, q0, doc_id, rank, score, tag = line.split()
            assert (q0, tag) == ("Q0", "sparseembed")
            found.setdefault(query, []).append((int(rank), doc_id, float(score)))
        assert set(found) == {"q1", "q3"}
        for query, hits in found.items():
            one = run("search", folder / "word", queries[query], "-k", 2, "--json")[0].splitlines()
            # Of equal scores the later is written a little lower, for trec_eval.
            expected = [(hit["rank"], hit["id"], pytest.approx(hit["score"])) for hit in map(json.loads, one)]
            assert hits == expected
        count = sum(map(len, found.values()))
        assert err == f"searched 3 queries, found {count} hits; wrote {tmp_path / 'x.trec'}\n"


@pytest.mark.jvm
def test_expanded_search_adds_terms_by_the_index_own_embedder(workshop, run, tiny_model):
    folder, _ = workshop
    named = ("--expand", 8, "--embedder", tiny_model("tied"))
    told = json.loads(run("explain", folder / "folded", "cat", "river", "--json", *named)[0])
    assert len(told["terms"]) + len(told["unmatched"]) > 1
    plain = run("search", folder / "folded", "cat", "--json")[0].splitlines()
    expanded = run("search", folder / "folded", "cat", "--json", *named)[0].splitlines()
    assert len(expanded) >= len(plain)


@pytest.mark.jvm
def test_index_says_what_it_reuses_and_where_it_wrote(workshop, run, tmp_path, monkeypatch):
    folder, model = workshop
    monkeypatch.chdir(tmp_path)
    words = ["index", folder / "mine.jsonl", "--embeddings", folder / "vectors", *model]
    out, err = run(*words)
    assert out == ""
    assert f"reusing the embeddings of mine, documents in {folder / 'vectors' / 'documents'}\n" in err
    assert "indexed 5 documents (1 blank), " in err
    assert err.endswith("; wrote indexes/mine\n")
    assert run(*words)[1].splitlines()[-1] == "reusing the index in indexes/mine"
    assert run(*words, "-q") == ("", "")
    run(*words, "--terms", "folded", "--mix", 0.5, "--no-idf")
    manifest = json.loads((tmp_path / "indexes" / "mine.folded" / "manifest.json").read_text())
    chosen = manifest["sparse"]
    assert (chosen["terms"], chosen["mix"], chosen["idf"], chosen["literal"]) == ("folded", 0.5, False, False)
    assert "reusing the index in indexes/mine" in run(*words, "--mix", "auto")[1]
    run(*words, "--terms", "word+folded", "--pieces", 0.25)
    manifest = json.loads((tmp_path / "indexes" / "mine.word+folded" / "manifest.json").read_text())
    assert (manifest["sparse"]["pieces"], manifest["sparse"]["literal"]) == (0.25, True)
    assert manifest["analyzer"]


def test_encode_alone_is_the_first_half_of_index(workshop, run, tmp_path):
    folder, model = workshop
    err = run("encode", folder / "mine.jsonl", "--embeddings", tmp_path / "v", *model)[1]
    assert f"encoded mine, documents: 5 texts, 1 blank; wrote {tmp_path / 'v' / 'documents'}\n" in err
    names = ("documents/00000.npy", "documents/store.json", "query-like/00000.npy")
    assert all((tmp_path / "v" / name).read_bytes() == (folder / "vectors" / name).read_bytes() for name in names)


def test_inspect_prints_a_table_of_aligned_tokens(workshop, run):
    _, model = workshop
    out, _ = run("inspect", "the cat sat on the mat", "-k", 5, *model)
    lines = out.splitlines()
    assert lines[0].split() == ["rank", "token", "score", "literal"]
    assert [int(line.split()[0]) for line in lines[1:]] == [1, 2, 3, 4, 5]
    text, _ = run("inspect", "the cat sat on the mat", "-k", 10_000, "--json", *model)
    tokens = [json.loads(line) for line in text.splitlines()]
    scores = [token["score"] for token in tokens]
    assert scores == sorted(scores, reverse=True)
    assert {token["token"] for token in tokens if token["literal"]} >= {"cat", "sat", "the", "on", "mat"}
    assert len({token["token"] for token in tokens}) == len(tokens) > 50


@pytest.mark.jvm
def test_inspect_with_an_index_adjusts_as_the_index_does(workshop, run, tiny_model):
    folder, model = workshop
    indexed = ("--index", folder / "word", "--embedder", tiny_model("tied"))
    own = run("inspect", "cat", "--json", *model)[0]
    adjusted = run("inspect", "cat", "--json", *indexed)[0]
    query = run("inspect", "cat", "--json", *indexed, "--side", "query")[0]
    assert len({own, adjusted, query}) == 3
    odd = run("inspect", "\ud800 \x00 😀", "--json", "-k", 3, *model)[0]
    assert [json.loads(line)["rank"] for line in odd.splitlines()] == [1, 2, 3]


def test_an_interrupted_command_says_so_and_ends_with_130(monkeypatch, capsys):
    def stop(options):
        raise KeyboardInterrupt

    monkeypatch.setattr("sparseembed.cli.inspect.run", stop)
    assert main(["inspect", "cat"]) == 130
    assert capsys.readouterr().err.strip().startswith("sparseembed: stopped")


HEAVY = ("torch", "transformers", "jnius", "pyserini", "faiss", "ir_datasets", "ir_measures", "scipy.stats")


def python(code, *words):
    """Run Python code in a process of its own and give its standard output."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, check=False, env={**os.environ}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.jvm
def test_a_terminal_that_is_not_of_utf8_is_no_error(workshop):
    folder, _ = workshop
    done = subprocess.run(
        [sys.executable, "-m", "sparseembed", "search", str(folder / "folded"), "smile", "--json", "-k", "5"],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    texts = {hit["id"]: hit["text"] for hit in map(json.loads, done.stdout.splitlines())}
    assert done.stdout.isascii()
    assert texts["odd"] == "bell \x07, null \x00, lone \ufffd, smile \U0001f600, caf\u00e9"


def test_import_and_help_load_nothing_heavy():
    code = (
        "import sys, sparseembed\nfrom sparseembed import Searcher, build_index\nfrom sparseembed.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print('loaded:', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert python(code).endswith("loaded: []\n")


@pytest.mark.parametrize(("given", "wanted"), [(None, "4"), ("26", "26")])
def test_threads_of_openblas_do_not_spin_beside_the_model(monkeypatch, given, wanted):
    monkeypatch.delenv("OPENBLAS_THREAD_TIMEOUT", raising=False)
    if given is not None:
        monkeypatch.setenv("OPENBLAS_THREAD_TIMEOUT", given)
    code = (
        "import os, sys\nfrom sparseembed.cli import main\nearly = 'numpy' in sys.modules\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\nprint(early, os.environ['OPENBLAS_THREAD_TIMEOUT'])"
    )
    assert python(code).endswith(f"False {wanted}\n")


@pytest.mark.jvm
def test_a_one_index_search_loads_no_model(workshop):
    folder, _ = workshop
    code = (
        "import sys\nfrom sparseembed.cli import main\nstatus = main(sys.argv[1:])\n"
        "print('loaded:', status, [name for name in ('torch', 'transformers', 'faiss') if name in sys.modules])"
    )
    out = python(code, "search", folder / "word", "cat")
    assert "The cat sat on the mat." in out
    assert out.endswith("loaded: 0 []\n")
