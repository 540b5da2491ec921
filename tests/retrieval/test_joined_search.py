"""Several indexes with the same statistics are searched as one: hit for hit and score for score."""

import os
import shutil

import numpy as np
import pytest

from sparseembed import Index, Searcher, build_index
from sparseembed.cli import main
from sparseembed.data.corpus import Corpus, Document
from sparseembed.errors import ConfigError, DataError, IndexFolderError
from sparseembed.indexing.shards import merge_indexes

pytestmark = [pytest.mark.jvm, pytest.mark.usefixtures("silence")]
WORDS = [*("cat", "dog", "whale", "river", "water", "sand", "light", "sun"), *("earth", "green", "milk", "air", "fish")]
QUERIES = ["cat", "whale river sand", "milk zebra", " ".join(WORDS), "unique7", "", "zebra"]
CHOICES = {"k": 20, "least": 2}


def documents(first, last, prefix="d"):
    chance = np.random.default_rng(first)
    for n in range(first, last):
        # Sentences of some length, and many equal texts: ties are ordered by id over all parts.
        text = " ".join(chance.choice(WORDS, size=3 + n % 40)) + "." if n % 3 else " ".join(WORDS[: 1 + n % 5])
        if n % 50 == 7:
            text = " ".join(chance.choice(WORDS, size=150))  # several passages
        yield Document(f"{prefix}{97 * n % 200:03d}", f"unique{n}", text, {"year": 1990 + n % 30, "even": n % 2 == 0})


@pytest.fixture(scope="module")
def built(tmp_path_factory, tiny_model):
    from sparseembed.embedders.spec import EmbedderSpec
    from sparseembed.embedders.transformer import TransformerEmbedder

    before = os.environ.get("SPARSEEMBED_CACHE")
    folder = tmp_path_factory.mktemp("joined")
    os.environ["SPARSEEMBED_CACHE"] = str(folder / "cache")
    try:
        embedder = TransformerEmbedder(
            EmbedderSpec("tied", str(tiny_model("tied")), dtype="float32", device="cpu", max_length=60)
        )
        corpus = Corpus(list(documents(0, 200)), "two-hundred")
        first = build_index(corpus, folder / "parts" / "a", embedder, shard="2/3", **CHOICES).path
        for name, shard in (("b", "3/3"), ("c", "1/3")):
            build_index(corpus, folder / "parts" / name, embedder, shard=shard, statistics=first, **CHOICES)
        merge_indexes(sorted((folder / "parts").iterdir()), folder / "whole")
    finally:
        os.environ.pop("SPARSEEMBED_CACHE") if before is None else os.environ.update(SPARSEEMBED_CACHE=before)
    return folder, embedder


def compared(one, other, k=30):
    for query in QUERIES:
        hits = one.search(query, k)
        assert other.search(query, k) == hits
        assert other.search(query, 5, "year>=2005") == one.search(query, 5, "year>=2005")
        for hit, twin in zip(hits, other.search(query, k), strict=True):
            assert (twin.metadata, twin.passage) == (hit.metadata, hit.passage)
        for hit in hits[:3]:
            assert other.explain(query, hit.id) == one.explain(query, hit.id)
    for threads in (1, 3):
        assert other.search_batch(QUERIES, k, threads) == one.search_batch(QUERIES, k, threads)


@pytest.mark.parametrize("engine", ["native", "exact"])
def test_parts_are_one_index(built, engine):
    folder, _ = built
    with Searcher.open(folder / "whole", engine=engine) as one, Searcher.open(folder / "parts", engine=engine) as many:
        compared(one, many)
        assert any(hit.passage for hit in many.search("whale river sand", 30))
        assert many.engine.documents == many.manifest.counts["documents"] == 200
        assert many.manifest.counts == {**one.manifest.counts, "terms": many.manifest.counts["terms"]}
        for doc_id in ("d000", "d097", "d199"):
            assert many.document(doc_id) == one.document(doc_id)
            assert many.metadata(doc_id) == one.metadata(doc_id)
        with pytest.raises(DataError, match=r"parts has no document 'x'"):
            many.text("x")


@pytest.mark.parametrize(
    "asked", [{"feedback": True}, {"encoder": "full", "feedback": True, "rescore": 7}, {"expand": 5}]
)
def test_whatever_is_done_with_queries(built, asked):
    folder, embedder = built
    parts = [folder / "parts" / name for name in "abc"]
    with (
        Searcher.open(folder / "whole", embedder=embedder, **asked) as one,
        Searcher.open(parts, embedder=embedder, **asked) as many,
    ):
        compared(one, many)


def test_indexes_with_the_first_ones_statistics(built, tmp_path):
    folder, embedder = built
    later = [Corpus(list(documents(n, n + 30, f"e{n}-")), f"later{n}") for n in (300, 400)]
    paths = [folder / "whole"]
    for corpus in later:
        paths.append(build_index(corpus, tmp_path / corpus.name, embedder, statistics=paths[0], **CHOICES).path)
    shutil.copytree(folder / "whole", tmp_path / "all")
    with Index.open(tmp_path / "all", embedder) as index:
        for corpus in later:
            index.add(corpus)
    with Searcher.open(tmp_path / "all") as one, Searcher.open(paths) as many:
        compared(one, many)
        # Another commit of one of them is another commit of all.
        assert not many.reload()
        gone = many.search("cat", 1)[0].id
        index_of = next(path for path in paths if _holds(path, gone))
        copy = None
        if index_of == folder / "whole":  # shared by the tests
            copy = shutil.copytree(index_of, tmp_path / "copy")
            paths[0] = copy
            many.close()
            many = Searcher.open(paths)
        with Index.open(copy or index_of, embedder) as index:
            index.delete([gone])
        assert many.search("cat", 1)[0].id == gone
        assert many.reload()
        assert gone not in {hit.id for hit in many.search("cat", 300)}
        many.close()
    build_index(later[0], tmp_path / "twice", embedder, statistics=folder / "whole", **CHOICES)
    with pytest.raises(IndexFolderError, match="both hold the document 'e300-"):
        Searcher.open([tmp_path / "later300", tmp_path / "twice"])


def _holds(path, doc_id):
    with Searcher.open(path) as searcher:
        try:
            searcher.text(doc_id)
        except DataError:
            return False
        return True


def test_what_does_not_fit_is_refused(built, tmp_path, capsys):
    folder, embedder = built
    a, b, c = (folder / "parts" / name for name in "abc")
    other = Corpus(list(documents(0, 60)), "other")
    corpus = Corpus(list(documents(0, 200)), "two-hundred")
    short = build_index(corpus, tmp_path / "k", embedder, shard="1/3", k=19, least=2).path
    fitted = build_index(other, tmp_path / "fitted", embedder, **CHOICES).path
    for places, error, words in (
        ([a, b], ConfigError, "of 3 parts, these are missing: 1"),
        ([a], ConfigError, "missing: 1, 3"),
        ([a, b, c, a], ConfigError, "same part: give each once"),
        ([a, b, short], IndexFolderError, "k is 20 there and 19 here"),
        ([a, folder / "whole"], IndexFolderError, "one is a part of an index"),
        ([folder / "whole", fitted], IndexFolderError, "its statistics are others"),
        ([], ConfigError, "no index is named"),
        ([a, tmp_path / "none"], IndexFolderError, "there is no index at"),
    ):
        with pytest.raises(error, match=words) as found:
            Searcher.open(places)
        assert "\n" not in str(found.value)
    with pytest.raises(ConfigError, match="Lucene does not search"):
        Searcher.open(folder / "parts", engine="lucene")
    (tmp_path / "few").mkdir()
    (tmp_path / "few" / "a").symlink_to(a)
    assert main(["search", str(tmp_path / "few"), "cat"]) == 2
    assert "these are missing: 1, 3" in capsys.readouterr().err
    (tmp_path / "unrelated").mkdir()
    (tmp_path / "unrelated" / "x").symlink_to(fitted)
    with pytest.raises(IndexFolderError, match="is no index"):
        Searcher.open(tmp_path / "unrelated")


def test_commands_take_a_folder_of_parts(built, capsys):
    folder, _ = built
    told = []
    for name in ("whole", "parts"):
        assert main(["search", str(folder / name), "whale river sand", "--json", "-q"]) == 0
        assert main(["explain", str(folder / name), "unique7", "d079", "-q"]) == 0
        told.append(capsys.readouterr().out)
    assert told[0] == told[1]
    assert main(["verify", str(folder / "parts"), "-q"]) == 0
