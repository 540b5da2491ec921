"""How embeddings become impacts: every choice of a sparse index, with defaults chosen on train splits."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from sparseembed.alignment.adjustment import check_adjustment
from sparseembed.analyzers.languages import WHITESPACE
from sparseembed.analyzers.registry import DEFAULT as ENGLISH
from sparseembed.analyzers.registry import known
from sparseembed.data.passages import Splitting
from sparseembed.errors import ConfigError

TERM_SPACES = ("word", "folded", "token", "word+folded")
WEIGHTINGS = ("linear", "log1p", "sqrt")
FLOORS = ("zero", "kth")
SCALES = ("none", "document")
AUTO = "auto"

USUAL: dict[str, Any] = {"passages": AUTO, "analyzer": ENGLISH, "kept": 0, "composed": 1}
"""What a manifest means that has no entry for a choice: such an index is older than the choice."""


@dataclass(frozen=True)
class SparseConfig:
    """The choices between embedding and impact, in the order in which they are applied.

    :param terms: Term space: `word`, `folded`, `token` or `word+folded` (both, each with aligned terms of its own).
    :param adjustment: What is done to the embedding before decoding (see `alignment.adjustment`).
    :param k: K, aligned terms kept for a document; in `word+folded` K words and K pieces.
    :param floor: What is subtracted from the K scores: `zero` nothing, `kth` the smallest of them. What is then
        negative counts as zero (relu) and vanishes.
    :param weighting: Function of the floored score: `linear`, `log1p` (ln(1 + x)) or `sqrt`.
    :param scale: `document` divides a document's weights by its largest, so that each document's lie in 0..1.
    :param idf: Whether weights are multiplied by the term's idf.
    :param literal: Whether the document's own terms, with their BM25 impacts, are in the same vector.
    :param mix: Weight of the aligned terms beside literal ones: with 1, a document's best aligned term weighs as much
        as a literal one could at most. `auto` has it chosen for each collection, from its own sentences (see
        `indexing.mixing`). Without `literal` it has no effect.
    :param pieces: In `word+folded`, the share of the pieces in the weight of aligned terms: with 0 there are aligned
        words alone, with 1 aligned pieces alone. Elsewhere it has no effect.
    :param bits: Bits of an impact: the largest weight of the collection becomes 2^bits - 1.
    :param kept: Aligned terms of a document that become postings: those of the largest weights, beside its own terms. A
        document of m passages has the root of m times as many. 0 is all.
    :param composed: Documents that a word of several pieces, whose decoding row is a sum, stands in at least to be
        given to texts that do not hold it. What stands in one document alone is asked for by its own spelling.
    :param least: Documents that a word stands in at least to be decoded onto. A rarer one is literal alone: it has no
        decoding row, and is found where it stands. `auto` is 1 for a vocabulary of at most 50,000 words and 2 for a
        larger one, of which more than half usually stands in one document alone. It has no effect on pieces.
    :param analyzer: Finds the words of documents and queries: a name of `analyzers.registry`. It has no effect on
        pieces.
    :param carried: Whether the index carries the documents' embeddings, in 8 bits, to rescore hits with.
    :param passages: How texts are split into passages with embeddings of their own, of which a term has its best
        weight: `WORDS/STRIDE`, `sentences:WORDS`, `off`, or `auto`: only texts that the embedder would cut.
    """

    terms: str = "word"
    adjustment: str = "centred"
    k: int = 1024
    floor: str = "kth"
    weighting: str = "sqrt"
    scale: str = "document"
    idf: bool = True
    literal: bool = True
    mix: float | str = AUTO
    pieces: float = 0.5
    bits: int = 8
    kept: int = 0
    composed: int = 1
    least: int | str = AUTO
    carried: bool = True
    analyzer: str = ENGLISH
    passages: str = AUTO

    def __post_init__(self) -> None:
        """Check each choice.

        :raises ConfigError: A choice is outside its range.
        """
        check_adjustment(self.adjustment)
        object.__setattr__(self, "passages", str(Splitting.parse(self.passages)))
        for field, allowed in (
            ("terms", TERM_SPACES),
            ("weighting", WEIGHTINGS),
            ("floor", FLOORS),
            ("scale", SCALES),
        ):
            if getattr(self, field) not in allowed:
                raise ConfigError(f"{field} must be one of {', '.join(allowed)}, not {getattr(self, field)!r}")
        known(self.analyzer)
        if self.analyzer == WHITESPACE and self.terms == "word+folded":
            raise ConfigError(
                "word+folded marks pieces with a #, which a word of the whitespace analyzer may begin with: use "
                "--terms word, or another analyzer"
            )
        if self.k < 1:
            raise ConfigError(f"K, the aligned terms of a document, must be at least 1, not {self.k}")
        if self.k == 1 and self.floor == "kth":
            raise ConfigError("K = 1 with floor kth leaves no aligned term: take a larger K, or floor zero")
        if self.mix != AUTO and (isinstance(self.mix, str) or not 0 <= self.mix <= 100):
            raise ConfigError(f"mix must be {AUTO} or between 0 and 100, not {self.mix}")
        if not 0 <= self.pieces <= 1:
            raise ConfigError(f"pieces, their share beside words, must be between 0 and 1, not {self.pieces}")
        if self.least != AUTO and (isinstance(self.least, str) or self.least < 1):
            raise ConfigError(f"least, the documents of a decoded word, must be {AUTO} or at least 1, not {self.least}")
        if self.kept < 0:
            raise ConfigError(
                f"kept, the aligned terms that become postings, must be at least 0 (all), not {self.kept}"
            )
        if self.composed < 1:
            raise ConfigError(f"composed, the documents of a composed word, must be at least 1, not {self.composed}")
        if not 1 <= self.bits <= 16:
            raise ConfigError(f"bits must be between 1 and 16, not {self.bits}")

    @property
    def weight(self) -> float:
        """The mix as a number.

        :raises ConfigError: It has not been chosen yet.
        """
        if isinstance(self.mix, str):
            raise ConfigError("the mix is still to be chosen for the collection: call choose_mix, or name a number")
        return self.mix

    def shares(self, parts: int) -> tuple[float, ...]:
        """Return the share of each part of the term space: all of one; of words and pieces, what `pieces` says.

        :param parts: One or two.
        """
        return (1.0,) if parts == 1 else (1 - self.pieces, self.pieces)

    def with_changes(self, **changes: Any) -> "SparseConfig":
        """Return a copy in which the choices that are not None are replaced."""
        return replace(self, **{key: value for key, value in changes.items() if value is not None})

    def as_dict(self) -> dict[str, Any]:
        """Return the choices as plain values, for a manifest; those that came later have no entry where they are usual.

        So an index of an earlier version is still known for what it is.
        """
        return {name: value for name, value in asdict(self).items() if value != USUAL.get(name, ...)}


# Chosen on train splits: benchmarks/results/sweep-*.md, benchmarks/results/ablation; K on that of pydocs (one index,
# first shipped adapter, mix 1: .2501 with 512, .2701 with 1,024).
# One entry a term space: `word` is the one-index mode, `folded` and `token` are the paper's method with its pieces
# alone, and `word+folded` is the one-index mode with pieces in a field of their own, by about as many postings.
# `least`: words of two documents or more gave .2671 and with pieces .2618 on the train split of pydocs, all words gave
# .2686 and .2642. So small vocabularies keep their rare words, and large ones, where they cost most, do not.
# `composed`, `bits`: benchmarks/results/bytes.md, chosen on train and dev splits, whose mean nDCG@10 is within .001 of
# that with all words in 8 bits, at four tenths of the bytes. `kept` 384 costs .002 there, and cost .009 on queries that
# are whole texts (docs/results.md), 256 costs .0095. Pieces: 384 words and pieces cost .007.
# K and the share of pieces: pydocs' train split .2533 (`word`) -> .2618, SciFact's .7246 -> .7256, adapted embedders.
DEFAULTS: dict[str, SparseConfig] = {
    "word": SparseConfig(composed=3, bits=5),
    "folded": SparseConfig(terms="folded", literal=False, weighting="log1p"),
    "token": SparseConfig(terms="token", literal=False, weighting="log1p"),
    "word+folded": SparseConfig(terms="word+folded", k=512, composed=3, bits=5),
}


def default_config(terms: str = "word", **changes: Any) -> SparseConfig:
    """Return the defaults of a term space, changed where asked.

    :param terms: Term space.
    :param changes: Choices to change; those that are None are left.
    :return: The choices.
    :raises ConfigError: Unknown term space, or a choice outside its range.
    """
    if terms not in DEFAULTS:
        raise ConfigError(f"terms must be one of {', '.join(TERM_SPACES)}, not {terms!r}")
    return DEFAULTS[terms].with_changes(**changes)
