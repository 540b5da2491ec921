"""The real SmolLM2-135M-Instruct, converted once in the user's cache, alone and with the shipped adapter."""

import numpy as np
import pytest

from sparseembed.alignment.adjustment import fit_adjustment
from sparseembed.alignment.decoding import Decoder
from sparseembed.alignment.matrix import decoding_matrix
from sparseembed.embedders.load import load_embedder
from sparseembed.sparse.pieces import piece_rows, piece_space

pytestmark = pytest.mark.model

# Each text, and words that are to be among its 20 best aligned tokens.
TEXTS = {
    "Photosynthesis is the process by which green plants use sunlight to make sugar from carbon dioxide and water.": {
        "photosynthesis",
        "plants",
        "sunlight",
    },
    "The central bank raised interest rates to slow down inflation.": {"inflation", "interest", "rates"},
    "The football team won the match after two late goals.": {"football", "team", "match"},
    "Vaccines train the immune system to recognise a virus.": {"vaccines", "virus"},
    "The orchestra played a symphony by Beethoven in the new concert hall.": {"symphony", "beethoven"},
    "The court ruled that the contract was not valid.": {"contract", "valid"},
}


@pytest.fixture(scope="module", params=["smollm2-135m", "smollm2-135m-aligned"])
def embedder(request):
    return load_embedder(request.param)


@pytest.fixture(scope="module")
def vectors(embedder):
    return embedder.encode(list(TEXTS))


def test_the_converted_model_is_whole(embedder, vectors):
    assert (embedder.folder / "model.safetensors").is_file()
    matrix = decoding_matrix(embedder)
    assert matrix.shape == (49_152, 576)
    assert vectors.shape == (len(TEXTS), 576)
    assert np.isfinite(vectors @ matrix.T).all()


def test_it_goes_on_with_a_likely_word():
    """Check weights, tokenizer and head together: the model finishes a sentence as a language model does."""
    embedder = load_embedder("smollm2-135m")
    plain = embedder.spec.with_changes(document_prompt="{text}")
    vector = load_embedder(plain).encode(["The capital of France is the city of"])
    best = int((vector @ decoding_matrix(embedder).T).argmax())
    assert embedder.tokenizer.decode([best]) == " Paris"


@pytest.mark.parametrize("adjustment", ["centred", "pc1"])
def test_key_words_are_among_the_best_aligned_tokens(embedder, vectors, adjustment):
    matrix = decoding_matrix(embedder)
    space = piece_space("folded", embedder.tokenizer, len(matrix))
    adjusted = fit_adjustment(adjustment, vectors).apply(vectors)
    aligned = Decoder(piece_rows(space, matrix)).top(adjusted, 20)
    for (text, words), terms in zip(TEXTS.items(), aligned.terms, strict=True):
        missing = words - {space.labels[term] for term in terms}
        assert not missing, text
