"""A study counted as it changes, against the same study counted at once."""

import random

import optuna
import pytest

from mnist_sweep.sweep.trials import tally as module
from mnist_sweep.sweep.trials.status import TrialStatus
from mnist_sweep.sweep.trials.tally import Tally
from tests.sweep.conftest import add

NAMES = ("counts", "finished", "launched", "best", "best_value", "since_best", "epochs_saved")


def state(tally):
    """All that a tally says, as plain data."""
    said = {name: getattr(tally, name) for name in NAMES}
    said["best"] = [trial.number for trial in tally.best]
    said["closest"] = tally.closest and tally.closest.number
    said["ended"] = sorted(trial.number for trial in tally.ended)
    said["running"] = [trial.number for trial in tally.running]
    said["waiting"] = [trial.number for trial in tally.waiting]
    return said | {f"best {count}": tally.best_numbers(count) for count in (1, 3, 99)}


def change(study, draw):
    """Have something happen in a study: a trial is queued, begins or ends somehow."""
    what = draw.choice(["ask", "queue", "complete", "complete", "pruned", "failed", "rejected"])
    values = [draw.choice([0.1, 0.5, 0.5, 0.9]) for _ in study.directions]
    if what == "ask":
        study.ask()
    elif what == "queue":
        study.enqueue_trial({"x": draw.random()})
    elif what == "complete":
        add(study, TrialStatus.COMPLETE, values, draw.choice([-1.0, -1.0, 1.0]))
    elif what == "pruned":
        add(study, TrialStatus.PRUNED, epochs=2, max_epochs=draw.randint(2, 9))
    elif what == "failed":
        add(study, TrialStatus.FAILED, reason="diverged")
    else:
        add(study, TrialStatus.REJECTED, excess=draw.choice([-1.0, 1.0, 2.0]), reason="over")
    running = [t for t in study.trials if t.state == optuna.trial.TrialState.RUNNING]
    if running and draw.random() < 0.3:
        study.tell(draw.choice(running).number, values)


@pytest.mark.parametrize("directions", [["maximize"], ["minimize"], ["maximize", "minimize"]])
@pytest.mark.parametrize("seed", range(3))
def test_counting_what_changes_gives_what_counting_everything_gives(directions, seed):
    study, draw = optuna.create_study(directions=directions), random.Random(seed)
    tally = Tally(study)
    for _ in range(60):
        for _ in range(draw.randint(0, 3)):
            change(study, draw)
        tally.renew()
        assert state(tally) == state(Tally(study))


def test_a_trial_that_has_ended_is_looked_at_once(monkeypatch):
    study = optuna.create_study(direction="maximize")
    for number in range(100):
        add(study, TrialStatus.COMPLETE, number / 100)
    study.ask()
    tally = Tally(study)
    looked_at = []
    status_of = module.status_of
    monkeypatch.setattr(module, "status_of", lambda t: looked_at.append(t.number) or status_of(t))
    add(study, TrialStatus.COMPLETE, 0.5)
    tally.renew()
    assert tally.counts[TrialStatus.COMPLETE] == 101
    assert (tally.best_value, tally.since_best) == (0.99, 1)
    assert looked_at == [101, 100]  # the new one; and the one that runs, to be counted


def test_of_equal_trials_the_first_by_number_is_the_best_whichever_ended_first():
    study = optuna.create_study(direction="minimize")
    first, second = study.ask(), study.ask()
    study.tell(second, 0.5)
    tally = Tally(study)
    study.tell(first, 0.5)
    tally.renew()
    assert [trial.number for trial in tally.best] == [0]


def test_the_front_of_several_objectives_has_what_none_is_better_than():
    study = optuna.create_study(directions=["maximize", "minimize"])
    for values in ([0.9, 10.0], [0.8, 20.0], [0.95, 30.0], [0.9, 10.0], [0.99, 5.0]):
        add(study, TrialStatus.COMPLETE, values, -1.0)
        assert {t.number for t in Tally(study).best} == {t.number for t in study.best_trials}
    assert [trial.number for trial in Tally(study).best] == [4]


def test_an_empty_study_has_nothing_best():
    tally = Tally(optuna.create_study())
    assert (tally.best, tally.best_value, tally.since_best, tally.closest) == ([], None, 0, None)
    assert tally.best_numbers(3) == set()
