"""Whether evaluation queries stand in training texts."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from sparseembed.errors import ConfigError
from sparseembed.pseudo.folding import words_of

CONTAINED_FROM = 5


def shared_runs(texts: Iterable[str], queries: Mapping[str, str], words: int = 12) -> list[str]:
    """Find queries that share a run of words with a training text, case and punctuation folded.

    A query that is shorter than the run is found where the whole of it stands within a text. One of fewer than
    `CONTAINED_FROM` words is found only where it is the whole text: "breast cancer" stands in many texts that have
    nothing to do with the query.

    :param texts: Training texts, read once.
    :param queries: Query id -> text; one without a word is never found.
    :param words: Length of the run, at least 1.
    :return: The ids of the queries found, in the queries' order.
    :raises ConfigError: If the length is below 1.
    """
    if words < 1:
        raise ConfigError(f"runs of {words} words: give at least 1")
    wholes, runs = _wanted(queries, words)
    starts = {run[: min(words, CONTAINED_FROM)] for run in runs}
    lengths = sorted({len(run) for run in runs})
    found: set[str] = set()
    for text in texts:
        split = words_of(text)
        found.update(wholes.get(tuple(split), ()))
        least = min(words, CONTAINED_FROM)
        for at in range(len(split) - least + 1):
            if tuple(split[at : at + least]) in starts:
                for length in lengths:
                    found.update(runs.get(tuple(split[at : at + length]), ()))
    return [query for query in queries if query in found]


def _wanted(
    queries: Mapping[str, str], words: int
) -> tuple[dict[tuple[str, ...], list[str]], dict[tuple[str, ...], list[str]]]:
    """Return which queries are found by a whole text, and which by a run of words in one."""
    wholes: dict[tuple[str, ...], list[str]] = defaultdict(list)
    runs: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for query, text in queries.items():
        split = tuple(words_of(text))
        if not split:
            continue
        if len(split) < min(words, CONTAINED_FROM):
            wholes[split].append(query)
        length = min(words, len(split))
        if length >= min(words, CONTAINED_FROM):
            for at in range(len(split) - length + 1):
                runs[split[at : at + length]].append(query)
    return wholes, runs
