"""Queries for `python -m pyserini.search.lucene --impact`: terms that Pyserini need not encode any more."""

from collections.abc import Mapping
from pathlib import Path

from sparseembed.data.corpus import id_problem
from sparseembed.errors import DataError
from sparseembed.outputs import output_file
from sparseembed.retrieval.searcher import Searcher


def write_topics(searcher: Searcher, queries: Mapping[str, str], path: str | Path) -> int:
    """Write a file of topics, one `id<tab>term term ...` a line, in which a term stands as often as it weighs.

    :param searcher: The index, opened as it is to be searched: with `expand` there are aligned terms too.
    :param queries: Query id -> text.
    :param path: The file; its name must end in `.tsv`, by which Pyserini knows the form.
    :return: Queries written: one without known terms, for which Pyserini has no line, is left out.
    :raises DataError: An id is unusable, or the file cannot be written.
    """
    path = Path(path)
    if path.suffix != ".tsv":
        raise DataError(f"Pyserini knows topics of this form by their name: let {path} end in .tsv")
    lines = []
    for query_id, text in queries.items():
        if problem := id_problem(query_id):
            raise DataError(f"query: {problem}")
        terms = [term for term, weight in searcher.encode_query(text).items() for _ in range(weight)]
        if terms:
            lines.append(f"{query_id}\t{' '.join(terms)}\n")
    try:
        with output_file(path) as file:
            file.write("".join(lines).encode())
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}; name a folder that can be written") from error
    return len(lines)
