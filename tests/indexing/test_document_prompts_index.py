"""An index of documents that were embedded under several prompts: a term has its best score under any of them."""

import random

import numpy as np
import pytest

from sparseembed import Searcher, build_index
from sparseembed.alignment.decoding import Aligned, BestOf, Decoder
from sparseembed.alignment.head import decoding_head
from sparseembed.cli import main
from sparseembed.data.corpus import Corpus, Document
from sparseembed.embedders import store as storing
from sparseembed.engines.registry import ENGINES
from sparseembed.errors import EmbedderError, IndexFolderError
from sparseembed.index.manifest import read_manifest
from sparseembed.index.snapshot import open_snapshot
from sparseembed.index.verify import verify_index
from sparseembed.indexing.encoding import encode_corpus
from sparseembed.indexing.fit import sparsifier_of
from sparseembed.indexing.shards import merge_indexes
from sparseembed.indexing.update import Index
from sparseembed.indexing.write import quantised
from sparseembed.sparse.sparsify import Decoded

pytestmark = [pytest.mark.jvm, pytest.mark.usefixtures("silence")]
WORDS = ["cat", "dog", "mat", "whale", "fish", "air", "milk", "river", "water", "sea", "sand", "light", "sun", "book"]
PROMPTS = {
    "document_prompt": 'Text: "{text}". A word: "',
    "query_prompt": "Query: {text}",
    "more_prompts": ('Text: "{text}". Rivers and books: "', "It: {text}"),
}


def documents(first=0, count=24):
    chance = random.Random(first)
    made = [
        Document(f"d{n:02d}", f"title{n}" if n % 4 else "", " ".join(chance.choices(WORDS, k=2 + 5 * (n % 5))) + ".")
        for n in range(first, first + count)
    ]
    made[3] = Document(made[3].id, "", "")
    return made


@pytest.fixture
def corpus():
    return Corpus(documents(), "prompts")


@pytest.fixture
def embedder(tiny_embedder):
    return tiny_embedder(**PROMPTS)


def naive(snapshot, embedder):
    """Weigh the index's documents, of each passage under each prompt alone, with plain loops."""
    statistics = snapshot.statistics()
    head = decoding_head(embedder)
    decoder = Decoder(statistics.space.rows(head.matrix, embedder.tokenizer))
    sides = ["document", *(f"document-{number}" for number in range(2, 2 + len(embedder.spec.more_prompts)))]
    alone = [embedder.with_prompts(document_prompt=prompt) for prompt in embedder.spec.document_prompts]
    segment = snapshot.segments[0]
    found = {}
    for number, doc_id in enumerate(snapshot.ids()):
        text, stored = segment.text(number), segment.passages(number)
        spans = [(0, len(text))] if stored is None else stored.spans.tolist()
        scores = np.concatenate(
            [
                decoder.scores(statistics.adjustments[side].after(head.inputs).apply(each.encode([text[begin:end]])))
                for begin, end in spans
                for side, each in zip(sides, alone, strict=True)
            ]
        )
        parts, several, first = [], [], 0
        for size in decoder.parts:
            own = scores[:, first : first + size]
            tops = own.max(axis=1, keepdims=True)
            best = (own / np.where(tops > 0, tops, 1) * tops.max()).max(axis=0)
            order = np.lexsort((np.arange(size), -best))[: round(statistics.config.k * len(spans) ** 0.5)]
            numbers, values = (order + first).astype(np.int32), best[order].astype(np.float32)
            parts.append(Aligned(numbers[None], values[None]))
            several.append(BestOf(numbers, values, np.zeros(len(order), np.int64), len(spans)))
            first += size
        counted = statistics.space.count([text])
        weighed = sparsifier_of(statistics, embedder).weigh(
            counted.counts, Decoded(parts, {0: several} if len(spans) > 1 else {})
        )
        _, terms, impacts = quantised(weighed, statistics)
        names = [*statistics.space.terms, *counted.unknown]
        found[doc_id] = {names[term]: impact for term, impact in zip(terms.tolist(), impacts.tolist(), strict=True)}
    return found


@pytest.mark.parametrize(("terms", "passages"), [("word", "auto"), ("word+folded", "auto"), ("word", "9/5")])
def test_a_terms_weight_is_its_best_under_any_prompt(corpus, embedder, tmp_path, terms, passages):
    built = build_index(corpus, tmp_path / "index", embedder, terms, k=20, passages=passages)
    snapshot = open_snapshot(built.path)
    segment, expected = snapshot.segments[0], naive(snapshot, embedder)
    assert (len(segment.split) > 5) == (passages != "auto")
    for place, doc_id in enumerate(snapshot.ids()):
        vector = segment.vector(place)
        assert all(
            abs(vector.get(term, 0) - expected[doc_id].get(term, 0)) <= 1 for term in {*vector, *expected[doc_id]}
        )
        stored = segment.passages(place)
        if stored is not None:
            assert stored.numbers.max() < len(stored.spans)
            assert stored.embeddings.shape == (len(stored.spans), embedder.dimension)
    assert verify_index(built.path) == []
    manifest = built.manifest
    assert manifest.embedder["more_prompts"] == list(PROMPTS["more_prompts"])
    assert manifest.embedder_identity["more_prompts"] == list(PROMPTS["more_prompts"])


def test_the_embedding_of_a_document_is_that_under_the_first_prompt(corpus, embedder, tiny_embedder, tmp_path):
    first = tiny_embedder(**{**PROMPTS, "more_prompts": ()})
    one = encode_corpus(corpus, first, tmp_path / "one").documents
    several = encode_corpus(corpus, embedder, tmp_path / "several").documents
    assert several.dimension == one.dimension
    np.testing.assert_allclose(several.matrix(), one.matrix(), rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(several.take(np.asarray([5, 2])), several.matrix()[[5, 2]])
    np.testing.assert_array_equal(several.blank(), one.blank())
    wide = several.wide(np.arange(24))
    assert wide.shape == (24, 3 * one.dimension)
    for number, prompt in enumerate(embedder.spec.document_prompts):
        alone = embedder.with_prompts(document_prompt=prompt).encode(list(corpus.contents))
        own = wide[:, number * one.dimension : (number + 1) * one.dimension]
        np.testing.assert_allclose(own, alone, rtol=1e-3, atol=1e-4)
    built = build_index(corpus, tmp_path / "index", embedder, k=20)
    with Searcher.open(built.path, encoder="full", embedder=embedder) as searcher:
        assert searcher.search("cat whale", 3)


def test_an_encoding_that_was_killed_goes_on_to_the_same_bytes(corpus, embedder, tmp_path, monkeypatch):
    monkeypatch.setattr(storing, "SHARD_SIZE", 8)
    whole = encode_corpus(corpus, embedder, tmp_path / "whole").documents
    encode, calls = embedder.encode_prompts, []

    def fails_once(*given):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return encode(*given)

    monkeypatch.setattr(embedder, "encode_prompts", fails_once)
    with pytest.raises(KeyboardInterrupt):
        encode_corpus(corpus, embedder, tmp_path / "parts")
    parts = encode_corpus(corpus, embedder, tmp_path / "parts").documents
    assert len(calls) == 4  # one shard of three was there
    for file in sorted(whole.folder.glob("0*")):
        assert file.read_bytes() == (parts.folder / file.name).read_bytes()


def test_other_prompts_are_another_embedder(corpus, embedder, tiny_embedder, tmp_path):
    built = build_index(corpus, tmp_path / "index", embedder, k=20)
    assert build_index(corpus, tmp_path / "index", embedder, k=20).reused
    fewer = tiny_embedder(**{**PROMPTS, "more_prompts": PROMPTS["more_prompts"][:1]})
    with pytest.raises(IndexFolderError, match="more_prompts"):
        build_index(corpus, built.path, fewer, k=20)
    encode_corpus(corpus, embedder, tmp_path / "kept")
    with pytest.raises(EmbedderError, match="more_prompts"):
        encode_corpus(corpus, fewer, tmp_path / "kept")
    with pytest.raises(IndexFolderError, match="more_prompts"):
        Index(built.path, fewer).add([Document("n", "", "cat")])


def told(path):
    found = {}
    for engine in ENGINES:
        with Searcher.open(path, engine=engine) as searcher:
            hits = [searcher.search(query, 60) for query in ("cat whale", "milk", " ".join(WORDS))]
            found[engine] = [[(hit.id, hit.score) for hit in each] for each in hits]
    assert found["native"] == found["lucene"] == found["exact"]
    assert verify_index(path) == []
    return found["native"]


@pytest.mark.parametrize("passages", ["auto", "9/6"])
def test_documents_are_added_deleted_merged_and_fitted_anew(embedder, tmp_path, monkeypatch, passages):
    every, choices = documents(), {"k": 20, "passages": passages, "mix": 0.5}
    whole = build_index(Corpus(every, "prompts"), tmp_path / "whole", embedder, **choices)
    before = told(whole.path)
    index = Index(whole.path, embedder)
    index.delete(["d04", "d07"])
    index.add([each for each in every if each.id in ("d04", "d07")])
    index.compact()
    assert told(whole.path) == before
    parts = [
        build_index(
            Corpus(every, "prompts"),
            tmp_path / f"part{number}",
            embedder,
            shard=f"{number}/2",
            statistics=tmp_path / "part1" if number == 2 else None,
            **choices,
        ).path
        for number in (1, 2)
    ]
    merge_indexes(parts, tmp_path / "merged")
    assert told(tmp_path / "merged") == before
    monkeypatch.setattr(embedder, "encode_prompts", None)  # all embeddings are kept
    index.compact(refit=True)
    assert told(whole.path) == before


def test_the_option_names_further_prompts(tiny_model, tmp_path, capsys):
    texts = tmp_path / "texts.jsonl"
    texts.write_text("".join(f'{{"id": "{each.id}", "text": "{each.text}"}}\n' for each in documents()))
    given = ["--embedder", str(tiny_model("tied")), "--dtype", "float32", "-k", "20"]
    told = ["--prompts", "keywords", "--prompts", "{text} is about "]
    assert main(["index", str(texts), "--out", str(tmp_path / "index"), *given, *told]) == 0
    prompts = read_manifest(tmp_path / "index").embedder["more_prompts"]
    assert "keywords" in prompts[0]
    assert prompts[1] == "{text} is about "
    capsys.readouterr()
    assert main(["index", str(texts), "--out", str(tmp_path / "other"), *given, "--prompts", "keyword"]) != 0
    assert "must hold {text}" in capsys.readouterr().err
