import bz2
import gzip
import logging
import lzma

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparseembed.data.qrels import read_qrels

HEADER = "query-id\tcorpus-id\tscore\n"
BY_HAND = {"q2": {"d1": 2, "d9": 0}, "q1": {"d1": 1}}


@pytest.mark.parametrize(
    "content",
    [
        HEADER + "q2\td1\t2\nq2\td9\t0\nq1\td1\t1\n",
        HEADER.replace("\n", "\r\n") + "q2\td1\t2\r\nq2\td9\t0\r\nq1\td1\t1\r\n",
        "\ufeff" + HEADER + "\nq2\td1\t2\n\nq2\td9\t0\nq1\td1\t1",
        "q2\td1\t2\nq2\td9\t0\nq1\td1\t1\n",
        "query_id doc_id relevance\nq2 d1 2\nq2 d9 0\nq1 d1 1\n",
        "q2 0 d1 2\nq2 0 d9 0\nq1 Q0 d1 1\n",
        "query-id corpus-id score annotators\nq2 d1 2 3\nq2 d9 0 3\nq1 d1 1 1\n",
        "query-id iteration doc-id grade\nq2 0 d1 2\nq2 0 d9 0\nq1 7 d1 1\n",
        "qid\tscore\tdocid\nq2\t2\td1\nq2\t0\td9\nq1\t1\td1\n",
        "query\titer\tdocno\trel\tnote\nq2\t0\td1\t2\tx\nq2\t0\td9\t0\tx\nq1\t0\td1\t1\tx\n",
        "q2 4.5 d1 2\nq2 0.5 d9 0\nq1 5 d1 1\n",
        "q2 d1 2.0\nq2 d9 0.\nq1 d1 1.000\n",
    ],
)
def test_layouts(content, tmp_path):
    path = tmp_path / "test.tsv"
    path.write_text(content, encoding="utf-8", newline="")
    qrels = read_qrels(path)
    assert qrels == BY_HAND
    assert list(qrels) == ["q2", "q1"]


NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    qrels=st.dictionaries(NAMES, st.dictionaries(NAMES, st.integers(-3, 9), min_size=1), min_size=1),
    four=st.booleans(),
)
def test_what_is_written_is_read(qrels, four, tmp_path):
    path = tmp_path / "test.tsv"
    rows = [(query, doc, grade) for query, judged in qrels.items() for doc, grade in judged.items()]
    lines = [f"{query} 0 {doc} {grade}" if four else f"{query}\t{doc}\t{grade}" for query, doc, grade in rows]
    path.write_bytes((("" if four else HEADER) + "\n".join(lines)).encode())
    assert read_qrels(path) == qrels


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("q1\td1", "2 columns where 3 are needed (query-id, corpus-id, score)"),
        ("q1", "1 columns where 3 are needed"),
        ("q1\t0\td1\t1", "4 columns where 3 are needed"),
        ("q1\td1\t1\tx\ty", "5 columns where 3 are needed"),
        ("q1\t\t1", "the id is empty"),
        ("q 1\td1\t1", "id 'q 1' holds white space"),
        ("q1\td\u00a01\t1", "id 'd\\xa01' holds white space"),
        ("q1\td1\t0.5", "grade '0.5' is not a whole number"),
        ("q1\td1\t1.5", "grade '1.5' is not a whole number"),
        ("q1\td1\t1.05", "grade '1.05' is not a whole number"),
        ("q1\td1\t.0", "grade '.0' is not a whole number"),
        ("q1\td1\t1e0", "grade '1e0' is not a whole number"),
        ("q1\td1\tnan", "grade 'nan' is not a whole number"),
        ("q1\td1\tyes", "grade 'yes' is not a whole number"),
        ("q1\td1\t1_0", "grade '1_0' is not a whole number"),
        ("q1\td1\t\u0663", "grade '\u0663' is not a whole number"),
        ("q1\td1\t99999999999", "grade '99999999999' is not a whole number"),
        ("query-id\tcorpus-id\tscore", "grade 'score' is not a whole number"),
    ],
)
def test_bad_line_is_named(line, problem, tmp_path, message_of):
    path = tmp_path / "test.tsv"
    path.write_text(HEADER + "q0\td0\t1\n\n" + line + "\n", encoding="utf-8")
    assert message_of(read_qrels, path).startswith(f"{path}:4: {problem}")


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        ("q1 0 d1 1\nq1 d1 1\n", 2, "3 columns where 4 are needed (query-id, 0, document-id, grade)"),
        ("q1\td1\thigh\n", 1, "grade 'high' is not a whole number"),
        ("qid a b c\nq 1 2 3\n", 1, "a header that does not tell which column is which"),
        ("qid docid doc_id score\nq 1 2 3\n", 1, "a header that does not tell which column is which"),
        ("qid docid score more\nq 1 2\n", 2, "3 columns where 4 are needed (qid, docid, score, more)"),
        ("only two\n", 1, "2 columns where 3 are needed"),
    ],
)
def test_bad_lines_without_a_header(content, line, problem, tmp_path, message_of):
    path = tmp_path / "test.tsv"
    path.write_text(content)
    assert message_of(read_qrels, path).startswith(f"{path}:{line}: {problem}")


@pytest.mark.parametrize("content", ["", "\n", HEADER])
def test_no_judgements(content, tmp_path, message_of):
    path = tmp_path / "test.tsv"
    path.write_text(content)
    assert message_of(read_qrels, path).startswith(f"{path}: no judgements in it: ")


def test_a_query_named_like_a_header_is_a_query(tmp_path):
    path = tmp_path / "test.tsv"
    path.write_text("query\td1\t1\nqid\td1\t2\n")
    assert read_qrels(path) == {"query": {"d1": 1}, "qid": {"d1": 2}}


def test_negative_and_signed_grades(tmp_path):
    path = tmp_path / "test.tsv"
    path.write_text("q1 d1 -2\nq1 d2 +1\n")
    assert read_qrels(path) == {"q1": {"d1": -2, "d2": 1}}


def test_the_last_of_two_grades_counts_and_a_warning_says_how_many_differ(tmp_path, caplog):
    path = tmp_path / "test.tsv"
    path.write_text("q1 d1 1\nq1 d1 0\nq1 d2 1\nq1 d2 1\n")
    with caplog.at_level(logging.WARNING, "sparseembed"):
        assert read_qrels(path) == {"q1": {"d1": 0, "d2": 1}}
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: 1 judgements change the grade of an earlier one; the last counts"
    ]


def test_the_same_judgement_twice_is_no_warning(tmp_path, caplog):
    path = tmp_path / "test.tsv"
    path.write_text("q1 d1 1\nq1 d1 1\n")
    assert read_qrels(path) == {"q1": {"d1": 1}}
    assert not caplog.records


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        ("q5 2 1 3\nq5 6 1 3\n", 1, "column 2 is '2' where TREC's judgements have 0"),
        ("q5\t2\t1\t3\n", 1, "column 2 is '2' where TREC's judgements have 0"),
        ("q1 0 d1 1\nq5 d2 1 3\n", 2, "column 2 is 'd2' where TREC's judgements have 0"),
        ("qid document relevant\nq 1 1\n", 1, "a header that does not tell which column is which"),
        ("q\u00a01 0 d1 1\n", 1, "id 'q\\xa01' holds white space"),
        ("a b\tc\td\te\n", 1, "id 'a b' holds white space"),
        ('{"query": "x"}\n', 1, "fields that do not tell which is which"),
        ('{"qid": "x", "docid": "y", "score": 0.5}\n', 1, "grade '0.5' is not a whole number"),
        ('{"qid": "x y", "docid": "y", "score": 1}\n', 1, "id 'x y' holds white space"),
        ('{"qid": "x", "docid": "y", "score": true}\n', 1, "grade 'True' is not a whole number"),
    ],
)
def test_what_could_be_misread_is_refused(content, line, problem, tmp_path, message_of):
    path = tmp_path / "test.tsv"
    path.write_text(content, encoding="utf-8")
    assert message_of(read_qrels, path).startswith(f"{path}:{line}: {problem}")


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize(
    "content",
    [
        "score,corpus-id,query-id\n2,d1,q2\n0.0,d9,q2\n1,d1,q1\n",
        '"query-id";"score";"corpus-id"\r\nq2;2;d1\r\nq2;0;d9\r\nq1;1;d1\r\n',
        "Corpus-ID\tQuery-ID\tScore\nd1\tq2\t2\nd9\tq2\t0\nd1\tq1\t1\n",
        '{"query-id": "q2", "corpus-id": "d1", "score": 2}\n{"query-id": "q2", "corpus-id": "d9", "score": 0.0}\n'
        '{"query-id": "q1", "corpus-id": "d1", "score": "1.0"}\n',
        '[{"qid": "q2", "docid": "d1", "rel": 2},\n {"qid": "q2", "docid": "d9", "rel": 0},\n'
        ' {"qid": "q1", "docid": "d1", "rel": 1, "x": []}]\n',
    ],
)
def test_columns_by_name_in_other_formats(content, pack, tmp_path):
    path = tmp_path / "test.tsv"
    path.write_bytes(pack(content.encode()))
    assert read_qrels(path) == BY_HAND
