"""`fit-query-encoder`: what changes of an index and what does not, what it is fitted to and chosen on, its refusal."""

import json
import math
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_mixing import corpus_of

from sparseembed import Searcher
from sparseembed.alignment.static import StaticEncoder
from sparseembed.cli import main
from sparseembed.data.corpus import Document
from sparseembed.engines.registry import open_engine
from sparseembed.errors import ConfigError, DataError, EmbedderError, IndexFolderError
from sparseembed.index.snapshot import open_snapshot
from sparseembed.index.statistics import EARLY, STATIC, load_early, load_static
from sparseembed.index.transaction import Transaction
from sparseembed.index.verify import verify_index
from sparseembed.indexing import refitting
from sparseembed.indexing.build import build_index
from sparseembed.indexing.candidates import Candidates, candidates_in_index
from sparseembed.indexing.fit import sparsifier_of
from sparseembed.indexing.refusal import refusal, shared
from sparseembed.indexing.rescoring import Chosen, RescoringChoice, first_ten
from sparseembed.indexing.update import Index
from sparseembed.pseudo.queries import sentence_pairs
from sparseembed.retrieval.query import InferenceFree
from sparseembed.retrieval.rescoring import EarlyEncoder

pytestmark = [pytest.mark.jvm, pytest.mark.usefixtures("silence")]
QUERIES = ["Cat fish river", "whale", "sun light on the mat", "zorblax", ""]


@pytest.fixture
def embedder(tiny_embedder):
    return tiny_embedder(pooling="mean")


@pytest.fixture(scope="module")
def built(build_once, tiny_embedder):
    return build_once(corpus_of(90), tiny_embedder(pooling="mean"), k=20)


@pytest.fixture
def path(built, tmp_path):
    return shutil.copytree(built, tmp_path / "index")


def files_of(path):
    """Give the bytes of all files of an index but its lock, by what they are and not by the commit's number."""
    return {
        (file.parent.name.split("-")[0], file.name): file.read_bytes()
        for file in path.rglob("*")
        if file.is_file() and file.name not in ("manifest.json", ".lock", "lock", "write.lock")
    }


def head_of(path):
    snapshot = open_snapshot(path)
    try:
        return load_early(snapshot.statistics_files)
    finally:
        snapshot.close()


def static_of(path):
    snapshot = open_snapshot(path)
    try:
        return load_static(snapshot.statistics_files)
    finally:
        snapshot.close()


def hits_of(path, embedder, **how):
    with Searcher.open(path, embedder=embedder, **how) as searcher:
        return [searcher.search(query, 50) for query in QUERIES]


def test_the_encoders_alone_change(path, embedder):
    before, manifest = files_of(path), Index(path).manifest
    others = [{}, {"encoder": "full"}, {"encoder": "none", "feedback": True}]
    found = [hits_of(path, embedder, **how) for how in others]
    told = Index(path, embedder).fit_query_encoder(layers=1)
    after = files_of(path)
    assert verify_index(path) == []
    assert {name for name in before if before[name] != after[name]} == {
        ("fit", each) for each in (EARLY, STATIC, "about.json")
    }
    assert before.keys() == after.keys()
    assert told.generation == manifest.generation + 1
    assert head_of(path).depth == told.rescoring["small"]["depth"] == 1
    for encoder in ("none", "full"):
        new, old = (
            {name: value for name, value in each.rescoring[encoder].items() if name not in ("behind", "nDCG@10")}
            for each in (told, manifest)
        )
        assert new == old
    assert [hits_of(path, embedder, **how) for how in others] == found
    unchanged = told.but(generation=0, statistics={}, rescoring={})
    assert unchanged == manifest.but(generation=0, statistics={}, rescoring={})
    assert Index(path, embedder).fit_query_encoder(layers=1).rescoring == told.rescoring  # the same each time
    assert files_of(path) == after


def test_what_is_told_is_that_of_plain_loops(path, embedder):
    told = Index(path, embedder).fit_query_encoder(layers=1).rescoring
    head, taken = head_of(path), sentences_of(path)
    assert len(taken) == told["small"]["sentences"]
    assert {each["sentences"] for each in told.values()} == {len(taken)}
    snapshot = open_snapshot(path)
    statistics = snapshot.statistics()
    rests = embedder.encode([pair.positive for pair in taken.values()])
    sentences = [pair.query for pair in taken.values()]
    vectors = {
        "none": None,
        "static": StaticEncoder(embedder, static_of(path)).encode(sentences),
        "small": EarlyEncoder(embedder, head).encode(sentences),
        "full": embedder.encode(sentences, "query"),
    }
    tens, gains, leads = {}, {}, 0
    for encoder, of_sentences in vectors.items():
        weight, feedback = told[encoder].get("weight", 0), told[encoder]["feedback"]["weight"]
        sparsifier = sparsifier_of(statistics, embedder)
        found = candidates_in_index(snapshot, statistics, sparsifier, taken, rests, of_sentences)
        gains[encoder] = [0.0] * len(sentences)
        for each in found:
            scores = unit(each.scores)
            rows = each.rows.astype(np.float64)
            if of_sentences is not None:
                query = of_sentences[each.sentence].astype(np.float64) - statistics.centres[1]
                norms = np.linalg.norm(rows, axis=1) * np.linalg.norm(query)
                scores = each.scores / max(1, each.scores.max())
                second, first = sorted([0.0, *each.scores])[-2:]
                own = weight * (max(0.1, min(1, second / first / 0.9)) if first else 1)
                leads += own < weight
                scores = (1 - own) * scores + own * unit(rows @ query / np.maximum(norms, 1e-9))
            if feedback:
                scores = (1 - feedback) * scores + feedback * means_near(rows, scores, int((each.scores > 0).sum()))
            order = sorted(range(len(scores)), key=lambda place: (-round(scores[place], 7), place))
            tens[encoder, each.sentence] = set(each.documents[order[:10]].tolist())
            rank = int((scores >= scores[each.own] - 1e-7).sum())
            gains[encoder][each.sentence] = 1 / math.log2(1 + rank) if rank <= 10 else 0.0
    snapshot.close()
    assert leads
    fitted_to = set(texts_fitted_to(path))
    common = {number for number in range(len(sentences)) if all((encoder, number) in tens for encoder in vectors)}
    fresh = {number for number in common if sentences[number] not in fitted_to}
    for fitted in ("static", "small"):
        overlap = told[fitted]["overlap"]
        assert overlap["sentences"] == len(fresh) > 0
        for encoder in (fitted, "none"):
            parts = [len(tens[encoder, n] & tens["full", n]) / len(tens["full", n]) for n in fresh]
            assert overlap[encoder] == pytest.approx(sum(parts) / len(parts), abs=0.01)
        by = np.mean(gains[fitted]) - np.mean(gains["none"])
        assert told["none"]["behind"][fitted]["by"] == pytest.approx(by, abs=0.005)


def unit(scores):
    low, high = min(scores), max(scores)
    return (np.asarray(scores) - low) / ((high - low) or 1)


def means_near(rows, scores, hits):
    hits = hits if hits > 1 else len(rows)
    means = []
    for place, row in enumerate(rows):
        near = {
            other: row @ rows[other] / max(np.linalg.norm(row) * np.linalg.norm(rows[other]), 1e-9)
            for other in range(hits)
            if other != place
        }
        least = sorted(near.values(), reverse=True)[: min(5, hits - 1)][-1]
        weights = {other: math.exp(10 * value) for other, value in near.items() if value >= least - 1e-12}
        means.append(sum(weight * scores[other] for other, weight in weights.items()) / sum(weights.values()))
    return np.array(means)


def live(path):
    """Give the documents of an index as one reads them there, but blank ones."""
    snapshot = open_snapshot(path)
    documents = [Document(doc_id, "", snapshot.text(doc_id)) for doc_id in snapshot.ids()]
    snapshot.close()
    return [document for document in documents if document.contents]


def sentences_of(path):
    documents = live(path)
    return {documents[place].id: pair for place, pair in sentence_pairs(documents, 256).items()}


def texts_fitted_to(path):
    from sparseembed.pseudo.sentences import split_sentences

    every = [split_sentences(document.text) for document in live(path)]
    return [each[number // 2 % len(each)] for number, each in enumerate(every)]


@pytest.mark.parametrize("terms", ["word", "word+folded"])
def test_sentences_are_searched_as_if_their_documents_were_without_them(embedder, tmp_path, terms):
    path = build_index(corpus_of(60), tmp_path / "index", embedder, terms, k=20).path
    Index(path, embedder).add(
        [
            Document(
                "more",
                "",
                "The cat saw a zorblax in the river. The zorblax swims in the water with fish. A whale breathes.",
            )
        ]
    )
    Index(path, embedder).delete(["d5"])
    taken = sentences_of(path)
    assert "d5" not in taken
    assert "more" in taken
    # The same rests as further documents of the index have the same scores and embeddings there.
    rests = [Document(f"rest{doc_id}", "", pair.positive) for doc_id, pair in taken.items()]
    Index(path, embedder).add(rests)
    snapshot = open_snapshot(path)
    statistics = snapshot.statistics()
    engine, free = open_engine("exact", snapshot), InferenceFree(statistics.space.literal)
    wanted = {}
    for number, (doc_id, pair) in enumerate(taken.items()):
        hits = engine.search(free.encode(pair.query), 1000)
        others = [hit for hit in hits if not hit.id.startswith("rest") and hit.id != doc_id]
        own = [hit for hit in hits if hit.id == f"rest{doc_id}"]
        together = [(hit.score, 0, hit.id) for hit in others] + [(hit.score, 1, hit.id) for hit in own]
        together.sort(key=lambda each: (-each[0], each[1]))  # the own one after its equals
        best = together[:100]
        if any(last for _, last, _ in best):
            rows = snapshot.embeddings([each for *_, each in best])
            wanted[number] = ([score for score, *_ in best], [last for _, last, _ in best].index(1), rows)
    snapshot.close()
    Index(path, embedder).delete([document.id for document in rests])
    snapshot = open_snapshot(path)
    vectors = embedder.encode([document.text for document in rests])
    found = candidates_in_index(snapshot, statistics, sparsifier_of(statistics, embedder), taken, vectors)
    assert [each.sentence for each in found] == list(wanted)
    for each in found:
        scores, own, rows = wanted[each.sentence]
        assert each.scores.tolist() == scores
        assert each.own == own
        same = [place for place in range(len(scores)) if scores.count(scores[place]) == 1]  # ties may be in any order
        assert np.abs(each.rows[same].astype(int) - rows[same]).max() <= 1  # in floats a batch decides the last bits
    snapshot.close()


def test_queries_of_the_user_are_fitted_to_and_make_up_for_few_texts(embedder, tmp_path):
    path = build_index(corpus_of(30), tmp_path / "index", embedder, k=20).path
    assert "small" not in Index(path).manifest.rescoring
    with pytest.raises(DataError, match=r"too few texts to fit a query encoder to, 26 of at least 64: .*--queries"):
        Index(path, embedder).fit_query_encoder()
    asked = [f"query of words number {number}" for number in range(40)]
    for encoder in ("static", "small"):
        with pytest.raises(IndexFolderError, match=f"no {encoder} query .* fit it with sparseembed fit-query-encoder"):
            Searcher.open(path, encoder=encoder, embedder=embedder)
    told = Index(path, embedder).fit_query_encoder([*asked, "", "  ", *asked], layers=1)
    assert told.rescoring["small"]["texts"] == 66
    assert list(told.rescoring) == ["none", "static", "small", "full"]
    assert verify_index(path) == []
    # With too few sentences to choose on, the weights are the usual ones.
    small = told.rescoring["small"]
    assert small["weight"] == round(0.5 * small["cosine"] ** 2, 2)
    assert "overlap" not in told.rescoring["small"]
    assert hits_of(path, embedder, encoder="small")[0]
    assert hits_of(path, embedder, encoder="static")[0]


@pytest.mark.parametrize("terms", ["folded", "token"])
def test_weights_of_an_index_of_pieces_are_chosen_on_its_own_hits(embedder, tmp_path, terms):
    path = build_index(corpus_of(90), tmp_path / "index", embedder, terms, k=20).path
    built = Index(path).manifest.rescoring
    told = Index(path, embedder).fit_query_encoder().rescoring
    assert {each["sentences"] for each in (*built.values(), *told.values())} == {len(sentences_of(path))}
    for encoder in ("none", "full"):
        assert told[encoder]["feedback"] == built[encoder]["feedback"]
    # What was chosen among the sample's documents is what is found in the index.
    assert told["static"]["curve"]["0"] == pytest.approx(built["static"]["curve"]["0"], abs=0.02)
    assert told["none"]["nDCG@10"] == pytest.approx(built["none"]["nDCG@10"], abs=0.02)
    assert hits_of(path, embedder, encoder="small")[0]


def test_open_searchers_keep_what_they_have_and_reload(path, embedder):
    Index(path, embedder).fit_query_encoder(layers=2)
    with Searcher.open(path, encoder="small", embedder=embedder) as searcher:
        before = [searcher.search(query, 50) for query in QUERIES]
        Index(path, embedder).fit_query_encoder(["cat and fish"] * 3, layers=1)
        assert [searcher.search(query, 50) for query in QUERIES] == before
        assert searcher.reload()
        assert [searcher.search(query, 50) for query in QUERIES] == hits_of(path, embedder, encoder="small")
        assert not searcher.reload()


def test_a_failure_or_another_writer_leaves_the_index_as_it_is(path, embedder, monkeypatch):
    before = (path / "manifest.json").read_bytes(), sorted(path.iterdir())
    with Transaction(path, "something"), pytest.raises(IndexFolderError, match="something"):
        Index(path, embedder).fit_query_encoder()
    for layers in (0, -1, 10_001):
        with pytest.raises(ConfigError, match="the layers of a small query encoder must be from 1 to 10,000"):
            Index(path, embedder).fit_query_encoder(layers=layers)

    monkeypatch.setattr(refitting, "choices_told", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        Index(path, embedder).fit_query_encoder()
    assert ((path / "manifest.json").read_bytes(), sorted(path.iterdir())) == before
    assert verify_index(path) == []


def test_an_embedder_that_cannot_be_run_in_part_has_a_static_encoder_alone(path, embedder, monkeypatch):
    def fails(*_):
        raise EmbedderError("a Tiny has no list of layers that could be run in part")

    monkeypatch.setattr(embedder, "early", fails)
    told = Index(path, embedder).fit_query_encoder().rescoring
    assert set(told) == {"none", "static", "full"}
    assert head_of(path) is None
    assert static_of(path) is not None
    assert hits_of(path, embedder, encoder="static")
    with pytest.raises(IndexFolderError, match="has no small query encoder"):
        Searcher.open(path, encoder="small", embedder=embedder)
    assert verify_index(path) == []
    monkeypatch.undo()
    assert set(Index(path, embedder).fit_query_encoder().rescoring) == {"none", "static", "small", "full"}


def test_what_encoders_find_is_told_by_one_measurement(path, embedder):
    told = Index(path, embedder).fit_query_encoder(layers=1).rescoring
    for encoder, about in told.items():
        for other, apart in about["behind"].items():
            assert told[other]["nDCG@10"] - about["nDCG@10"] == pytest.approx(apart["by"], abs=1e-9), (encoder, other)
    assert set(told["none"]["behind"]) == {"static", "small", "full"}


def test_layers_are_those_that_the_model_has(path, embedder):
    told = Index(path, embedder).fit_query_encoder(layers=99).rescoring
    assert (told["static"]["depth"], told["small"]["depth"], head_of(path).depth) == (0, 2, 2)
    two = hits_of(path, embedder, encoder="small")
    assert Index(path, embedder).fit_query_encoder(layers=2).rescoring == told
    assert hits_of(path, embedder, encoder="small") == two


def test_an_index_without_embeddings_and_a_part_are_refused(embedder, tiny_embedder, tmp_path):
    bare = build_index(corpus_of(30), tmp_path / "bare", embedder, k=20, carried=False).path
    with pytest.raises(IndexFolderError, match=r"carries no embeddings .* without --no-embeddings"):
        Index(bare).fit_query_encoder()
    part = build_index(corpus_of(90), tmp_path / "part", embedder, k=20, shard="1/2").path
    with pytest.raises(ConfigError, match="is one part of an index"):
        Index(part, embedder).fit_query_encoder()
    whole = build_index(corpus_of(90), tmp_path / "whole", embedder, k=20).path
    with pytest.raises(IndexFolderError, match="is not the one that made this index"):
        Index(whole, tiny_embedder("untied")).fit_query_encoder()


def test_the_encoder_stays_while_documents_come_and_go_until_a_refit(path, embedder):
    Index(path, embedder).fit_query_encoder(layers=1)
    head = head_of(path)
    Index(path, embedder).add([Document("new", "", "A whale. A fish.")])
    Index(path, embedder).delete(["d1"])
    Index(path, embedder).compact()
    for one, other in zip(head, head_of(path), strict=True):
        np.testing.assert_array_equal(one, other)
    assert Index(path, embedder).compact(refit=True).rescoring["small"]["depth"] == 2


@given(st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=25), min_size=1, max_size=6), st.data())
def test_shares_in_common_are_those_of_plain_sets(scores, data):
    others = [data.draw(st.lists(st.integers(0, 5), min_size=len(each), max_size=len(each))) for each in scores]

    def choice(of_sentences):
        firsts = {
            number: first_ten(
                Candidates(number, 0, np.arange(len(each)), np.zeros(len(each)), np.zeros((len(each), 0), np.int8)),
                np.array(each, dtype=float),
            )
            for number, each in enumerate(of_sentences)
        }
        return RescoringChoice(Chosen(0.0, {}), Chosen(0.0, {}), np.zeros(0), 0.0, firsts)

    found = shared(choice(scores), choice(others), list(range(len(scores))))
    for one, two, share in zip(scores, others, found, strict=True):
        tens = [set(sorted(range(len(each)), key=lambda row: (-each[row], row))[:10]) for each in (one, two)]
        assert share == len(tens[0] & tens[1]) / min(10, len(one))


@pytest.mark.parametrize(
    ("cosine", "nearer", "against", "why"),
    [
        (0.8, [0.1, 0.2, 0.0], {"by": 0.1, "error": 0.01}, None),
        (0.8, [], None, None),
        (0.5, [], None, None),
        (
            0.49,
            [0.1, 0.2],
            {"by": 0.1, "error": 0.01},
            "a mean cosine of 0.49 with the whole model's, and 0.50 is asked",
        ),
        (0.8, [-0.1, -0.2, -0.1], {"by": 0.1, "error": 0.01}, "less like the whole model's than those of words alone"),
        (0.8, [-0.3, 0.2, 0.0], {"by": 0.1, "error": 0.01}, None),  # not more than the doubt
        (0.8, [0.0, 0.0], {"by": -0.02, "error": 0.01}, "fewer of the collection's own sentences than words alone do"),
        (0.8, [0.0, 0.0], {"by": -0.01, "error": 0.02}, None),
    ],
)
def test_when_an_encoder_is_refused(cosine, nearer, against, why):
    found = refusal(cosine, np.array(nearer), against)
    assert (found is None) if why is None else why in found


def test_a_refused_encoder_is_said_to_be_one_and_not_taken_by_auto(path, embedder, monkeypatch):
    told = []
    monkeypatch.setattr("sparseembed.retrieval.reading.note", told.append)
    for cosine, refused in ((2.0, True), (-1.0, False)):
        monkeypatch.setattr("sparseembed.indexing.refusal.LEAST_COSINE", cosine)
        monkeypatch.setattr("sparseembed.indexing.refusal.behind", lambda chosen: {each: {} for each in chosen})
        monkeypatch.setattr("sparseembed.indexing.refusal.shared", lambda *_: np.zeros(0))
        manifest = Index(path, embedder).fit_query_encoder(layers=1)
        assert ("refused" in manifest.rescoring["small"]) == refused
        told.clear()
        with Searcher.open(path, encoder="small", embedder=embedder) as searcher:
            assert searcher.rescorer.encoder == "small"
        assert any("small query encoder of" in each and "is refused as a default" in each for each in told) == refused
        told.clear()
        with Searcher.open(path, encoder="auto", embedder=embedder):
            pass
        assert any("the small one is refused, for its embeddings have a mean" in each for each in told) == refused


def test_a_build_says_what_a_later_fit_says(path, embedder):
    built = Index(path).manifest.rescoring["small"]
    assert {"depth", "cosine", "texts", "overlap"} <= built.keys()
    fitted = Index(path, embedder).fit_query_encoder().rescoring["small"]
    # Titles stand in the texts of an index, so that its sentences are others.
    assert fitted["texts"] == built["texts"]
    assert fitted.keys() | {"refused"} == built.keys() | {"refused"}


def test_a_manifest_whose_refusal_is_no_text_is_refused(path):
    from sparseembed.files import digest

    content = json.loads((path / "manifest.json").read_text())
    content.pop("checksum")
    content["rescoring"]["small"]["refused"] = 5
    (path / "manifest.json").write_text(json.dumps({**content, "checksum": digest(content)}))
    with pytest.raises(IndexFolderError, match="its fields are not those of a manifest"):
        Index(path)


def test_the_command_line_fits_and_tells(path, embedder, tmp_path, capsys):
    named = ["--embedder", embedder.spec.weights]
    (tmp_path / "asked.txt").write_text("one query\n\n two queries \n")
    (tmp_path / "queries.jsonl").write_text('{"_id": "q1", "text": "a whale"}\n{"_id": "q2", "text": ""}\n')
    assert main(["fit-query-encoder", str(path), "--layers", "1", *named]) == 0
    alone = Index(path).manifest.rescoring["small"]["texts"]
    for file, more in (("asked.txt", 2), ("queries.jsonl", 1)):
        asked = ["--queries", str(tmp_path / file)]
        assert main(["fit-query-encoder", str(path), "--layers", "1", *asked, *named]) == 0
        out = capsys.readouterr().out
        assert Index(path).manifest.rescoring["small"]["texts"] == alone + more
        assert f"texts that it was fitted to       {alone + more}\n" in out
        for line in ("layers", "cosine with the whole embedder", "first hits in common", "refused as a default"):
            assert line in out
    for text, why in (("\n \n", "holds no query"), (None, "cannot be read")):
        if text is not None:
            (tmp_path / "none.txt").write_text(text)
        asked = ["--queries", str(tmp_path / ("none.txt" if text is not None else "gone.txt"))]
        assert main(["fit-query-encoder", str(path), *asked, *named]) == 2
        assert why in capsys.readouterr().err


def test_the_command_line_tells_what_encoders_bring_and_take(path, embedder, capsys):
    named = ["--embedder", embedder.spec.weights]
    assert main(["query-encoders", str(path), *named, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    manifest = open_snapshot(path).manifest.rescoring
    assert [each["encoder"] for each in told["encoders"]] == ["none", "static", "small", "full"]
    for each in told["encoders"]:
        assert each["found"] == manifest[each["encoder"]]["nDCG@10"]
        assert each["refused"] == manifest[each["encoder"]].get("refused")
        assert (each["milliseconds"] > 0) == (each["encoder"] != "none")
    assert main(["query-encoders", str(path), *named, "--budget", "1e-9"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:5]] == ["none", "static", "small", "full"]
    assert lines[5].startswith("auto takes none: ")
