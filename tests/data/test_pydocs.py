import json
import os
import pydoc
import re
import subprocess
import sys
from importlib.resources import files

import pytest

from sparseembed.data.collection import Collection
from sparseembed.data.pydocs import collect_documents, docstrings, open_pydocs
from sparseembed.data.qrels import read_qrels
from sparseembed.errors import DataError

STOPWORDS = """
    a an and any are as at be been before but by can do does for from get give has have how i if in into is isn it its
    just like make my no not of on one or other out own s so some somebody t than that the their them then there
    these they thing things this to up use was we what when where which who whose with without you your
"""


@pytest.fixture(scope="module")
def collection() -> Collection:
    return open_pydocs()


def words(text):
    return set(re.findall("[a-z]+", text.lower()))


def run_python(source, **environment):
    return subprocess.run(
        [sys.executable, "-c", source], env=environment, capture_output=True, text=True, timeout=300, check=True
    )


@pytest.mark.parametrize("split", ["train", "test"])
def test_every_query_has_an_answer_and_every_judged_name_exists(collection, split):
    written = read_qrels(files("sparseembed.data.pydocs") / "qrels" / f"{split}.tsv")
    assert {grade for judged in written.values() for grade in judged.values()} == {1, 2}
    assert all(2 in judged.values() for judged in written.values())
    assert all(len(judged) <= 8 for judged in written.values())
    judgements = {(query, doc) for query, judged in written.items() for doc in judged}
    missing = {(query, doc) for query, doc in judgements if not collection.corpus.has_id(doc)}
    # The names were taken from Python 3.11.7; other versions have moved or joined a few.
    assert len(missing) <= (0 if sys.version_info[:3] == (3, 11, 7) else 0.03 * len(judgements)), missing
    assert written.keys() == collection.queries(split).keys() == collection.qrels(split).keys()
    assert {(query, doc) for query, judged in collection.qrels(split).items() for doc in judged} == judgements - missing


def test_splits_are_disjoint_large_enough_and_complete(collection):
    train, test = collection.queries("train"), collection.queries("test")
    assert collection.splits == ("train", "test")
    assert len(train) >= 40
    assert len(test) >= 80
    assert not train.keys() & test.keys()
    texts = [*train.values(), *test.values()]
    assert len(set(texts)) == len(texts)
    written = (files("sparseembed.data.pydocs") / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["_id"] for line in written} == train.keys() | test.keys()


def test_queries_are_short_and_use_other_words_than_their_answers(collection):
    lengths, overlaps = [], []
    for split in collection.splits:
        for query, text in collection.queries(split).items():
            answers = [doc for doc, grade in collection.qrels(split)[query].items() if grade == 2]
            asked = words(text) - words(STOPWORDS)
            said = set().union(*(words(collection.corpus[collection.corpus.index_of(doc)].text) for doc in answers))
            lengths.append(len(text.split()))
            overlaps.append(len(asked & said) / len(asked))
    assert 5 <= sum(lengths) / len(lengths) <= 12
    assert sum(overlap < 0.5 for overlap in overlaps) >= len(overlaps) / 2


def test_queries_reach_many_modules(collection):
    judged = {doc for split in collection.splits for answers in collection.qrels(split).values() for doc in answers}
    assert len({doc.partition(".")[0] for doc in judged}) >= 80


def test_corpus_is_sorted_distinct_and_of_the_right_size(collection):
    corpus = collection.corpus
    assert (corpus.name, corpus.identity) == ("pydocs", "pydocs")
    assert 2_000 <= len(corpus) <= 4_500
    assert corpus.ids == sorted(corpus.ids)
    assert len({document.text for document in corpus}) == len(corpus)
    assert all(document.title == document.id and len(document.text) >= 16 for document in corpus)
    assert corpus.blanks == 0
    assert not [document.id for document in corpus if re.search("at 0x[0-9a-f]{6}", document.text)]
    assert not [document.id for document in corpus if "Initialize self.  See help" in document.text]


@pytest.mark.parametrize(
    "doc_id",
    ["list.reverse", "str.split", "collections.deque.rotate", "os.path.join", "property", "socket.socket.recv", "json"],
)
def test_well_known_names_hold_their_own_docstrings(collection, doc_id):
    document = collection.corpus[collection.corpus.index_of(doc_id)]
    assert document.text.split() == pydoc.locate(doc_id).__doc__.split()
    assert document.contents == f"{doc_id} {document.text}"


def test_of_several_names_with_one_text_the_shortest_stays(collection):
    assert collection.corpus.has_id("set.union")
    assert not collection.corpus.has_id("frozenset.union")
    assert collection.corpus.has_id("OSError")
    assert not collection.corpus.has_id("IOError")


def test_fingerprint_is_the_same_whatever_the_hash_seed_and_whatever_was_imported_before(collection):
    source = (
        "import logging, inspect\n"
        "logging.captureWarnings(True)\n"  # replaces warnings.showwarning
        "inspect.getfile = lambda thing: None\n"  # as torch does
        "logging.Logger.shout = lambda self: None\n"
        "logging.Logger.shout.__doc__ = 'a method that a library added to the logger'\n"
        "from sparseembed.data.pydocs import open_pydocs\n"
        "import sys; sys.stdout.write(open_pydocs().corpus.fingerprint)"
    )
    path = os.pathsep.join(entry for entry in sys.path if entry)
    outcomes = {run_python(source, PYTHONHASHSEED=seed, PYTHONPATH=path).stdout for seed in ("1", "2")}
    assert outcomes == {collection.corpus.fingerprint}


def test_collecting_prints_nothing_and_opens_no_window():
    source = (files("sparseembed.data.pydocs") / "docstrings.py").read_text(encoding="utf-8")
    source = source.partition('if __name__ == "__main__":')[0]
    source += "collect()\nassert not {'tkinter', 'turtle', 'antigravity', 'this', 'idlelib'} & sys.modules.keys()"
    done = run_python(source, PYTHONWARNINGS="always")
    assert (done.stdout, done.stderr) == ("", "")


def test_names_that_other_modules_own_are_left_out():
    texts = docstrings.collect()
    assert "json.JSONDecoder" in texts  # defined in json.decoder, part of json
    assert "socketserver.BytesIO" not in texts  # imported from io
    assert not [name for name in texts if any(part.startswith("_") for part in name.split("."))]


def test_a_judgement_of_an_unknown_name_is_dropped_with_a_query_that_loses_its_answer(monkeypatch, caplog):
    monkeypatch.setattr(
        "sparseembed.data.pydocs.collect_documents",
        lambda: [document for document in collect_documents() if document.id not in {"list.reverse", "bin"}],
    )
    smaller = open_pydocs()
    reverse = next(query for query, text in smaller.queries("test").items() if text == "turn a list upside down")
    assert "list.reverse" not in smaller.qrels("test")[reverse]
    assert smaller.qrels("test")[reverse]["reversed"] == 2
    ones = {text for split in smaller.splits for text in smaller.queries(split).values()}
    assert "show a number as ones and zeros" not in ones
    assert smaller.counts("test").unknown_documents == 0
    assert not caplog.records


@pytest.mark.parametrize(
    ("executable", "reason"), [("/nowhere/python", "No such file"), ("", ""), (sys.executable, "SyntaxError")]
)
def test_an_interpreter_that_cannot_be_run_is_one_line(monkeypatch, executable, reason):
    monkeypatch.setattr("sparseembed.data.pydocs.sys.executable", executable)
    if executable == sys.executable:
        monkeypatch.setattr("pathlib.Path.read_text", lambda *_, **__: "this is no Python")
    with pytest.raises(DataError) as error:
        collect_documents()
    assert "\n" not in str(error.value)
    assert reason in str(error.value)
    assert str(error.value).startswith("pydocs: ")
