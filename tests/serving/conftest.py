"""A small index, and servers of it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from servers import Running, documents, running

if not all(map(find_spec, ("fastapi", "uvicorn", "prometheus_client", "httpx"))):
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def build(tiny_model: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that builds an index of documents, with a tiny model."""
    from sparseembed import build_index
    from sparseembed.data.corpus import Corpus
    from sparseembed.embedders.spec import EmbedderSpec
    from sparseembed.embedders.transformer import TransformerEmbedder

    spec = EmbedderSpec("tied", str(tiny_model("tied")), dtype="float32", device="cpu")
    embedder = TransformerEmbedder(spec)
    embeddings = tmp_path_factory.mktemp("embeddings")

    def made(out: Path, given: list[Any], name: str = "animals", **options: Any) -> Path:
        build_index(Corpus(given, name), out, embedder, embeddings=embeddings / out.name, k=8, mix=0.5, **options)
        return out

    return made


@pytest.fixture(scope="session")
def index(build: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The index; tests that change it take a copy."""
    return build(tmp_path_factory.mktemp("indexes") / "animals", documents())


@pytest.fixture(scope="session")
def other(build: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of other documents, without embeddings."""
    return build(tmp_path_factory.mktemp("indexes") / "other", documents()[20:], carried=False)


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Running]]:
    """Return a function that starts a server, which ends with the tests."""
    with ExitStack() as stack:
        yield lambda *words, **environment: stack.enter_context(
            running(tmp_path_factory.mktemp("server") / "log", *words, **environment)
        )


@pytest.fixture(scope="session")
def server(serve: Callable[..., Running], index: Path, other: Path) -> Running:
    """A server of both indexes, with low limits."""
    limits = ("--max-query", "100", "--max-k", "20", "--max-body", "1", "--seconds", "2")
    return serve(index, other, *limits)


@pytest.fixture
def client(server: Running) -> Iterator[Any]:
    """A client of that server."""
    with server.client() as each:
        yield each
