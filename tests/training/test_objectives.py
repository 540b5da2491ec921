"""Each objective against a naive reference in numpy, loop by loop."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseembed.alignment.composed import compose_rows
from sparseembed.training.batch import KEPT, SHARP, TINY, Batch, State, Texts, Vocabulary
from sparseembed.training.lexical import WordStatistics
from sparseembed.training.objectives import MIX, build_objectives, contrast, divergence
from sparseembed.training.recipe import OBJECTIVES, Recipe

QUERIES = ["Cat cat milk", "rivers, Rivers carry SAND", "whale's air", " - "]
DOCUMENTS = ["the cat drinks milk", "Rivers carry sand", "a whale breathes air", "earth", "no milk, no cat"]
COLLECTION = [*DOCUMENTS, "the sun", "green plants", "milk of the cat"]
WIDTH = 16


def vectors_of(count, seed, spread=1.0):
    import torch

    torch.set_num_threads(1)  # for tensors this small, threads only wait for each other
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, WIDTH, generator=generator) * spread + 0.3


@pytest.fixture
def vocabulary(tiny_tokenizer):
    matrix = vectors_of(tiny_tokenizer.get_vocab_size(), 7).numpy()
    return Vocabulary(matrix, tiny_tokenizer, WordStatistics(COLLECTION))


@pytest.fixture
def batch_of(vocabulary):
    def make(seed=1, length=None, flops=None, spread=1.0, unit=None):
        state = State()
        state.restore({"length": length, "flops": flops, "spread": unit})
        queries = vectors_of(len(QUERIES), seed, spread).requires_grad_(True)
        documents = vectors_of(len(DOCUMENTS), seed + 100, spread).requires_grad_(True)
        return Batch(Texts(QUERIES, DOCUMENTS), queries, documents, state, vocabulary)

    return make


def naive_contrast(logits):
    losses = []
    for row, line in enumerate(np.asarray(logits, dtype=np.float64)):
        top = max(line)
        losses.append(top + math.log(sum(math.exp(value - top) for value in line)) - line[row])
    return sum(losses) / len(losses)


def naive_scaled(documents, length=None):
    """Centre documents, and give each the same length: the mean one where none is known."""
    vectors = documents.astype(np.float64) - documents.astype(np.float64).mean(axis=0)
    lengths = [math.sqrt(sum(vector**2)) for vector in vectors]
    wanted = sum(lengths) / len(lengths) if length is None else length
    return np.asarray([wanted * vector / own for vector, own in zip(vectors, lengths, strict=True)])


def naive_aligned(documents, tokenizer, matrix, length=None):
    """Score a document for a query: sum over its distinct words of idf log(1 + relu(best of four rows))."""
    scores = np.zeros((len(QUERIES), len(documents)))
    for column, document in enumerate(naive_scaled(documents, length)):
        for row, query in enumerate(QUERIES):
            for word in set(re.findall(r"\w+", query)):
                rows = [
                    each
                    for spelling in (word, word.lower())
                    for each in compose_rows([spelling], tokenizer, matrix).matrix.astype(np.float64)
                ]
                assert len(rows) == 4
                best = max(float(each @ document) for each in rows)
                having = sum(word.lower() in re.findall(r"\w+", text.lower()) for text in COLLECTION)
                idf = math.log(1 + (len(COLLECTION) - having + 0.5) / (having + 0.5))
                scores[row, column] += idf * math.log1p(max(best, 0.0))
    return scores


def naive_flops(documents, matrix, length=None):
    active = np.log1p(np.maximum(naive_scaled(documents, length) @ matrix.T.astype(np.float64), 0))
    return float(sum(active[:, piece].mean() ** 2 for piece in range(active.shape[1])))


def naive_searched(documents, tokenizer, matrix, kept=KEPT):
    """Score a document for a query as an index does, but for the smooth cut: word by word, rows of length 1."""
    units = matrix.astype(np.float64) / np.linalg.norm(matrix, axis=1, keepdims=True)
    scores = np.zeros((len(QUERIES), len(documents)))
    for column, document in enumerate(documents.astype(np.float64) - documents.astype(np.float64).mean(axis=0)):
        ranked = sorted((float(row @ document) for row in units), reverse=True)
        top, floor = ranked[0], ranked[min(kept, len(ranked)) - 1]
        for row, query in enumerate(QUERIES):
            for word in set(re.findall(r"\w+", query)):
                rows = [
                    each / np.linalg.norm(each)
                    for spelling in (word, word.lower())
                    for each in compose_rows([spelling], tokenizer, matrix).matrix.astype(np.float64)
                ]
                share = (max(float(each @ document) for each in rows) - floor) / (top - floor)
                weight = math.sqrt(math.log1p(math.exp(SHARP * share)) / SHARP + TINY)
                having = sum(word.lower() in re.findall(r"\w+", text.lower()) for text in COLLECTION)
                scores[row, column] += math.log(1 + (len(COLLECTION) - having + 0.5) / (having + 0.5)) * weight
    return scores


def naive_divergence(teacher, student):
    sums = []
    for wanted, found in zip(np.asarray(teacher, np.float64), np.asarray(student, np.float64), strict=True):
        p, q = (np.exp(line - line.max()) / np.exp(line - line.max()).sum() for line in (wanted, found))
        sums.append(sum(a * math.log(a / b) for a, b in zip(p, q, strict=True) if a > 0))
    return sum(sums) / len(sums)


def as_numpy(tensor):
    return tensor.detach().numpy()


@given(size=st.integers(1, 5), more=st.integers(0, 3), seed=st.integers(0, 99), scale=st.sampled_from([0.1, 1, 80]))
def test_infonce_is_its_formula(size, more, seed, scale):
    import torch

    logits = torch.randn(size, size + more, generator=torch.Generator().manual_seed(seed)) * scale
    assert float(contrast(logits)) == pytest.approx(naive_contrast(logits.numpy()), rel=1e-5, abs=1e-6)


def test_dense_is_infonce_on_centred_cosines(batch_of):
    batch, recipe = batch_of(), Recipe(objectives=("dense",), temperature=0.1)
    (objective,) = build_objectives(recipe).values()
    queries, documents = (side - side.mean(axis=0) for side in (as_numpy(batch.queries), as_numpy(batch.documents)))
    cosines = [[q @ d / np.linalg.norm(q) / np.linalg.norm(d) for d in documents] for q in queries]
    assert float(objective.loss(batch).detach()) == pytest.approx(naive_contrast(np.asarray(cosines) / 0.1), rel=1e-5)
    assert objective.parameters == []


@pytest.mark.parametrize("known", [True, False])
def test_the_aligned_score_is_a_loop_over_words(batch_of, vocabulary, tiny_tokenizer, known):
    import torch

    batch = batch_of(length=torch.tensor(2.5) if known else None)
    matrix = vocabulary.pieces.numpy()
    expected = naive_aligned(as_numpy(batch.documents), tiny_tokenizer, matrix, 2.5 if known else None)
    np.testing.assert_allclose(as_numpy(batch.aligned), expected, rtol=1e-4, atol=1e-5)
    assert (expected[3] == 0).all()  # a query without a word
    assert (expected[:3] > 0).any()


def test_a_batch_without_any_word(vocabulary):
    state = State()
    texts = Texts(["-", "..."], ["a", "b"])
    batch = Batch(texts, vectors_of(2, 1), vectors_of(2, 2), state, vocabulary)
    np.testing.assert_array_equal(batch.aligned.numpy(), np.zeros((2, 2)))


def test_the_penalty_is_flops(batch_of, vocabulary):
    batch = batch_of()
    expected = naive_flops(as_numpy(batch.documents), vocabulary.pieces.numpy())
    assert float(batch.penalty.detach()) == pytest.approx(expected, rel=1e-4)


def test_aligned_and_residual_add_up(batch_of, vocabulary, tiny_tokenizer):
    import torch

    recipe = Recipe(objectives=("aligned", "residual"), sparsity=0.4)
    found = build_objectives(recipe)
    aligned, residual = found["aligned"], found["residual"]
    batch = batch_of(length=torch.tensor(2.0), flops=torch.tensor(3.0), unit=torch.tensor(1.7))
    matrix, documents = vocabulary.pieces.numpy(), as_numpy(batch.documents)
    scores = naive_aligned(documents, tiny_tokenizer, matrix, 2.0) / 1.7
    penalty = 0.4 * naive_flops(documents, matrix, 2.0) / 3.0
    literal = WordStatistics(COLLECTION).bm25(QUERIES, DOCUMENTS)
    assert float(aligned.loss(batch).detach()) == pytest.approx(naive_contrast(2 * scores) + penalty, rel=1e-4)
    expected = naive_contrast(0.7 * (literal + scores)) + penalty
    assert float(residual.loss(batch).detach()) == pytest.approx(expected, rel=1e-4)
    assert (len(aligned.parameters), len(residual.parameters)) == (1, 2)


@pytest.mark.parametrize("kept", [KEPT, 40])
def test_the_searched_score_is_what_an_index_computes(batch_of, vocabulary, tiny_tokenizer, monkeypatch, kept):
    """With fewer terms kept than there are, words lie on both sides of the cut."""
    monkeypatch.setattr("sparseembed.training.batch.KEPT", kept)
    batch, matrix = batch_of(), vocabulary.pieces.numpy()
    expected = naive_searched(as_numpy(batch.documents), tiny_tokenizer, matrix, kept)
    np.testing.assert_allclose(as_numpy(batch.searched), expected, rtol=2e-4, atol=1e-5)
    (objective,) = build_objectives(Recipe(objectives=("searched",))).values()
    total = WordStatistics(COLLECTION).bm25(QUERIES, DOCUMENTS) + MIX * expected
    assert float(objective.loss(batch).detach()) == pytest.approx(naive_contrast(0.7 * total), rel=1e-4)


def test_but_for_the_smooth_cut_weights_are_those_of_an_index(batch_of, vocabulary, monkeypatch):
    """The same pieces as the terms of an index, made into weights by the index's own code."""
    from sparseembed.sparse.config import SparseConfig
    from sparseembed.sparse.weighting import weigh

    monkeypatch.setattr("sparseembed.training.batch.KEPT", 40)
    monkeypatch.setattr("sparseembed.training.batch.SHARP", 1e4)
    documents = as_numpy(batch_of().documents)
    scores = (documents - documents.mean(axis=0)) @ vocabulary.directions.numpy().T
    order = np.argsort(-scores, axis=1)[:, :40]
    weights = weigh(np.take_along_axis(scores, order, axis=1), np.ones(order.shape, np.float32), SparseConfig(k=40))
    piece = int(order[2, 7])  # asked for, it weighs in each document what the index gives it
    monkeypatch.setattr(vocabulary, "rows", lambda words: vocabulary.pieces[[piece] * 4].repeat(len(words), 1, 1))
    state = State()
    batch = Batch(Texts(["cat"], DOCUMENTS), batch_of().queries[:1], batch_of().documents, state, vocabulary)
    expected = [float(weights[row][order[row] == piece].sum()) for row in range(len(DOCUMENTS))]
    found = as_numpy(batch.searched)[0] / vocabulary.statistics.idf("cat")
    assert expected[2] > 0.1
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_a_student_is_taught_the_dense_score(batch_of, vocabulary, tiny_tokenizer):
    found = build_objectives(Recipe(objectives=("distilled", "fused"), temperature=0.1))
    batch, matrix = batch_of(), vocabulary.pieces.numpy()
    queries, documents = (side - side.mean(axis=0) for side in (as_numpy(batch.queries), as_numpy(batch.documents)))
    dense = np.asarray([[q @ d / np.linalg.norm(q) / np.linalg.norm(d) for d in documents] for q in queries]) / 0.1
    searched = naive_searched(as_numpy(batch.documents), tiny_tokenizer, matrix)
    expected = naive_divergence(dense, 0.7 * searched)
    assert float(found["distilled"].loss(batch).detach()) == pytest.approx(expected, rel=1e-4)
    literal = WordStatistics(COLLECTION).bm25(QUERIES, DOCUMENTS).astype(np.float64)
    spread = np.where(literal.any(axis=1), literal.std(axis=1), 1.0)[:, None]
    fused = (dense + literal / spread * dense.std(axis=1)[:, None]) / 2
    expected = naive_divergence(fused, 0.7 * (literal + MIX * searched))
    assert float(found["fused"].loss(batch).detach()) == pytest.approx(expected, rel=1e-4)


def test_nothing_is_left_to_learn_of_a_teacher_that_is_reached():
    import torch

    logits = torch.randn(3, 5, generator=torch.Generator().manual_seed(1))
    assert float(divergence(logits, logits + torch.tensor([[1.0], [2.0], [-3.0]]))) == pytest.approx(0, abs=1e-6)
    assert float(divergence(torch.tensor([[0.0, 0.0]]), torch.tensor([[0.0, math.log(3)]]))) == pytest.approx(
        0.5 * math.log(2) + 0.5 * math.log(2 / 3), rel=1e-5
    )


@pytest.mark.parametrize("name", ["distilled", "fused"])
def test_the_teacher_learns_nothing(batch_of, name):
    """The gradient is that of a student whose teacher is a constant, and no query has one."""
    batch = batch_of()
    objective = build_objectives(Recipe(objectives=(name,)))[name]
    objective.loss(batch).backward()
    assert batch.queries.grad is None
    fixed, other = batch_of(), build_objectives(Recipe(objectives=(name,)))[name]
    constant = other.teacher(batch_of()).detach().clone()
    divergence(constant, other._scale.exp() * other.student(fixed)).backward()
    np.testing.assert_allclose(batch.documents.grad, fixed.documents.grad, rtol=1e-5, atol=1e-8)
    assert batch.documents.grad.abs().max() > 0


def test_in_its_own_unit_the_penalty_begins_at_the_sparsity(batch_of):
    batch = batch_of()
    batch.state.update(batch)
    first = batch.penalty.detach()
    assert float(batch.state.flops) == float(first)
    with_penalty = build_objectives(Recipe(objectives=("aligned",), sparsity=0.3))["aligned"].loss(batch)
    without = build_objectives(Recipe(objectives=("aligned",), sparsity=0.0))["aligned"].loss(batch)
    assert float((with_penalty - without).detach()) == pytest.approx(0.3, rel=1e-4)


def test_length_and_unit_are_the_first_batchs_and_stay(batch_of):
    batches = [batch_of(seed=seed, spread=seed) for seed in (1, 2, 3)]
    state = State()
    for batch in batches:
        batch.state = state
        state.update(batch)
    documents = as_numpy(batches[0].documents)
    lengths = np.linalg.norm(documents - documents.mean(axis=0), axis=1)
    assert float(state.length) == pytest.approx(lengths.mean(), rel=1e-5)
    assert not state.length.requires_grad
    assert float(state.flops) == float(batches[0].penalty.detach())
    assert float(state.spread) == pytest.approx(as_numpy(batches[0].aligned).std(axis=1).mean(), rel=1e-5)
    other = State()
    other.restore(state.as_dict())
    assert other.as_dict() == state.as_dict()


def test_in_its_own_unit_each_model_starts_alike(batch_of):
    """A thousand times longer embeddings: the scale of the aligned logits is the same but for the logarithm's bend."""
    spreads = []
    for spread in (1e3, 1e6):
        batch = batch_of(spread=spread)
        batch.state.update(batch)
        spreads.append(as_numpy(batch.aligned_logits).std(axis=1).mean())
    assert spreads == pytest.approx([1.0, 1.0], rel=1e-4)


def test_the_first_batch_teaches_too(batch_of):
    """What its units are taken from still has its gradients."""
    known = batch_of(length=None)
    known.state.update(known)
    fresh = batch_of()
    fresh.state.restore(known.state.as_dict())
    for batch in (known, fresh):
        objective = build_objectives(Recipe(objectives=("aligned",)))["aligned"]
        objective.loss(batch).backward()
    np.testing.assert_allclose(known.documents.grad, fresh.documents.grad, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("shift", [0.0, 50.0])
def test_what_all_texts_share_changes_no_loss(batch_of, shift):
    """Neither a vector added to each side nor, for aligned scores, the embeddings' length."""
    import torch

    for name in OBJECTIVES:
        objective = build_objectives(Recipe(objectives=(name,)))[name]
        batch = batch_of(length=torch.tensor(2.0), flops=torch.tensor(3.0))
        before = float(objective.loss(batch).detach())
        moved = batch_of(length=torch.tensor(2.0), flops=torch.tensor(3.0))
        moved.queries = (2 * batch.queries + shift).detach()
        moved.documents = (3 * batch.documents - shift).detach()
        assert float(objective.loss(moved).detach()) == pytest.approx(before, rel=1e-3)


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("spread", [0.0, 1.0, 1e4])
def test_gradients_are_finite_and_reach_what_is_learned(batch_of, name, spread):
    import torch

    batch = batch_of(spread=spread)
    batch.state.update(batch)
    objective = build_objectives(Recipe(objectives=(name,)))[name]
    objective.loss(batch).backward()
    wanted = [batch.documents, *objective.parameters, *([batch.queries] if name == "dense" else [])]
    assert all(torch.isfinite(each.grad).all() for each in wanted)
    if spread == 1.0:
        assert all(each.grad.abs().max() > 0 for each in wanted)
    if name != "dense":
        assert batch.queries.grad is None  # no query goes through the model for it


@pytest.mark.parametrize("name", ["residual", "searched"])
def test_the_gradient_of_the_loss_is_the_slope(batch_of, name):
    import torch

    batch = batch_of(length=torch.tensor(3.0), flops=torch.tensor(2.0))
    objective = build_objectives(Recipe(objectives=(name,)))[name]
    objective.loss(batch).backward()
    direction = vectors_of(len(DOCUMENTS), 44)
    slope, step = float((batch.documents.grad * direction).sum()), 2e-4
    sides = []
    for sign in (1, -1):
        moved = batch_of(length=batch.state.length, flops=batch.state.flops)
        moved.documents = (batch.documents + sign * step * direction).detach()
        sides.append(float(objective.loss(moved).detach()))
    assert (sides[0] - sides[1]) / (2 * step) == pytest.approx(slope, rel=0.02)
