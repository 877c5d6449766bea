"""The course of a race, with workers that write what runs would leave."""

import json
from contextlib import contextmanager

import pytest

from mnist_sweep.confirm.candidates import Candidate
from mnist_sweep.confirm.conclude import Terms, conclude
from mnist_sweep.confirm.course import Course, Deadline, look_at_test
from mnist_sweep.confirm.runs import SeedRun

IMAGES = 200
# Of 200 images, so many are wrong with each seed, apart from the seed's own number of them.
WRONG = {"good": 2, "close": 4, "bad": 120}


class FakeWorkers:
    """What `Workers` are to a course; `trained` and `tested` are what they have done."""

    environments = ({}, {})

    def __init__(self, stop_after=None):
        self.trained, self.tested, self.stop_after = [], [], stop_after
        self.together = []  # how many runs each round handed over

    def __str__(self):
        return "2 processes"

    def prepare(self, runs):
        pass

    def train(self, runs, watch, may_start):
        self.together.append(len(runs))
        for run in runs:
            if not may_start(run):
                return
            if self.stop_after is not None and len(self.trained) == self.stop_after:
                raise KeyboardInterrupt
            self.trained.append((run.candidate.key, run.seed))
            leave(run)
            watch([run])

    def test(self, runs):
        self.tested += [(run.candidate.key, run.seed) for run in runs]
        for run in runs:
            write_errors(run, "test")


def leave(run):
    """Write what a trained run leaves."""
    run.directory.mkdir(parents=True, exist_ok=True)
    figures = {"val_acc": 1 - WRONG[run.candidate.key] / IMAGES, "val_loss": 0.1}
    data = {"name": "mnist_5k", "fingerprint": "x"}
    result = {"status": "complete", "parameters": 100, "data": data, **figures}
    (run.directory / "result.json").write_text(json.dumps(result))
    (run.directory / "metrics.jsonl").write_text('{"epoch": 1, "seconds": 2.0}\n')
    write_errors(run, "val")


def write_errors(run, split):
    wrong = list(range(WRONG[run.candidate.key] + run.seed % 3))
    found = {"images": IMAGES, "wrong": wrong, "fingerprint": split}
    (run.directory / f"{split}_errors.json").write_text(json.dumps(found))


@pytest.fixture
def runs_of(composed, tmp_path):
    config = composed("model=linear", "data=mnist_5k", "tracking=none", "epochs=1")

    def make(seeds, *keys):
        candidates = [Candidate(key, key, config, {}) for key in keys]
        return [SeedRun(c, s, tmp_path / c.key / str(s)) for c in candidates for s in range(seeds)]

    return make


@contextmanager
def clock_of(seconds_a_look):
    """A clock that goes on by so much with every look at it."""
    times = iter(range(0, 10**9, seconds_a_look))
    yield lambda: next(times)


def test_what_falls_behind_gets_no_more_seeds_and_no_test(runs_of, capsys):
    runs, workers = runs_of(10, "good", "close", "bad"), FakeWorkers()
    dropped = Course(runs, range(10), "val_acc", True).run(workers, Deadline(None))
    assert list(dropped) == ["bad"]
    seeds = dropped["bad"].seeds
    assert [s for key, s in workers.trained if key == "bad"] == list(range(seeds))
    assert len(workers.trained) == 20 + seeds
    terms = Terms("val_acc", dropped=dropped)
    look_at_test(runs, terms, workers)
    assert {key for key, _ in workers.tested} == {"good", "close"}
    assert [s.title for s in conclude(runs, terms).standings] == ["good", "close", "bad"]
    said = capsys.readouterr().out
    assert "3 configurations with at most 10 seeds (0 to 9): 30 runs, 0 of them done" in said
    assert f"bad is dropped after {seeds} seeds: good is better on validation images" in said
    assert "at most" in said.split("good, seed 0: ")[1].splitlines()[0]


def test_seeds_are_trained_in_turn_so_that_all_have_as_many(runs_of):
    workers = FakeWorkers()
    Course(runs_of(3, "good", "close"), range(3), "val_acc", True).run(workers, Deadline(None))
    assert workers.trained == [(key, seed) for seed in range(3) for key in ("good", "close")]


def test_without_a_rival_all_seeds_left_are_one_round(runs_of):
    alone = FakeWorkers()
    Course(runs_of(20, "good"), range(20), "val_acc", True).run(alone, Deadline(None))
    assert alone.together == [20]
    raced = FakeWorkers()
    dropped = Course(runs_of(20, "close", "bad"), range(20), "val_acc", True).run(
        raced, Deadline(None)
    )
    seeds = dropped["bad"].seeds
    assert sum(raced.together[:-1]) == 2 * seeds
    assert raced.together[-1] == 20 - seeds


def test_without_a_race_all_are_trained_and_tested(runs_of):
    runs, workers = runs_of(10, "good", "bad"), FakeWorkers()
    assert Course(runs, range(10), "val_acc", False).run(workers, Deadline(None)) == {}
    look_at_test(runs, Terms("val_acc"), workers)
    assert len(workers.trained) == len(workers.tested) == 20


def test_a_dropped_default_is_tested_with_the_seeds_that_it_has(runs_of):
    runs, workers = runs_of(10, "good", "bad"), FakeWorkers()
    dropped = Course(runs, range(10), "val_acc", True).run(workers, Deadline(None))
    terms = Terms("val_acc", dropped=dropped, default="bad")
    look_at_test(runs, terms, workers)
    assert sum(key == "bad" for key, _ in workers.tested) == dropped["bad"].seeds
    assert conclude(runs, terms).against_default.sign == 1


@pytest.mark.parametrize("after", [0, 1, 5, 7, 12])
def test_an_interrupted_race_is_resumed_and_ends_as_one_that_was_not(runs_of, after):
    runs = runs_of(10, "good", "close", "bad")
    with pytest.raises(KeyboardInterrupt):
        Course(runs, range(10), "val_acc", True).run(FakeWorkers(after), Deadline(None))
    rest = FakeWorkers()
    dropped = Course(runs, range(10), "val_acc", True).run(rest, Deadline(None))
    assert len(rest.trained) + after == 20 + dropped["bad"].seeds
    again = FakeWorkers()
    assert Course(runs, range(10), "val_acc", True).run(again, Deadline(None)) == dropped
    assert again.trained == []


def test_more_seeds_later_leave_out_what_was_dropped(runs_of, capsys):
    Course(runs_of(6, "good", "bad"), range(6), "val_acc", True).run(FakeWorkers(), Deadline(None))
    more = FakeWorkers()
    Course(runs_of(8, "good", "bad"), range(8), "val_acc", True).run(more, Deadline(None))
    assert more.trained == [("good", 6), ("good", 7)]
    assert "bad is dropped after" in capsys.readouterr().out.split("at most 8 seeds")[0]


def test_when_the_hours_are_over_no_run_is_started_and_what_there_is_is_concluded(runs_of, capsys):
    runs, workers = runs_of(10, "good", "close"), FakeWorkers()
    with clock_of(60) as clock:
        deadline = Deadline(0.15, clock)  # 9 minutes, 27 seconds of which are kept for test
        dropped = Course(runs, range(10), "val_acc", True).run(workers, deadline)
    assert deadline.over
    assert 0 < len(workers.trained) < 20
    terms = Terms("val_acc", dropped=dropped)
    look_at_test(runs, terms, workers)
    found = conclude(runs, terms)
    assert sum(found.missing.values()) == 20 - len(workers.trained)
    assert f"the hours are over after {len(workers.trained)} of 20 runs" in capsys.readouterr().out


def test_a_run_that_would_not_end_in_time_is_not_started():
    deadline = Deadline(1.0, lambda: 0.0)
    assert deadline.allows(3600 - 60)
    assert deadline.allows(None)
    assert not deadline.allows(3600 - 59)
    assert not deadline.allows(1.0)  # nor a shorter one after it, so that all have as many seeds
    assert Deadline(None).allows(1e9)
