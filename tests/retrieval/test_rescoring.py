"""Rescoring: against plain cosines of the stored embeddings, through updates, shards and every engine."""

import json
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sparseembed import Searcher, build_index
from sparseembed.alignment.head import decoding_head
from sparseembed.cli import main
from sparseembed.data.corpus import Corpus, Document
from sparseembed.engines.base import Hit
from sparseembed.engines.registry import ENGINES
from sparseembed.errors import ConfigError, IndexFolderError
from sparseembed.index.eight_bits import cosines, eight_bits
from sparseembed.index.segment.format import EMBEDDINGS, ROWS
from sparseembed.index.snapshot import open_snapshot
from sparseembed.index.statistics import load_early, load_rescoring, load_static
from sparseembed.index.verify import verify_index
from sparseembed.indexing import encoders, rescoring
from sparseembed.indexing.shards import merge_indexes
from sparseembed.indexing.update import Index
from sparseembed.retrieval import choosing
from sparseembed.retrieval.rescoring import shares, weight_in_query

WORDS = [*("cat", "dog", "whale", "river", "water", "sand", "light", "sun"), *("earth", "green", "milk", "air", "fish")]
QUERIES = ["cat", "whale river sand", "the fish in the green water", "milk zorblax", "", "penguins"]
JVM = pytest.mark.jvm
silent = pytest.mark.usefixtures("silence")


def documents(count, first=0):
    made = [
        Document(f"d{n:02d}", "", " ".join(WORDS[(n * step) % len(WORDS)] for step in range(1, 3 + n % 7)) + ".")
        for n in range(first, first + count)
    ]
    return [*made, Document(f"blank{first}", "", " ")]


@pytest.fixture
def embedder(tiny_embedder):
    return tiny_embedder()


@pytest.fixture(scope="module")
def built(build_once, tiny_embedder):
    return build_once(Corpus(documents(40), "forty"), tiny_embedder(), k=20)


@pytest.fixture
def path(built, tmp_path):
    return shutil.copytree(built, tmp_path / "index")


def embedding_of(path, doc_id):
    """Read a document's stored row."""
    snapshot = open_snapshot(path)
    try:
        place = snapshot.place(doc_id)
        return snapshot.segments[place.segment].embeddings(np.array([place.number]))[0]
    finally:
        snapshot.close()


def plainly(path, embedder, query, candidates, k, encoder="full", feedback=False):
    """Rescore in plain Python, in float64."""
    with Searcher.open(path, engine="exact") as searcher:
        hits = searcher.search(query, max(candidates, k))
    snapshot = open_snapshot(path)
    fitted = load_rescoring(snapshot.statistics_files, encoder)
    literal = snapshot.manifest.sparse["literal"]
    head, static = load_early(snapshot.statistics_files), load_static(snapshot.statistics_files)
    snapshot.close()
    best, rest = hits[:candidates], hits[candidates:]
    if encoder != "none" and query:
        if encoder == "full":
            vector = embedder.encode([query], "query")[0]
        elif encoder == "static":
            vector = plain_static(embedder, query, static)
        else:
            features = embedder.early([query], head.depth)[0].astype(np.float64)
            vector = (features - head.mean) / head.scale @ head.weights + head.offset
        asked = vector.astype(np.float64) - fitted.centres[1]
        best += [Hit(doc_id, 0, 0) for doc_id in nearest(path, asked, candidates) if doc_id not in ids_of(best)]
        rest = [hit for hit in rest if hit.id not in ids_of(best)]
    if not best:
        return []
    rows = [embedding_of(path, hit.id).astype(np.float64) for hit in best]
    total = unit([hit.score for hit in best]) if len({hit.score for hit in best}) > 1 else np.ones(len(best))
    if encoder != "none":
        total = np.array([hit.score for hit in best]) / max(1, *(hit.score for hit in best))
        first, second = sorted([*total, 0.0], reverse=True)[:2]
        weight = fitted.weight * (max(0.1, min(1, second / first / 0.9)) if literal and first else 1)
        total = (1 - weight) * total + weight * unit([cosine(row, asked) for row in rows])
    if feedback and fitted.feedback and len(best) > 1:
        hits = sum(hit.score > 0 for hit in best)
        total = (1 - fitted.feedback) * total + fitted.feedback * neighbours(rows, total, hits)
    order = sorted(range(len(best)), key=lambda row: (-round(total[row], 6), best[row].id))
    return [(best[row].id, total[row]) for row in order][:k] + [(hit.id, None) for hit in rest][: max(0, k - len(best))]


def plain_static(embedder, query, static):
    """Embed a query by the rows of its tokens, one token at a time."""
    tokens = embedder.tokenizer.encode(f" {query.strip()}", add_special_tokens=False).ids
    matrix, head = decoding_head(embedder).matrix.astype(np.float64), static.head
    total = (
        sum(static.idf[token] * matrix[token] for token in tokens) / sum(static.idf[token] for token in tokens) ** 0.5
    )
    return (total - head.mean) / head.scale @ head.weights + head.offset


def nearest(path, asked, count):
    """Return the ids of the documents nearest to a query, of equal ones the earlier in the index."""
    snapshot = open_snapshot(path)
    ids = snapshot.ids()
    snapshot.close()
    query = [int(value) for value in np.rint(asked * (2047 / np.abs(asked).max()))]
    found = []
    for number, doc_id in enumerate(ids):
        row = embedding_of(path, doc_id).tolist()
        if any(row):
            dot = sum(one * other for one, other in zip(query, row, strict=True))
            found.append((-np.float32(dot) / np.float32(np.sqrt(sum(value**2 for value in row))), number, doc_id))
    return [doc_id for *_, doc_id in sorted(found)[:count]]


def ids_of(hits):
    return {hit.id for hit in hits}


def cosine(one, other):
    return one @ other / max(np.linalg.norm(one) * np.linalg.norm(other), 1e-30)


def unit(scores):
    scores = np.array(scores, dtype=np.float64)
    spread = scores.max() - scores.min()
    return (scores - scores.min()) / spread if spread else scores * 0


def neighbours(rows, scores, hits):
    """Return the mean score of each row's five nearest hits by terms, by a softmax of their cosines."""
    hits = hits if hits > 1 else len(rows)
    means = []
    for place, row in enumerate(rows):
        near = {other: cosine(row, rows[other]) for other in range(hits) if other != place}
        least = sorted(near.values(), reverse=True)[: min(5, hits - 1)][-1]
        weights = {other: np.exp(10 * value) for other, value in near.items() if value >= least - 1e-12}
        means.append(sum(weight * scores[other] for other, weight in weights.items()) / sum(weights.values()))
    return np.array(means)


def set_feedback(monkeypatch, weight):
    """Let indexes that are built from now on have this weight of feedback."""
    monkeypatch.setattr(rescoring, "BEYOND_DOUBT", -1e9)
    monkeypatch.setattr(
        rescoring,
        "usual",
        lambda *_: rescoring.RescoringChoice(rescoring.Chosen(0.5, {}), rescoring.Chosen(weight, {}), np.zeros(0)),
    )
    monkeypatch.setattr(rescoring, "FEEDBACK_WEIGHT", weight)


@given(
    arrays.arrays(np.float32, (6, 24), elements=st.floats(-1e3, 1e3, width=32)),
    arrays.arrays(np.float32, 24, elements=st.floats(-10, 10, width=32)),
)
def test_eight_bits_keep_directions(vectors, centre):
    rows = eight_bits(vectors, centre)
    assert not rows[~vectors.any(axis=1)].any()
    apart = (vectors - centre).astype(np.float64)
    asked = np.linspace(-1, 1, 24, dtype=np.float32)
    for row, vector, found in zip(rows, apart, cosines(rows, asked, 0 * asked), strict=True):
        if row.any():
            assert np.abs(row).max() == 127
            wanted = vector @ asked / np.linalg.norm(vector) / np.linalg.norm(asked)
            assert found == pytest.approx(wanted, abs=0.02)
        else:
            assert found == 0


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=9), st.floats(0, 1), st.data())
def test_shares_are_in_the_order_of_both_scores(sparse, weight, data):
    cosine = data.draw(arrays.arrays(np.float32, len(sparse), elements=st.floats(-1, 1, width=32)))
    terms, embedding = shares(np.array(sparse, dtype=np.float64), cosine, weight)
    assert terms.max() == pytest.approx(1 - weight)
    np.testing.assert_allclose(terms * max(sparse), (1 - weight) * np.array(sparse, dtype=np.float64), rtol=1e-9)
    assert embedding.min() == 0
    assert embedding.max() == pytest.approx(weight if cosine.max() > cosine.min() else 0)
    assert (np.diff(embedding[np.argsort(cosine, kind="stable")]) >= 0).all()


@pytest.mark.parametrize(
    ("sparse", "share"),
    [
        ([], 1),
        ([0, 0, 0], 1),
        ([0, 7, 0], 0.1),  # nothing is second to it
        ([7], 0.1),
        ([7, 7, 3], 1),
        ([90, 0, 100], 1),
        ([100, 45, 1], 0.5),
        ([100, 9.1, 1], 0.1011),
        ([9, 10_000, 0], 0.1),
    ],
)
def test_an_embedding_counts_less_where_terms_are_decisive(sparse, share):
    scores = np.array(sparse, dtype=np.float64)
    assert weight_in_query(scores, 0.6, literal=True) == pytest.approx(0.6 * share, rel=1e-3)
    assert weight_in_query(scores, 0.6, literal=False) == 0.6


@JVM
@silent
def test_what_nothing_is_better_than_has_the_best_score(embedder, tmp_path, monkeypatch):
    set_feedback(monkeypatch, 0.25)
    texts = ["A whale swims."] * 3 + ["The cat sat on the mat."]
    same = [Document(f"d{number}", "", text) for number, text in enumerate(texts)]
    path = build_index(Corpus(same, "same"), tmp_path / "index", embedder, k=20, mix=0).path
    with Searcher.open(path, feedback=True, embedder=embedder) as searcher:
        for query, found in (("whale", 3), ("mat", 1)):
            hits = searcher.search(query)
            assert [hit.score for hit in hits] == pytest.approx([1.0] * found)
            assert searcher.explain(query, hits[0].id).score == hits[0].score


@JVM
@silent
@pytest.mark.parametrize("terms", ["word", "word+folded", "folded"])
def test_hits_are_those_of_plain_cosines_in_every_engine(embedder, tmp_path, terms):
    path = build_index(Corpus(documents(40), "forty"), tmp_path / "index", embedder, terms, k=20).path
    for engine in ENGINES:
        for candidates, k in ((5, 3), (5, 12), (100, 10), (1, 4)):
            with Searcher.open(path, rescore=candidates, embedder=embedder, engine=engine) as searcher:
                batch = searcher.search_batch(QUERIES, k, threads=2)
                for query, hits in zip(QUERIES, batch, strict=True):
                    alone = searcher.search(query, k)  # in floats a batch decides an embedding's last bits
                    assert [hit.id for hit in hits] == [hit.id for hit in alone]
                    np.testing.assert_allclose(
                        [hit.score for hit in hits], [hit.score for hit in alone], rtol=0, atol=1e-5
                    )
                    wanted = plainly(path, embedder, query, candidates, k)
                    assert [hit.id for hit in hits] == [doc_id for doc_id, _ in wanted]
                    for hit, (_, score) in zip(hits, wanted, strict=True):
                        assert hit.score < 0 if score is None else hit.score == pytest.approx(score, abs=1e-5)
                    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


@JVM
@silent
@pytest.mark.parametrize(("terms", "dtype"), [("word", "int8"), ("folded", "int8"), ("word", "float32")])
def test_fitted_encoders_read_queries_without_the_whole_model(tiny_embedder, tmp_path, monkeypatch, terms, dtype):
    monkeypatch.setattr(encoders, "DEPTH", 1)
    embedder = tiny_embedder(dtype=dtype)
    built = build_index(Corpus(documents(80), "eighty"), tmp_path / "index", embedder, terms, k=20)
    assert list(built.manifest.rescoring) == ["none", "static", "small", "full"]
    assert {name: built.manifest.rescoring[name]["depth"] for name in ("static", "small")} == {"static": 0, "small": 1}
    for encoder in ("static", "small"):
        assert -1 <= built.manifest.rescoring[encoder]["cosine"] <= 1
        with Searcher.open(built.path, rescore=30, encoder=encoder, embedder=embedder) as searcher:
            calls = embedder.model_calls
            for query in QUERIES:
                found = searcher.search(query, 40)
                wanted = plainly(built.path, embedder, query, 30, 40, encoder)
                assert [hit.id for hit in found] == [doc_id for doc_id, _ in wanted]
                for hit in found[:3]:
                    assert searcher.explain(query, hit.id).score == hit.score
            assert embedder.model_calls == calls  # the whole model was never called
    Index(built.path, embedder).add(documents(3, first=90))
    assert list(Index(built.path, embedder).compact(refit=True).rescoring) == ["none", "static", "small", "full"]
    assert verify_index(built.path) == []


@JVM
@silent
def test_an_index_without_a_fitted_encoder_says_so(path, embedder):
    for encoder in ("static", "small"):
        with pytest.raises(IndexFolderError, match=f"has no {encoder} query encoder"):
            Searcher.open(path, rescore=10, encoder=encoder, embedder=embedder)


@JVM
@silent
@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"encoder": "tiny"}, "unknown query encoder 'tiny': query encoders are none, static, small, full, auto"),
        (
            {"encoder": "none", "rescore": 9},
            "there is nothing to rescore hits by: ask for a query encoder, or for feedback",
        ),
        ({"encoder": "full", "budget": 9.0}, "a budget of milliseconds is for the query encoder auto"),
        ({"encoder": "auto", "budget": 0.0}, "the budget must be more than 0 milliseconds a query, not 0"),
        ({"encoder": "auto", "budget": float("nan")}, "the budget must be more than 0 milliseconds a query, not nan"),
        ({"rescore": -1}, "rescore, the hits that are rescored, must be 0 or more, not -1"),
    ],
)
def test_what_cannot_be_asked_for_is_said(path, embedder, asked, why):
    with pytest.raises(ConfigError, match=why):
        Searcher.open(path, embedder=embedder, **asked)


@JVM
@silent
def test_an_explanation_sums_to_the_score(path, embedder):
    with Searcher.open(path, rescore=6, embedder=embedder) as searcher, Searcher.open(path) as plain:
        for query in QUERIES[:4]:
            by_terms = {hit.id: hit.score for hit in plain.search(query, 99)}
            for hit in searcher.search(query, 12):
                why = searcher.explain(query, hit.id)
                assert sum(term.score for term in why.terms) == why.by_terms == by_terms[hit.id]
                if hit.score >= 0:
                    assert why.score == hit.score == why.rescored.from_terms + why.rescored.from_embedding
                    assert why.rescored.neighbours == ()
                    assert -1.001 <= why.rescored.cosine <= 1.001
                else:
                    assert why.rescored is None
                    assert why.score == why.by_terms


@JVM
@silent
@pytest.mark.parametrize("terms", ["word", "word+folded", "folded"])
def test_feedback_is_that_of_plain_loops_in_every_engine(embedder, tmp_path, monkeypatch, terms):
    set_feedback(monkeypatch, 0.4)
    path = build_index(Corpus(documents(40), "forty"), tmp_path / "index", embedder, terms, k=20).path
    calls = embedder.model_calls
    for engine in ENGINES:
        for candidates, k in ((5, 3), (5, 12), (100, 10), (1, 4)):
            with Searcher.open(path, rescore=candidates, encoder="none", feedback=True, engine=engine) as searcher:
                batch = searcher.search_batch(QUERIES, k, threads=2)
                for query, hits in zip(QUERIES, batch, strict=True):
                    assert hits == searcher.search(query, k)
                    wanted = plainly(path, embedder, query, candidates, k, "none", feedback=True)
                    assert [hit.id for hit in hits] == [doc_id for doc_id, _ in wanted]
                    for hit, (_, score) in zip(hits, wanted, strict=True):
                        assert hit.score < 0 if score is None else hit.score == pytest.approx(score, abs=1e-5)
    assert embedder.model_calls == calls
    with Searcher.open(path, encoder="full", feedback=True, embedder=embedder) as searcher:
        for query in QUERIES:
            wanted = plainly(path, embedder, query, 100, 10, feedback=True)
            assert [hit.id for hit in searcher.search(query, 10)] == [doc_id for doc_id, _ in wanted]


@JVM
@silent
@pytest.mark.parametrize("encoder", ["none", "full"])
def test_an_explanation_names_the_neighbours_and_sums_to_the_score(embedder, tmp_path, monkeypatch, encoder):
    set_feedback(monkeypatch, 0.3)
    path = build_index(Corpus(documents(40), "forty"), tmp_path / "index", embedder, k=20).path
    with Searcher.open(path, encoder=encoder, feedback=True, embedder=embedder) as searcher:
        for query in QUERIES[:4]:
            found = searcher.search(query, 99)
            for hit in found:
                told = searcher.explain(query, hit.id).rescored
                assert told.score == hit.score == told.from_terms + told.from_embedding + told.from_neighbours
                assert (told.cosine is None) == (encoder == "none")
                if len(found) > 1:
                    assert sum(each.adds for each in told.neighbours) == pytest.approx(told.from_neighbours, abs=1e-12)
                    assert sum(each.weight for each in told.neighbours) == pytest.approx(1)
                    assert {each.id for each in told.neighbours} <= {other.id for other in found} - {hit.id}
                    weights = [each.weight for each in told.neighbours]
                    assert weights == sorted(weights, reverse=True)


@JVM
@silent
def test_feedback_of_weight_none_is_the_order_by_terms(embedder, tmp_path, monkeypatch, capsys):
    set_feedback(monkeypatch, 0.0)
    path = build_index(Corpus(documents(40), "forty"), tmp_path / "index", embedder, k=20).path
    with Searcher.open(path, feedback=True) as searcher, Searcher.open(path) as plain:
        for query in QUERIES:
            assert [hit.id for hit in searcher.search(query)] == [hit.id for hit in plain.search(query)]
    assert main(["search", str(path), "whale", "--feedback"]) == 0
    assert "feedback is off in" in capsys.readouterr().err


def told(none, small, full, static=None, refused=()):
    """Return what a manifest says of encoders, of which each is (nDCG@10, error against costlier ones)."""
    reach = {"none": none, "static": static, "small": small, "full": full}
    names = [name for name in reach if reach[name] is not None]
    return {
        name: {
            "behind": {
                other: {"by": reach[other][0] - reach[name][0], "error": reach[name][1]}
                for other in names[names.index(name) + 1 :]
            }
        }
        | ({"refused": f"what {name} is"} if name in refused else {})
        for name in names
    }


ALL = {"none": (0.5, 0.01), "static": (0.52, 0.01), "small": (0.525, 0.01), "full": (0.55, 0)}
LEVEL = ALL | {"full": (0.528, 0)}


@pytest.mark.parametrize(
    ("manifest", "budget", "wanted", "loaded"),
    [
        (told((0.5, 0.01), (0.505, 0.01), (0.509, 0)), None, "none", False),  # words are enough
        (told((0.5, 0.01), (0.52, 0.01), (0.525, 0)), None, "small", True),
        (told((0.5, 0.01), (0.52, 0.01), (0.55, 0)), None, "full", True),
        (told((0.5, 0.01), (0.52, 0.01), (0.55, 0)), 20.0, "small", True),
        (told((0.5, 0.01), (0.52, 0.01), (0.55, 0)), 2.0, "none", True),
        (told((0.5, 0.01), (0.505, 0.01), (0.55, 0)), 20.0, "none", True),  # the small one is no better than words
        ({name: {"behind": {}} for name in ("none", "small", "full")}, None, "full", True),  # nothing is known
        ({name: {"behind": {}} for name in ("none", "full")}, 5.0, "none", True),
        (told(**LEVEL), None, "static", True),
        (told(**ALL), None, "full", True),
        (told(**ALL), 20.0, "static", True),
        (told(**ALL), 0.1, "none", True),
        (told(**LEVEL, refused=["static"]), None, "small", True),
        (told(**LEVEL, refused=["static", "small"]), None, "full", True),
        (told(**ALL, refused=["static"]), 20.0, "small", True),
        (told(**ALL, refused=["static", "small"]), 20.0, "none", True),
    ],
)
def test_auto_takes_the_cheapest_encoder_that_is_enough(monkeypatch, manifest, budget, wanted, loaded):
    class Manifest:
        rescoring = manifest

    class Snapshot:
        manifest = Manifest()

    opened = []
    monkeypatch.setattr(choosing, "Rescorer", lambda snapshot, encoder, embedder: encoder)
    monkeypatch.setattr(choosing, "milliseconds", {"static": 0.4, "small": 7.0, "full": 50.0}.get)
    choice = choosing.choose_encoder(Snapshot(), lambda: opened.append(1), budget)
    assert choice.encoder == wanted
    assert bool(opened) == loaded == bool(choice.milliseconds)
    assert ("within" in choice.why) == (budget is not None)
    if loaded:  # where no budget is named, nothing is timed but what is taken
        usable = [name for name in manifest if name != "none" and "refused" not in manifest[name]]
        assert list(choice.milliseconds) == ([wanted] if budget is None else usable)
        for name, each in manifest.items():
            assert (f"the {name} one is refused, for what {name} is" in choice.why) == ("refused" in each)


@JVM
@silent
def test_auto_searches_with_what_it_chose(path, embedder):
    with Searcher.open(path, encoder="auto", embedder=embedder) as searcher:
        assert searcher.rescorer.encoder in ("none", "full")
        chosen = searcher.rescorer.encoder
        with Searcher.open(path, encoder=chosen, feedback=True, embedder=embedder) as same:
            for query in QUERIES:
                assert [hit.id for hit in searcher.search(query)] == [hit.id for hit in same.search(query)]


@JVM
@silent
def test_added_replaced_and_merged_documents_are_rescored_as_those_of_one_build(path, embedder, tmp_path):
    rows = {document.id: embedding_of(path, document.id) for document in documents(40)}
    index = Index(path, embedder)
    index.add(documents(9, first=40))
    index.delete(["d03", "d07"])
    index.replace([Document("d05", "", "A green whale.")])
    assert verify_index(path) == []
    snapshot = open_snapshot(path)
    centre = snapshot.statistics().centres[0]
    snapshot.close()
    for done in ("changed", "compacted"):
        for doc_id in set(rows) - {"d03", "d07", "d05"}:
            np.testing.assert_array_equal(embedding_of(path, doc_id), rows[doc_id], err_msg=done)
        for doc_id, text in [("d05", "A green whale."), ("d44", documents(9, first=40)[4].contents)]:
            wanted = eight_bits(embedder.encode([text]), centre)[0].astype(int)
            assert np.abs(embedding_of(path, doc_id) - wanted).max() <= 1
        with Searcher.open(path, rescore=50, embedder=embedder) as searcher:
            for query in QUERIES:
                found = [hit.id for hit in searcher.search(query, 60)]
                assert found == [doc_id for doc_id, _ in plainly(path, embedder, query, 50, 60)]
        index.compact()
    assert verify_index(path) == []


@JVM
@silent
def test_shards_join_to_the_embeddings_of_one_build(path, embedder, tmp_path):
    corpus = Corpus(documents(40), "forty")
    parts = []
    for number in (1, 2, 3):
        given_statistics = {} if number == 1 else {"statistics": parts[0]}
        parts.append(tmp_path / f"part{number}")
        build_index(corpus, parts[-1], embedder, k=20, shard=f"{number}/3", **given_statistics)
    merge_indexes(parts, tmp_path / "joined")
    one, joined = (next(folder.glob("segment-*")) for folder in (path, tmp_path / "joined"))
    for name in (EMBEDDINGS, ROWS):
        assert (one / name).read_bytes() == (joined / name).read_bytes()


@JVM
@silent
def test_an_index_without_embeddings_is_smaller_and_says_so(embedder, tmp_path):
    corpus = Corpus(documents(40), "forty")
    path = build_index(corpus, tmp_path / "index", embedder, k=20, carried=False).path
    assert not list(path.rglob("embeddings.*"))
    assert not list(path.rglob("centres.f32"))
    with pytest.raises(IndexFolderError, match=r"carries no embeddings .* without --no-embeddings"):
        Searcher.open(path, rescore=10, embedder=embedder)
    for asked in ({"feedback": True}, {"encoder": "auto"}, {"encoder": "small", "embedder": embedder}):
        with pytest.raises(IndexFolderError, match=r"carries no embeddings .* without --no-embeddings"):
            Searcher.open(path, **asked)
    Index(path, embedder).add(documents(3, first=50))
    assert not list(path.rglob("embeddings.*"))


@JVM
@silent
def test_embeddings_that_the_manifest_does_not_name_are_refused(path, embedder, tmp_path):
    bare = build_index(Corpus(documents(40), "forty"), tmp_path / "bare", embedder, k=20, carried=False).path
    (whole,), (segment,) = path.glob("segment-*"), bare.glob("segment-*")
    for name in (EMBEDDINGS, ROWS):
        (segment / name).symlink_to(whole / name)
    with pytest.raises(IndexFolderError, match="holds embeddings that its manifest does not name"):
        Searcher.open(bare)


@JVM
@silent
def test_a_reloaded_searcher_rescores_what_is_new(path, embedder):
    with Searcher.open(path, rescore=100, embedder=embedder) as searcher:
        before = searcher.search("whale river sand", 5)
        Index(path, embedder).add([Document("new", "", "whale river sand")])
        assert searcher.search("whale river sand", 5) == before
        assert searcher.reload()
        assert searcher.search("whale river sand", 5)[0].id == "new"


@JVM
@silent
def test_the_command_line_rescores_and_explains(path, embedder, capsys):
    named = ["--embedder", embedder.spec.weights]
    assert main(["search", str(path), "whale river sand", "--rescore", "20", "-k", "3", *named]) == 0
    first = capsys.readouterr().out.splitlines()[1].split()
    assert main(["explain", str(path), "whale river sand", first[2], "--rescore", "20", *named]) == 0
    told = capsys.readouterr().out
    assert "its terms" in told
    assert ["sum", f"{float(first[1]):.4f}"] in [line.split() for line in told.splitlines()]
    assert main(["explain", str(path), "whale river sand", "blank0", "--rescore", "2", *named]) == 0
    assert "not rescored: it is neither among the 2 best hits nor as near to the query" in capsys.readouterr().out


@JVM
@silent
def test_where_nothing_was_measured_the_command_line_says_so(path, embedder, capsys):
    assert main(["query-encoders", str(path), "--embedder", embedder.spec.weights]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[1:3]] == [["none", "unknown"], ["full", "unknown"]]


@JVM
@silent
def test_the_command_line_feeds_back_and_names_neighbours(embedder, tmp_path, monkeypatch, capsys):
    set_feedback(monkeypatch, 0.5)
    path = build_index(Corpus(documents(40), "forty"), tmp_path / "index", embedder, k=20).path
    assert main(["search", str(path), "whale river sand", "--feedback", "-k", "3"]) == 0
    first = capsys.readouterr().out.splitlines()[1].split()
    assert 0 < float(first[1]) <= 1
    assert main(["explain", str(path), "whale river sand", first[2], "--feedback"]) == 0
    told = capsys.readouterr().out
    assert "like d" in told
    assert "its embedding" not in told
    assert main(["explain", str(path), "whale river sand", first[2], "--feedback", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["score"] == pytest.approx(float(first[1]), abs=1e-4)
    assert value["rescored"]["neighbours"][0].keys() == {"id", "weight", "adds"}
    assert main(["search", str(path), "whale", "--budget", "3"]) == 2
    assert "a budget of milliseconds is for the query encoder auto" in capsys.readouterr().err
