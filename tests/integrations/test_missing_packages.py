"""Each framework's absence is told in one line that says how to install it; importing ours imports none of them."""

import json
import os
import subprocess
import sys

import pytest

MODULES = {
    "langchain": "langchain_core",
    "haystack": "haystack",
    "llamaindex": "llama_index",
    "pyterrier": "pyterrier",
    "mteb": "mteb",
    "sentence_transformers": "sentence_transformers",
}
PACKAGES = {
    "langchain": "langchain-core",
    "haystack": "haystack-ai",
    "llamaindex": "llama-index-core",
    "pyterrier": "python-terrier",
    "sentence_transformers": "sentence-transformers",
}  # by the names that PyPI has them under
SCRIPT = """
import importlib, json, sys
modules = json.loads(sys.argv[1])
import sparseembed.integrations
from sparseembed.extras import MissingPackageError
loaded = sorted(set(modules.values()) & set(sys.modules))
told = {}
for name, package in modules.items():
    sys.modules[package] = None
    try:
        importlib.import_module(f"sparseembed.integrations.{name}")
    except MissingPackageError as error:
        told[name] = str(error)
print(json.dumps([loaded, told]))
"""


@pytest.fixture(scope="module")
def told():
    """What is imported at first, and what each module says where its framework is missing."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(MODULES)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_nothing_is_imported_before_it_is_asked_for(told):
    assert told[0] == []


@pytest.mark.parametrize("name", MODULES)
def test_the_install_line(told, name):
    extra = name.replace("_", "-")
    message = told[1][name]
    assert message == (
        f"sparseembed.integrations.{name} needs the package {PACKAGES.get(name, name)}, which is not installed; run: "
        f'pip install "sparseembed[{extra}]"'
    )


def test_the_extras_are_those_of_the_project():
    import tomllib
    from pathlib import Path

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {name.replace("_", "-") for name in MODULES} <= project["optional-dependencies"].keys()
