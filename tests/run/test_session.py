"""A run whose trial another process takes meanwhile: it stops, and writes nothing more."""

import json
import time

import pytest

from mnist_sweep.config_checks import check
from mnist_sweep.errors import LeaseLost
from mnist_sweep.run import session
from mnist_sweep.run.directory import RunDirectory
from mnist_sweep.run.execute import execute
from tests.conftest import read_json_lines

SETTINGS = ["model=linear", "data=mnist_5k", "tracking=none", "epochs=3", "batch_size=500"]
BATCHES = 8  # an epoch: 4,000 images


class FakeReporter:
    """A way to a trial that is taken before the given look, with what was done at each look."""

    def __init__(self, taken_at=None, found_after=None):
        self.taken_at, self.found_after = taken_at, found_after
        self.checks, self.batches, self.reported, self.passed = 0, 0, [], []
        self.taken = False

    @property
    def lost(self):
        self.batches += 1
        if self.found_after is not None and self.batches > self.found_after:
            self.taken = True
        return self.taken

    def check(self):
        self.checks += 1
        if self.taken or (self.taken_at is not None and self.checks >= self.taken_at):
            self.taken = True
            raise LeaseLost("trial 0 was taken over")

    def report(self, value, step, may_stop=True):
        self.check()
        self.reported.append(step)

    def reached(self, step):
        self.check()
        self.passed.append(step)


@pytest.fixture
def run(composed, tmp_path):
    """Return a function that runs a trial with a reporter, in a directory of its own."""

    def run_trial(reporter, *overrides):
        config = check(composed(*SETTINGS, "study=s", "trial=0", *overrides))
        return execute(
            config, tmp_path / "run", name="linear", resume=False, sweep="s", reporter=reporter
        )

    return run_trial


def files(directory):
    """What there is in a run's directory, by name; of what a tracker writes, nothing."""
    return {path: path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()}


def status(directory):
    return json.loads((directory / "result.json").read_text())["status"]


def test_a_run_asks_before_everything_that_it_writes(run, tmp_path):
    reporter = FakeReporter()
    run(reporter)
    assert reporter.reported == [1, 2, 3]
    assert reporter.batches == 3 * BATCHES
    # At the beginning, twice an epoch, before its files and its report, and before its result.
    assert reporter.checks == 1 + 3 * 2 + 1
    assert status(tmp_path / "run") == "complete"


@pytest.mark.parametrize("taken_at", range(1, 9))
def test_a_run_stops_at_the_first_look_at_which_its_trial_is_anothers(run, tmp_path, taken_at):
    """Every look in turn is the first one: what is there then is there afterwards."""
    seen = []

    class Noting(FakeReporter):
        def check(self):
            if self.checks + 1 == self.taken_at:
                seen.append(files(tmp_path / "run"))
            super().check()

    reporter = Noting(taken_at)
    with pytest.raises(LeaseLost):
        run(reporter)
    assert files(tmp_path / "run") == seen[0]
    assert reporter.checks == taken_at
    if taken_at > 1:
        assert status(tmp_path / "run") == "running"


def test_a_run_whose_lease_the_heartbeat_finds_lost_stops_at_the_next_batch(run, tmp_path):
    reporter = FakeReporter(found_after=BATCHES + 3)
    with pytest.raises(LeaseLost):
        run(reporter)
    assert reporter.batches == BATCHES + 4  # of the second epoch, three were trained with
    assert reporter.reported == [1]
    assert [line["epoch"] for line in read_json_lines(tmp_path / "run/metrics.jsonl")] == [1]
    assert status(tmp_path / "run") == "running"


def test_a_run_that_fails_when_its_trial_is_anothers_does_not_record_that(
    run, tmp_path, monkeypatch
):
    """A machine that wakes up may have lost its GPU, or its user's patience."""
    reporter = FakeReporter()
    seen = []

    def fail(self, figures):
        reporter.taken = True
        seen.append(files(tmp_path / "run"))
        raise RuntimeError("the GPU has fallen off the bus")

    monkeypatch.setattr(session.Narrator, "epoch", fail)
    with pytest.raises(RuntimeError, match="fallen off"):
        run(reporter)
    assert files(tmp_path / "run") == seen[0]
    assert status(tmp_path / "run") == "running"


@pytest.mark.parametrize("answer", ["its own", "no answer"])
def test_a_run_that_fails_records_that_unless_its_trial_is_known_to_be_anothers(
    run, tmp_path, monkeypatch, answer
):
    reporter = FakeReporter()

    def silent():
        raise OSError("the storage does not answer")

    def fail(self, figures):
        if answer == "no answer":
            monkeypatch.setattr(reporter, "check", silent)
        raise RuntimeError("a bug")

    monkeypatch.setattr(session.Narrator, "epoch", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        run(reporter)
    assert status(tmp_path / "run") == "failed"


@pytest.mark.parametrize(
    ("write", "reported"),
    [
        ("append_metrics", [1]),
        ("save_best", [1]),
        ("save_last", [1]),
        ("write_result", [1, 2, 3]),
    ],
)
def test_a_run_that_is_stopped_between_a_look_and_a_write_looks_again(
    run, tmp_path, monkeypatch, write, reported
):
    reporter, before = FakeReporter(), {}
    real, asleep = time.monotonic, [0.0]
    monkeypatch.setattr(session, "now", lambda: real() + asleep[0])
    wrote = getattr(RunDirectory, write)

    def stopped(directory, *arguments):
        if reporter.reported == reported:  # SIGSTOP, and another machine takes the trial
            before.update(files(directory.path))
            asleep[0], reporter.taken = 60.0, True
        return wrote(directory, *arguments)

    monkeypatch.setattr(RunDirectory, write, stopped)
    with pytest.raises(LeaseLost):
        run(reporter)
    assert before
    assert files(tmp_path / "run") == before


def test_a_resumed_run_whose_trial_is_anothers_changes_nothing_before_it_looks(run, tmp_path):
    with pytest.raises(LeaseLost):
        run(FakeReporter(found_after=BATCHES + 3))
    metrics = tmp_path / "run/metrics.jsonl"
    metrics.write_text(
        metrics.read_text() + metrics.read_text().replace('"epoch": 1', '"epoch": 2')
    )
    before = files(tmp_path / "run")
    with pytest.raises(LeaseLost):
        run(FakeReporter(taken_at=1))
    assert files(tmp_path / "run") == before


@pytest.mark.parametrize("when", [4, None])
def test_trackers_are_left_and_not_ended_where_the_trial_is_anothers(run, monkeypatch, when):
    """A tracker whose end fails does not hide the reason either."""
    called = []

    class Tracker:
        def start(self, model, as_seen):
            called.append("start")

        def epoch(self, figures, model):
            called.append("epoch")

        def finish(self, result, drawn):
            called.append("finish")

        def abandon(self, result):
            called.append("abandon")

        def leave(self):
            called.append("leave")
            raise OSError("no space left on device")

    monkeypatch.setattr(session, "trackers", lambda *given: [Tracker()])
    if when is None:
        run(FakeReporter())
        assert called == ["start", "epoch", "epoch", "epoch", "finish"]
    else:
        with pytest.raises(LeaseLost):
            run(FakeReporter(when))
        assert called == ["start", "epoch", "leave"]


def test_a_run_of_several_objectives_says_which_epochs_it_has_done(run):
    reporter = FakeReporter()
    run(reporter, "objective=[val_acc,parameters]", "epochs=3")
    assert (reporter.passed, reporter.reported) == ([1, 2, 3], [])


@pytest.mark.parametrize("left", [[], [0], [0, 2], [1, 2]], ids=str)
def test_a_trial_whose_metrics_are_behind_its_checkpoint_starts_again(run, tmp_path, caplog, left):
    """As a power cut leaves them."""
    run(FakeReporter())
    directory = tmp_path / "run"
    complete = read_json_lines(directory / "metrics.jsonl")
    result = json.loads((directory / "result.json").read_text())
    (directory / "result.json").write_text(json.dumps(result | {"status": "running"}))
    lines = (directory / "metrics.jsonl").read_text().splitlines(keepends=True)
    (directory / "metrics.jsonl").write_text("".join(lines[index] for index in left))
    run(FakeReporter())
    again = read_json_lines(directory / "metrics.jsonl")
    assert [line["val_loss"] for line in again] == [line["val_loss"] for line in complete]
    assert caplog.text.count("metrics.jsonl lacks epoch") == 1


DAMAGED = [lambda content: content[: len(content) // 2], lambda content: b""]


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_trial_whose_checkpoint_is_damaged_starts_again_and_says_so(
    run, tmp_path, caplog, damage
):
    run(FakeReporter())
    complete = read_json_lines(tmp_path / "run/metrics.jsonl")
    directory = tmp_path / "run"
    result = json.loads((directory / "result.json").read_text())
    (directory / "result.json").write_text(json.dumps(result | {"status": "running"}))
    last = directory / "checkpoints/last.pt"
    last.write_bytes(damage(last.read_bytes()))
    left = last.with_name(".last.pt.0123abcd.tmp")
    left.write_bytes(b"half")
    run(FakeReporter())
    again = read_json_lines(directory / "metrics.jsonl")
    assert [line["val_loss"] for line in again] == [line["val_loss"] for line in complete]
    assert caplog.text.count("last.pt is damaged") == 1
    recorded = json.loads((directory / "result.json").read_text())
    assert "last.pt is damaged" in recorded["started_again"]
    assert recorded["status"] == "complete"
    assert not left.exists()
