"""What is varied, how a combination is sought, and from which queries."""

import pytest
from apart import meter as meters
from apart.choices import BITS, FOLDED, MIXES, ONE_INDEX, PRUNING, SOUGHT, alone, grid_of, named
from apart.meter import Row, ascend, measure_alone
from apart.mixing import best_mix
from apart.stored import task_of, tuning_split

from sparseembed.data.collection import Collection
from sparseembed.data.corpus import Corpus, Document
from sparseembed.errors import ConfigError, DataError


class Peaks(meters.Meter):
    """Measures by a function of the choices."""

    def __init__(self, value):
        self.value, self.asked = value, []

    def measure(self, section, field, name, choices):
        self.asked.append(choices)
        return Row(section, field, name, choices.as_dict(), self.value(choices), 0.0, 1.0, 2.0)


def collection(**splits):
    corpus = Corpus([Document("d", "", "text")], "small")
    queries = {f"q{number}": "text" for number in range(10)}
    return Collection.in_memory(
        corpus, queries, {split: {q: {"d": 1} for q in found} for split, found in splits.items()}
    )


def test_a_choice_of_the_index_or_of_the_queries_is_changed_alone():
    changed = ONE_INDEX.but(k=8, query_idf=True)
    assert (changed.sparse.k, changed.query_idf, changed.confident) == (8, True, False)
    assert changed.but(k=ONE_INDEX.sparse.k, query_idf=False) == ONE_INDEX
    assert changed.as_dict()["k"] == changed.value("k") == 8
    assert named("k", changed) == "K = 8"


def test_every_choice_is_varied_around_the_start():
    grid = grid_of(ONE_INDEX, SOUGHT, BITS, PRUNING)
    assert grid["mix"] == MIXES
    assert "mix" not in grid_of(FOLDED, SOUGHT)
    for field, choices in alone(ONE_INDEX, grid):
        assert choices.but(**{field: ONE_INDEX.value(field)}) == ONE_INDEX
    assert {choices.sparse.k for field, choices in alone(ONE_INDEX, grid) if field == "k"} == set(SOUGHT["k"])
    assert max(map(len, grid_of(ONE_INDEX, SOUGHT, BITS, quick=True).values())) == 3


def test_a_start_outside_the_grid_is_a_variant_too():
    found = [choices.sparse.k for _, choices in alone(ONE_INDEX.but(k=77), {"k": (8, 16)})]
    assert found == [77, 8, 16]
    # None stands for "all" where postings are pruned: the start is the default row then.
    assert [choices.best for _, choices in alone(ONE_INDEX, {"best": (8, 16)})] == [8, 16]


def test_coordinate_ascent_climbs_and_stops():
    # K is worth more with a linear weighting: the second round changes it once more.
    def value(choices):
        wanted = 64 if choices.sparse.weighting == "linear" else 8
        return 0.5 - 0.001 * abs(choices.sparse.k - wanted) + 0.2 * (choices.sparse.weighting == "linear")

    meter = Peaks(value)
    best, steps = ascend(meter, "x", FOLDED, {"k": (8, 64, 512), "weighting": ("log1p", "linear")}, rounds=3)
    assert (best.sparse.k, best.sparse.weighting) == (64, "linear")
    assert [(step.round, step.name) for step in steps] == [
        (0, "default"),
        (1, "K = 8"),
        (1, "weighting = linear"),
        (2, "K = 64"),
    ]
    assert steps[-1].ndcg == value(best)
    # Two rounds at most are enough to get there, and one is not.
    assert ascend(meter, "x", FOLDED, {"k": (8, 64, 512), "weighting": ("log1p", "linear")}, rounds=1)[0].sparse.k == 8


def test_a_gain_below_the_least_changes_nothing():
    meter = Peaks(lambda choices: 0.5 + 0.0004 * (choices.sparse.k == 8))
    assert ascend(meter, "x", FOLDED, {"k": (8, 512)}) == (FOLDED, [meters.Step(0, "default", 0.5)])


@pytest.mark.parametrize(
    ("value", "usual", "best"),
    [
        (lambda mix: min(mix, 0.3), 0.3, 0.3),
        (lambda mix: min(mix, 0.3), 0.05, 0.3),
        (lambda mix: min(mix, 0.3), 1.0, 1.0),
        (lambda mix: 0.9, 0.3, 0.3),
        (lambda mix: 0.9 - 0.0004 * mix, 0.35, 0.3),
        (lambda mix: 0.9 - 0.01 * mix, 0.3, 0.05),
        (lambda mix: 0.9 - 0.1 * mix, 0.3, 0.0),
    ],
)
def test_the_best_mix_is_the_usual_one_unless_another_gains(value, usual, best):
    rows = measure_alone(Peaks(lambda choices: value(choices.sparse.mix)), "mix", ONE_INDEX, {"mix": MIXES})
    assert best_mix([row for row in rows if row.field == "mix"], usual) == best


def test_the_split_to_tune_on():
    assert tuning_split(collection(test=["q1"], dev=["q2"], train=["q3"]), None) == "train"
    assert tuning_split(collection(test=["q1"], dev=["q2"]), None) == "dev"
    assert tuning_split(collection(test=["q1"], extra=["q2"]), "extra") == "extra"


def test_test_is_never_tuned_on():
    with pytest.raises(ConfigError, match="nothing is tuned on the split test"):
        tuning_split(collection(test=["q1"], train=["q2"]), "test")
    with pytest.raises(DataError, match=r"small has no split to tune on .* it has test"):
        tuning_split(collection(test=["q1"]), None)
    with pytest.raises(DataError, match="has no split 'nope'"):
        tuning_split(collection(test=["q1"]), "nope")


def test_queries_are_sampled_evenly_and_kept_under_a_name_of_their_own():
    whole = collection(train=[f"q{number}" for number in range(10)])
    task = task_of(whole, "train", 4)
    assert (task.label, list(task.queries), list(task.qrels)) == (
        "train-4",
        ["q0", "q2", "q5", "q7"],
        list(task.queries),
    )
    assert task_of(whole, "train", 10).label == task_of(whole, "train").label == "train"
