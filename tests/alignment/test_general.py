"""The adjustment of a text alone: the mean of the built-in texts, kept in the cache."""

import numpy as np
import pytest

from sparseembed import decode, general_adjustment
from sparseembed.alignment.head import decoding_head
from sparseembed.cli import main
from sparseembed.embedders.general import general_texts
from sparseembed.errors import ConfigError
from sparseembed.files import cache_folder
from sparseembed.sparse.pieces import piece_space

pytestmark = pytest.mark.usefixtures("silence")


@pytest.mark.parametrize("side", ["document", "query"])
def test_the_mean_of_the_texts_is_subtracted(tiny_embedder, side):
    embedder = tiny_embedder(query_prompt="ask {text}", pooling="mean")
    vectors = embedder.encode(["a cat", "rivers"], side)
    wanted = vectors - embedder.encode(general_texts(), side).mean(axis=0)
    np.testing.assert_allclose(general_adjustment(embedder, side).apply(vectors), wanted, atol=1e-5)
    with pytest.raises(ConfigError, match="adjustment must be one of"):
        general_adjustment(embedder, side, "whitened")


def test_decode_takes_the_adjustment(tiny_embedder):
    embedder = tiny_embedder()
    head = decoding_head(embedder)
    vector = embedder.encode(["a cat"])
    scores = (head.inputs(vector) - head.inputs(embedder.encode(general_texts())).mean(axis=0)) @ head.matrix.T
    best = decode(vector[0], embedder, 1, "token", general_adjustment(embedder))
    terms = np.array(piece_space("token", embedder.tokenizer, len(head.matrix)).term_of_piece) >= 0
    assert best[0].score == pytest.approx(scores[0, terms].max(), rel=1e-4)


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY\x01\x00", np.zeros(3, np.float32).tobytes()])
def test_the_embeddings_are_kept_and_a_damaged_file_is_made_again(tiny_embedder, damage):
    embedder = tiny_embedder()
    wanted = general_adjustment(embedder).vector
    calls = embedder.model_calls
    assert (general_adjustment(embedder).vector == wanted).all()
    assert embedder.model_calls == calls
    (file,) = cache_folder("general").iterdir()
    file.write_bytes(damage)
    assert (general_adjustment(embedder).vector == wanted).all()


def test_inspect_adjusts_unless_told_otherwise(tiny_embedder, capsys):
    embedder = tiny_embedder(dtype="float32")
    model = ["--embedder", str(embedder.folder), "--dtype", "float32", "--document-prompt", "{text}", "--json", "-q"]

    def shown(*words):
        assert main(["inspect", "the whale", *model, *words]) == 0
        return capsys.readouterr().out

    assert shown() == shown("--adjustment", "centred")
    assert len({shown(), shown("--adjustment", "none"), shown("--adjustment", "pc1")}) == 3


@pytest.mark.model
@pytest.mark.parametrize("side", ["document", "query"])
def test_the_default_embedder_names_what_a_question_is_about(side, capsys):
    assert main(["inspect", "What can a person do about high blood pressure?", "-k", "6", "--side", side, "-q"]) == 0
    shown = capsys.readouterr().out.split()
    assert {"high", "blood", "hypertension"} <= set(shown)
