"""All that a report says, from embeddings, tokens and decoding matrix."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from sparseembed.alignment.adjustment import right_singular
from sparseembed.alignment.decoding import Decoder, DecodingRows
from sparseembed.analysis.examples import examples
from sparseembed.analysis.spectrum import components, contribution, fed_terms, frequent_terms, variation
from sparseembed.analysis.study import ADJUSTMENTS, study
from sparseembed.analysis.tokens import TokenSets
from sparseembed.analysis.verdict import THRESHOLD_SOURCE, decide
from sparseembed.arrays import Vectors
from sparseembed.errors import DataError, EmbedderError

LEAST = 20  # texts


class Vocabulary(NamedTuple):
    """What embeddings are decoded into.

    :param matrix: The decoding matrix, shape (V, d).
    :param rows: Its rows, by term.
    :param labels: Each term for people.
    """

    matrix: Vectors
    rows: DecodingRows
    labels: Sequence[str]


def find(
    sides: Mapping[str, Vectors],
    texts: Sequence[str],
    sets: TokenSets,
    vocabulary: Vocabulary,
    adjustments: Sequence[str] = ADJUSTMENTS,
    device: str = "cpu",
) -> dict[str, Any]:
    """Study embeddings.

    :param sides: `embedder`, and `backbone` if there is one -> embeddings of the texts, shape (n, d) each.
    :param texts: The texts.
    :param sets: Their tokens, none empty.
    :param vocabulary: What to decode into.
    :param adjustments: Names of adjustments; `none` among them.
    :param device: Where to decode.
    :return: Verdict, measurements, spectrum and examples as plain values.
    :raises DataError: Fewer than 20 texts.
    :raises EmbedderError: NaN in the embeddings, or a matrix of another width.
    """
    check(sides, texts, vocabulary)
    measured = study(sides, sets, vocabulary.rows, vocabulary.matrix, adjustments, device)
    evidence = {each.adjustment: each.evidence for each in measured if each.side == "embedder"}
    decoder = Decoder(vocabulary.rows, device)
    return {
        "verdict": {**decide(evidence)._asdict(), "threshold_source": THRESHOLD_SOURCE},
        "sizes": sets.sizes.tolist(),
        "measured": [each.as_dict() for each in measured],
        "spectrum": _spectrum(sides, sets, vocabulary),
        "matrix": {"singular_values": right_singular(vocabulary.matrix)[0].tolist()},
        "examples": examples(texts, sides, sets, decoder, vocabulary.labels),
    }


def check(sides: Mapping[str, Vectors], texts: Sequence[str], vocabulary: Vocabulary) -> None:
    """Make sure that the analysis can be made.

    :raises DataError: As in `find`.
    :raises EmbedderError: As in `find`.
    """
    if len(texts) < LEAST:
        raise DataError(f"there are {len(texts)} texts with a token, and the analysis needs {LEAST}: give it more")
    for side, vectors in sides.items():
        if vectors.shape[1] != vocabulary.matrix.shape[1]:
            raise EmbedderError(
                f"the decoding matrix has rows of {vocabulary.matrix.shape[1]}, the embeddings of the {side} have "
                f"{vectors.shape[1]} numbers: it must come from the embedder's own backbone"
            )
        bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if len(bad):
            raise EmbedderError(
                f"the {side} gave NaN or infinity for text number {bad[0] + 1}: try --dtype float32, or leave it out"
            )


def _spectrum(sides: Mapping[str, Vectors], sets: TokenSets, vocabulary: Vocabulary) -> dict[str, Any]:
    matrix = vocabulary.rows.matrix[vocabulary.rows.starts]
    of = {side: components(vectors) for side, vectors in sides.items()}
    change: list[float] = []
    if "backbone" in sides:
        change = variation(sides["embedder"], sides["backbone"], of["backbone"].directions).tolist()
    about = {}
    for side, vectors in sides.items():
        found = of[side]
        adds = contribution(vectors, found.directions, matrix, sets)
        about[side] = {
            "singular_values": found.values.tolist(),
            "mean_coordinates": found.means.tolist(),
            "contribution": {"key": adds.key.tolist(), "frequent": adds.frequent.tolist()},
            "pc1_tokens": [
                {"token": vocabulary.labels[term], "score": score}
                for term, score in fed_terms(found.directions[0], matrix)
            ],
        }
    frequent = [vocabulary.labels[term] for term in frequent_terms(sets)]
    return {"variation": change, "frequent_tokens": frequent, "sides": about}
