"""The collection's own analysed vocabulary, counted in bounded memory."""

import heapq
import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np

from sparseembed.analyzers.base import Analyzer, ContextAnalyzer, Token
from sparseembed.arrays import Ints
from sparseembed.sparse.collection import CollectionStatistics

LARGE = 50_000  # terms of a vocabulary of which those in one document alone are left out
SPELLINGS = 500_000  # distinct ones counted in memory; more are written to disk and merged in the end


class Vocabulary(NamedTuple):
    """Analysed words of a collection.

    :param terms: The terms, ascending.
    :param surfaces: For each term the spelling that stands for it: its most frequent one in the collection, the first
        in alphabetical order of equally frequent ones.
    """

    terms: list[str]
    surfaces: list[str]


class CountedWords(NamedTuple):
    """What was counted.

    :param vocabulary: The terms that stand in enough documents.
    :param collection: Sums over the collection, all terms included, and the frequencies of those of the vocabulary.
    :param rare: Terms that stand in too few documents and are not in the vocabulary.
    :param rare_length: How often these occur, all together.
    :param least: Documents that a term of the vocabulary stands in at least.
    """

    vocabulary: Vocabulary
    collection: CollectionStatistics
    rare: int
    rare_length: int
    least: int


class _Term(NamedTuple):
    """A term of one run: documents that it stands in, and how often each spelling of it occurs."""

    term: str
    frequency: int
    spellings: dict[str, int]


class WordCounter:
    """Counts the words of a collection, some texts at a time. A context manager: its files go when it is left.

    The counts of parts of a collection can be merged: all of them are sums.
    """

    def __init__(self, analyzer: Analyzer, spellings: int = SPELLINGS) -> None:
        """Begin with nothing.

        :param analyzer: Takes texts apart.
        :param spellings: Distinct spellings that are kept in memory at most (those of one call of `add` more).
        """
        self._analyzer, self._limit = analyzer, spellings
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._runs: list[Path] = []
        self.documents = self.length = 0
        self._number: dict[str | Token, int] = {}
        self._terms: dict[str, int] = {}
        self._term_of: Ints = np.zeros(0, dtype=np.int64)
        self._occurrences: Ints = self._term_of
        self._frequency: Ints = self._term_of

    def add(self, texts: Sequence[str]) -> None:
        """Count the words of texts.

        :param texts: The texts.
        """
        known = len(self._number)
        number = self._number
        numbers: list[int] = []
        often: list[int] = []
        sizes = []
        for tokens in map(Counter, self._tokens(texts)):
            sizes.append(len(tokens))
            often.extend(tokens.values())
            numbers.extend([number.setdefault(token, len(number)) for token in tokens])
        self._learn(list(islice(number, known, None)))
        found, counts = np.asarray(numbers, dtype=np.int64), np.asarray(often, dtype=np.int64)
        np.add.at(self._occurrences, found, counts)
        terms = self._term_of[found]
        rows = np.repeat(np.arange(len(texts), dtype=np.int64), sizes)[terms >= 0]
        self.length += int(counts[terms >= 0].sum())
        terms = terms[terms >= 0]
        self.documents += len(np.unique(rows))
        width = len(self._terms)
        self._frequency += np.bincount(np.unique(rows * width + terms) % max(width, 1), minlength=width)
        if len(number) > self._limit:
            self._spill()

    def merge(self, other: "WordCounter") -> None:
        """Add the counts of another part of the collection, which is not to be used any more."""
        other._spill()
        for run in other._runs:
            with run.open(encoding="utf-8") as lines:
                self._write(_read(lines))
        self.documents += other.documents
        self.length += other.length
        other.__exit__(None, None, None)

    def packed(self) -> bytes:
        """Return the counts, to be added to those of another part in another process (`add_packed`)."""
        lines = [json.dumps([self.documents, self.length])]
        lines += [json.dumps(each, ensure_ascii=False) for each in self._merged()]
        return "\n".join(lines).encode()

    def add_packed(self, counts: bytes) -> None:
        """Add the counts of another part of the collection.

        :param counts: What `packed` gave.
        """
        first, *lines = counts.decode().split("\n")
        documents, length = json.loads(first)
        self.documents += documents
        self.length += length
        self._write(_read(lines))

    def finish(self, least: int | None = 1) -> CountedWords:
        """Return the vocabulary and the sums.

        :param least: Documents that a term of the vocabulary stands in at least; None for 2 where there are more than
            `LARGE` terms, and 1 elsewhere.
        :return: The counts; more texts may be added afterwards.
        """
        if least is None:
            least = 2 if sum(1 for _ in self._merged()) > LARGE else 1
        terms, surfaces, frequencies, rare, rare_length = [], [], [], 0, 0
        for term, frequency, spellings in self._merged():
            if frequency < least:
                rare += 1
                rare_length += sum(spellings.values())
                continue
            terms.append(term)
            surfaces.append(min(spellings, key=lambda spelling: (-spellings[spelling], spelling)))
            frequencies.append(frequency)
        collection = CollectionStatistics(self.documents, self.length, np.asarray(frequencies, dtype=np.int64))
        return CountedWords(Vocabulary(terms, surfaces), collection, rare, rare_length, least)

    def _tokens(self, texts: Sequence[str]) -> Iterator[Sequence[str | Token]]:
        """Yield the tokens of each text: spellings, or where a word's term is not its own affair both."""
        if isinstance(self._analyzer, ContextAnalyzer):
            yield from self._analyzer.tokens_of_each(texts)
        else:
            yield from map(self._analyzer.surfaces, texts)

    def _terms_of(self, tokens: list[Any]) -> Sequence[str | None]:
        """Return the term of each token; None for one that is left out."""
        if isinstance(self._analyzer, ContextAnalyzer):
            return [token.term for token in tokens]
        return self._analyzer.terms_of(tokens)

    def _learn(self, tokens: list[str | Token]) -> None:
        """Find the terms of tokens that were not seen before."""
        new = [
            -1 if term is None else self._terms.setdefault(term, len(self._terms)) for term in self._terms_of(tokens)
        ]
        self._term_of = np.concatenate([self._term_of, np.asarray(new, dtype=np.int64)])
        self._occurrences = _longer(self._occurrences, len(self._number))
        self._frequency = _longer(self._frequency, len(self._terms))

    def _forget(self) -> None:
        self._number, self._terms = {}, {}
        self._term_of = self._occurrences = self._frequency = np.zeros(0, dtype=np.int64)

    def _in_memory(self) -> Iterator[_Term]:
        spellings: list[dict[str, int]] = [{} for _ in self._terms]
        for token, term, count in zip(self._number, self._term_of.tolist(), self._occurrences.tolist(), strict=True):
            if term >= 0:
                spellings[term][token.surface if isinstance(token, Token) else token] = count
        for term in sorted(self._terms):
            place = self._terms[term]
            yield _Term(term, int(self._frequency[place]), spellings[place])

    def _spill(self) -> None:
        self._write(self._in_memory())
        self._forget()

    def _write(self, terms: Iterable[_Term]) -> None:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="sparseembed-words-")
        run = Path(self._folder.name) / f"{len(self._runs)}.jsonl"
        with run.open("w", encoding="utf-8") as lines:
            lines.writelines(json.dumps(each, ensure_ascii=False) + "\n" for each in terms)
        self._runs.append(run)

    def _merged(self) -> Iterator[_Term]:
        files = [run.open(encoding="utf-8") for run in self._runs]
        try:
            runs = [self._in_memory(), *map(_read, files)]
            ordered = heapq.merge(*runs, key=lambda each: each.term)
            for term, same in groupby(ordered, key=lambda each: each.term):
                parts = list(same)
                if len(parts) == 1:
                    yield parts[0]
                    continue
                spellings: Counter[str] = Counter()
                for part in parts:
                    spellings.update(part.spellings)
                yield _Term(term, sum(part.frequency for part in parts), spellings)
        finally:
            for file in files:
                file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
        self._runs = []


def _read(lines: Iterable[str]) -> Iterator[_Term]:
    return (_Term(*json.loads(line)) for line in lines)


def _longer(counts: Ints, length: int) -> Ints:
    return np.concatenate([counts, np.zeros(length - len(counts), dtype=np.int64)])
