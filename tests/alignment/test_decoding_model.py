"""Sums of pieces' scores against composed rows, on the real model and 100,000 words."""

import importlib
import inspect

import numpy as np
import pytest

from sparseembed.alignment.composed import compose_rows, even_rows
from sparseembed.alignment.decoding import Decoder
from sparseembed.alignment.matrix import decoding_matrix
from sparseembed.embedders.load import load_embedder

pytestmark = pytest.mark.model

MODULES = (
    "argparse",
    "collections",
    "datetime",
    "decimal",
    "email.message",
    "json",
    "logging",
    "os",
    "random",
    "socket",
)
K = 1024


def test_the_best_words_are_those_of_rows_that_are_multiplied():
    embedder = load_embedder()
    matrix = decoding_matrix(embedder)
    found = [inspect.getdoc(each) for name in MODULES for each in vars(importlib.import_module(name)).values()]
    texts = sorted({text.strip()[:160] for text in found if text and len(text) > 60})[:200]
    assert len(texts) == 200
    vectors = embedder.encode(texts)
    vectors -= vectors.mean(axis=0)
    parts = sorted({token[1:] for token in embedder.tokenizer.get_vocab() if token.startswith("Ġ")} - {""})
    parts = [part for part in parts if part.isalpha()]
    rng = np.random.default_rng(1)
    pairs = rng.integers(len(parts), size=(120_000, 2))
    words = list(dict.fromkeys([*parts, *(parts[one] + parts[other].lower() for one, other in pairs)]))[:100_000]
    assert len(words) == 100_000
    rows = even_rows(compose_rows(words, embedder.tokenizer, matrix))
    aligned = Decoder(rows).top(vectors, K)
    expected = np.empty((len(texts), len(words)), dtype=np.float32)
    for start in range(0, len(words), 4096):
        stop = min(start + 4096, len(words))
        made = rows.made(2 * start, 2 * stop)
        expected[:, start:stop] = (vectors @ made.T).reshape(len(texts), -1, 2).max(axis=2)
    best = np.argsort(-expected, axis=1, kind="stable")[:, :K]
    shared = sum(len(np.intersect1d(one, other)) for one, other in zip(aligned.terms, best, strict=True))
    assert shared >= 0.9999 * best.size
    np.testing.assert_allclose(aligned.scores, np.take_along_axis(expected, aligned.terms, 1), rtol=1e-4)
