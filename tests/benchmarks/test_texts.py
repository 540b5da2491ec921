"""What is encoded: passages, their aligned terms, and the script from end to end."""

import json
import sys

import numpy as np
import texts
from apart.passages import best_of, cut
from apart.sampled import judged_part
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sparseembed.alignment.decoding import Aligned
from sparseembed.data.corpus import Corpus, Document
from sparseembed.data.resolve import open_collection

LONG = "One two three four. Five six seven. Eight nine ten eleven twelve thirteen. Fourteen."


def test_passages_are_whole_sentences_with_the_title_in_front():
    corpus = Corpus([Document("a", "Title", LONG), Document("b", "", "Short."), Document("c", "Only a title", "")], "x")
    found = cut(corpus, 7)
    assert found.texts == [
        "Title One two three four. Five six seven.",
        "Title Eight nine ten eleven twelve thirteen. Fourteen.",
        "Short.",
        "Only a title",
    ]
    assert found.starts.tolist() == [0, 2, 3]
    assert cut(corpus, 0).texts == [document.contents for document in corpus]


def test_a_sentence_that_is_too_long_is_a_passage_of_its_own():
    assert len(cut(Corpus([Document("a", "", LONG)], "x"), 1).texts) == 4


@st.composite
def decoded(draw):
    """Draw 5 of 8 terms with scores for each passage, best first, and where documents begin."""
    passages = draw(st.integers(1, 6))
    scores = draw(arrays.arrays(np.float32, (passages, 8), elements=st.integers(-4, 4).map(float)))
    terms = np.argsort(-scores, axis=1, kind="stable")[:, :5].astype(np.int32)
    starts = sorted({0, *draw(st.sets(st.integers(0, passages - 1)))})
    return Aligned(terms, np.take_along_axis(scores, terms, axis=1)), starts


@given(decoded(), st.integers(1, 5))
def test_a_term_has_the_score_of_its_best_passage(drawn, k):
    aligned, starts = drawn
    found = best_of(aligned, starts, k)
    for row, (start, end) in enumerate(zip(starts, [*starts[1:], len(aligned.terms)], strict=True)):
        best = {}
        for term, score in zip(aligned.terms[start:end].ravel(), aligned.scores[start:end].ravel(), strict=True):
            best[int(term)] = max(float(score), best.get(int(term), -np.inf))
        wanted = sorted(best.items(), key=lambda entry: (-entry[1], entry[0]))[:k]
        assert list(zip(found.terms[row].tolist(), found.scores[row].tolist(), strict=True)) == wanted


def test_texts_that_are_short_have_the_same_figures_in_passages(folder, tiny_embedder):
    embedder = tiny_embedder()
    judged = judged_part(open_collection(str(folder)), "train", 40)
    assert len(judged.corpus) == 40
    measure = texts.Measure(judged, embedder)
    whole, *passages = [measure.row(way) for way in list(texts.ways(embedder))[:3]]
    assert len(passages) == 2
    for row in passages:
        assert row.encoded == 1
        assert row.ndcg == whole.ndcg
    assert whole.ndcg["one index"] > 0.5


def test_the_page_has_a_row_for_each_way(folder, tiny_model, tmp_path, monkeypatch, capsys):
    arguments = [str(folder), "--embedder", str(tiny_model("tied")), "--documents", "30", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["texts.py", *arguments])
    assert texts.main() == 0
    content = json.loads((tmp_path / "made.json").read_text())
    page = (tmp_path / "made.md").read_text()
    assert capsys.readouterr().out == page
    for row in content["rows"]:
        assert f"| {row['way']} | {row['encoded']:.2f} | {row['ndcg']['dense']:.4f} |" in page
    assert len(content["rows"]) == 6
    assert str(folder.parent) not in page


def test_a_test_split_is_refused(folder, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["texts.py", str(folder), "--split", "test"])
    assert texts.main() == 2
    assert "name train or dev" in capsys.readouterr().err
