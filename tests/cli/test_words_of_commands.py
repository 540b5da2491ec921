"""Words of a command in any order: where options, values and texts are told apart."""

import argparse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparseembed.cli import COMMANDS, parser_of
from sparseembed.cli.completion import subparsers
from sparseembed.cli.parser import CommandParser


def search_parser():
    parser = CommandParser(prog="sparseembed search")
    parser.add_argument("index", metavar="INDEX")
    parser.add_argument("query", metavar="QUERY", nargs="?")
    parser.add_argument("-k", type=int, default=10)
    parser.add_argument("-q", "--quiet", action="store_true")
    parser.add_argument("--run", metavar="OUT.trec")
    parser.add_argument("--rescore", type=int)
    parser.add_argument("--task")
    parser.add_argument("--weight", type=float)
    return parser


def train_parser():
    parser = CommandParser(prog="sparseembed train")
    parser.add_argument("files", metavar="FILE", nargs="+")
    parser.add_argument("--objectives", nargs="+", choices=("dense", "aligned"))
    parser.add_argument("--systems", nargs="+")
    return parser


def refusal(parser, *words, capsys):
    with pytest.raises(SystemExit) as end:
        parser.parse_args(list(words))
    out, err = capsys.readouterr()
    assert (end.value.code, out, err.count("\n")) == (2, "", 1)
    return err


@pytest.mark.parametrize(
    ("words", "query"),
    [
        (["i", "fox"], "fox"),
        (["i", "-k", "1", "fox"], "fox"),
        (["-k", "1", "i", "fox"], "fox"),
        (["i", "fox", "-k1"], "fox"),
        (["i", "-k=1", "fox"], "fox"),
        (["i", "--", "-v"], "-v"),
        (["i", "-k", "1", "--", "-v"], "-v"),
        (["--", "i", "-k"], "-k"),
        (["i", "-5"], "-5"),
        (["i", "-.5e3"], "-.5e3"),
        (["i", "-v and the like"], "-v and the like"),
        (["i", "--no such thing"], "--no such thing"),
        (["i", "-k 1 is a text"], "-k 1 is a text"),
        (["i", "-"], "-"),
        (["i", ""], ""),
        (["i"], None),
    ],
)
def test_a_query_wherever_it_stands(words, query):
    found = search_parser().parse_args(words)
    assert (found.index, found.query) == ("i", query)


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (["--weight", "-0.5"], "weight", -0.5),
        (["--weight=-0.5"], "weight", -0.5),
        (["-k", "-1"], "k", -1),
        (["--ru", "x"], "run", "x"),
        (["--ru=x"], "run", "x"),
        (["--resc", "3"], "rescore", 3),
        (["--task=-x"], "task", "-x"),
        (["--task", "- {text}"], "task", "- {text}"),
        (["--task="], "task", ""),
        (["--task", ""], "task", ""),
        (["--qui"], "quiet", True),
    ],
)
def test_values_of_options(words, name, value):
    for order in (["i", *words, "fox"], [*words, "i", "fox"], ["i", "fox", *words]):
        found = search_parser().parse_args(order)
        assert (getattr(found, name), found.index, found.query) == (value, "i", "fox")


@given(st.permutations([["i"], ["fox"], ["-k", "3"], ["--run", "r"], ["-q"], ["--task=-t"]]))
def test_any_order_gives_the_same(parts):
    found = vars(search_parser().parse_args([word for part in parts for word in part]))
    first, second = (word for part in parts for word in part if word in ("i", "fox"))
    assert (found["index"], found["query"]) == (first, second)
    assert (found["k"], found["run"], found["quiet"], found["task"]) == (3, "r", True, "-t")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["i", "-v"], "no option -v; a word (QUERY) that begins with a dash comes after --, as in: -- -v"),
        (["i", "--vox", "fox"], "no option --vox; a word (QUERY)"),
        (["i", "--r", "x", "fox"], "ambiguous option: --r could match --run, --rescore"),
        (
            ["i", "--task", "-x"],
            "argument --task: expected one argument; one that begins with a dash is written --task=-x",
        ),
        (["i", "--run", "--quiet", "fox"], "argument --run: expected one argument (see"),
        (["i", "fox", "--run"], "argument --run: expected one argument"),
        (["i", "two", "words"], "words: more than the words of the command (INDEX, QUERY); quote a text"),
        (["i", "--", "--"], "a second -- is no word of a command"),
        (["-k", "1"], "required: INDEX"),
        (["i", "-kx", "fox"], "argument -k: invalid int value: 'x'"),
    ],
)
def test_a_mistake_is_one_line(words, told, capsys):
    assert told in refusal(search_parser(), *words, capsys=capsys)


@pytest.mark.parametrize(
    "words",
    [
        ["--objectives", "dense", "aligned", "a", "b"],
        ["a", "--objectives", "dense", "aligned", "--", "b"],
        ["a", "b", "--objectives", "dense", "aligned"],
    ],
)
def test_an_option_of_several_values_ends_where_a_value_is_none_of_its_choices(words):
    found = train_parser().parse_args(words)
    assert (found.files, found.objectives) == (["a", "b"], ["dense", "aligned"])


def test_an_option_of_several_values_gives_the_last_back_where_a_word_is_missing():
    found = train_parser().parse_args(["--systems", "one-index", "two", "beir"])
    assert (found.files, found.systems) == (["beir"], ["one-index", "two"])


def test_a_lone_value_stays_the_options(capsys):
    assert "required: FILE" in refusal(train_parser(), "--systems", "one-index", capsys=capsys)


def test_a_home_that_a_shell_has_left_alone(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    found = search_parser().parse_args(["~/i", "~/fox", "--run=~/r.trec", "--task=~/t"])
    assert (found.index, found.run) == (f"{tmp_path}/i", f"{tmp_path}/r.trec")
    assert (found.query, found.task) == ("~/fox", "~/t")  # texts, and no places
    assert train_parser().parse_args(["~/a", "b"]).files == [f"{tmp_path}/a", "b"]
    assert search_parser().parse_args(["~nobody-of-that-name/i"]).index == "~nobody-of-that-name/i"


def test_help_is_that_of_argparse():
    plain = argparse.ArgumentParser(prog="sparseembed search")
    for action in search_parser()._actions[1:]:
        plain._add_action(action)
    assert search_parser().format_help() == plain.format_help()


def value_for(action):
    return str(next(iter(action.choices))) if action.choices else "1"


@pytest.mark.parametrize("command", COMMANDS)
def test_each_option_of_a_command_stands_anywhere(command, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    parser = parser_of((command,))
    actions = subparsers(parser)[command]._actions
    named = [value_for(each) for each in actions if not each.option_strings and each.nargs != "*"]
    needed = [
        f"{each.option_strings[0]}={value_for(each)}" for each in actions if each.required and each.option_strings
    ]
    for action in actions:
        if not action.option_strings or action.dest in ("help", "advanced_help") or action.nargs not in (None, 0):
            continue
        words = [action.option_strings[-1], *([value_for(action)] if action.nargs is None else [])]
        orders = [*needed, *words, *named], [*named, *words, *needed], [*named[:1], *needed, *words, *named[1:]]
        first, *others = (vars(parser.parse_args([command, *order])) for order in orders)
        assert all(other == first for other in others)
        if action.metavar in ("INDEX", "DATASET", "FILE", "DIR", "REPORT", "ADAPTER", "OUT.trec"):
            found = parser.parse_args([command, *needed, *named, f"{action.option_strings[-1]}=~/x"])
            assert getattr(found, action.dest) in (f"{tmp_path}/x", [f"{tmp_path}/x"])
