import math

import pytest
import torch

from mnist_sweep import schedules


def rates(build, epochs=20, steps=3, lr=0.003, losses=None, **settings):
    """The learning rate of every step of a run, as a list of epochs."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    schedule = build(optimizer, epochs, steps, **settings)
    recorded = []
    for epoch in range(epochs):
        recorded.append([])
        for _ in range(steps):
            recorded[-1].append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.after_step()
        schedule.after_epoch(losses[epoch] if losses else 1.0)
    return recorded


def first(recorded):
    return [epoch[0] for epoch in recorded]


def test_four_phase_gives_the_published_rates_over_20_epochs():
    published = [0.003] * 4 + [0.000990] * 7 + [0.000327] * 6 + [0.000108] * 3
    assert first(rates(schedules.four_phase)) == pytest.approx(published, abs=5e-7)


@pytest.mark.parametrize(
    ("epochs", "lengths"), [(40, [8, 14, 12, 6]), (10, [2, 4, 2, 2]), (5, [1, 2, 1, 1])]
)
def test_four_phase_fits_any_number_of_epochs(epochs, lengths):
    recorded = first(rates(schedules.four_phase, epochs=epochs))
    expected = [0.003 * 0.33**phase for phase, n in enumerate(lengths) for _ in range(n)]
    assert recorded == pytest.approx(expected)


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_four_phase_starts_at_the_given_rate_however_short_the_run(epochs):
    assert first(rates(schedules.four_phase, epochs=epochs))[0] == 0.003


def test_cosine_falls_from_the_rate_towards_its_floor():
    recorded = first(rates(schedules.cosine, epochs=10, floor=0.1))
    expected = [
        0.0003 + (0.003 - 0.0003) * (1 + math.cos(math.pi * epoch / 10)) / 2 for epoch in range(10)
    ]
    assert recorded == pytest.approx(expected)


def test_one_cycle_peaks_at_its_multiple_after_the_warm_up_and_ends_near_zero():
    recorded = rates(schedules.one_cycle, epochs=10, steps=10, peak=2.0, warmup=0.3)
    steps = [rate for epoch in recorded for rate in epoch]
    assert max(steps) == pytest.approx(0.006, rel=1e-3)
    assert steps.index(max(steps)) == pytest.approx(30, abs=1)
    assert steps[-1] < 1e-5
    assert len(steps) == 100


def test_one_cycle_is_torchs_where_that_is_defined():
    steps = [r for epoch in rates(schedules.one_cycle, 10, 10, warmup=0.3) for r in epoch]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.003)
    reference = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.003, total_steps=100, pct_start=0.3, cycle_momentum=False
    )
    expected = []
    for _ in range(100):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if len(expected) < 100:
            reference.step()
    assert steps == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("warmup", "epochs"), [(0.05, 19), (0.1, 9), (0.25, 3), (0.5, 1)])
@pytest.mark.parametrize("steps", [1, 16])
def test_one_cycle_fits_every_length(warmup, epochs, steps):
    recorded = rates(schedules.one_cycle, epochs, steps, warmup=warmup)
    assert all(0 < rate <= 0.003 for epoch in recorded for rate in epoch)


def test_constant_stays():
    assert set(first(rates(schedules.constant))) == {0.003}


def test_plateau_falls_only_after_patience_epochs_without_a_lower_loss():
    losses = [1.0, 0.9, 0.9, 0.9, 0.9, 0.8]
    recorded = first(rates(schedules.plateau, epochs=6, losses=losses, factor=0.5, patience=2))
    assert recorded == pytest.approx([0.003] * 5 + [0.0015])


@pytest.mark.parametrize(
    ("build", "settings", "message"),
    [
        (schedules.four_phase, {"phases": [0.5, 0.2]}, r"phases must increase .* got \[0.5, 0.2\]"),
        (schedules.four_phase, {"phases": [0.5, 0.5]}, "phases must increase"),
        (schedules.four_phase, {"phases": [0.0, 0.5]}, "phases must increase"),
        (schedules.four_phase, {"phases": [0.5, 1.0]}, "phases must increase"),
        (schedules.four_phase, {"factor": 0.0}, "factor must be in .* got 0.0"),
        (schedules.four_phase, {"factor": float("nan")}, "got nan"),
        (schedules.cosine, {"floor": 1.5}, "floor must be in .* got 1.5"),
        (schedules.one_cycle, {"peak": 0.0}, "peak must be greater than 0, but got 0.0"),
        (schedules.one_cycle, {"warmup": 1.0}, "warmup must be in .* got 1.0"),
        (schedules.plateau, {"patience": -1}, "cannot be negative, but got -1"),
        (schedules.plateau, {"factor": 1.0}, "factor must be in .* got 1.0"),
    ],
)
def test_settings_that_make_no_sense_are_refused_with_the_value(build, settings, message):
    with pytest.raises(ValueError, match=message):
        rates(build, **settings)


@pytest.mark.parametrize(
    "build",
    [
        schedules.four_phase,
        schedules.cosine,
        schedules.one_cycle,
        schedules.constant,
        schedules.plateau,
    ],
)
def test_a_restored_schedule_goes_on_as_if_never_interrupted(build, tmp_path):
    whole = rates(build, epochs=6)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.003)
    schedule = build(optimizer, 6, 3)
    for _ in range(3):
        for _ in range(3):
            optimizer.step()
            schedule.after_step()
        schedule.after_epoch(1.0)
    torch.save([optimizer.state_dict(), schedule.state_dict()], tmp_path / "state.pt")
    saved = torch.load(tmp_path / "state.pt", weights_only=True)

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.003)
    schedule = build(optimizer, 6, 3)
    optimizer.load_state_dict(saved[0])
    schedule.load_state_dict(saved[1])
    resumed = []
    for _ in range(3):
        resumed.append([])
        for _ in range(3):
            resumed[-1].append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.after_step()
        schedule.after_epoch(1.0)
    assert resumed == whole[3:]
