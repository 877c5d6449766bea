"""How long a confirmation has left, of runs whose records are written by hand."""

import json
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from mnist_sweep.confirm.candidates import Candidate
from mnist_sweep.confirm.runs import SeedRun
from mnist_sweep.confirm.time_left import Pace
from tests.clock import Clock

EPOCHS = 4


@pytest.fixture
def clock(monkeypatch):
    """The time; the runs have begun with it."""
    monkeypatch.setattr(SeedRun, "written_at", property(lambda run: 1000.0))
    return Clock()


def runs_of(key, seeds, **source):
    """Runs whose configuration has been run before."""
    config = OmegaConf.create({"epochs": EPOCHS})
    candidate = Candidate(key, key, config, source)
    return [SeedRun(candidate, seed, Path(key) / str(seed)) for seed in range(seeds)]


def train(run, seconds, epochs=EPOCHS):
    """Leave the record of some epochs of a run; of all of them, that it is complete."""
    run.directory.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"epoch": 1 + n, "seconds": seconds}) + "\n" for n in range(epochs)]
    (run.directory / "metrics.jsonl").write_text("".join(lines))
    (run.directory / "result.json").write_text(json.dumps({"status": "running"}))
    if epochs == EPOCHS:
        (run.directory / "val_errors.json").write_text("{}")
        (run.directory / "result.json").write_text(json.dumps({"status": "complete"}))


def go_on(pace, clock, seconds):
    clock.now += seconds
    pace.watch()


def test_it_is_unknown_until_an_epoch_is_done(clock):
    pace = Pace([runs_of("a", 2)], 1, clock)
    go_on(pace, clock, 5)
    assert pace.left() is None


def test_runs_of_one_configuration_take_as_long_as_those_before(clock):
    runs = runs_of("a", 4)
    pace = Pace([runs], 2, clock)
    train(runs[0], 2.5)
    train(runs[1], 2.5)
    go_on(pace, clock, 11)
    assert pace.left() == pytest.approx(11)


def test_the_last_run_takes_its_own_time_though_other_slots_are_idle(clock):
    runs = runs_of("a", 3)
    pace = Pace([runs], 2, clock)
    train(runs[0], 2.5)
    train(runs[1], 2.5)
    go_on(pace, clock, 10)
    assert pace.left() == pytest.approx(10)
    train(runs[2], 2.5, epochs=2)
    go_on(pace, clock, 5)
    assert pace.left() == pytest.approx(5)


def test_a_slow_configuration_after_a_fast_one_is_known_by_the_run_that_it_is_taken_from(clock):
    fast = runs_of("fast", 2, seconds=0.4, max_epochs=4)
    slow = runs_of("slow", 2, seconds=80.0, max_epochs=8)
    pace = Pace([[*fast, *slow]], 1, clock)
    for run in fast:
        train(run, 0.2)  # half as fast as before, as the slow ones then will be
    go_on(pace, clock, 2 * 4 * 0.2)
    assert pace.left() == pytest.approx(2 * 4 * 20)
    train(slow[0], 5.0)  # and they are not
    go_on(pace, clock, 20)
    assert pace.left() == pytest.approx(20)


def test_a_configuration_of_which_nothing_is_known_is_as_the_others(clock):
    runs = [*runs_of("a", 1), *runs_of("b", 1)]
    pace = Pace([runs], 1, clock)
    train(runs[0], 3.0)
    go_on(pace, clock, 12)
    assert pace.left() == pytest.approx(12)


def test_what_was_done_before_is_no_part_of_the_pace(clock):
    runs = runs_of("a", 2)
    train(runs[0], 1.0, epochs=2)
    pace = Pace([runs], 1, clock)
    train(runs[0], 1.0, epochs=3)
    go_on(pace, clock, 2)
    assert pace.left() == pytest.approx(5 * 2)


def test_a_damaged_record_is_left_to_its_run(clock):
    runs = runs_of("a", 2)
    pace = Pace([runs], 1, clock)
    train(runs[0], 1.0)
    train(runs[1], 1.0, epochs=1)
    (runs[1].directory / "metrics.jsonl").write_text("{\n")
    go_on(pace, clock, 5)
    assert pace.left() == pytest.approx(3)


def test_a_round_is_waited_for_before_the_next_begins(clock):
    runs = runs_of("a", 4)
    pace = Pace([runs[:3], runs[3:]], 2, clock)
    train(runs[0], 2.5)
    train(runs[1], 2.5)
    go_on(pace, clock, 10)
    assert pace.left() == pytest.approx(10 + 10)  # one run each, the other slot waits
    pace.only([runs[:3], []])
    assert pace.left() == pytest.approx(10)


def test_a_run_takes_as_long_as_its_source_did_until_something_is_known(clock):
    known, new = runs_of("a", 1, seconds=40.0, epochs=4), runs_of("b", 1)
    pace = Pace([[*known, *new]], 1, clock)
    assert pace.of(known[0]) == pytest.approx(EPOCHS * 10)
    assert pace.of(new[0]) == pytest.approx(EPOCHS * 10)  # as the others
    train(known[0], 5.0)
    go_on(pace, clock, 20)
    assert pace.of(new[0]) == pytest.approx(EPOCHS * 5)
    assert Pace([runs_of("c", 1)], 1, clock).of(runs_of("c", 1)[0]) is None
