import copy
from functools import partial

import pytest
import torch

from mnist_sweep.data import Pipeline
from mnist_sweep.models import MLP, StagedCNN
from mnist_sweep.schedules import constant, four_phase, one_cycle, plateau
from mnist_sweep.training.loop import (
    Criterion,
    Diverged,
    EarlyStopping,
    Precision,
    Tracker,
    Training,
)
from mnist_sweep.training.stacked import fit_many, why_not_stacked
from tests.training.test_loop import digits

SEEDS = (0, 1, 2)
EPOCHS, BATCH, IMAGES = 3, 16, 72  # the last batch is short


class Double(Pipeline):
    """In float64 the runs' rounding does not grow into a difference within a test."""

    def prepare(self, images, draws=None):
        return super().prepare(images, draws).double()


def small_cnn():
    return StagedCNN([[4, 6], [6, 6]], dropout=0.0)


def dropping_cnn():
    return StagedCNN([[4, 6], [6, 6]], dropout=0.3)


class Frozen(MLP):
    def __init__(self):
        super().__init__()
        next(self.parameters()).requires_grad_(False)


class Scaled(MLP):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()))

    def forward(self, images):
        return super().forward(images) * self.scale


def trainings(
    model=small_cnn, optimizer=torch.optim.Adam, schedule=constant, seeds=SEEDS, **settings
):
    made = []
    for seed in seeds:
        torch.manual_seed(seed)
        network = model().double().to(memory_format=torch.channels_last)
        steps = optimizer(network.parameters(), **{"lr": 0.01, **settings})
        generator = torch.Generator().manual_seed(seed)
        plan = schedule(steps, EPOCHS, -(-IMAGES // BATCH))
        made.append(Training(network, steps, plan, generator))
    return made


def run(works, stacked, epochs=EPOCHS, after=None):
    lines = [[] for _ in works]

    def record(position):
        def append(figures, is_best):
            lines[position].append(figures)
            return after(position, figures) if after else None

        return append

    ends = fit_many(
        works,
        digits(IMAGES),
        digits(50, 1),
        Double(),
        epochs=epochs,
        batch_size=BATCH,
        precision=Precision(),
        after_epoch=[record(position) for position in range(len(works))],
        stacked=stacked,
    )
    return ends, lines


def assert_same(one, other):
    for a, b in zip(one, other, strict=True):
        states = a.state_dict(), b.state_dict()
        for part in ("model", "optimizer"):
            torch.testing.assert_close(states[0][part], states[1][part])
        assert states[0]["schedule"] == states[1]["schedule"]
        assert torch.equal(states[0]["generator"], states[1]["generator"])


@pytest.mark.parametrize(
    ("optimizer", "settings"),
    [
        (torch.optim.SGD, {"momentum": 0.9, "weight_decay": 1e-3}),
        (torch.optim.Adam, {"fused": True}),
        (torch.optim.AdamW, {"weight_decay": 0.1}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
@pytest.mark.parametrize("schedule", [constant, four_phase, one_cycle])
def test_stacked_runs_are_the_separate_runs(optimizer, settings, schedule):
    together = trainings(optimizer=optimizer, schedule=schedule, **settings)
    apart = trainings(optimizer=optimizer, schedule=schedule, **settings)
    _, stacked = run(together, True)
    _, separate = run(apart, False)
    assert_same(together, apart)
    for one, other in zip(stacked, separate, strict=True):
        for a, b in zip(one, other, strict=True):
            assert (a.epoch, a.lr) == (b.epoch, b.lr)
            for name in ("train_loss", "train_acc", "val_loss", "val_acc"):
                assert getattr(a, name) == pytest.approx(getattr(b, name), rel=1e-5)


def test_seeds_give_different_networks():
    works = trainings()
    run(works, True, epochs=1)
    weights = [work.model.classifier.weight for work in works]
    assert not torch.allclose(weights[0], weights[1])


def test_stacked_runs_go_on_from_where_they_stand():
    whole = trainings(momentum=0.9, optimizer=torch.optim.SGD)
    run(whole, True)
    halves = trainings(momentum=0.9, optimizer=torch.optim.SGD)
    run(halves, True, epochs=1)
    state = copy.deepcopy([work.state_dict() for work in halves])
    resumed = trainings(momentum=0.9, optimizer=torch.optim.SGD)
    for work, saved in zip(resumed, state, strict=True):
        work.load_state_dict(saved)
    run(resumed, True)
    assert_same(resumed, whole)


@pytest.mark.parametrize("stacked", [True, False])
def test_a_run_that_ends_leaves_the_others_alone(stacked):
    works, alone = trainings(schedule=four_phase), trainings(schedule=four_phase)
    stop = lambda position, figures: "enough" if position == 0 else None  # noqa: E731
    ends, lines = run(works, stacked, after=stop)
    assert ends == ["enough", None, None]
    assert [len(each) for each in lines] == [1, EPOCHS, EPOCHS]
    run(alone[:1], False, epochs=1)
    run(alone[1:], False)
    assert_same(works, alone)


@pytest.mark.parametrize("stacked", [True, False])
def test_a_run_that_diverges_is_told_and_leaves_the_others_alone(stacked):
    works, alone = trainings(), trainings(seeds=SEEDS[1:])
    with torch.no_grad():
        works[0].model.classifier.weight.fill_(float("nan"))
    ends, lines = run(works, stacked)
    assert isinstance(ends[0], Diverged)
    assert ends[1:] == [None, None]
    assert [len(each) for each in lines] == [1, EPOCHS, EPOCHS]
    run(alone, False)
    assert_same(works[1:], alone)


@pytest.mark.parametrize("stacked", [True, False])
def test_early_stopping_is_each_runs_own(stacked):
    works, alone = trainings(), trainings()
    works[1].early_stopping = EarlyStopping(Tracker(Criterion(), min_delta=100.0), patience=1)
    ends, lines = run(works, stacked)
    assert ends == [None, "val_loss has not improved for 1 epochs", None]
    assert [len(each) for each in lines] == [EPOCHS, 2, EPOCHS]
    run([alone[0], alone[2]], False)
    run(alone[1:2], False, epochs=2)
    assert_same(works, alone)


def test_one_after_another_each_run_is_what_it_would_be_alone():
    dropping = lambda: MLP(hidden=20, dropout=0.5)  # noqa: E731
    together = trainings(model=dropping)
    run(together, False)
    for seed, work in zip(SEEDS, together, strict=True):
        alone = trainings(model=dropping, seeds=(seed,))
        run(alone, False, epochs=1)
        torch.rand(7)  # whatever else the process draws
        run(alone, False)
        for name, value in alone[0].model.state_dict().items():
            assert torch.equal(value, work.model.state_dict()[name])


def test_dropout_masks_differ_between_runs():
    works = trainings(model=lambda: MLP(hidden=20, dropout=0.5), seeds=(0, 0))
    _, lines = run(works, True, epochs=1)
    assert lines[0][0].train_loss != lines[1][0].train_loss


def test_on_the_cpu_runs_are_trained_one_after_another(monkeypatch):
    monkeypatch.setattr(
        "mnist_sweep.training.stacked._fit_stacked", lambda *a, **k: pytest.fail("stacked")
    )
    ends, _ = run(trainings(), None, epochs=1)
    assert ends == [None, None, None]


@pytest.mark.parametrize(
    ("works", "reason"),
    [
        (lambda: [*trainings(), *trainings(model=MLP)], "differ in shape"),
        (lambda: [*trainings(), *trainings(model=dropping_cnn)], "in more than their weights"),
        (lambda: trainings(optimizer=torch.optim.Adagrad), "Adagrad is not known"),
        (lambda: [*trainings(), *trainings(weight_decay=0.1)], "settings differ"),
        (lambda: trainings(schedule=plateau), "follow their validation losses"),
        (lambda: trainings(model=Frozen), "frozen"),
        (lambda: trainings(model=Scaled), "a single number"),
    ],
)
def test_what_cannot_be_stacked_is_told_and_trained_in_a_loop(works, reason):
    made = works()
    assert reason in why_not_stacked(made)
    with pytest.raises(ValueError, match=reason):
        run(made, True, epochs=1)
    ends, _ = run(made, None, epochs=1)
    assert ends == [None] * len(made)


def test_runs_with_different_schedules_cannot_be_stacked():
    works = [*trainings(schedule=four_phase), *trainings(schedule=constant)]
    assert why_not_stacked(works) == "their learning-rate schedules differ"


def test_runs_whose_schedules_follow_other_functions_cannot_be_stacked():
    late = partial(one_cycle, warmup=0.5)  # begins with the same rate
    works = [*trainings(schedule=one_cycle, seeds=(0,)), *trainings(schedule=late, seeds=(1,))]
    assert why_not_stacked(works) == "their learning-rate schedules differ"
    assert why_not_stacked(trainings(schedule=late)) is None


def test_runs_that_were_evaluated_can_be_stacked_with_new_ones():
    works = trainings()
    works[0].model.eval()
    assert why_not_stacked(works) is None


def test_runs_at_different_epochs_cannot_be_stacked():
    works = trainings()
    works[0].epoch = 1
    assert why_not_stacked(works) == "they are not at the same epoch"
