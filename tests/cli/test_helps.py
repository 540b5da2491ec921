"""Short helps for newcomers, all options for those who ask, and sizes by one word."""

import subprocess
import sys

import pytest

from sparseembed.cli import COMMANDS, main, parser_of
from sparseembed.cli.sizes import SIZES, sized

NONE = {"terms": None, "kept": None, "bits": None, "k": None}
INNER = ["--terms", "--mix", "--floor", "--literal", "--kept", "--bits", "--least", "--ray", "--pooling", "--shard"]


def shown(capsys, *words):
    with pytest.raises(SystemExit) as end:
        main([*words])
    assert end.value.code == 0
    return capsys.readouterr().out


def test_inner_options_are_told_of_to_those_who_ask(capsys):
    short, full = shown(capsys, "index", "--help"), shown(capsys, "index", "--advanced-help")
    for option in INNER:
        assert f"  {option}" not in short
        assert f"  {option}" in full
    assert " --size " in short
    assert "--advanced-help" in short
    assert "from embedding to impacts" not in short
    assert "--terms folded" not in short
    assert "--terms folded" in full
    assert len(full) > 1.5 * len(short)


def test_inner_options_are_taken_all_the_same():
    options = parser_of(["index"]).parse_args(["index", "x", "--terms", "folded", "-k", "7", "--pooling", "mean"])
    assert (options.terms, options.k, options.pooling) == ("folded", 7, "mean")


def test_a_command_without_inner_options_has_no_help_on_them(capsys):
    assert "--advanced-help" not in shown(capsys, "verify", "--help")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_is_that_of_the_parsers(name, capsys):
    assert COMMANDS[name].help in " ".join(shown(capsys, "--help").split())
    assert parser_of([name]).parse_args is not None


def test_help_imports_neither_numpy_nor_a_command():
    code = (
        "import sys\nfrom sparseembed.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "own = [name for name in sys.modules if name.startswith('sparseembed.')]\n"
        "print('loaded:', 'numpy' in sys.modules, 'logging' in sys.modules, len(own))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = out.splitlines()[-1].split()
    assert loaded[1:3] == ["False", "False"]
    assert int(loaded[3]) < 10


def test_sizes_are_choices():
    assert sized(None, {**NONE, "k": 5}) == {**NONE, "k": 5}
    assert sized("small", NONE) == {**NONE, "terms": "word", "kept": 256, "bits": 5}
    assert sized("default", NONE) == NONE
    assert sized("large", {**NONE, "k": 9}) == {**NONE, "terms": "word+folded", "k": 9}
    assert sized("small", {**NONE, "bits": 5}) == sized("small", NONE)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--size", "small", "--kept", "9"], "--size small sets --kept 256: leave out --size, or --kept 9"),
        (["--size", "large", "--terms", "folded"], "--size large sets --terms word+folded: leave out"),
        (["--size", "default", "--bits", "4"], "--size default leaves --bits at its default: leave out"),
    ],
)
def test_a_size_and_what_contradicts_it(words, told, refused, tmp_path):
    (tmp_path / "d.jsonl").write_text('{"_id": "a", "text": "b"}\n')
    assert told in refused("index", tmp_path / "d.jsonl", *words)


@pytest.mark.jvm
@pytest.mark.parametrize("size", SIZES)
def test_an_index_of_each_size(size, tiny_model, tmp_path, silence):
    from sparseembed.index.manifest import read_manifest
    from sparseembed.sparse.config import default_config

    docs = tmp_path / "d.jsonl"
    docs.write_text('{"_id": "a", "text": "A fox lives near."}\n{"_id": "b", "text": "A whale breathes air."}\n')
    model = ["--embedder", str(tiny_model("tied")), "--dtype", "float32", "--device", "cpu", "-q"]
    words = ["--terms", "word+folded"] if size == "large" else []
    assert main(["index", str(docs), "--out", str(tmp_path / "one"), "--size", size, *words, *model]) == 0
    chosen = read_manifest(tmp_path / "one").sparse
    assert chosen["terms"] == SIZES[size].get("terms", "word")
    assert chosen["bits"] == SIZES[size].get("bits", default_config(chosen["terms"]).bits)
