"""The loop: it learns, goes on after a stop to the same bytes, and tells what is in its way in one line."""

import errno
import json
import os
import shutil

import pytest

from sparseembed.errors import ConfigError, EmbedderError
from sparseembed.pseudo.pairs import Pair
from sparseembed.training import trainer
from sparseembed.training.batches import BatchPlan
from sparseembed.training.trainer import Job, as_texts, train_adapter


class Stops(Exception):
    pass


class StopsAt:
    """A plan that raises at a step, once."""

    def __init__(self, plan, step):
        self._plan, self._step = plan, step

    def batch(self, step):
        if step == self._step:
            raise Stops
        return self._plan.batch(step)


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr(trainer, "CHECKPOINT_EVERY", 3)
    monkeypatch.setattr(trainer, "VALIDATE_EVERY", 4)


@pytest.fixture
def job(source, recipe):
    training, validation = source.pairs[:100], source.pairs[100:110]
    plan = BatchPlan([source.__class__("nouns", training)], recipe.batch, recipe.seed)
    return Job(plan, validation, [pair.positive for pair in training], "fingerprint")


@pytest.fixture
def embedder(tiny_embedder):
    return tiny_embedder("tied")


@pytest.fixture
def trained(embedder, tmp_path):
    """Return a function that trains and gives the curve and the adapter's bytes."""

    def run(job, recipe, name, embedder=embedder):
        out, work = tmp_path / f"{name}-out", tmp_path / f"{name}-work"
        out.mkdir(exist_ok=True)
        curve = train_adapter(embedder, job, recipe, work, out)
        return curve, {file.name: file.read_bytes() for file in sorted(out.iterdir())}

    return run


def stopped_at(job, step):
    return Job(StopsAt(job.plan, step), job.validation, job.documents, job.data)


def error_of(run, *arguments, kind=EmbedderError):
    with pytest.raises(kind) as caught:
        run(*arguments)
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_the_losses_fall_on_what_can_be_learned(trained, job, recipe):
    (first, *_, last), _ = trained(job, recipe.with_changes(steps=24, learning_rate=0.03, sparsity=0.1), "a")
    assert (first.step, last.step) == (4, 24)
    for name in ("dense", "aligned"):
        assert last.loss[name] < first.loss[name]
        assert last.validation[name] < first.validation[name]


@pytest.mark.parametrize("name", ["searched", "distilled", "fused"])
def test_the_score_of_an_index_is_learned_and_goes_on_after_a_stop_to_the_same_bytes(trained, job, recipe, name):
    """On one and the same batch: a teacher that is the model itself moves, and other batches hide what was learned."""

    class Same:
        def batch(self, step):
            return job.plan.batch(0)

    same = Job(Same(), [], job.documents, job.data)
    recipe = recipe.with_changes(objectives=(name,), learning_rate=0.03)
    (first, *_, last), _ = undisturbed = trained(same, recipe, "whole")
    assert last.loss[name] < 0.9 * first.loss[name]
    with pytest.raises(Stops):
        trained(stopped_at(same, 7), recipe, "cut")
    assert trained(same, recipe, "cut") == undisturbed


def test_the_curve_has_the_means_between_its_points(trained, job, recipe):
    curve, files = trained(job, recipe.with_changes(steps=10), "a")
    assert [point.step for point in curve] == [4, 8, 10]
    assert all(set(point.loss) == set(point.validation) == set(recipe.objectives) for point in curve)
    assert sorted(files) == ["adapter_config.json", "adapter_model.safetensors"]


def test_a_run_without_held_out_pairs_has_no_held_out_loss(trained, job, recipe):
    curve, _ = trained(Job(job.plan, [], job.documents, job.data), recipe.with_changes(steps=4), "a")
    assert [point.validation for point in curve] == [None]


@pytest.mark.parametrize("cached", [1, 100_000])
def test_a_stopped_run_goes_on_to_the_same_bytes(trained, job, recipe, tmp_path, cached):
    recipe = recipe.with_changes(cached_tokens=cached)
    undisturbed = trained(job, recipe, "whole")
    assert trained(job, recipe, "again") == undisturbed
    for step in (1, 7, 8):  # before the first checkpoint; between two; and again, after the one that the last left
        with pytest.raises(Stops):
            trained(stopped_at(job, step), recipe, "cut")
    assert list((tmp_path / "cut-out").iterdir()) == []
    taken = []

    class Plan:
        def batch(self, step):
            taken.append(step)
            return job.plan.batch(step)

    assert trained(Job(Plan(), job.validation, job.documents, job.data), recipe, "cut") == undisturbed
    assert taken == list(range(6, 12))
    # All steps done: nothing is trained again, and the bytes are still the same.
    assert trained(stopped_at(job, 0), recipe, "cut") == undisturbed


def test_the_checkpoint_of_another_job_is_one_line(trained, job, recipe, tiny_embedder, tmp_path):
    with pytest.raises(Stops):
        trained(stopped_at(job, 4), recipe, "a")
    checkpoint = tmp_path / "a-work" / "checkpoint.pt"
    before = checkpoint.read_bytes()
    others = [
        (job, recipe.with_changes(seed=1), "a"),
        (Job(job.plan, job.validation, job.documents, "other data"), recipe, "a"),
        (job, recipe, "a", tiny_embedder("untied")),
        (job, recipe, "a", tiny_embedder("tied", document_prompt="say {text}")),
        (job, recipe, "a", tiny_embedder("tied", pooling="mean")),
    ]
    for other in others:
        message = error_of(trained, *other, kind=ConfigError)
        assert f"the checkpoint {checkpoint} is of another recipe, corpus or model: pass --restart" in message
    assert checkpoint.read_bytes() == before


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 nonsense", None])
def test_a_damaged_checkpoint_is_one_line(trained, job, recipe, tmp_path, damage):
    with pytest.raises(Stops):
        trained(stopped_at(job, 4), recipe, "a")
    checkpoint = tmp_path / "a-work" / "checkpoint.pt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-300] if damage is None else damage)
    message = error_of(trained, job, recipe, "a", kind=ConfigError)
    assert message == f"the checkpoint {checkpoint} is damaged: pass --restart to begin again"


def test_nan_in_the_loss_names_the_step_and_keeps_what_was_learned(trained, job, recipe, monkeypatch, tmp_path):
    import torch

    whole = trainer_contrast()

    def broken(logits):
        broken.calls += 1
        return whole(logits) * (torch.nan if broken.calls == 8 else 1)

    broken.calls = 0
    only_dense = recipe.with_changes(objectives=("dense",), steps=9)
    undisturbed = trained(Job(job.plan, [], job.documents, job.data), only_dense, "whole")
    quiet = Job(job.plan, [], job.documents, job.data)
    with monkeypatch.context() as patch:
        patch.setattr("sparseembed.training.objectives.contrast", broken)
        message = error_of(trained, quiet, only_dense, "a")
    assert "the loss is NaN or infinity at step 8; what was learned up to step 6 is kept" in message
    assert "take a smaller learning rate, or float32" in message
    assert list((tmp_path / "a-out").iterdir()) == []
    # With the cause gone, it goes on from there.
    assert trained(quiet, only_dense, "a") == undisturbed


def trainer_contrast():
    from sparseembed.training.objectives import contrast

    return contrast


def test_weights_of_nan_are_one_line(trained, job, recipe, model_copy, tiny_embedder):
    from safetensors.numpy import load_file, save_file

    folder = model_copy("untied")
    weights = load_file(folder / "model.safetensors")
    weights["model.layers.0.mlp.down_proj.weight"][:] = float("nan")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    message = error_of(trained, job, recipe, "a", tiny_embedder(folder))
    assert message.startswith("the loss is NaN or infinity at step 1: ")


def test_a_gradient_of_infinity_is_not_learned_from(trained, job, recipe, monkeypatch):
    import torch

    class Steep(torch.autograd.Function):
        @staticmethod
        def forward(context, value):
            return value.clone()

        @staticmethod
        def backward(context, gradient):
            return gradient * torch.inf

    whole = trainer_contrast()
    monkeypatch.setattr("sparseembed.training.objectives.contrast", lambda logits: Steep.apply(whole(logits)))
    assert "NaN or infinity at step 1" in error_of(trained, job, recipe.with_changes(objectives=("dense",)), "a")


def test_want_of_memory_is_one_line_and_other_failures_are_not_hidden(trained, job, recipe, monkeypatch, tmp_path):
    from sparseembed.training.encoder import TrainedEncoder

    undisturbed = trained(job, recipe, "whole")
    whole, calls = TrainedEncoder.backward, []

    def failing(text, step):
        def backward(self, *arguments):
            calls.append(1)
            if len(calls) == step:
                raise RuntimeError(text)
            return whole(self, *arguments)

        calls.clear()
        return backward

    with monkeypatch.context() as patch:
        patch.setattr(TrainedEncoder, "backward", failing("CUDA out of memory.\nTried to allocate 2 GiB", 5))
        message = error_of(trained, job, recipe, "a")
        assert message.startswith("memory does not suffice for step 5; what was learned up to step 3 is kept: pass a")
        patch.setattr(TrainedEncoder, "backward", failing("a fault of ours", 1))
        with pytest.raises(RuntimeError, match="a fault of ours"):
            trained(job, recipe, "a")
    assert trained(job, recipe, "a") == undisturbed


def test_no_room_for_the_checkpoint_keeps_the_one_before(trained, job, recipe, monkeypatch, tmp_path):
    import torch

    undisturbed = trained(job, recipe, "whole")
    save, saved = torch.save, []

    def full(kept, handle):
        if saved:
            handle.write(b"a part")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        saved.append(kept["done"])
        save(kept, handle)

    checkpoint = tmp_path / "a-work" / "checkpoint.pt"
    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", full)
        message = error_of(trained, job, recipe, "a")
    assert message.startswith(f"the checkpoint {checkpoint} cannot be written (No space left on device): make room")
    assert saved == [3]
    assert [file.name for file in checkpoint.parent.iterdir()] == ["checkpoint.pt"]
    assert torch.load(checkpoint, weights_only=True)["done"] == 3
    assert trained(job, recipe, "a") == undisturbed


def test_torchs_own_word_for_a_full_disk_is_one_line_too(trained, job, recipe, monkeypatch):
    import torch

    def full(kept, handle):
        raise RuntimeError("[enforce fail at inline_container.cc:603] .\nunexpected pos 64 vs 0")

    monkeypatch.setattr(torch, "save", full)
    assert "cannot be written ([enforce fail at inline_container.cc:603]" in error_of(trained, job, recipe, "a")


def test_what_killed_runs_left_is_swept(trained, job, recipe, tmp_path):
    work = tmp_path / "a-work"
    work.mkdir()
    (work / ".checkpoint.pt.abc123.tmp").write_bytes(b"half")
    trained(job, recipe.with_changes(steps=3), "a")
    assert [file.name for file in work.iterdir()] == ["checkpoint.pt"]


def test_the_checkpoint_holds_no_more_than_numbers_and_is_small(trained, job, recipe, tmp_path):
    import torch

    trained(job, recipe.with_changes(steps=3), "a")
    kept = torch.load(tmp_path / "a-work" / "checkpoint.pt", weights_only=True)
    assert kept["done"] == 3
    parameters = sum(each.numel() for each in kept["parameters"].values())
    assert (tmp_path / "a-work" / "checkpoint.pt").stat().st_size < 12 * parameters + 60_000
    assert json.loads(json.dumps(kept["curve"]))[0][0] == 3


def test_a_model_without_an_lm_head_is_one_line(trained, job, recipe, tiny_embedder):
    bert = tiny_embedder("bert", attention="bidirectional")
    assert "LM head" in error_of(trained, job, recipe, "a", bert)


def test_negatives_come_after_the_positives():
    pairs = [Pair("q1", "p1", "n1"), Pair("q2", "p2"), Pair("q3", "p3", "n3")]
    texts = as_texts(pairs)
    assert (list(texts.queries), list(texts.documents)) == (["q1", "q2", "q3"], ["p1", "p2", "p3", "n1", "n3"])


def test_hard_negatives_are_trained_on(trained, job, recipe):
    class WithNegatives:
        def batch(self, step):
            return [pair._replace(negative="earth " + pair.query) for pair in job.plan.batch(step)]

    small = recipe.with_changes(steps=3)
    plain = trained(job, small, "plain")
    hard = trained(Job(WithNegatives(), job.validation, job.documents, job.data), small, "hard")
    assert hard[0][-1].loss["dense"] > plain[0][-1].loss["dense"]
    assert hard[1]["adapter_model.safetensors"] != plain[1]["adapter_model.safetensors"]


def test_the_adapter_is_what_the_curve_was_measured_on(trained, job, recipe, tmp_path, tiny_embedder):
    """The held-out loss of the last point comes out again from the adapter on disk, but for bfloat16's rounding."""
    import torch

    from sparseembed.training.batch import centred
    from sparseembed.training.objectives import contrast

    recipe = recipe.with_changes(objectives=("dense",), steps=6)
    curve, _ = trained(job, recipe, "a")
    sides = []
    adapted = {"adapters": (str(tmp_path / "a-out"),)}
    for side, length in (("query", recipe.query_length), ("document", recipe.document_length)):
        texts = as_texts(job.validation)
        embedder = tiny_embedder("tied", **adapted, max_length=length)
        vectors = torch.from_numpy(embedder.encode(texts.queries if side == "query" else texts.documents, side))
        sides.append(torch.nn.functional.normalize(centred(vectors), dim=1))
    loss = float(contrast(sides[0] @ sides[1].T / recipe.temperature))
    assert loss == pytest.approx(curve[-1].validation["dense"], rel=0.02)


def test_a_folder_of_work_may_be_thrown_away(trained, job, recipe, tmp_path):
    small = recipe.with_changes(steps=3)
    first = trained(job, small, "a")
    shutil.rmtree(tmp_path / "a-work")
    assert trained(job, small, "a") == first
