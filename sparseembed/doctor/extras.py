"""Which extras of the package are installed, and what each gives."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from sparseembed.doctor.packages import Requirement, fits, requirements, version_of
from sparseembed.extras import SMALL, WHOLE, install_line

GIVES = {
    "dev": "tests and checks of the code itself",
    "index": "building and changing indexes, models, Lucene",
    "eval": "sparseembed eval: measures, dense search; collections of ir_datasets",
    "plot": "sparseembed analyze, train and adapt: the charts of their reports",
    "train": "sparseembed train and adapt: adapters of embedders",
    "files": "Parquet, Arrow, Zstandard, URLs of fsspec; push, pull, export --to huggingface",
    "serve": "sparseembed serve: an index over HTTP, with a page",
    "mcp": "sparseembed serve --mcp: tools for agents",
    "qdrant": "export --to qdrant",
    "qdrant-edge": "export --to qdrant-edge",
    "milvus": "export --to milvus",
    "pgvector": "export --to pgvector, in PostgreSQL",
    "seismic": "export --to seismic",
    "opensearch": "export --to opensearch",
    "elasticsearch": "export --to elasticsearch",
    "datasets": "datasets.load_dataset, which reads export --to huggingface",
    "mteb": "an index in MTEB",
    "pyterrier": "an index in PyTerrier",
    "sentence-transformers": "a SparseEncoder of sentence-transformers",
    "langchain": "a retriever for LangChain",
    "haystack": "a retriever for Haystack",
    "llamaindex": "a retriever for LlamaIndex",
    "ray": "index --ray: on many machines",
    "docs": "make docs: the documentation as a site",
    "notebooks": "the documentation's notebooks",
}

_ALL = "all"  # the others together


class Extra(NamedTuple):
    """An extra.

    :param name: Its name.
    :param gives: What it gives; empty where this version does not know it.
    :param missing: Its packages that are not installed, or not in a version that fits.
    """

    name: str
    gives: str
    missing: list[str]

    @property
    def installed(self) -> bool:
        """Whether all of it is there."""
        return not self.missing

    @property
    def install(self) -> str:
        """The command that installs it."""
        return install_line(self.name)


def extras() -> list[Extra]:
    """Return the extras of the installed package, in its own order.

    :raises importlib.metadata.PackageNotFoundError: The package is not installed, but run from a folder.
    """
    parts: dict[str, list[Requirement]] = {}
    for each in requirements():
        if each.extra and each.extra != _ALL:
            parts.setdefault(each.extra, []).append(each)
    return [Extra(name, GIVES.get(name, ""), list(_missing(name, parts))) for name in parts]


def _missing(name: str, parts: Mapping[str, Sequence[Requirement]]) -> Iterator[str]:
    """Yield what an extra asks for and is not there: its own packages, and those of extras of ours that it names."""
    for each in parts.get(name, ()):
        if each.name in (WHOLE, SMALL):
            for part in each.parts:
                yield from _missing(part, parts)
        elif not _there(each):
            yield each.name


def installed(name: str) -> bool:
    """Say whether an extra is installed whole; not so where that cannot be told."""
    try:
        return any(each.name == name and each.installed for each in extras())
    except Exception:  # metadata that is missing or damaged
        return False


def _there(each: Requirement) -> bool:
    version = version_of(each.name)
    return version is not None and fits(version, each.versions)
