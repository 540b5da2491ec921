"""Documents of several passages: a term's weight is its best passage's, and the document stays one hit."""

import random
from itertools import chain

import numpy as np
import pytest

from sparseembed import Searcher, build_index
from sparseembed.alignment.decoding import Aligned, BestOf, Decoder
from sparseembed.alignment.head import decoding_head
from sparseembed.data.corpus import Corpus, Document
from sparseembed.embedders import store as storing
from sparseembed.engines.registry import ENGINES
from sparseembed.errors import ConfigError, IndexFolderError
from sparseembed.index.snapshot import open_snapshot
from sparseembed.index.verify import verify_index
from sparseembed.indexing import passages as encoding_passages
from sparseembed.indexing.encoding import encode_corpus
from sparseembed.indexing.fit import sparsifier_of
from sparseembed.indexing.shards import merge_indexes
from sparseembed.indexing.update import Index
from sparseembed.indexing.write import quantised
from sparseembed.sparse.sparsify import Decoded

pytestmark = [pytest.mark.jvm, pytest.mark.usefixtures("silence")]
WORDS = [*("cat", "dog", "whale", "river", "water", "sand", "light", "sun"), *("earth", "green", "milk", "air", "fish")]
SHORT = 40  # tokens: some texts below are longer
LAST = "A zorblax hides behind the mountain."


def text_of(count, seed):
    chance = random.Random(seed)
    words = chance.choices(WORDS, k=count)
    return " ".join(word + ("." if place % 5 == 4 else "") for place, word in enumerate(words))


def documents(first=0, count=24):
    made = [
        Document(f"d{n:02d}", f"title{n}" if n % 4 else "", text_of(3 + 5 * (n % 5), n))
        for n in range(first, first + count)
    ]
    made[3] = Document(made[3].id, "", "")
    made[5] = Document(made[5].id, "A long one", f"{text_of(150, 99)}. {LAST}")
    return made


@pytest.fixture
def corpus():
    return Corpus(documents(), "long")


def segments_of(path):
    snapshot = open_snapshot(path)
    return snapshot, snapshot.segments[0]


def files_of(manifest):
    return [each["files"] for each in manifest.segments], manifest.statistics["files"]


def naive(snapshot, embedder):
    """Weigh the index's documents, of each passage's embedding alone, with plain loops: document -> term -> impact."""
    statistics = snapshot.statistics()
    head = decoding_head(embedder)
    decoder = Decoder(statistics.space.rows(head.matrix, embedder.tokenizer))
    adjustment = statistics.adjustments["document"].after(head.inputs)
    segment = snapshot.segments[0]
    found, brought = {}, {}
    for number, doc_id in enumerate(snapshot.ids()):
        text, stored = segment.text(number), segment.passages(number)
        spans = [(0, len(text))] if stored is None else stored.spans.tolist()
        vectors = np.concatenate([embedder.encode([text[begin:end]]) for begin, end in spans])
        scores = decoder.scores(adjustment.apply(vectors))
        parts, best_of, first = [], [], 0
        for size in decoder.parts:
            own = scores[:, first : first + size]
            if len(spans) > 1 and statistics.config.scale == "document":
                tops = own.max(axis=1, keepdims=True)
                own = own / tops * tops.max()
            best = own.max(axis=0)
            order = np.lexsort((np.arange(size), -best))[: round(statistics.config.k * len(spans) ** 0.5)]
            numbers, values = (order + first).astype(np.int32), best[order].astype(np.float32)
            parts.append(Aligned(numbers[None], values[None]))
            best_of.append(BestOf(numbers, values, np.zeros(len(order), np.int64), len(spans)))
            brought |= {(doc_id, int(term) + first): int(own[:, term].argmax()) for term in order}
            first += size
        counted = statistics.space.count([text])
        weighed = sparsifier_of(statistics, embedder).weigh(
            counted.counts, Decoded(parts, {0: best_of} if len(spans) > 1 else {})
        )
        _, terms, impacts = quantised(weighed, statistics)
        names = [*statistics.space.terms, *counted.unknown]
        found[doc_id] = {names[term]: impact for term, impact in zip(terms.tolist(), impacts.tolist(), strict=True)}
    return found, brought, statistics.space.number


@pytest.mark.parametrize("terms", ["word", "folded", "word+folded"])
@pytest.mark.parametrize(("passages", "length"), [("9/4", 2048), ("sentences:8", 2048), ("auto", SHORT)])
def test_a_terms_weight_is_its_best_passages(corpus, tiny_embedder, tmp_path, terms, passages, length):
    embedder = tiny_embedder(max_length=length)
    built = build_index(corpus, tmp_path / "index", embedder, terms, k=20, passages=passages)
    snapshot, segment = segments_of(built.path)
    split = segment.split.tolist()
    assert 5 in split
    assert 3 not in split
    assert built.manifest.counts["split"] == len(split)
    assert built.manifest.counts["cut"] == 0
    expected, brought, number = naive(snapshot, embedder)
    same, every = 0, 0
    for place, doc_id in enumerate(snapshot.ids()):
        vector = segment.vector(place)
        for term in vector.keys() | expected[doc_id].keys():  # a rounding may fall to either side
            every += 1
            same += abs(vector.get(term, 0) - expected[doc_id].get(term, 0)) <= 1
        stored = segment.passages(place)
        if stored is None:
            continue
        text = segment.text(place)
        assert len(stored.spans) > 1
        assert {word for begin, end in stored.spans.tolist() for word in text[begin:end].split()} >= set(
            text.split()[1:-1]
        )
        found = stored.find(list(vector))
        for term, passage, impact in zip(vector, found.passages.tolist(), found.impacts.tolist(), strict=True):
            assert 0 <= impact <= vector[term]
            if passage >= 0:
                assert brought[doc_id, number[term]] == passage
            else:
                assert impact == 0
    assert same == every
    assert verify_index(built.path) == []


def test_where_no_text_is_too_long_nothing_changes(tiny_embedder, tmp_path):
    embedder, corpus = tiny_embedder(), Corpus([*documents()[:5], *documents()[6:]], "short")
    auto = build_index(corpus, tmp_path / "auto", embedder, k=20)
    off = build_index(corpus, tmp_path / "off", embedder, k=20, passages="off")
    assert auto.manifest.segments[0]["files"] == off.manifest.segments[0]["files"]
    about = "about.json"
    for name in auto.manifest.statistics["files"].keys() - {about}:
        assert auto.manifest.statistics["files"][name] == off.manifest.statistics["files"][name]
    assert "passages" not in auto.manifest.sparse
    assert "split" not in auto.manifest.counts
    assert off.manifest.sparse["passages"] == "off"
    assert not (tmp_path / "auto" / auto.manifest.segments[0]["folder"] / "passages.bin").exists()
    with Searcher.open(auto.path) as searcher:
        assert [hit.passage for hit in searcher.search("cat", 3)] == [None] * 3


def test_texts_within_the_limit_keep_their_embeddings_beside_long_ones(corpus, tiny_embedder, tmp_path):
    embedder = tiny_embedder(max_length=SHORT)
    cut = encode_corpus(corpus, embedder, tmp_path / "embeddings")
    auto = encode_corpus(corpus, embedder, tmp_path / "embeddings", passages="auto")
    long = auto.documents.split.rows
    assert cut.documents.cut == len(long) > 0
    assert auto.documents.cut == 0
    np.testing.assert_array_equal(auto.documents.matrix(), cut.documents.matrix())
    rows = np.arange(len(corpus))
    same = (auto.documents.take(rows) == cut.documents.take(rows)).all(axis=1)
    assert np.flatnonzero(~same).tolist() == long.tolist()
    # A long one's row is the mean of what is embedded of it.
    several = auto.documents.several(5)
    text = corpus[5].contents
    vectors = embedder.encode([text[begin:end] for begin, end in several.spans.tolist()])
    np.testing.assert_allclose(auto.documents.take(np.asarray([5]))[0], vectors.mean(axis=0), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(np.concatenate(list(several.blocks())), vectors)


@pytest.mark.parametrize("passages", ["6/3", "auto"])
def test_an_encoding_that_was_killed_among_passages_goes_on_to_the_same_bytes(
    corpus, tiny_embedder, tmp_path, monkeypatch, passages
):
    for module in (storing, encoding_passages):
        monkeypatch.setattr(module, "SHARD_SIZE", 8)
    embedder = tiny_embedder(max_length=SHORT)
    longer = [Document(f"long{n}", "", text_of(200, n)) for n in range(3)]
    corpus = Corpus([*corpus, *longer], "longer")
    whole = encode_corpus(corpus, embedder, tmp_path / "whole", passages=passages).documents
    assert len(whole.rest) > 16
    calls = 0
    encode = embedder.encode_counted

    def fails_now_and_then(*given):
        nonlocal calls
        calls += 1
        if calls % 3 == 0:
            raise KeyboardInterrupt
        return encode(*given)

    monkeypatch.setattr(embedder, "encode_counted", fails_now_and_then)
    for _ in range(60):
        try:
            parts = encode_corpus(corpus, embedder, tmp_path / "parts", passages=passages).documents
            break
        except KeyboardInterrupt:
            continue
    for one, other in ((whole, parts), (whole.rest, parts.rest)):
        names = sorted(file.name for file in one.folder.iterdir() if file.suffix in (".npy", ".json"))
        assert len(names) > 4
        for name in names:
            assert (one.folder / name).read_bytes() == (other.folder / name).read_bytes()


def test_the_last_sentence_of_a_long_document_is_found_and_shown(corpus, tiny_embedder, tmp_path):
    embedder = tiny_embedder(max_length=SHORT)
    built = build_index(corpus, tmp_path / "index", embedder, k=20)
    for engine in ENGINES:
        with Searcher.open(built.path, engine=engine) as searcher:
            hit = searcher.search("zorblax", 5)[0]
            assert hit.id == "d05"
            assert hit.passage.text.endswith(LAST)
            assert hit.passage.number == hit.passage.of > 3
            text = searcher.text("d05")
            assert text[hit.passage.start : hit.passage.end] == hit.passage.text
            assert hit.passage.end == len(text)
            assert text[hit.passage.focus :].strip() == LAST
            told = searcher.explain("zorblax cat", "d05")
            assert sum(term.score for term in told.terms) == told.score
            assert 0 < told.passage.score <= told.score
            assert searcher.search_batch(["zorblax"], 5)[0][0].passage == hit.passage
            assert all(hit.passage is None for hit in searcher.search("cat", 50) if hit.id in ("d00", "d01"))


def test_what_only_an_embedding_brought_has_its_passage_too(corpus, tiny_embedder, tmp_path):
    embedder = tiny_embedder()
    built = build_index(corpus, tmp_path / "index", embedder, "folded", k=20, passages="8/8")
    snapshot, segment = segments_of(built.path)
    with Searcher.open(built.path) as searcher:
        stored, vector = segment.passages(5), segment.vector(5)
        found = stored.find(list(vector))
        assert (found.passages >= 0).all()
        assert len(set(found.passages.tolist())) > 3
        for term, impact, passage in zip(vector, vector.values(), found.passages.tolist(), strict=True):
            view = searcher._view
            told = view.passage({term: 2}, "d05")
            assert (told.number, told.score) == (passage + 1, 2 * impact)
    assert snapshot.documents == 24


def told(path):
    """Give what is found, with passages; the engines must agree."""
    found = {}
    for engine in ENGINES:
        with Searcher.open(path, engine=engine) as searcher:
            hits = [searcher.search(query, 60) for query in ("zorblax", "cat whale", "d05 milk", " ".join(WORDS))]
            found[engine] = [(hit.id, hit.score, hit.passage) for hit in chain(*hits)]
    assert found["native"] == found["lucene"] == found["exact"]
    assert verify_index(path) == []
    return found["native"]


@pytest.mark.parametrize("passages", ["auto", "9/6"])
def test_documents_of_passages_are_added_deleted_merged_and_compacted(tiny_embedder, tmp_path, passages):
    embedder = tiny_embedder(max_length=SHORT)
    every = documents()
    choices = {"k": 20, "passages": passages, "mix": 0.5}
    whole = build_index(Corpus(every, "long"), tmp_path / "whole", embedder, **choices)
    before = told(whole.path)
    index = Index(whole.path, embedder)
    more = [Document("new", "", f"{text_of(120, 7)}. A penguin."), Document("tiny", "", "A penguin.")]
    manifest = index.add(more)
    split = whole.manifest.counts["split"]
    assert manifest.counts["split"] == split + 1
    assert manifest.counts["passages"] > whole.manifest.counts["passages"] + 2
    with Searcher.open(whole.path) as searcher:
        places = {hit.id: hit.passage for hit in searcher.search("penguin", 5)}
        assert places["new"].text.endswith("A penguin.")
        assert places["tiny"] is None
    manifest = index.delete(["new", "tiny", "d07"])
    assert "new" not in [each[0] for each in told(whole.path)]
    compacted = index.compact()
    left = [each for each in before if each[0] != "d07"]
    assert told(whole.path) == left
    assert compacted.counts["split"] == manifest.counts["split"] <= split
    index.add([every[7]])
    refitted = index.compact(refit=True)
    again = build_index(Corpus([*every[:7], *every[8:], every[7]], "again"), tmp_path / "again", embedder, **choices)
    assert refitted.counts == again.manifest.counts
    assert told(whole.path) == told(again.path)


def test_joined_parts_with_passages_are_one_build(corpus, tiny_embedder, tmp_path):
    embedder = tiny_embedder()
    choices = {"k": 20, "least": 2, "passages": "9/4"}
    whole = build_index(corpus, tmp_path / "whole", embedder, **choices)
    first = build_index(corpus, tmp_path / "p1", embedder, shard="1/2", **choices)
    second = build_index(corpus, tmp_path / "p2", embedder, shard="2/2", statistics=first.path, **choices)
    merged = merge_indexes([second.path, first.path], tmp_path / "merged")
    assert [each["files"] for each in merged.segments] == [each["files"] for each in whole.manifest.segments]
    assert merged.counts == whole.manifest.counts
    assert told(tmp_path / "merged") == told(whole.path)


def test_rescoring_sees_the_nearest_passage(corpus, tiny_embedder, tmp_path):
    embedder = tiny_embedder(max_length=SHORT)
    built = build_index(corpus, tmp_path / "index", embedder, k=20)
    with Searcher.open(built.path, rescore=10, encoder="full", feedback=True, embedder=embedder) as searcher:
        hits = searcher.search("zorblax", 10)
        place = next(hit for hit in hits if hit.id == "d05")
        assert place.passage.text.endswith(LAST)
        explained = searcher.explain("zorblax", "d05")
        assert explained.score == place.score
        from sparseembed.index.eight_bits import cosines

        rows = searcher._view.snapshot.passage_embeddings(["d00", "d05"])
        assert list(rows) == [1]
        query = embedder.encode(["zorblax"], "query")[0]
        best = cosines(rows[1], query, searcher.rescorer._centre).max()
        assert explained.rescored.cosine == pytest.approx(float(best))


def test_a_damaged_record_is_noticed(corpus, tiny_embedder, tmp_path):
    built = build_index(corpus, tmp_path / "index", tiny_embedder(), k=20, passages="9/4")
    file = built.path / built.manifest.segments[0]["folder"] / "passages.bin"
    raw = bytearray(file.read_bytes())
    for place in (0, 5, 17, len(raw) // 2, len(raw) - 1):
        changed = bytearray(raw)
        changed[place] ^= 0x41
        file.write_bytes(changed)
        assert any("passages.bin" in problem for problem in verify_index(built.path))
    file.write_bytes(b"\xff" * len(raw))
    with Searcher.open(built.path) as searcher, pytest.raises(IndexFolderError, match=r"passages\.bin is damaged"):
        [hit.passage for hit in searcher.search("zorblax", 5)]
    file.write_bytes(raw[:-1])
    with pytest.raises(IndexFolderError, match=r"passages\.bin"):
        Searcher.open(built.path)


def test_an_index_of_other_passages_is_not_reused(corpus, tiny_embedder, tmp_path):
    embedder = tiny_embedder()
    first = build_index(corpus, tmp_path / "index", embedder, k=20, passages="9/4")
    assert build_index(corpus, tmp_path / "index", embedder, k=20, passages="9/4").reused
    with pytest.raises(IndexFolderError, match="passages is '9/4' there and '9/5' here"):
        build_index(corpus, tmp_path / "index", embedder, k=20, passages="9/5")
    with pytest.raises(ConfigError, match="passages"):
        build_index(corpus, tmp_path / "index", embedder, k=20, passages="many")
    assert first.manifest.sparse["passages"] == "9/4"


def test_the_weights_of_many_passages_are_damped(corpus, tiny_embedder, tmp_path):
    embedder = tiny_embedder()
    built = build_index(corpus, tmp_path / "index", embedder, k=20, passages="9/4")
    snapshot, _ = segments_of(built.path)
    sparsifier = sparsifier_of(snapshot.statistics(), embedder)
    one = sparsifier.decode(embedder.encode(["a whale in the river", "sand"]))
    whole = sparsifier.expansion(Decoded(one, {})).toarray()
    for count, share in ((2, 2 ** (-1 / 6)), (15, 0.65), (64, 0.65)):
        best = [BestOf(part.terms[1], part.scores[1], np.zeros(20, np.int64), count) for part in one]
        damped = sparsifier.expansion(Decoded(one, {1: best})).toarray()
        np.testing.assert_array_equal(damped[0], whole[0])
        np.testing.assert_allclose(damped[1], whole[1] * share, rtol=1e-6)
