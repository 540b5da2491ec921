"""Pseudo-queries of a corpus: training pairs from the documents alone, without a query or a judgement."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from sparseembed.data.corpus import Corpus, Document
from sparseembed.data.sampling import even_places, even_sample
from sparseembed.errors import ConfigError, DataError
from sparseembed.progress import track
from sparseembed.pseudo.duplicates import near_groups
from sparseembed.pseudo.folding import WordTable, squeeze, words_of
from sparseembed.pseudo.informative import TermWeights
from sparseembed.pseudo.pairs import Pair, Source
from sparseembed.pseudo.sentences import split_sentences
from sparseembed.pseudo.topics import topic_groups, topic_points
from sparseembed.text import PART

KINDS = ("title", "sentence", "keyphrases")
ASKED = ("title", "sentence")  # kinds that held-out documents are asked for by: what is asked is not in the positive
LEAST_WORDS = 5  # of a positive, and of a sentence that is a query
LONGEST_SENTENCE = 60  # words
KEYPHRASE_WORDS = 20  # different words of a text that gives keyphrases
SENTENCES_FOR_TWO = 6  # a text of so many gives two sentence pairs
KEYPHRASES = (3, 6)
LEAST_PAIRS, LEAST_HELD_OUT = 64, 20
HELD_OUT_SHARE = 5  # at most one usable document in so many is held out
NEIGHBOURS = 10  # documents of one topic that are held out together: only like ones are hard to tell apart
POOL = 20_000  # documents that the held-out ones are drawn from
_USABLE = (
    f"a usable document has a text of at least {LEAST_WORDS} words with a title of its own or a second sentence, or "
    f"one of {KEYPHRASE_WORDS} different words, and is no near-duplicate of another"
)


class Pseudo(NamedTuple):
    """Pairs made of a corpus.

    :param train: Sources "title" (title -> text), "sentence" (sentence -> rest of the text) and "keyphrases" (three to
        six key terms of the text -> text); those that the corpus gives.
    :param held_out: One pair of each held-out document: titles and sentences in turn, key terms where it has neither.
    :param held_out_ids: The documents of these pairs, which no training pair is made of, in the corpus's order.
    """

    train: list[Source]
    held_out: list[Pair]
    held_out_ids: list[str]


def pseudo_pairs(corpus: Corpus, seed: int, held_out: int = 200) -> Pseudo:
    """Make training pairs of a corpus's documents.

    Of near-duplicate documents (see `near_groups`) only the first is used, so that no copy of a held-out document is
    trained on. A title that several documents share, or a sentence that does, is no query. Documents are held out by
    topics, ten of one: among documents drawn one by one a good embedder finds every title's text, and no training could
    be seen to help.

    :param corpus: The documents.
    :param seed: Which documents are held out, and how many key terms each text gives; 0 or more.
    :param held_out: Documents to hold out; at most a fifth of the usable ones are.
    :return: The pairs.
    :raises ConfigError: If the seed is negative or fewer than 20 documents are to be held out.
    :raises DataError: If the corpus gives fewer than 64 training pairs or 20 held-out ones.
    """
    if held_out < LEAST_HELD_OUT or seed < 0:
        raise ConfigError(
            f"held out {held_out} documents with seed {seed}: hold out at least {LEAST_HELD_OUT}, with a seed from 0"
        )
    corpus = corpus.in_memory()
    maker = _maker(corpus, seed)
    made = {number: found for number in maker.numbers if (found := maker.pairs(number))}
    kept_out = _drawn(made, min(held_out, len(made) // HELD_OUT_SHARE), seed)
    pairs: dict[str, list[Pair]] = {kind: [] for kind in KINDS}
    for number, of_document in made.items():
        for kind, pair in of_document if number not in kept_out else ():
            pairs[kind].append(pair)
    train = [Source(kind, tuple(pairs[kind])) for kind in KINDS if pairs[kind]]
    count = sum(len(source.pairs) for source in train)
    if count < LEAST_PAIRS or len(kept_out) < LEAST_HELD_OUT:
        raise DataError(
            f"corpus {corpus.name}: too few pseudo-queries to train on: {len(made):,} of its {len(corpus):,} documents "
            f"are usable, which gives {count:,} training pairs (at least {LEAST_PAIRS}) and {len(kept_out):,} held-out "
            f"documents (at least {LEAST_HELD_OUT}); {_USABLE}"
        )
    ordered = sorted(kept_out)
    asked = [_of_kind(made[number], place) for place, number in enumerate(ordered)]
    return Pseudo(train, asked, [corpus[number].id for number in ordered])


def sentence_pairs(documents: Sequence[Document], most: int, asked: Iterable[int] | None = None) -> dict[int, Pair]:
    """Take a telling sentence out of documents: it is a query, and the rest of the text answers it.

    Of near-duplicate documents only the first is used, and no sentence that several documents share.

    :param documents: The documents.
    :param most: Pairs, at most; they are spread evenly over the documents that give one.
    :param asked: Places of the documents that may give one; all when None.
    :return: Place of a document -> its pair, in the order of the documents; empty where no document gives one.
    """
    maker = _maker(documents, 0)
    allowed = None if asked is None else set(asked)
    made = {}
    for number in maker.numbers:
        if allowed is not None and number not in allowed:
            continue
        found = [pair for kind, pair in maker.pairs(number) if kind == "sentence"]
        if found:
            made[number] = found[0]
    return even_sample(made, most)


def _maker(documents: Sequence[Document], seed: int) -> "_Maker":
    # Of a whole book the beginning gives a sentence as good as any.
    documents = [
        document if len(document.text) <= PART else replace(document, text=document.text[:PART])
        for document in documents
    ]
    table = WordTable.of(document.contents for document in documents)
    _, firsts = np.unique(near_groups(table), return_index=True)
    return _Maker(documents, firsts.tolist(), table, seed)


def _drawn(made: Mapping[int, Sequence[tuple[str, Pair]]], count: int, seed: int) -> set[int]:
    """Draw documents by topics."""
    if count == 0:
        return set()
    rng = np.random.default_rng((seed, 2))
    usable = list(made)
    pool = [usable[int(place)] for place in even_places(len(usable), max(POOL, count))]
    points = topic_points([made[number][0][1] for number in pool], rng)
    groups = topic_groups(points, max(1, len(pool) // NEIGHBOURS), rng)
    drawn = np.concatenate([groups[place] for place in rng.permutation(len(groups))])
    return {pool[place] for place in drawn[:count].tolist()}


def _of_kind(found: Sequence[tuple[str, Pair]], turn: int) -> Pair:
    """Return the first pair of one of a document's kinds, which take turns."""
    firsts = dict(reversed(found))
    kinds = [kind for kind in ASKED if kind in firsts] or list(firsts)
    return firsts[kinds[turn % len(kinds)]]


class _Maker:
    """Makes the pairs of a document, given what stands in the others."""

    def __init__(self, corpus: Sequence[Document], numbers: list[int], table: WordTable, seed: int) -> None:
        """Count titles, sentences and words of the documents that are used."""
        self.numbers = numbers
        self._corpus, self._seed = corpus, seed
        self._weights = TermWeights(table, numbers)
        self._titles = Counter(_key(corpus[number].title) for number in numbers)
        self._sentences: Counter[int] = Counter()
        with track("reading sentences", len(numbers), "documents") as bar:
            for number in numbers:
                self._sentences.update({hash(each.casefold()) for each in split_sentences(corpus[number].text)})
                bar.update(1)

    def pairs(self, number: int) -> list[tuple[str, Pair]]:
        """Return a document's pairs with their kinds, in the order of KINDS; none where it is not usable."""
        document = self._corpus[number]
        text = squeeze(document.text)
        sentences = split_sentences(document.text)
        split = [words_of(sentence) for sentence in sentences]
        words = [word for sentence in split for word in sentence]
        if len(words) < LEAST_WORDS:
            return []
        found = []
        if words_of(document.title) and self._titles[_key(document.title)] == 1:
            found.append(("title", Pair(squeeze(document.title), text)))
        for place in self._informative(sentences, split, len(words)):
            rest = " ".join(sentences[:place] + sentences[place + 1 :])
            found.append(("sentence", Pair(sentences[place], rest)))
        if len(set(words)) >= KEYPHRASE_WORDS:
            least, most = KEYPHRASES
            count = int(np.random.default_rng((self._seed, 3, number)).integers(least, most + 1))
            terms = self._weights.key_terms(words, count)
            if len(terms) >= least:
                found.append(("keyphrases", Pair(" ".join(terms), text)))
        return found

    def _informative(self, sentences: list[str], split: list[list[str]], total: int) -> list[int]:
        """Return the places of the one or two sentences that are queries, the best first."""
        scores = {}
        for place, words in enumerate(split):
            fits = LEAST_WORDS <= len(words) <= min(LONGEST_SENTENCE, total - LEAST_WORDS)
            if fits and self._sentences[hash(sentences[place].casefold())] == 1:
                scores[place] = self._weights.of_sentence(words)
        best = sorted(scores, key=lambda place: (-scores[place], place))
        return best[: 2 if len(sentences) >= SENTENCES_FOR_TWO else 1]


def _key(text: str) -> int:
    """Return a number for a text's words, which saves keeping the words; equal within one process only."""
    return hash(tuple(words_of(text)))
