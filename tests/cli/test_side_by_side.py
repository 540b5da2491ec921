"""`sparseembed inspect` with --instruction and --with: what is shown side by side, and what is refused."""

import json

import numpy as np
import pytest

from sparseembed.alignment.adjustment import fit_adjustment
from sparseembed.analysis.demonstrations.lens import open_lens
from sparseembed.analysis.demonstrations.texts import built_in
from sparseembed.cli import main

TEXT = "the cat sat on the mat"
OTHER = "the dog sat on the mat"


@pytest.fixture
def model(tiny_model):
    bare = ["--document-prompt", "{text}", "--query-prompt", "{text}"]
    return ["--embedder", str(tiny_model("tied")), "--dtype", "float32", "--device", "cpu", *bare]


@pytest.fixture
def run(model, capsys):
    """Return a function that inspects with the tiny model and gives what it printed."""

    def command(*words):
        capsys.readouterr()
        assert main(["inspect", *model, *words]) == 0
        return capsys.readouterr().out

    return command


@pytest.fixture
def refused(model, capsys):
    """Return a function that makes a mistake and gives the one line that tells it."""

    def command(*words):
        capsys.readouterr()
        assert main(["inspect", *model, *words]) == 2
        told = capsys.readouterr()
        assert told.out == ""
        assert told.err.count("\n") == 1
        return told.err

    return command


def test_instructions_stand_side_by_side(run, tiny_embedder):
    prompt = '"{text}" animal: "'
    words = ("--instruction", prompt, "--instruction", "{text} river", "-k", "6")
    found = json.loads(run(TEXT, *words, "--json"))
    assert [each["prompt"] for each in found["instructions"]] == ["{text}", prompt, "{text} river"]
    # One adjustment for all, fitted on the text and the built-in ones under each prompt.
    embedders = [tiny_embedder(document_prompt=each["prompt"]) for each in found["instructions"]]
    own = [each.encode([TEXT]) for each in embedders]
    more = [each.encode(list(built_in().texts)) for each in embedders]
    fitted = fit_adjustment("pc1", np.concatenate([*own, *more]))
    scores = open_lens(embedders[1]).scores(fitted.apply(own[1]))[0]
    tokens = found["instructions"][1]["tokens"]
    assert len(tokens) == 6
    np.testing.assert_allclose([each["score"] for each in tokens], np.sort(scores)[::-1][:6], rtol=1e-3)
    lines = run(TEXT, *words).splitlines()
    assert lines[0] == f"[1] {prompt}"
    assert lines[3].split() == ["rank", "own", "prompt", "[1]", "[2]"]
    row = lines[4].split()
    assert row[0] == "1"
    assert [word.rstrip("*") for word in row[1:]] == [each["tokens"][0]["token"] for each in found["instructions"]]
    assert "fitted on the texts under all instructions, and the built-in ones" in lines[-1]


def test_an_instruction_takes_the_place_of_the_task(run):
    prompts = ("--query-prompt", "{task}: {text}", "--task", "cats")
    words = (TEXT, "--instruction", "rivers", "--adjustment", "none", "--json", *prompts)
    found = json.loads(run(*words, "--side", "query"))
    assert [each["prompt"] for each in found["instructions"]] == ["cats: {text}", "rivers: {text}"]
    same = json.loads(run(TEXT, "--instruction", "rivers: {text}", "--adjustment", "none", "--json"))
    assert found["instructions"][1]["tokens"] == same["instructions"][1]["tokens"]


def test_two_texts_are_compared(run, tiny_embedder):
    found = json.loads(run(TEXT, "--with", OTHER, "--adjustment", "none", "-k", "400", "--json"))
    embedder = tiny_embedder()
    dense = embedder.encode([TEXT, OTHER])
    scores = open_lens(embedder).scores(dense)
    assert found["vocabulary_cosine"] == pytest.approx(np.corrcoef(scores)[0, 1], abs=1e-5)
    shares = sum(each["share"] for each in found["together"] + found["apart"])
    assert shares == pytest.approx(found["vocabulary_cosine"], abs=1e-5)
    assert all(each["share"] > 0 for each in found["together"])
    assert all(each["share"] < 0 for each in found["apart"])
    cosine = dense[0] @ dense[1] / np.linalg.norm(dense[0]) / np.linalg.norm(dense[1])
    assert found["dense_cosine"] == pytest.approx(cosine, abs=1e-5)
    assert {each["token"] for each in found["second"] if each["literal"]} >= {"dog", "sat"}
    told = run(TEXT, "--with", OTHER, "-k", "3")
    assert told.splitlines()[:2] == [f"first:  {TEXT}", f"second: {OTHER}"]
    assert told.splitlines()[-1].endswith("adjustment pc1, fitted on the two texts and the built-in ones")
    assert told.splitlines()[4].split() == ["rank", "first", "second", "together", "(1e-4)", "apart", "(1e-4)"]


def test_two_texts_are_adjusted_by_the_built_in_ones_and_their_own(run, tiny_embedder):
    found = json.loads(run(TEXT, "--with", OTHER, "--adjustment", "centred", "--json"))
    embedder = tiny_embedder()
    dense = embedder.encode([TEXT, OTHER, *built_in().texts, *built_in().sentences])
    scores = open_lens(embedder).scores(dense[:2] - dense.mean(axis=0))
    assert found["vocabulary_cosine"] == pytest.approx(np.corrcoef(scores)[0, 1], abs=1e-4)


def test_a_text_and_itself_are_one(run):
    found = json.loads(run(TEXT, "--with", TEXT, "--json"))
    assert found["vocabulary_cosine"] == pytest.approx(1)
    assert found["apart"] == []
    assert "1.000" in run(TEXT, "--with", TEXT)


@pytest.mark.jvm
def test_an_index_brings_its_adjustment(run, model, tmp_path, capsys):
    lines = [
        json.dumps({"_id": str(row), "text": text}) for row, text in enumerate((TEXT, OTHER, "a whale is no fish"))
    ]
    (tmp_path / "mine.jsonl").write_text("\n".join(lines))
    place = ["--out", str(tmp_path / "index"), "--embeddings", str(tmp_path / "vectors")]
    chosen = ["--terms", "folded", "--adjustment", "centred"]
    assert main(["index", str(tmp_path / "mine.jsonl"), *place, *chosen, "-q", *model]) == 0
    capsys.readouterr()
    assert main(["inspect", TEXT, "--with", OTHER, "--json", "--index", str(tmp_path / "index"), *model]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["adjustment"] == "centred"
    assert found["fitted_on"] == f"the collection of {tmp_path / 'index'}"
    assert found["vocabulary_cosine"] != json.loads(run(TEXT, "--with", OTHER, "--json"))["vocabulary_cosine"]
    words = ["--instruction", "{text} cat", "--index", str(tmp_path / "index"), *model]
    assert main(["inspect", TEXT, *words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["adjustment"] == "centred"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--instruction", "the animal"), "has no {text}, and no prompt of"),
        (("--instruction", "{text} {text} {text}"), "once, or twice"),
        (("--instruction", " "), "an --instruction is blank"),
        (("--instruction", "{text}", "--instruction", "the animal"), "has no {text}"),
        (("--with", " "), "the text of --with is blank"),
        (("--with", ""), "the text of --with is blank"),
        (("--with", "a", "--instruction", "{text}"), "choose --instruction"),
        (("--adjustment", "pc1", "--index", "b"), "choose --adjustment or --index"),
        (("--with", "a", "--adjustment", "pc1", "--index", "b"), "choose --adjustment or --index"),
        (("--with", "a", "-k", "0"), "must be at least 1"),
    ],
)
def test_mistakes_are_told_in_one_line(refused, words, told):
    assert told in refused(TEXT, *words)
