"""Parts of an index that were built apart give, joined, what one build gives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseembed import Searcher, build_index
from sparseembed.data.corpus import Corpus, Document
from sparseembed.errors import ConfigError, IndexFolderError
from sparseembed.index.manifest import read_manifest
from sparseembed.indexing.shards import Shard, merge_indexes

pytestmark = [pytest.mark.jvm, pytest.mark.usefixtures("silence")]
WORDS = [*("cat", "dog", "whale", "river", "water", "sand", "light", "sun"), *("earth", "green", "milk", "air", "fish")]
QUERIES = ["cat", "whale river sand", "milk zebra", " ".join(WORDS), "unique7"]


@pytest.fixture(scope="module")
def corpus():
    texts = [" ".join(WORDS[(n * step) % len(WORDS)] for step in range(1, 2 + n % 9)) for n in range(40)]
    return Corpus([Document(f"d{97 * n % 40:02d}", f"unique{n}", text) for n, text in enumerate(texts)], "forty")


@given(st.integers(1, 9), st.integers(0, 50))
def test_spans_cover_all_documents_once(of, documents):
    spans = [Shard(number, of).span(documents) for number in range(1, of + 1)]
    assert [place for first, last in spans for place in range(first, last)] == list(range(documents))


@pytest.mark.parametrize("terms", ["word", "folded", "word+folded"])
def test_joined_parts_are_one_build(corpus, tiny_embedder, tmp_path, terms):
    embedder = tiny_embedder()
    whole = build_index(corpus, tmp_path / "whole", embedder, terms, k=20, least=2)
    first = build_index(corpus, tmp_path / "p1", embedder, terms, k=20, least=2, shard="1/3")
    others = [
        build_index(corpus, tmp_path / f"p{n}", embedder, terms, k=20, least=2, shard=f"{n}/3", statistics=first.path)
        for n in (2, 3)
    ]
    merged = merge_indexes([others[1].path, first.path, others[0].path], tmp_path / "merged")
    # Byte for byte: the manifest knows each file by its checksum.
    assert [each["files"] for each in merged.segments] == [each["files"] for each in whole.manifest.segments]
    assert merged.build == whole.manifest.build
    assert merged.counts == whole.manifest.counts
    for engine in ("native", "lucene"):
        with (
            Searcher.open(tmp_path / "whole", engine=engine) as one,
            Searcher.open(tmp_path / "merged", engine=engine) as joined,
        ):
            for query in QUERIES:
                assert one.search(query, 40) == joined.search(query, 40)
            # In pieces nothing is literal alone; a word of one document is found in it.
            assert terms == "folded" or joined.search("unique7", 3)[0].id == "d39"


def test_parts_that_do_not_fit_are_refused(corpus, tiny_embedder, tmp_path):
    embedder = tiny_embedder()
    first = build_index(corpus, tmp_path / "p1", embedder, k=20, shard="1/2").path
    whole = build_index(corpus, tmp_path / "whole", embedder, k=20).path
    other = build_index(corpus, tmp_path / "other", embedder, k=19, shard="2/2").path
    for parts, error, words in (
        ([first], ConfigError, "missing: 2"),
        ([first, first], ConfigError, "same part"),
        ([first, whole], IndexFolderError, "no part"),
        ([first, other], IndexFolderError, "k is 20 there and 19 here"),
    ):
        with pytest.raises(error, match=words):
            merge_indexes(parts, tmp_path / "merged")
        assert not (tmp_path / "merged").exists()
    with pytest.raises(ConfigError, match="I/N"):
        build_index(corpus, tmp_path / "x", embedder, shard="3/2")
    with pytest.raises(IndexFolderError, match="do not fit: k is 20"):
        build_index(corpus, tmp_path / "x", embedder, k=19, shard="2/2", statistics=first)
    assert read_manifest(first).shard == {"number": 1, "of": 2}
