import logging

import pytest

from sparseembed.data.collection import Collection, JudgementCounts
from sparseembed.data.corpus import Corpus, Document

CORPUS = Corpus([Document("d1", "", "one"), Document("d2", "", "two")], "small")
QUERIES = {"q3": "third", "q1": "first", "q2": "second", "q4": ""}
QRELS = {"train": {"q2": {"d1": 1}}, "test": {"q1": {"d1": 1, "d2": 0}, "q4": {"d2": 2}, "q3": {"d1": -1}}}


def small() -> Collection:
    return Collection.in_memory(CORPUS, QUERIES, QRELS)


def test_queries_are_the_judged_ones_in_file_order():
    assert small().splits == ("train", "test")
    assert list(small().queries("test").items()) == [("q3", "third"), ("q1", "first"), ("q4", "")]
    assert small().queries("train") == {"q2": "second"}


def test_qrels_and_counts():
    assert small().qrels("test") == QRELS["test"]
    assert small().counts("test") == JudgementCounts(judgements=4, unknown_documents=0, unknown_queries=0)


def test_nothing_is_loaded_before_it_is_asked_for_and_nothing_twice():
    calls = []

    def load_queries():
        calls.append("queries")
        return dict(QUERIES)

    def load_qrels(split):
        calls.append(split)
        return QRELS[split]

    collection = Collection(CORPUS, ("train", "test"), load_queries, load_qrels)
    assert calls == []
    for _ in range(2):
        collection.queries("test")
        collection.qrels("test")
        collection.counts("test")
    assert sorted(calls) == ["queries", "test"]
    collection.queries("train")
    assert sorted(calls) == ["queries", "test", "train"]


@pytest.mark.parametrize("method", ["queries", "qrels", "counts"])
def test_unknown_split_lists_the_ones_there_are(method, message_of):
    assert message_of(getattr(small(), method), "dev") == (
        "collection small has no split 'dev': use one of train, test"
    )


def test_no_judgements_at_all(message_of):
    collection = Collection.without_queries(CORPUS)
    assert collection.splits == ()
    assert "has no split 'test': it has no judgements" in message_of(collection.queries, "test")


def test_unknown_documents_and_queries_are_kept_counted_and_warned_of_once(caplog):
    qrels = {"q1": {"d1": 1, "gone": 1}, "lost": {"d1": 1, "gone": 0, "d2": 1}}
    collection = Collection.in_memory(CORPUS, QUERIES, {"test": qrels})
    with caplog.at_level(logging.WARNING, "sparseembed"):
        assert collection.qrels("test") == qrels
        assert collection.queries("test") == {"q1": "first"}
        assert collection.counts("test") == JudgementCounts(5, unknown_documents=2, unknown_queries=3)
    assert [record.getMessage() for record in caplog.records] == [
        "small, split test: 2 of 5 judgements name an unknown document (the first is 'gone'); they still count",
        "small, split test: 3 of 5 judgements name an unknown query (the first is 'lost'); they still count",
    ]


def test_no_judged_query_is_known(message_of):
    collection = Collection.in_memory(CORPUS, QUERIES, {"test": {"Q1": {"d1": 1}, "Q2": {"d1": 1}}})
    message = message_of(collection.queries, "test")
    assert "none of its 2 judged queries is among the queries (the first is 'Q1')" in message
    assert collection.qrels("test") == {"Q1": {"d1": 1}, "Q2": {"d1": 1}}


def test_query_texts_are_cleaned_of_surrogates():
    collection = Collection.in_memory(CORPUS, {"q1": "a\ud800"}, {"test": {"q1": {"d1": 1}}})
    assert collection.queries("test") == {"q1": "a\ufffd"}


@pytest.mark.parametrize(
    ("queries", "qrels", "kind"),
    [
        ({"a b": "x"}, {"q": {"d": 1}}, "query"),
        ({"q": "x"}, {"a b": {"d": 1}}, "query"),
        ({"q": "x"}, {"q": {"a b": 1}}, "document"),
    ],
)
def test_ids_with_white_space_are_refused_wherever_they_are_from(queries, qrels, kind, message_of):
    collection = Collection.in_memory(Corpus([Document("d", "", "x")], "set"), queries, {"test": qrels})
    assert message_of(collection.queries, "test").startswith(f"collection set, {kind}: id 'a b' holds white space")
