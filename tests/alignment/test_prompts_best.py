"""Aligned terms of several prompts: the same as if the prompts were passages whose scores are all known."""

import numpy as np
import pytest

from sparseembed.alignment.decoding import Decoder, DecodingRows
from sparseembed.alignment.prompts import best_of_prompts


@pytest.mark.parametrize("even", [False, True])
@pytest.mark.parametrize("parts", [(), (13, 17)])
def test_a_term_has_its_best_score_under_any_prompt(even, parts):
    random = np.random.default_rng(7)
    rows = random.integers(-3, 4, size=(30, 6)).astype(np.float32)
    decoder = Decoder(DecodingRows(rows, np.arange(30), parts))
    for prompts in (2, 3):
        vectors = random.integers(-2, 3, size=(40 * prompts, 6)).astype(np.float32) / 4
        vectors[: 2 * prompts : 2] = 0  # under one prompt a text may be blank
        found = [best_of_prompts(part, prompts, even) for part in decoder.top_of_parts(vectors, 9)]
        for text in range(40):
            own = vectors[text * prompts : (text + 1) * prompts]
            wanted = decoder.top_of_several([own], 9, even)
            if not own.any(axis=1).all():
                continue
            for part, best in zip(found, wanted, strict=True):
                np.testing.assert_allclose(part.scores[text], best.scores, rtol=1e-5, atol=1e-6)
                last = best.scores[-1]
                above = {int(term) for term, score in zip(best.terms, best.scores, strict=True) if score > last + 1e-5}
                assert above <= set(part.terms[text].tolist())
                assert len(set(part.terms[text].tolist())) == 9


def test_equal_scores_stand_in_the_order_of_the_terms():
    rows = np.asarray([[1, 0], [0, 1], [1, 0], [0, 1]], dtype=np.float32)
    decoder = Decoder(DecodingRows(rows, np.arange(4)))
    (found,) = (best_of_prompts(part, 2) for part in decoder.top_of_parts(np.eye(2, dtype=np.float32), 4))
    assert found.terms.tolist() == [[0, 1, 2, 3]]
    assert found.scores.tolist() == [[1, 1, 1, 1]]
