"""The built-in collection `pydocs`: the Python standard library's docstrings, with queries written for them.

It is a demonstration and no benchmark. The documents come from the running interpreter, so another Python has slightly
other ones; the queries and grades were written by the authors of this package, in the words of somebody who does not
know the name of what is looked for; each query has few judged documents, and what is not judged counts as wrong.
Figures measured on it show that a system works and how two settings compare; they cannot be set beside anybody else's.
"""

import json
import subprocess
import sys
from importlib.resources import files

from sparseembed.data.collection import Collection
from sparseembed.data.corpus import Corpus, Document
from sparseembed.data.qrels import Qrels, read_qrels
from sparseembed.data.queries import read_queries
from sparseembed.errors import DataError
from sparseembed.text import one_line

NAME = "pydocs"
SPLITS = ("train", "test")

_MAX_SECONDS = 120  # it takes less than one


def open_pydocs() -> Collection:
    """Open the built-in collection: a demonstration, no benchmark.

    Document ids are qualified names such as "collections.deque.rotate". Grade 2 answers the query and 1 is of help. A
    judgement of a name that the running interpreter lacks is left out.

    :return: The collection, with the splits "train" and "test".
    :raises DataError: If no second interpreter can be started to read the docstrings.
    """
    corpus = Corpus(collect_documents(), name=NAME, identity=NAME)
    folder = files(__name__)
    return Collection(
        corpus=corpus,
        splits=SPLITS,
        load_queries=lambda: read_queries(folder / "queries.jsonl"),
        load_qrels=lambda split: _known(read_qrels(folder / "qrels" / f"{split}.tsv"), corpus),
    )


def collect_documents() -> list[Document]:
    """Read the standard library's docstrings in a fresh, isolated interpreter of the running version.

    :return: One document a distinct docstring, sorted by id; id and title are the qualified name.
    :raises DataError: If that interpreter cannot be started or fails.
    """
    source = (files(__name__) / "docstrings.py").read_text(encoding="utf-8")
    command = [sys.executable, "-I", "-S", "-c", source]  # isolated: no environment, no packages that could patch
    try:
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=_MAX_SECONDS, check=True)
        texts: dict[str, str] = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise DataError(
            f"pydocs: {one_line(sys.executable or 'sys.executable')} cannot be run to read its docstrings "
            f"({_reason(error)}): use a Python that can start itself, or another collection"
        ) from None
    return [Document(id=name, title=name, text=text) for name, text in texts.items()]


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        lines = error.stderr.decode(errors="replace").strip().splitlines()
        return one_line(lines[-1]) if lines else f"exit status {error.returncode}"
    if isinstance(error, subprocess.TimeoutExpired):
        return f"not done in {_MAX_SECONDS} seconds"
    return one_line(error)


def _known(qrels: Qrels, corpus: Corpus) -> Qrels:
    known = {
        query: {doc: grade for doc, grade in judged.items() if corpus.has_id(doc)} for query, judged in qrels.items()
    }
    # A query that has lost every answer could only lower all figures alike.
    return {query: judged for query, judged in known.items() if max(judged.values(), default=0) > 1}
