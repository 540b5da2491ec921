"""`sparseembed train` and `adapt`: what they say, what they refuse, and that a kill costs nothing."""

import errno
import importlib.util
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sparseembed import progress
from sparseembed.cli import main

PROMPTS = ["--document-prompt", "{text}", "--query-prompt", "{text}"]
RECIPE = ["--objectives", "dense", "--steps", "3", "--batch", "8", "--rank", "2", "--layers", "1"]
NOUNS = ("cat", "dog", "mat", "whale", "fish", "air", "milk", "Rivers", "water", "sea", "sand", "light", "sun", "earth")


@pytest.fixture
def model(tiny_model):
    """The options of a tiny model."""
    return ["--embedder", str(tiny_model("tied")), "--dtype", "float32", "--device", "cpu", *PROMPTS]


def write_pairs(file):
    """Write pairs of two nouns and a text that holds them."""
    lines = [
        json.dumps({"query": f"{one} {other}", "positive": f"the {one} and {other}"})
        for one in NOUNS
        for other in NOUNS
        if one != other
    ]
    file.write_text("\n".join(lines) + "\n")
    return file


@pytest.fixture
def pairs(tmp_path):
    return write_pairs(tmp_path / "nouns.jsonl")


@pytest.fixture(scope="module")
def trained(tiny_model, tmp_path_factory):
    """An adapter of the tied model, and its pairs."""
    folder = tmp_path_factory.mktemp("trained")
    file = write_pairs(folder / "nouns.jsonl")
    embedder = ["--embedder", str(tiny_model("tied")), "--dtype", "float32", "--device", "cpu", *PROMPTS]
    before = progress.set_reporter(progress.SilentReporter())
    words = ["train", str(file), "--out", str(folder / "adapter"), *RECIPE, *embedder, "-q"]
    assert main(words) == 0
    progress.set_reporter(before)
    return folder / "adapter"


def bytes_of(folder):
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


# What they do


def test_train_tells_what_changed_and_how_to_use_it(pairs, model, tmp_path, capsys):
    out = tmp_path / "my adapters" / "a"
    (tmp_path / "licences.json").write_text('{"nouns": "CC0-1.0"}')
    words = ["train", pairs, "--licences", tmp_path / "licences.json", "--out", out, "--held-out", 12, *RECIPE, *model]
    assert main(list(map(str, words))) == 0
    told = capsys.readouterr()
    heads, *rows = told.out.splitlines()
    assert heads.split()[:4] == ["held-out", "MRR", "before", "after"]
    assert [row.split()[0] for row in rows[:3]] == ["dense", "aligned", "mean"]
    about = json.loads((out / "training.json").read_text())
    for row in rows[:3]:
        gain = about["check"]["mrr"][row.split()[0]]
        assert row.split()[1:3] == [f"{gain['before']:.3f}", f"{gain['after']:.3f}"]
    assert f"the adapter and its model card are in {out}" in told.out
    assert f"wrote {out}" in told.err
    assert "12 pairs held out" in told.err
    assert (
        about["recipe"] | {"steps": 3, "batch": 8, "rank": 2, "layers": 1.0, "objectives": ["dense"]} == about["recipe"]
    )
    assert "| nouns | 170 | CC0-1.0 |" in (out / "README.md").read_text()
    before = bytes_of(out)
    assert main(list(map(str, words))) == 0
    assert f"reusing the adapter in {out}" in capsys.readouterr().err
    assert bytes_of(out) == before


def test_where_it_helped_the_command_to_index_with_it_is_told(pairs, model, tmp_path, capsys, monkeypatch):
    from sparseembed.cli import training

    monkeypatch.setattr("sparseembed.training.probe.Probe.helped", property(lambda self: True))
    out, embedder = tmp_path / "my adapters" / "a", model[1]
    words = ["train", pairs, "--out", out, *RECIPE, *model, "--pooling", "mean", "-q"]
    assert main(list(map(str, words))) == 0
    told = capsys.readouterr().out
    use = f"sparseembed index DATASET --embedder {embedder} --document-prompt '{{text}}' --query-prompt '{{text}}'"
    assert f"it helped; use it: {use} --pooling mean --adapter '{out}'\n" in told
    assert training.OBJECTIVES[:3] == ("dense", "aligned", "residual")


def corpus_of_noise(file, count=110):
    """Write documents of random words, whose titles have nothing to do with their texts."""
    rng = random.Random(0)

    def words(number):
        return " ".join("".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=4)) for _ in range(number)).capitalize()

    lines = [
        json.dumps({"_id": f"d{n}", "title": words(3), "text": " ".join(words(7) + "." for _ in range(3))})
        for n in range(count)
    ]
    file.write_text("\n".join(lines) + "\n")
    return file


def test_adapt_on_noise_ends_with_0_and_the_advice_not_to_use_it(model, tmp_path, capsys):
    noise = corpus_of_noise(tmp_path / "noise.jsonl")
    words = ["adapt", noise, "--out", tmp_path / "a", "--held-out", 20, *RECIPE, *model, "-q"]
    assert main(list(map(str, words))) == 0
    told = capsys.readouterr().out
    assert "it did not help beyond doubt: go on with the embedder as it was" in told
    assert "use it:" not in told
    assert json.loads((tmp_path / "a" / "training.json").read_text())["check"]["helped"] is False


@pytest.mark.parametrize("command", ["train", "adapt"])
def test_help_teaches_the_command(command, capsys):
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    out = capsys.readouterr().out
    assert end.value.code == 0
    assert f"sparseembed {command}" in out.partition("examples:")[2]
    for option in ("--objectives", "--steps", "--batch", "--out", "--held-out", "--restart", "--seed", "--embedder"):
        assert option in out
    assert "(default: 16384)" in out
    assert "(default: 0.0004)" in out


def test_neither_torch_nor_peft_is_loaded_for_help():
    code = (
        "import sys, sparseembed.cli as cli, sparseembed.training.run, sparseembed.training.probe\n"
        "for words in (['--help'], ['train', '--help'], ['adapt', '--help']):\n"
        "    try:\n        cli.main(words)\n    except SystemExit:\n        pass\n"
        "print([name for name in ('torch', 'peft', 'transformers', 'scipy.stats', 'jnius') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


# A kill


def start(words, cache):
    environment = {**os.environ, "SPARSEEMBED_CACHE": str(cache), "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "sparseembed", *map(str, words)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def test_killed_in_mid_training_the_same_command_gives_the_same_bytes(pairs, model, tmp_path):
    long = ["--objectives", "dense", "aligned", "--steps", "60", "--batch", "8", "--rank", "2", "--layers", "1"]
    command = ["train", pairs, *long, *model]
    checkpoint = tmp_path / "a" / ".adapter.training" / "checkpoint.pt"
    process = start([*command, "--out", tmp_path / "a" / "adapter"], tmp_path / "cache")
    try:
        limit = time.monotonic() + 900  # seconds; a busy machine may take minutes to import what training needs
        while not checkpoint.exists() and process.poll() is None and time.monotonic() < limit:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert checkpoint.exists()
    assert not (tmp_path / "a" / "adapter").exists()
    assert main([*map(str, command), "--out", str(tmp_path / "a" / "adapter"), "-q"]) == 0
    assert main([*map(str, command), "--out", str(tmp_path / "b" / "adapter"), "-q"]) == 0
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")  # and nothing half done is left beside it


# Bad input


def test_without_peft(refused, pairs, model, tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "peft" else find(name, *more))
    for words in (("train", pairs), ("adapt", corpus_of_noise(tmp_path / "noise.jsonl"))):
        message = refused(*words, "--out", tmp_path / "a", *model)
        assert (
            message == 'training needs the package peft, which is not installed; run: pip install "sparseembed[train]"'
        )
    assert not (tmp_path / "a").exists()


def test_files_of_pairs_that_will_not_do(refused, pairs, model, tmp_path):
    def error_of(*files):
        return refused("train", *files, "--out", tmp_path / "a", *model)

    assert f"{tmp_path / 'none.jsonl'}: no such file" in error_of(tmp_path / "none.jsonl")
    assert "given 2 times" in error_of(pairs, pairs)
    (tmp_path / "empty").mkdir()
    assert "no *.jsonl, *.tsv or the like in this folder" in error_of(tmp_path / "empty")
    good = '{"query": "q", "positive": "p"}\n'
    for line, expected in (
        ('{"query": "", "positive": "p"}', ':2: "query" is empty'),
        ('{"query": "q"}', ':2: no "positive"'),
        ('{"query": "q", "positive": " "}', ':2: "positive" is empty'),
        ('{"query": "q", "positive": "p", "negative": ""}', ':2: "negative" is empty'),
        ("{", ":2: broken JSON"),
        ("[]", ":2: a list and not a JSON object"),
    ):
        (tmp_path / "bad.jsonl").write_text(good + line + "\n")
        assert f"{tmp_path / 'bad.jsonl'}{expected}" in error_of(pairs, tmp_path / "bad.jsonl")
    (tmp_path / "few.jsonl").write_text(good * 4)
    assert "4 pairs are too few" in error_of(tmp_path / "few.jsonl")
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--steps", "0"], "steps must be at least 1, not 0"),
        (["--steps", "many"], "--steps"),
        (["--objectives", "dense", "sparse"], "sparse"),
        (["--objectives"], "--objectives"),
        (["--objectives", "dense", "dense"], "objectives must be some of"),
        (["--batch", "1"], "batch must be at least 2"),
        (["--layers", "2"], "layers must be above 0 and at most 1"),
        (["--learning-rate", "nan"], "learning_rate must be above 0"),
        (["--seed", "-1"], "seed must be at least 0"),
        (["--seed", str(10**30)], "seed must be at least 0 and below 2^63"),
        (["--held-out", "-5"], "held out -5"),
        (["--held-out", "1"], "held out 1 "),
        (["--query-length", "3"], "query_length must be at least 8"),
        (["--pooling", "lats"], "lats"),
        (["--document-prompt", "no place"], "document_prompt"),
    ],
)
@pytest.mark.parametrize("command", ["train", "adapt"])
def test_an_option_outside_its_range(refused, pairs, model, tmp_path, command, options, expected):
    data = pairs if command == "train" else corpus_of_noise(tmp_path / "noise.jsonl")
    assert expected in refused(command, data, "--out", tmp_path / "a", *model, *options)
    assert not (tmp_path / "a").exists()


def test_out_must_be_given(refused, pairs):
    assert "--out" in refused("train", pairs)
    assert "--out" in refused("adapt", pairs)


def test_a_corpus_without_usable_pseudo_queries(refused, model, tmp_path):
    file = tmp_path / "docs.jsonl"
    text = "Every document says the same, word by word, again and again. There is nothing to tell one from another."
    one_line = [f"word{number}" for number in range(300)]
    for texts in (["A single document."], [text] * 300, one_line):
        file.write_text("".join(json.dumps({"_id": f"d{n}", "text": each}) + "\n" for n, each in enumerate(texts)))
        message = refused("adapt", file, "--out", tmp_path / "a", *model)
        assert "corpus docs: too few pseudo-queries to train on" in message
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "cannot be read (No such file or directory)"),
        ("[" * 100_000, "cannot be read as JSON"),
        ("{", "cannot be read as JSON"),
        ("[]", "is no object of names and licences"),
        ('{"nouns": 3}', "is no object of names and licences"),
    ],
)
def test_licences_that_are_none(refused, pairs, model, tmp_path, text, expected):
    file = tmp_path / "licences.json"
    if text is not None:
        file.write_text(text)
    message = refused("train", pairs, "--licences", file, "--out", tmp_path / "a", *model)
    assert message.startswith(f"{file} {expected}")


def test_a_prompt_too_long_for_the_recipe(refused, pairs, model, tmp_path):
    long = ["--query-prompt", "Photosynthesis " * 9 + "{text}", "--query-length", "8"]
    message = refused("train", pairs, "--out", tmp_path / "a", *RECIPE, *model, *long)
    assert "leaves no room for text within a max length of 8" in message


def test_models_that_cannot_be_trained(refused, pairs, tiny_model, tmp_path):
    for kind, more, expected in (
        ("gpt2", [], "no numbered blocks of linear layers"),
        ("bert", ["--attention", "bidirectional"], "LM head"),
    ):
        embedder = ["--embedder", tiny_model(kind), "--dtype", "float32", "--device", "cpu", *PROMPTS, *more]
        assert expected in refused("train", pairs, "--out", tmp_path / "a", *RECIPE, *embedder)
    message = refused("train", pairs, "--out", tmp_path / "a", "--embedder", tmp_path / "none")
    assert "there is no model at" in message
    assert not (tmp_path / "a").exists()


def test_another_recipe_where_an_adapter_or_a_checkpoint_stands(refused, trained, model, tmp_path):
    copy = Path(shutil.copytree(trained, tmp_path / "adapter"))
    before = bytes_of(copy)
    words = ["train", trained.parent / "nouns.jsonl", *RECIPE, *model, "--seed", "7"]
    assert "holds an adapter of another recipe, corpus or base model" in refused(*words, "--out", copy)
    assert bytes_of(copy) == before
    work = tmp_path / ".new.training"
    work.mkdir()
    (work / "checkpoint.pt").write_bytes(b"damaged")
    message = refused(*words, "--out", tmp_path / "new")
    assert message == f"the checkpoint {work / 'checkpoint.pt'} is damaged: pass --restart to begin again"
    assert not (tmp_path / "new").exists()
    assert main([*map(str, words), "--out", str(tmp_path / "new"), "--restart", "-q"]) == 0
    assert not work.exists()


def test_no_room_for_the_adapter_itself_keeps_the_training(refused, pairs, model, tmp_path, monkeypatch, capfd):
    words = ["train", pairs, *RECIPE, *model, "--out", tmp_path / "a"]

    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path / "a"))

    for place in ("sparseembed.training.lora.write_json", "sparseembed.training.run.write_json"):
        with monkeypatch.context() as patch:
            patch.setattr(place, full)
            assert "no room on the disk: make room and run the same command again" in refused(*words)
        assert not (tmp_path / "a").exists()
        assert (tmp_path / ".a.training" / "checkpoint.pt").exists()
    capfd.readouterr()
    assert main(list(map(str, words))) == 0
    assert "going on after step 3 of 3" in capfd.readouterr().err
    assert main([*map(str, words[:-1]), str(tmp_path / "b"), "-q"]) == 0
    assert (
        bytes_of(tmp_path / "a")["adapter_model.safetensors"] == bytes_of(tmp_path / "b")["adapter_model.safetensors"]
    )


def test_the_adapter_of_another_base(refused, trained, tiny_model, tmp_path, capfd):
    good = tmp_path / "good.jsonl"
    good.write_text('{"_id": "d1", "text": "A cat sat."}\n{"_id": "d2", "title": "Whales", "text": "swim"}\n')
    other = ["--embedder", tiny_model("untied"), "--dtype", "float32", "--device", "cpu", *PROMPTS]
    for words in (
        ("index", good, "--out", tmp_path / "index", "--embeddings", tmp_path / "v"),
        ("inspect", "cat"),
        ("encode", good, "--embeddings", tmp_path / "v"),
        ("train", trained.parent / "nouns.jsonl", "--out", tmp_path / "more"),
    ):
        message = refused(*words, *other, "--adapter", trained)
        assert message.startswith(f"the adapter {trained} was trained for other weights (tied) than the embedder's: ")
    assert not any((tmp_path / name).exists() for name in ("index", "v", "more"))
    own = ["--embedder", tiny_model("tied"), "--dtype", "float32", "--device", "cpu", *PROMPTS]
    assert main([*map(str, ("inspect", "cat", *own, "--adapter", trained)), "-q"]) == 0
    assert capfd.readouterr().out
