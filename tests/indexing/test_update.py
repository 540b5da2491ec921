"""Additions, replacements and deletions: what is found afterwards, in every engine, and that each is one commit."""

import shutil

import numpy as np
import pytest

from sparseembed import Searcher, build_index
from sparseembed.data.corpus import Corpus, Document
from sparseembed.engines.registry import ENGINES
from sparseembed.errors import ConfigError, DataError, IndexFolderError
from sparseembed.index.verify import verify_index
from sparseembed.indexing import update
from sparseembed.indexing.update import Index

pytestmark = [pytest.mark.jvm, pytest.mark.usefixtures("silence")]
WORDS = [*("cat", "dog", "whale", "river", "water", "sand", "light", "sun"), *("earth", "green", "milk", "air", "fish")]
QUERIES = ["cat", "whale river sand", "milk zorblax", " ".join(WORDS), "d07 penguins"]


def texts(count, first=0):
    return [
        Document(f"d{n:02d}", "", " ".join(WORDS[(n * step) % len(WORDS)] for step in range(1, 3 + n % 7)))
        for n in range(first, first + count)
    ]


@pytest.fixture
def embedder(tiny_embedder):
    return tiny_embedder()


@pytest.fixture(scope="module")
def built(build_once, tiny_embedder):
    return build_once(Corpus(texts(30), "thirty"), tiny_embedder(), k=20)


@pytest.fixture
def index(built, embedder, tmp_path):
    return Index(shutil.copytree(built, tmp_path / "index"), embedder)


def answers(path):
    """Give the hits of all queries, which all engines must agree on, with their texts and explanations."""
    found = {}
    for engine in ENGINES:
        with Searcher.open(path, engine=engine) as searcher:
            hits = {query: searcher.search(query, 50) for query in QUERIES}
            for query in QUERIES:
                for hit in hits[query][:5]:
                    assert searcher.explain(query, hit.id).score == hit.score
            found[engine] = hits
    assert found["native"] == found["lucene"] == found["exact"]
    assert verify_index(path) == []
    return found["native"]


def test_added_documents_are_found_and_the_others_keep_their_scores(index):
    before = answers(index.path)
    manifest = index.add([Document("new", "", "A zorblax met a whale in the river."), Document("blank", "", "")])
    after = answers(index.path)
    assert manifest.counts["documents"] == 32
    assert manifest.counts["blank"] == 1
    # A word that the collection did not have is found where it stands.
    assert after["milk zorblax"][0].id == "new"
    for query in QUERIES:
        assert [hit[:2] for hit in after[query] if hit.id != "new"] == [hit[:2] for hit in before[query]]
    assert manifest.updates["added"] == 2


def test_a_known_id_is_refused_or_replaced(index):
    before = index.manifest
    with pytest.raises(DataError, match=r"d03.*--replace"):
        index.add([Document("d03", "", "penguins"), Document("other", "", "whale")])
    assert index.manifest == before
    manifest = index.replace([Document("d03", "", "penguins"), Document("other", "", "whale")])
    assert manifest.counts["documents"] == 31
    with Searcher.open(index.path) as searcher:
        assert searcher.text("d03") == "penguins"
        assert [hit.id for hit in searcher.search("d07 penguins", 1)] == ["d03"]
    answers(index.path)
    index.replace([Document("d03", "", "walruses")])
    with Searcher.open(index.path) as searcher:
        assert searcher.text("d03") == "walruses"
        assert searcher.search("penguins", 5) == []
    answers(index.path)


def test_deleted_documents_are_gone_and_an_unknown_id_deletes_nothing(index):
    before = answers(index.path)
    with pytest.raises(DataError, match=r"nope.*nothing was deleted"):
        index.delete(["d01", "nope"])
    assert answers(index.path) == before
    manifest = index.delete(["d01", "d05", "d01"])
    assert manifest.counts["documents"] == 28
    after = answers(index.path)
    for query in QUERIES:
        kept = [hit[:2] for hit in before[query] if hit.id not in ("d01", "d05")]
        assert [hit[:2] for hit in after[query]] == kept
    with Searcher.open(index.path) as searcher, pytest.raises(DataError, match="d05"):
        searcher.text("d05")
    with pytest.raises(DataError, match="d05"):
        index.delete(["d05"])


def test_all_documents_can_be_deleted_and_others_added(index):
    index.delete([document.id for document in texts(30)])
    assert all(hits == [] for hits in answers(index.path).values())
    index.add(texts(3, first=40))
    assert {hit.id for hit in answers(index.path)["cat"]} <= {"d40", "d41", "d42"}
    index.compact()
    answers(index.path)


def test_compacting_changes_no_hit(index):
    index.add(texts(4, first=50))
    index.replace([Document("d02", "", "whale zorblax"), Document("d51", "", "milk")])
    index.delete(["d00", "d53"])
    before = answers(index.path)
    manifest = index.compact()
    assert answers(index.path) == before
    assert [(each["documents"], each["deleted"]) for each in manifest.segments] == [(32, None)]
    assert index.compact().generation == manifest.generation  # nothing is left to do


def test_an_index_of_nothing_is_not_fitted_anew(embedder, tmp_path):
    path = build_index(Corpus(texts(3), "gone"), tmp_path / "index", embedder, k=20).path
    index = Index(path, embedder)
    index.delete([each.id for each in texts(3)])
    before = (path / "manifest.json").read_bytes()
    with pytest.raises(DataError, match=r"index holds no documents to fit statistics to: add some first"):
        index.compact(refit=True)
    assert (path / "manifest.json").read_bytes() == before


def test_an_index_is_fitted_anew_again_and_again(embedder, tmp_path):
    whole = texts(30)
    for place in ("first", "second"):  # two indexes of the same documents, one after the other
        build_index(Corpus(whole[:10], "grown"), tmp_path / place, embedder, k=20)
        index = Index(tmp_path / place, embedder)
        index.compact(refit=True)
        index.add(whole[10:25] if place == "first" else whole[20:])
        index.compact(refit=True)
        index.delete([each.id for each in (whole[5:25] if place == "first" else whole[5:10])])
        index.compact(refit=True)
        left = whole[:5] if place == "first" else [*whole[:5], *whole[20:]]
        build_index(Corpus(left, place), tmp_path / f"{place} anew", embedder, k=20)
        assert answers(tmp_path / place) == answers(tmp_path / f"{place} anew")


def test_fitting_anew_is_building_anew(index, embedder, tmp_path):
    index.add(texts(6, first=60))
    index.delete(["d04"])
    calls = embedder.model_calls
    manifest = index.compact(refit=True)
    left = [each for each in [*texts(30), *texts(6, first=60)] if each.id != "d04"]
    assert embedder.model_calls - calls < len(left)  # documents are not encoded again, texts like queries are
    anew = build_index(Corpus(left, "anew"), tmp_path / "anew", embedder, k=20)
    assert manifest.updates == {}
    assert [each["files"] for each in manifest.segments] == [each["files"] for each in anew.manifest.segments]
    assert answers(index.path) == answers(anew.path)


def test_an_open_searcher_sees_whole_commits_alone(index):
    with Searcher.open(index.path) as searcher:
        hits, text = searcher.search("whale river sand", 9), searcher.text("d02")
        index.replace([Document("d02", "", "penguins")])
        index.delete(["d03"])
        index.compact()
        assert searcher.search("whale river sand", 9) == hits
        assert searcher.text("d02") == text
        assert searcher.reload()
        assert searcher.text("d02") == "penguins"
        with pytest.raises(DataError, match="d03"):
            searcher.text("d03")
        assert not searcher.reload()


def test_many_small_additions_leave_few_segments(index):
    for number in range(12):
        index.add([Document(f"x{number}", "", f"whale number {number}")])
    sizes = [each["documents"] for each in index.manifest.segments]
    assert sum(sizes) == 42
    assert len(sizes) <= 4
    answers(index.path)


def test_drift_is_a_figure(index, monkeypatch):
    told = []
    monkeypatch.setattr(update, "note", told.append)
    index.add(texts(10, first=70))
    like = index.manifest.updates["drift"]
    assert like["documents"] == 10
    index.add([Document(f"y{n}", "", "quantum chromodynamics binds quarks") for n in range(10)])
    unlike = index.manifest.updates["drift"]
    assert unlike["documents"] == 20
    assert unlike["unknown"] > like["unknown"]
    assert unlike["frequency"] > like["frequency"]
    assert any("drift" in line and "compact --refit" in line for line in told)


def test_another_embedder_and_a_part_are_refused(index, tiny_embedder, embedder, tmp_path):
    with pytest.raises(IndexFolderError, match="not the one that made this index"):
        Index(index.path, tiny_embedder("untied")).add([Document("z", "", "cat")])
    part = build_index(Corpus(texts(30), "thirty"), tmp_path / "part", embedder, k=20, shard="1/2").path
    with pytest.raises(ConfigError, match="merge the parts"):
        Index(part, embedder).delete(["d00"])
    with pytest.raises(IndexFolderError, match="no index"):
        Index(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


@pytest.mark.pyserini
def test_anserini_reads_the_index_after_updates(index):
    from sparseembed.java.jvm import java
    from sparseembed.java.threads import call

    index.add([Document("new", "", "A zorblax met a whale.")])
    index.replace([Document("d02", "", "whale milk")])
    index.delete(["d03"])

    def stock(query):
        weights = java("java.util.HashMap")()
        for term, weight in query.items():
            weights.put(term, java("java.lang.Integer")(weight))
        searcher = java("io.anserini.search.SimpleImpactSearcher")(str(index.path / "lucene"))
        hits = [(hit.docid, hit.score) for hit in searcher.search(weights, 50)]
        texts = [searcher.doc(doc_id).get("raw") for doc_id, _ in hits]
        searcher.close()
        return hits, texts

    with Searcher.open(index.path) as searcher:
        for query in QUERIES:
            ours = searcher.search(query, 50)
            theirs, raw = call(lambda query=query: stock(searcher.encode_query(query)))
            assert {doc_id for doc_id, _ in theirs} == {hit.id for hit in ours}
            np.testing.assert_allclose(
                sorted(score for _, score in theirs), sorted(hit.score for hit in ours), atol=1e-3
            )
            assert raw == [searcher.text(doc_id) for doc_id, _ in theirs]
