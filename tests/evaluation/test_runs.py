"""TREC run files, and hits that are the query itself."""

import itertools
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparseembed.data.corpus import id_problem
from sparseembed.engines.base import Hit
from sparseembed.errors import ConfigError, DataError
from sparseembed.evaluation.measures import evaluate
from sparseembed.evaluation.runs import drop_self, read_trec_run, write_trec_run


def ranked(*pairs):
    return [Hit(doc, score, rank) for rank, (doc, score) in enumerate(pairs, 1)]


def test_the_file_as_written(tmp_path):
    path = tmp_path / "a.trec"
    run = {"q1": ranked(("d2", 12.0), ("d1", 3.5)), "q2": [], "ü": ranked(("日本", -0.25))}
    write_trec_run(path, run, "bm25")
    assert path.read_bytes().decode() == "q1 Q0 d2 1 12.0 bm25\nq1 Q0 d1 2 3.5 bm25\nü Q0 日本 1 -0.25 bm25\n"
    assert read_trec_run(path) == {"q1": run["q1"], "ü": run["ü"]}
    assert [file.name for file in tmp_path.iterdir()] == ["a.trec"]


IDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=5).filter(lambda text: not id_problem(text))
SCORES = st.floats(-1e30, 1e30) | st.sampled_from([0.0, 1.0, 7.0, 1e8, 1e8 + 1, 0.1, 0.1 + 1e-12])


@settings(deadline=None)
@given(st.dictionaries(IDS, st.dictionaries(IDS, SCORES, min_size=1, max_size=8), max_size=3))
def test_round_trip_keeps_ranking_and_scores(tmp_path_factory, scores):
    run = {q: ranked(*sorted(docs.items(), key=lambda pair: (-pair[1], pair[0]))) for q, docs in scores.items()}
    path = tmp_path_factory.getbasetemp() / "round.trec"
    write_trec_run(path, run, "t")
    again = read_trec_run(path)
    assert list(again) == list(run)
    for query, hits in run.items():
        assert [(hit.id, hit.rank) for hit in again[query]] == [(hit.id, hit.rank) for hit in hits]
        written = [hit.score for hit in again[query]]
        # trec_eval reads float32: strictly falling there too, so that ties are not reversed.
        assert all(np.float32(a) > np.float32(b) for a, b in itertools.pairwise(written))
        assert np.allclose(written, [hit.score for hit in hits], rtol=2e-6, atol=1e-40)


def test_trec_eval_sees_the_ranking_of_tied_integer_scores(tmp_path):
    import ir_measures

    run = {"q": ranked(("a", 7.0), ("b", 7.0), ("c", 7.0), ("d", 6.0))}
    path = tmp_path / "ties.trec"
    write_trec_run(path, run, "sparse")
    outside = ir_measures.calc_aggregate([ir_measures.nDCG @ 10], {"q": {"a": 1}}, ir_measures.read_trec_run(str(path)))
    assert outside[ir_measures.nDCG @ 10] == evaluate(run, {"q": {"a": 1}}).means["nDCG@10"] == 1.0
    assert [round(hit.score, 5) for hit in read_trec_run(path)["q"]] == [7.0, 7.0, 7.0, 6.0]


def test_reading_orders_by_score_then_rank_and_tolerates_blank_lines(tmp_path):
    path = tmp_path / "r"
    path.write_bytes(b"q Q0 low 1 1e-3 t\r\n\nq\tQ0\tb\t2\t5\tt\np Q0 x 0 1 t\nq Q0 c 0 5 t")
    assert read_trec_run(path) == {
        "q": ranked(("c", 5.0), ("b", 5.0), ("low", 0.001)),
        "p": ranked(("x", 1.0)),
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"q Q0 d 1 2.0", "5 columns where a TREC run has 6"),
        (b"q Q0 d 1 2.0 my tag", "7 columns"),
        (b"q Q0 d first 2.0 t", "rank 'first'"),
        (b"q Q0 d 1 2,0 t", "score '2,0'"),
        (b"q Q0 d 1 nan t", "must be finite"),
        (b"q Q0 d 1 -inf t", "must be finite"),
        (b"q Q0 good 1 2.0 t", "'good' stands twice for query 'q'"),
        (b"q Q0 \xff 1 2.0 t", "not UTF-8"),
        (b"q Q0 d\xc2\xa01 1 2.0 t", "id 'd\\xa01' holds white space"),
        (b"q\x85 Q0 d 1 2.0 t".decode("latin-1").encode(), "id 'q\\x85' holds white space"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, message):
    path = tmp_path / "bad.trec"
    path.write_bytes(b"q Q0 good 1 3.0 t\n" + line + b"\n")
    with pytest.raises(DataError, match=rf"^{re.escape(str(path))}:2: .*{re.escape(message)}"):
        read_trec_run(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"nothing: no such file"):
        read_trec_run(tmp_path / "nothing")
    with pytest.raises(DataError, match="cannot be read"):
        read_trec_run(tmp_path)


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ({"q": ranked(("a b", 1.0))}, "document of the run: id 'a b' holds white space"),
        ({"q": ranked(("", 1.0))}, "document of the run: the id is empty"),
        ({"q\t1": ranked(("a", 1.0))}, "query of the run: id .* holds white"),
        ({"q": ranked(("a", math.nan))}, "must be finite"),
        ({"q": ranked(("a", 2.0), ("a", 1.0))}, "twice"),
        ({"q": ranked(("\ud800", 2.0))}, "surrogate"),
    ],
)
def test_what_a_run_file_cannot_hold_leaves_the_old_one(tmp_path, run, message):
    path = tmp_path / "kept.trec"
    path.write_text("old")
    with pytest.raises(DataError, match=message):
        write_trec_run(path, run, "t")
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["kept.trec"]


@pytest.mark.parametrize("tag", ["", "two words", "a\n"])
def test_a_tag_is_one_word(tmp_path, tag):
    with pytest.raises(ConfigError, match="tag"):
        write_trec_run(tmp_path / "x", {}, tag)


def test_a_folder_that_is_missing_is_made_and_one_below_a_file_is_not(tmp_path):
    write_trec_run(tmp_path / "deep" / "er" / "x", {"q": ranked(("d", 1.0))}, "t")
    assert list(read_trec_run(tmp_path / "deep" / "er" / "x")) == ["q"]
    with pytest.raises(DataError, match=r"cannot write the run .*(File exists|Not a directory)"):
        write_trec_run(tmp_path / "deep" / "er" / "x" / "y", {}, "t")


def test_a_link_keeps_its_place_and_its_target_is_written(tmp_path):
    (tmp_path / "old.trec").write_text("old")
    (tmp_path / "link").symlink_to("old.trec")
    (tmp_path / "dangling").symlink_to("new.trec")
    for name, target in (("link", "old.trec"), ("dangling", "new.trec")):
        write_trec_run(tmp_path / name, {"q": ranked(("d", 1.0))}, "t")
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / target).read_text() == "q Q0 d 1 1.0 t\n"


def test_drop_self():
    run = {"a": ranked(("b", 3.0), ("a", 2.0), ("c", 1.0)), "z": ranked(("a", 2.0), ("b", 1.0), ("c", 0.5)), "e": []}
    assert drop_self(run) == {"a": ranked(("b", 3.0), ("c", 1.0)), "z": run["z"], "e": []}
    assert drop_self(run, depth=2) == {"a": ranked(("b", 3.0), ("c", 1.0)), "z": run["z"][:2], "e": []}
    assert len(run["a"]) == 3
