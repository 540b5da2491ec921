"""An encoder from text to hits: every command takes it, and vectors are what its own logits give."""

import json

import numpy as np
import pytest

from sparseembed.alignment.composed import compose_rows
from sparseembed.alignment.head import decoding_head
from sparseembed.api import decode
from sparseembed.cli import main
from sparseembed.index.snapshot import open_snapshot
from sparseembed.indexing.build import build_index
from sparseembed.retrieval.searcher import Searcher
from sparseembed.sparse.literal import PieceTerms
from sparseembed.sparse.pieces import piece_space

TEXTS = {
    "d1": "The cat sat on the mat.",
    "d2": "A river carries water to the sea.",
    "d3": "",
    "d4": "A whale breathes air",
    "d5": "green plants make sugar of light, water and air",
    "d6": "action: the sun makes light",
}
K = 12


@pytest.fixture
def embedder(masked_model, tiny_embedder):
    """The state of a tiny BERT's [CLS]: a place at which its own logits can be had."""
    return tiny_embedder(masked_model("bert"), attention="bidirectional", pooling="token:0")


@pytest.fixture
def corpus(tmp_path):
    file = tmp_path / "corpus.jsonl"
    file.write_text("".join(json.dumps({"id": name, "text": text}) + "\n" for name, text in TEXTS.items()))
    return file


@pytest.fixture
def words(masked_model):
    """The options that name the same embedder on the command line."""
    prompts = ["--document-prompt", "{text}", "--query-prompt", "{text}", "--dtype", "float32", "--device", "cpu"]
    return ["--embedder", str(masked_model("bert")), "--attention", "bidirectional", "--pooling", "token:0", *prompts]


def adjusted_logits(kind, logits, embedder, masked_model):
    """Adjust logits the long way: what an adjustment takes off the inputs, W takes off the logits."""
    import torch
    from transformers import AutoModelForMaskedLM

    if kind == "none":
        return logits
    if kind == "centred":
        return logits - logits.mean(axis=0)
    model = AutoModelForMaskedLM.from_pretrained(masked_model("bert"), dtype=torch.float32).eval()
    rows = [embedder.tokenizer.encode(text).ids for text in TEXTS.values() if text]
    with torch.inference_mode():
        states = [model.bert(input_ids=torch.tensor([ids])).last_hidden_state[0, 0] for ids in rows]
        inputs = model.cls.predictions.transform(torch.stack(states)).numpy().astype(np.float64)
    extended = np.hstack([inputs, np.ones((len(inputs), 1))])
    matrix = np.hstack([model.cls.predictions.decoder.weight.detach(), model.cls.predictions.bias.detach()[:, None]])
    first = np.linalg.svd(extended, full_matrices=False)[2][0]
    return logits - np.outer(extended @ first, matrix @ first)


@pytest.mark.jvm
@pytest.mark.parametrize("kind", ["none", "centred", "pc1"])
def test_an_index_holds_what_the_models_own_logits_give(embedder, corpus, masked_model, naive_logits, tmp_path, kind):
    choices = {"floor": "zero", "weighting": "linear", "scale": "none", "idf": False, "k": K, "bits": 12}
    build_index(corpus, tmp_path / "index", embedder=embedder, terms="folded", adjustment=kind, **choices)
    full = {name: text for name, text in TEXTS.items() if text}
    logits = naive_logits(masked_model("bert"), list(full.values()))
    scores = adjusted_logits(kind, logits, embedder, masked_model)
    scores[:, :5] = -np.inf  # special tokens are no terms
    expected = {}
    for name, row in zip(full, scores, strict=True):
        best = [piece for piece in np.argsort(-row)[:K] if row[piece] > 0]
        expected[name] = {str(piece): row[piece] for piece in best}
    largest = max(weight for vector in expected.values() for weight in vector.values())
    with Searcher.open(tmp_path / "index", engine="exact") as searcher:
        assert searcher.document("d3").vector == {}
        for name, vector in expected.items():
            found = searcher.document(name).vector
            wanted = {piece: 4095 * weight / largest for piece, weight in vector.items()}
            assert {piece for piece, impact in wanted.items() if impact > 1} <= found.keys() <= wanted.keys()
            for piece, impact in found.items():
                assert abs(impact - wanted[piece]) < 0.51 + 0.05, (name, piece)


@pytest.mark.jvm
def test_a_query_is_expanded_through_the_head(masked_model, tiny_embedder, corpus, tmp_path):
    parts = {"attention": "bidirectional", "pooling": "token:0", "query_prompt": "this means {text}"}
    embedder = tiny_embedder(masked_model("bert"), **parts)
    build_index(corpus, tmp_path / "index", embedder=embedder, terms="folded", adjustment="centred")
    query, m = "whale of the sea", 4
    with Searcher.open(tmp_path / "index", expand=m, expansion_weight=1, embedder=embedder) as searcher:
        weights = searcher.encode_query(query)
        assert searcher.search(query)
    snapshot = open_snapshot(tmp_path / "index")
    fitted = snapshot.adjustment("query")
    snapshot.close()
    # Its mean is that of what the transform makes of the documents' first sentences, prompted as queries.
    inputs = decoding_head(embedder).inputs(embedder.encode([text for text in TEXTS.values() if text], "query"))
    np.testing.assert_allclose(fitted.vector, inputs.mean(axis=0), atol=1e-5)
    best = decode(embedder.encode([query], "query")[0], embedder, m + 1, "folded", fitted)
    floor = max(best[-1].score, 0.0)
    vocabulary = embedder.tokenizer.get_vocab()
    literal = {str(vocabulary[word]) for word in query.split()}
    aligned = {
        str(vocabulary[token]): round(16 * (score - floor) / (best[0].score - floor)) for token, score in best[:m]
    }
    for term in literal | {term for term, weight in aligned.items() if weight}:
        assert weights.pop(term) == 16 * (term in literal) + aligned.get(term, 0)
    assert not weights


@pytest.mark.jvm
@pytest.mark.parametrize("terms", ["word", "folded"])
def test_the_commands_take_an_encoder(words, corpus, tmp_path, capsys, terms):
    index = str(tmp_path / "index")
    assert main(["index", str(corpus), "--out", index, "--terms", terms, *words, "-q"]) == 0
    capsys.readouterr()
    assert main(["search", index, "the whale", "--expand", "3", *words[:2], "-q"]) == 0
    assert "d4" in capsys.readouterr().out
    assert main(["inspect", "the whale", "-k", "3", "--json", *words, "-q"]) == 0
    plain = capsys.readouterr().out
    assert main(["inspect", "the whale", "-k", "3", "--json", "--index", index, *words[:2], "-q"]) == 0
    centred = capsys.readouterr().out
    assert len(plain.splitlines()) == len(centred.splitlines()) == 3
    assert plain != centred


def test_inspect_shows_the_logits(words, masked_model, naive_logits, embedder, capsys):
    assert main(["inspect", "the whale", "-k", "40", "--json", "--adjustment", "none", *words, "-q"]) == 0
    found = {token["token"]: token for token in map(json.loads, capsys.readouterr().out.splitlines())}
    [logits] = naive_logits(masked_model("bert"), ["the whale"])
    pieces = {piece: number for piece, number in embedder.tokenizer.get_vocab().items() if not piece.startswith("[")}
    assert found.keys() == pieces.keys()
    for piece, number in pieces.items():
        assert abs(found[piece]["score"] - logits[number]) < 1e-4
    assert {piece for piece, token in found.items() if token["literal"]} == {"the", "whale"}


def test_analyze_compares_an_encoder_with_its_own_raw_state(words, tmp_path, capsys):
    nouns = ["cat", "mat", "whale", "river", "sea", "sun", "sugar", "plant", "air", "light"]
    lines = [f"the {nouns[row % 10]} sat on a {nouns[(3 * row + row // 10) % 10]}." for row in range(24)]
    texts = tmp_path / "lines.txt"
    texts.write_text("\n".join(lines) + "\n")
    report = tmp_path / "report"
    assert main(["analyze", "--texts", str(texts), "--out", str(report), *words, "-q"]) == 0
    told = json.loads((report / "report.json").read_text())
    assert told["about"]["backbone"]["attention"] == "bidirectional"
    assert told["about"]["backbone"]["pooling"] == "mean"
    assert len(told["matrix"]["singular_values"]) == 33
    assert {row["side"] for row in told["measured"]} == {"embedder", "backbone"}


def test_an_encoder_that_is_taken_for_a_causal_model_is_one_line(masked_model, capsys):
    assert main(["inspect", "the whale", "--embedder", str(masked_model("bert")), "-q"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "pass --attention bidirectional" in told


def test_a_piece_that_continues_a_word_is_a_term_of_its_own(wordpiece):
    vocabulary = wordpiece.get_vocab()
    for kind in ("token", "folded"):
        space = piece_space(kind, wordpiece, len(vocabulary))
        of = {piece: space.term_of_piece[number] for piece, number in vocabulary.items()}
        assert {piece for piece, term in of.items() if term < 0} == {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}
        assert {space.labels[term] for term in of.values() if term >= 0} == {piece for piece in of if piece[0] != "["}
        assert of["##tion"] != of["tion"]
    terms = [None if number < 0 else space.terms[number] for number in space.term_of_piece]
    literal = PieceTerms("folded", wordpiece, terms)
    wanted = ["ac", "##tion", "sugar", "##s"]
    assert literal.of(" Action SUGARS [SEP]")[:4] == [str(vocabulary[piece]) for piece in wanted]


def test_a_word_composed_of_pieces_is_the_same_with_a_space_and_without(wordpiece):
    matrix = np.random.default_rng(4).normal(size=(wordpiece.get_vocab_size(), 9)).astype(np.float32)
    rows = compose_rows(["action", "whale", "Sugars"], wordpiece, matrix)
    np.testing.assert_array_equal(rows.matrix[0::2], rows.matrix[1::2])
    of = wordpiece.get_vocab()
    for row, pieces in enumerate((["ac", "##tion"], ["whale"], ["sugar", "##s"])):
        total = sum(matrix[of[piece]] for piece in pieces)
        np.testing.assert_allclose(rows.matrix[2 * row], total / np.sqrt(len(pieces)), rtol=1e-6)
