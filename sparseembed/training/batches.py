"""Which pairs each step of the training sees."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from sparseembed.errors import ConfigError, DataError
from sparseembed.pseudo.pairs import Pair, Source
from sparseembed.pseudo.topics import Points, topic_groups, topic_points
from sparseembed.training.collisions import Marks, mark_pairs

CAP = 4000  # a source with more pairs has no more batches a round than one of so many
MIXED = "mixed"

_Layout = list[list[int]]  # the pairs' numbers, batch by batch


class BatchPlan:
    """Batches of pairs, the same for the same sources, size and seed; any step can be asked for.

    - All pairs of a batch are of one source, so that its negatives are of the query's own kind. Sources with fewer
      pairs than a batch are joined to one source, `MIXED`.
    - Steps come in rounds, in which each source has min(pairs, CAP) / size batches, at least one, in random order: a
      large source does not drown the small ones, and a small one is repeated at most len / CAP times as often.
    - A source's batches come in passes: each holds each of its pairs once, shuffled anew; their sizes differ by one at
      most (101 pairs in batches of 40 are 34 + 34 + 33).
    - Pairs that `collide` are put into different batches, and a pass has smaller batches where that needs more of them.
    - A batch is made of groups of pairs that are about the same, drawn anew in each pass: their positives are hard
      negatives of each other, those of the other groups easy ones.
    """

    def __init__(self, sources: Sequence[Source], size: int, seed: int, alike: float = 0.0) -> None:
        """Plan batches.

        :param sources: The sources.
        :param size: Pairs of a batch, at least 2.
        :param seed: Seed of all shuffles, 0 or more.
        :param alike: Share of a batch that a group is, 0 to 1; with 0 batches are drawn by chance alone.
        :raises ConfigError: If the size, the seed or `alike` is out of range.
        :raises DataError: If there are fewer than two pairs.
        """
        if size < 2:
            raise ConfigError(
                f"batch size {size}: give at least 2, since a pair's negatives are the others of its batch"
            )
        if seed < 0:
            raise ConfigError(f"seed {seed}: give 0 or more")
        if not 0 <= alike <= 1:
            raise ConfigError(f"alike {alike}: give the share of a batch that is alike, 0 to 1")
        count = sum(len(source.pairs) for source in sources)
        if count < 2:
            raise DataError(f"{count} pairs to train on: give at least two, and some thousands for an effect")
        self._seed = seed
        joined = _join_small(sources, size)
        self._streams = [
            _Stream(source, size, (seed, number), round(alike * size)) for number, source in enumerate(joined)
        ]
        self._shares = [max(1, round(min(len(source.pairs), CAP) / size)) for source in joined]
        self._round = np.repeat(np.arange(len(joined)), self._shares)

    @property
    def round_length(self) -> int:
        """Steps of a round."""
        return len(self._round)

    def batch(self, step: int) -> list[Pair]:
        """Give the pairs of a step.

        :param step: From 0, without end.
        :return: Its pairs, of one source; one alone if it collides with all others of its source.
        """
        return self._streams[self._source_of(step)[0]].batch(self._source_of(step)[1])

    def source(self, step: int) -> str:
        """Give the name of the source that a step's pairs are from.

        :param step: From 0.
        :return: The source's name.
        """
        return self._streams[self._source_of(step)[0]].name

    def _source_of(self, step: int) -> tuple[int, int]:
        """Return which source a step takes, and which of its batches."""
        if step < 0:
            raise ConfigError(f"step {step}: steps are counted from 0")
        number, place = divmod(step, len(self._round))
        order = np.random.default_rng((self._seed, 0, number)).permutation(self._round)
        source = int(order[place])
        return source, number * self._shares[source] + int((order[:place] == source).sum())


class _Stream:
    """The batches of one source, without end."""

    def __init__(self, source: Source, size: int, seed: tuple[int, int], alike: int) -> None:
        self.name = source.name
        self._pairs, self._size, self._seed, self._alike = source.pairs, size, seed, alike
        self._marks: list[Marks] | None = None
        self._points: Points | None = None
        self._ends: list[int] = []  # batches up to the end of each pass
        self._latest: tuple[int, _Layout] = (-1, [])

    def batch(self, number: int) -> list[Pair]:
        while not self._ends or number >= self._ends[-1]:
            self._ends.append((self._ends or [0])[-1] + len(self._pass(len(self._ends))))
        which = int(np.searchsorted(self._ends, number, side="right"))
        layout = self._pass(which)
        return [self._pairs[pair] for pair in layout[number - (self._ends[which] - len(layout))]]

    def _pass(self, number: int) -> _Layout:
        if self._latest[0] != number:
            if self._marks is None:
                self._marks = mark_pairs(self._pairs)
            rng = np.random.default_rng((self._seed[0], 1, self._seed[1], number))
            order = self._topical(rng) if self._alike > 1 and len(self._pairs) > self._size else None
            self._latest = (number, lay_out(self._marks, self._size, rng, order))
        return self._latest[1]

    def _topical(self, rng: np.random.Generator) -> list[int]:
        """Return the pairs' numbers, group by group; the groups of a batch are unlike, those of the next like them."""
        if self._points is None:
            self._points = topic_points(self._pairs, np.random.default_rng((self._seed[0], 2, self._seed[1])))
        groups = topic_groups(self._points, -(-len(self._points) // self._alike), rng)
        kinds = max(1, self._size // self._alike)
        apart = -(-len(groups) // kinds)
        # What collides moves on to the next batch: that should be near.
        order: list[int] = np.concatenate([group for place in range(apart) for group in groups[place::apart]]).tolist()
        return order


def lay_out(marks: Sequence[Marks], size: int, rng: np.random.Generator, order: Sequence[int] | None = None) -> _Layout:
    """Spread pairs over batches in which none collide.

    :param marks: The marks of each pair.
    :param size: Pairs of a batch at most.
    :param rng: Where chance comes from.
    :param order: All pairs: neighbours in it come into one batch, as far as they do not collide. None: by chance.
    :return: The batches: each pair is in exactly one.
    """
    group_sizes = Counter(group for mark in marks for group in mark.own)
    held = Counter(group for mark in marks for group in mark.held)
    crowd = [max(held[group] for group in mark.held) if mark.held else 1 for mark in marks]
    count = max(-(-len(marks) // size), max(group_sizes.values(), default=1))
    room = [len(marks) // count + (number < len(marks) % count) for number in range(count)]
    batches = [_Open() for _ in range(count)]
    homes = None if order is None else dict(zip(order, np.repeat(np.arange(count), room).tolist(), strict=True))
    place = 0
    # The hardest to place first.
    for pair in sorted(rng.permutation(len(marks)).tolist(), key=lambda pair: -crowd[pair]):
        if homes is not None:
            place = homes[pair]
        open_ones = [(place + offset) % count for offset in range(count)]
        found = next((n for n in open_ones if len(batches[n].pairs) < room[n] and batches[n].takes(marks[pair])), None)
        if found is None:  # an extra batch, which further ones may join
            found = next(
                (n for n in range(count, len(batches)) if batches[n].has_room(size, marks[pair])), len(batches)
            )
            if found == len(batches):
                batches.append(_Open())
        else:
            place = (found + 1) % count
        batches[found].add(pair, marks[pair])
    filled = [batch.pairs for batch in batches if batch.pairs]
    return [filled[number] for number in rng.permutation(len(filled))]


class _Open:
    """A batch that is being filled."""

    def __init__(self) -> None:
        self.pairs: list[int] = []
        self._own: set[int] = set()
        self._held: set[int] = set()

    def takes(self, marks: Marks) -> bool:
        return self._own.isdisjoint(marks.held) and self._held.isdisjoint(marks.own)

    def has_room(self, size: int, marks: Marks) -> bool:
        return len(self.pairs) < size and self.takes(marks)

    def add(self, pair: int, marks: Marks) -> None:
        self.pairs.append(pair)
        self._own |= marks.own
        self._held |= marks.held


def _join_small(sources: Sequence[Source], size: int) -> list[Source]:
    """Join sources with fewer pairs than a batch; a single pair that would be alone goes to the smallest source."""
    large = [source for source in sources if len(source.pairs) >= size]
    small = [source for source in sources if 0 < len(source.pairs) < size]
    if not small:
        return large
    pairs = tuple(pair for source in small for pair in source.pairs)
    if len(pairs) == 1 and large:
        least = min(range(len(large)), key=lambda number: len(large[number].pairs))
        large[least] = Source(large[least].name, large[least].pairs + pairs)
        return large
    return [*large, Source(small[0].name if len(small) == 1 else MIXED, pairs)]
