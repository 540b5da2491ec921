"""Rescoring: against plain cosines of the stored embeddings, through updates, shards and every engine."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sparseembed import Searcher, build_index
from sparseembed.cli import main
from sparseembed.data.corpus import Corpus, Document
from sparseembed.engines.registry import ENGINES
from sparseembed.errors import ConfigError, IndexFolderError
from sparseembed.index.eight_bits import cosines, eight_bits
from sparseembed.index.segment.format import EMBEDDINGS, ROWS
from sparseembed.index.snapshot import open_snapshot
from sparseembed.index.statistics import load_early, load_rescoring
from sparseembed.index.verify import verify_index
from sparseembed.indexing import early
from sparseembed.indexing.shards import merge_indexes
from sparseembed.indexing.update import Index
from sparseembed.retrieval.rescoring import shares

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


@pytest.fixture
def path(embedder, tmp_path):
    return build_index(Corpus(documents(40), "forty"), tmp_path / "index", embedder, k=20).path


def embedding_of(path, doc_id):
    """Read a document's stored row."""
    snapshot = open_snapshot(path)
    try:
        place = snapshot.place(doc_id)
        return snapshot.segments[place.segment].embeddings(np.array([place.number]))[0]
    finally:
        snapshot.close()


def plainly(path, embedder, query, candidates, k, encoder="full"):
    """Rescore in plain Python, in float64."""
    with Searcher.open(path, engine="exact") as searcher:
        hits = searcher.search(query, max(candidates, k))
    snapshot = open_snapshot(path)
    fitted = load_rescoring(snapshot.statistics_files, encoder)
    head = load_early(snapshot.statistics_files)
    snapshot.close()
    best, rest = hits[:candidates], hits[candidates:]
    if not best:
        return []
    if encoder == "full":
        vector = embedder.encode([query], "query")[0]
    else:
        features = embedder.early([query], head.depth)[0].astype(np.float64)
        vector = (features - head.mean) / head.scale @ head.weights + head.offset
    asked = vector.astype(np.float64) - fitted.centres[1]
    rows = [embedding_of(path, hit.id).astype(np.float64) for hit in best]
    cosine = np.array([row @ asked / max(np.linalg.norm(row) * np.linalg.norm(asked), 1e-30) for row in rows])
    sparse = np.array([hit.score for hit in best])

    def unit(scores):
        spread = scores.max() - scores.min()
        return (scores - scores.min()) / spread if spread else scores * 0

    total = (1 - fitted.weight) * unit(sparse) + fitted.weight * unit(cosine)
    order = sorted(range(len(best)), key=lambda row: (-round(total[row], 6), best[row].id))
    return [(best[row].id, total[row]) for row in order][:k] + [(hit.id, None) for hit in rest][: max(0, k - len(best))]


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
    for part, scores, most in ((terms, sparse, 1 - weight), (embedding, cosine.tolist(), weight)):
        assert part.min() == 0
        assert part.max() == pytest.approx(most if max(scores) > min(scores) else 0)
        assert (np.diff(part[np.argsort(scores, kind="stable")]) >= 0).all()


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
@pytest.mark.parametrize("terms", ["word", "folded"])
def test_a_small_encoder_reads_queries_with_the_first_layers(tiny_embedder, tmp_path, monkeypatch, terms):
    monkeypatch.setattr(early, "DEPTH", 1)
    embedder = tiny_embedder(dtype="int8")
    built = build_index(Corpus(documents(80), "eighty"), tmp_path / "index", embedder, terms, k=20)
    assert built.manifest.rescoring.keys() == {"full", "small"}
    assert built.manifest.rescoring["small"]["depth"] == 1
    assert -1 <= built.manifest.rescoring["small"]["cosine"] <= 1
    with Searcher.open(built.path, rescore=30, encoder="small", embedder=embedder) as searcher:
        calls = embedder.model_calls
        for query in QUERIES:
            found = searcher.search(query, 40)
            wanted = plainly(built.path, embedder, query, 30, 40, "small")
            assert [hit.id for hit in found] == [doc_id for doc_id, _ in wanted]
            for hit in found[:3]:
                assert searcher.explain(query, hit.id).score == hit.score
        assert embedder.model_calls == calls  # the whole model was never called
    Index(built.path, embedder).add(documents(3, first=90))
    assert Index(built.path, embedder).compact(refit=True).rescoring.keys() == {"full", "small"}
    assert verify_index(built.path) == []


@JVM
@silent
def test_an_index_without_a_small_encoder_says_so(path, embedder):
    with pytest.raises(IndexFolderError, match="has no small query encoder"):
        Searcher.open(path, rescore=10, encoder="small", embedder=embedder)
    with pytest.raises(ConfigError, match="unknown query encoder 'tiny': query encoders are full, small"):
        Searcher.open(path, rescore=10, encoder="tiny", embedder=embedder)


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
                    assert -1.001 <= why.rescored.cosine <= 1.001
                else:
                    assert why.rescored is None
                    assert why.score == why.by_terms


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
    with pytest.raises(ConfigError, match="rescore, the hits that are rescored, must be 0 or more, not -1"):
        Searcher.open(path, rescore=-1, embedder=embedder)
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
    assert "from terms" in told
    assert f"= {float(first[1]):.4f}" in told
    assert main(["explain", str(path), "whale river sand", "blank0", "--rescore", "2", *named]) == 0
    assert "not rescored: it is not among the 2 best hits" in capsys.readouterr().out
