"""What the documentation says of commands and of itself holds: each command is understood, each page is reached."""

import ast
import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from sparseembed.cli import COMMANDS, parser_of

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def commands(page):
    """Return the commands of a page: lines that begin with the program's name, in blocks of code or indented."""
    text = re.sub(r" *\\\n *", " ", page.read_text(encoding="utf-8"))
    lines = (line.strip() for line in text.splitlines())
    found = [line for line in lines if re.match(r"sparseembed [a-z-]+ ", line) and line.split()[1] in COMMANDS]
    return [re.split(r" [|>] |  ", line)[0] for line in found if not re.search(r"\.\.\.|…|`|FORMAT", line)]


def blocks(page, language):
    return [code for kind, code in BLOCK.findall(page.read_text(encoding="utf-8")) if kind == language]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_are_understood(page):
    for line in commands(page):
        words = shlex.split(line, comments=True)[1:]
        try:
            parser_of((words[0],)).parse_args(words)
        except SystemExit as end:
            pytest.fail(f"{page.name}: {line} ({end.code})")


def test_commands_are_found():
    assert len(commands(DOCS / "commands.md")) >= 30
    assert len(commands(ROOT / "README.md")) == 10


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_can_be_read(page):
    for code in blocks(page, "python"):
        ast.parse(code)


def test_the_reference_of_the_command_line_is_what_the_parsers_say():
    spec = importlib.util.spec_from_file_location("make_cli", DOCS / "make_cli.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (DOCS / "cli.md").read_text(encoding="utf-8") == module.page(), "run python docs/make_cli.py"


def test_every_page_is_in_the_navigation_once():
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2].partition("\n\n")[0]
    notebooks = (notebook.with_suffix(".md") for notebook in DOCS.glob("notebooks/*.ipynb"))  # as the site has them
    pages = [page.relative_to(DOCS).as_posix() for page in (*DOCS.glob("*.md"), *notebooks)]
    assert sorted(re.findall(r"[\w/-]+\.md", navigation)) == sorted(pages)


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 180
