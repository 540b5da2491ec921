"""Similarity against relatedness: which tokens bring two texts together, and which hold them apart."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sparseembed.analysis.demonstrations.lens import Lens, standard
from sparseembed.analysis.demonstrations.texts import Pair
from sparseembed.arrays import Floats, Vectors

TOKENS = 8


def contributions(first: npt.NDArray[np.generic], second: npt.NDArray[np.generic]) -> Floats:
    """Return what each term adds to the cosine of two texts in vocabulary space.

    With s_a and s_b, the texts' decoded scores less their means over the vocabulary, term t adds
    c_t = s_a[t] s_b[t] / (|s_a| |s_b|). The sum over the vocabulary is the cosine of s_a and s_b, which is the
    correlation of the scores.

    :param first: Scores of one text, shape (T,).
    :param second: Scores of the other, shape (T,).
    :return: Shape (T,); zeros where one text scores all terms alike.

    Both texts rank term 0 high and term 2 low; they differ on term 1 alone:

    >>> contributions(np.array([3.0, 0.0, -3.0]), np.array([2.0, 2.0, -4.0])).round(3).tolist()
    [0.289, 0.0, 0.577]
    """
    a, b = (scores.astype(np.float64) - scores.astype(np.float64).mean() for scores in (first, second))
    # Scaled first, so that neither tiny nor huge scores leave the range of floats.
    scale_a, scale_b = (float(np.abs(each).max(initial=0.0)) for each in (a, b))
    if scale_a <= 1e-12 * np.abs(first).max(initial=0.0) or scale_b <= 1e-12 * np.abs(second).max(initial=0.0):
        return np.zeros(len(first))
    a, b = a / scale_a, b / scale_b
    result: Floats = a * b / (np.linalg.norm(a) * np.linalg.norm(b))
    return result


def cosine(first: npt.NDArray[np.generic], second: npt.NDArray[np.generic]) -> float:
    """Return the cosine of two vectors; 0 where one is zero.

    >>> cosine(np.array([1.0, 1.0]), np.array([2.0, 0.0])).__round__(4), cosine(np.zeros(2), np.ones(2))
    (0.7071, 0.0)
    """
    a, b = first.astype(np.float64), second.astype(np.float64)
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b / norm) if norm else 0.0


def relate_pair(
    dense: Vectors,
    adjusted: Vectors,
    lens: Lens,
    k: int = TOKENS,
    literal: tuple[set[str], set[str]] | None = None,
) -> dict[str, Any]:
    """Compare two texts in vocabulary space.

    :param dense: Their embeddings, shape (2, d).
    :param adjusted: Their adjusted embeddings, as they are decoded, shape (2, d).
    :param lens: What to read them through.
    :param k: Tokens wanted of each kind.
    :param literal: The words that stand in each text.
    :return: `vocabulary_cosine` (of the adjusted embeddings' scores), `dense_cosine` (of the embeddings), aligned
        tokens as `first` and `second`, and the tokens that bring the two `together` and hold them `apart`: each with
        its `share` of the vocabulary cosine and where it stands in each text, as a z-score over the vocabulary.
    """
    scores = lens.scores(adjusted)
    there = literal or (set(), set())
    shares = contributions(scores[0], scores[1])
    by_word = lens.sum(shares)
    places = [lens.best(row) for row in standard(scores)]
    order = np.argsort(-by_word, kind="stable")

    def told(words: npt.NDArray[np.int64]) -> list[dict[str, Any]]:
        return [
            {
                "token": lens.words[word],
                "share": float(by_word[word]),
                "first": float(places[0][word]),
                "second": float(places[1][word]),
            }
            for word in words
        ]

    return {
        "vocabulary_cosine": float(shares.sum()),
        "dense_cosine": cosine(dense[0], dense[1]),
        "first": lens.tokens(scores[0], k, there[0]),
        "second": lens.tokens(scores[1], k, there[1]),
        "together": told(order[by_word[order] > 0][:k]),
        "apart": told(order[by_word[order] < 0][::-1][:k]),
    }


def relate(
    pairs: Sequence[Pair], sentences: Sequence[str], dense: Vectors, adjusted: Vectors, lens: Lens
) -> dict[str, Any]:
    """Compare the texts of each pair.

    :param pairs: The pairs.
    :param sentences: Their distinct texts.
    :param dense: Embeddings of the sentences, shape (n, d).
    :param adjusted: The same adjusted, shape (n, d).
    :param lens: What to read them through.
    :return: `pairs`, as in `compare`, `kinds` with their mean cosines, and `reading`, what these say in a sentence.
    """
    row = {text: place for place, text in enumerate(sentences)}
    told = []
    for pair in pairs:
        chosen = [row[pair.first], row[pair.second]]
        entry = {"kind": pair.kind, "texts": [pair.first, pair.second]}
        told.append({**entry, **relate_pair(dense[chosen], adjusted[chosen], lens)})
    kinds = []
    for kind in dict.fromkeys(pair.kind for pair in pairs):
        of = [each for each in told if each["kind"] == kind]
        means = {key: float(np.mean([each[key] for each in of])) for key in ("vocabulary_cosine", "dense_cosine")}
        kinds.append({"kind": kind, "pairs": len(of), **means})
    return {"kinds": kinds, "reading": reading(kinds), "pairs": told}


def reading(kinds: Sequence[dict[str, Any]]) -> str:
    """Say whether negations lie nearer than paraphrases.

    :param kinds: Kinds with their mean vocabulary cosines.
    :return: One sentence; empty where a kind is missing.

    >>> reading([{"kind": "paraphrase", "vocabulary_cosine": 0.6}, {"kind": "negation", "vocabulary_cosine": 0.9}])
    'negations lie nearer than paraphrases (0.90 against 0.60): shared words count for more than meaning'
    """
    of = {each["kind"]: each["vocabulary_cosine"] for each in kinds}
    if not {"paraphrase", "negation"} <= set(of):
        return ""
    negation, paraphrase = of["negation"], of["paraphrase"]
    if negation > paraphrase:
        nearer, farther, figures = "negations", "paraphrases", f"{negation:.2f} against {paraphrase:.2f}"
        what = "shared words count for more than meaning"
    else:
        nearer, farther, figures = "paraphrases", "negations", f"{paraphrase:.2f} against {negation:.2f}"
        what = "meaning counts for more than shared words"
    return f"{nearer} lie nearer than {farther} ({figures}): {what}"
