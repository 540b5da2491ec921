"""`sparseembed embedders`: the table, one preset, JSON, a wrong name."""

import json
import subprocess
import sys

import pytest

from sparseembed import progress
from sparseembed.cli import main
from sparseembed.embedders.catalogue import CATALOGUE


@pytest.fixture
def run(capsys):
    """Return a function that runs the command and gives its status, output and errors."""
    before = progress.set_reporter(progress.SilentReporter())

    def command(*words):
        capsys.readouterr()
        status = main(["embedders", *words])
        return status, *capsys.readouterr()

    yield command
    progress.set_reporter(before)


def test_the_table_has_a_line_a_preset(run):
    status, out, err = run()
    head, *lines = out.splitlines()
    assert (status, err) == (0, "")
    assert head.split() == ["name", "group", "weights", "pooling", "attention", "languages", "licence", "verified"]
    assert [line.split()[0] for line in lines] == [preset.name for preset in CATALOGUE]
    for line, preset in zip(lines, CATALOGUE, strict=True):
        assert line.split()[1:5] == [
            preset.group,
            preset.spec.weights,
            preset.spec.pooling,
            preset.spec.attention,
        ]
        assert preset.licence in line
        assert line.endswith("yes" if preset.verified else "no")


def test_one_preset_shows_all_its_parts(run):
    status, out, _ = run("llm2vec-mistral-7b")
    parts = {line[:17].strip(): line[18:] for line in out.splitlines()}
    assert status == 0
    assert "adapters 1        McGill-NLP/LLM2Vec-Mistral-7B-Instruct-v2-mntp\n" in out
    assert "adapters 2        McGill-NLP/LLM2Vec-Mistral-7B-Instruct-v2-mntp-supervised\n" in out
    assert "document prompt   [INST] {text} [/INST]\n" in out
    assert "query prompt      [INST] {task} {text} [/INST]\n" in out
    assert "pool over         text\n" in out
    assert "max length        512\n" in out
    assert parts["decoding"] == parts["weights"] == "mistralai/Mistral-7B-Instruct-v0.2"
    assert parts["attention"] == "bidirectional"
    assert parts["verified"] == "yes"
    assert parts["revision"] == "-"
    assert "llm2vec.py" in parts["source"]
    assert parts["note"].startswith("[/INST] is pooled")


@pytest.mark.parametrize("preset", CATALOGUE, ids=lambda preset: preset.name)
def test_each_part_takes_one_line(run, preset):
    status, out, _ = run(preset.name)
    assert status == 0
    assert len(out.splitlines()) == len(preset.as_dict()) + max(0, len(preset.spec.adapters) - 1)


def test_json_gives_an_object_a_line(run):
    _, out, _ = run("--json")
    assert [json.loads(line)["name"] for line in out.splitlines()] == [preset.name for preset in CATALOGUE]
    _, out, _ = run("gritlm-7b", "--json")
    (told,) = map(json.loads, out.splitlines())
    assert told["query_prompt"] == "<|user|>\n{task}\n<|embed|>\n{text}"
    assert told["adapters"] == []
    assert told["licence"] == "Apache-2.0"
    assert told["verified"] is True


@pytest.mark.parametrize("words", [["gritlm-7"], ["gritlm-7", "--json"]])
def test_an_unknown_name_is_told_the_nearest(run, words):
    status, out, err = run(*words)
    assert (status, out) == (2, "")
    assert err == (
        "sparseembed: error: unknown preset 'gritlm-7': did you mean gritlm-7b? "
        "`sparseembed embedders` lists the presets\n"
    )


def test_a_name_far_off(run):
    assert run("zzz")[2] == "sparseembed: error: unknown preset 'zzz': `sparseembed embedders` lists the presets\n"


def test_no_model_library_is_loaded():
    code = (
        "import sys; from sparseembed.cli import main; main(['embedders']); "
        "sys.exit(str({'torch', 'transformers', 'peft'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr == "set()\n"
