"""The command, from configurations to a conclusion, with real runs in real processes."""

import json
import math
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from filelock import FileLock

from mnist_sweep.cli import arguments
from mnist_sweep.cli.arguments import ArgumentError, parse
from mnist_sweep.confirm import __main__ as entry
from mnist_sweep.confirm.__main__ import Confirm
from mnist_sweep.confirm.asked import check_asked, folder_of
from mnist_sweep.confirm.candidates import Changes, ConfirmError, of_runs
from mnist_sweep.confirm.conclusion import read_conclusions
from mnist_sweep.confirm.runs import errors_in, planned
from mnist_sweep.confirm.work import Workers, evaluate_run, train_seed
from mnist_sweep.data import DataError
from mnist_sweep.files import FileError
from tests.conftest import QUICK, read_json_lines, run_alone

RUNS = "linear,mlp"
FOLDER = Path("outputs/confirmation")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder with a finished run of a linear model, and one of a small network."""
    folder = tmp_path_factory.mktemp("trained")
    for name, more in (("linear", []), ("mlp", ["model=mlp", "model.hidden=20"])):
        words = [
            *QUICK,
            *more,
            "threads=1",
            "data.download=false",
            f"hydra.run.dir={folder}/{name}",
        ]
        run_alone(*words)
    return folder


@pytest.fixture
def runs(trained):
    """Copies of the two runs, which a test may change."""
    for name in RUNS.split(","):
        shutil.copytree(trained / name, name)
    return RUNS


def epochs(directory):
    """The figures of a run's epochs but for the clock's."""
    lines = read_json_lines(directory / "metrics.jsonl")
    return [{k: v for k, v in line.items() if "second" not in k} for line in lines]


@pytest.mark.slow
def test_two_configurations_are_trained_with_fresh_seeds_and_compared(runs, command, quick, capsys):
    capsys.readouterr()
    entry.main(Confirm(runs=runs, seeds=2, n_jobs=2))
    said = capsys.readouterr().out
    assert "2 configurations with 2 seeds (1000 to 1001): 4 runs, 0 of them done" in said
    assert "workers: 2 processes of this machine, their output in outputs/confirmation" in said
    assert "(4/4); 0s left" in said
    assert "figures: outputs/confirmation/confirmation.json" in said
    (conclusion,) = read_conclusions([FOLDER.parent])
    assert {s.title for s in conclusion.standings} == {"linear", "mlp"}
    assert (conclusion.images, conclusion.data) == (500, "mnist_5k")
    for standing in conclusion.standings:
        for seed, accuracy in zip(standing.seeds, standing.accuracies, strict=True):
            result = json.loads((FOLDER / standing.title / str(seed) / "result.json").read_text())
            assert accuracy == pytest.approx(result["test_acc"])
            assert (result["model"], result["seed"]) == (standing.model, seed)

    # Each is the run that its own command would be.
    assert command(*quick, "threads=1", "seed=1001", "hydra.run.dir=alone") == 0
    assert epochs(FOLDER / "linear" / "1001") == epochs(Path("alone"))

    # Once more there is nothing to do.
    before = {p: p.stat().st_mtime_ns for p in FOLDER.glob("*/*/metrics.jsonl")}
    capsys.readouterr()
    entry.main(Confirm(runs=runs, seeds=2))
    assert "workers:" not in capsys.readouterr().out

    # With more seeds the runs that are there are kept. One that fails, here since its directory
    # holds what no run of ours left, is said and tried again by the same command.
    (run,) = planned(of_runs(["linear"], Changes()), [1002], FOLDER)
    refused = run.directory / "metrics.jsonl"
    refused.mkdir()
    message = r"1 of 2 runs failed: .*1002 already holds a run: .*retries them"
    with pytest.raises(ConfirmError, match=message):
        entry.main(Confirm(runs=runs, seeds=3, n_jobs=1))
    assert "6 runs, 4 of them done" in capsys.readouterr().out
    refused.rmdir()
    entry.main(Confirm(runs=runs, seeds=3, n_jobs=1))
    assert "6 runs, 5 of them done" in capsys.readouterr().out
    assert len(before) == 4
    assert all(path.stat().st_mtime_ns == changed for path, changed in before.items())
    (conclusion,) = read_conclusions([FOLDER.parent])
    assert [len(s.seeds) for s in conclusion.standings] == [3, 3]

    with pytest.raises(ConfirmError, match=r"has run with other settings than linear has now"):
        entry.main(Confirm(runs=runs, seeds=2, epochs=1, to=str(FOLDER)))


@pytest.mark.slow
def test_a_confirmation_that_is_stopped_or_killed_goes_on(runs, capsys):
    words = ["mnist_sweep.confirm", "runs=linear", "seeds=2", "epochs=25", "n_jobs=1"]
    line = [sys.executable, "-m", *words]
    folder = Path("outputs/confirmation-25-epochs")
    metrics = folder / "linear" / "1000" / "metrics.jsonl"
    for number, after, said in (
        (signal.SIGINT, 2, "stopped with 0 of 2 runs done; the same command resumes"),
        (signal.SIGKILL, 5, ""),
    ):
        process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while not (metrics.exists() and len(metrics.read_text().splitlines()) > after):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        assert said in process.communicate()[0].decode()
        assert process.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL)
    capsys.readouterr()
    entry.main(Confirm(runs="linear", seeds=2, epochs=25, n_jobs=1))
    (log,) = (folder / "workers").iterdir()
    assert log.read_text().count("resuming after epoch") == 2
    assert [line["epoch"] for line in read_json_lines(metrics)] == list(range(1, 26))
    assert "figures: outputs/confirmation-25-epochs/confirmation.json" in capsys.readouterr().out


def test_data_that_are_not_there_are_said_before_anything_is_trained(runs, monkeypatch):
    monkeypatch.setenv("MNIST_SWEEP_DATA", "nowhere")
    with pytest.raises(DataError, match="nowhere"):
        entry.main(Confirm(runs=runs, seeds=2, data="mnist", n_jobs=1))
    assert not Path("outputs/confirmation-mnist/workers").exists()


def listed(run, split):
    return json.loads(errors_in(run.directory, split).read_text())


def test_a_seed_lists_its_errors_on_validation_and_looks_at_test_when_it_is_told_to(runs):
    planned_runs = planned(of_runs(["linear"], Changes()), [5], Path("to"))
    (run,) = planned_runs
    assert not run.done
    train_seed(run.directory, "linear")
    assert run.done
    errors = listed(run, "val")
    assert (errors["images"], len(errors["losses"])) == (500, 500)
    assert len(errors["wrong"]) == round((1 - run.result["val_acc"]) * 500)
    assert sum(errors["losses"]) / 500 == pytest.approx(run.result["val_loss"], rel=1e-4)
    assert "test_acc" not in run.result
    assert not run.errors.exists()
    evaluate_run(run.directory)
    assert len(listed(run, "test")["wrong"]) == round((1 - run.result["test_acc"]) * 500)
    assert run.result["status"] == "complete"
    assert listed(run, "test")["fingerprint"] != errors["fingerprint"]


def test_a_run_of_before_there_were_races_is_listed_and_not_trained_again(runs):
    (run,) = planned(of_runs(["linear"], Changes()), [5], Path("to"))
    train_seed(run.directory, "linear")
    errors_in(run.directory, "val").unlink()
    metrics = run.directory / "metrics.jsonl"
    before = metrics.stat().st_mtime_ns
    assert (run.ended, run.done) == (True, False)
    train_seed(run.directory, "linear")
    assert run.done
    assert metrics.stat().st_mtime_ns == before


def test_workers_that_have_nothing_to_do_are_not_started(runs):
    (run,) = planned(of_runs(["linear"], Changes()), [5], Path("to"))
    with Workers([run], Path("to/workers"), 1) as workers:
        workers.train([])
        workers.test([])
    assert not Path("to/workers").exists()


def test_seeds_take_other_splits_in_turn(runs):
    planned_runs = planned(of_runs(["linear"], Changes()), [5, 6, 7], Path("to"), splits=2)
    assert [run.split for run in planned_runs] == [1, 2, 1]
    assert [run.config.data.split_seed for run in planned_runs] == [1, 2, 1]
    for run in planned_runs:
        train_seed(run.directory, "linear")
    prints = [listed(run, "val")["fingerprint"] for run in planned_runs]
    assert prints[0] == prints[2] != prints[1]
    with pytest.raises(ConfirmError, match="has run with other settings"):
        planned(of_runs(["linear"], Changes()), [5], Path("to"))


def test_settings_are_checked_before_anything_is_written_and_may_change_until_a_run_begins(runs):
    candidates = of_runs(["linear", "mlp"], Changes(epochs=500))
    begun = planned(candidates, [5], Path("to"))
    planned(of_runs(["linear", "mlp"], Changes()), [5], Path("to"))  # a typo, and none has run yet
    config = begun[0].directory / ".hydra" / "config.yaml"
    assert "epochs: 2" in config.read_text()
    (begun[1].directory / "metrics.jsonl").touch()
    before = config.read_text()
    with pytest.raises(ConfirmError, match="to/mlp/5 has run with other settings than mlp has now"):
        planned(candidates, [5], Path("to"))
    assert config.read_text() == before


def test_two_confirmations_of_one_folder_do_not_run_at_once(runs):
    FOLDER.mkdir(parents=True)
    with (
        FileLock(FOLDER / ".lock"),
        pytest.raises(ConfirmError, match="another confirmation is running in outputs/confirm"),
    ):
        entry.main(Confirm(runs=runs))


def test_a_folder_that_cannot_be_written_to_is_one_line(runs):
    Path("file").touch()
    with pytest.raises(FileError, match="to=file cannot be written: File exists"):
        entry.main(Confirm(runs=runs, to="file"))


@pytest.mark.parametrize(
    ("asked", "folder"),
    [
        (Confirm(study="s"), "multirun/s/confirmation"),
        (Confirm(study="s", data="mnist"), "multirun/s/confirmation-mnist"),
        (Confirm(study="s", data="mnist", epochs=1), "multirun/s/confirmation-mnist-1-epoch"),
        (Confirm(runs="a", epochs=1000), "outputs/confirmation-1000-epochs"),
        (Confirm(study="s", split_seeds=3), "multirun/s/confirmation-3-splits"),
        (Confirm(study="s", epochs=20, to="x"), "x"),
    ],
)
def test_other_work_has_a_folder_of_its_own(asked, folder):
    record = SimpleNamespace(home=Path("multirun") / asked.study) if asked.study else None
    assert folder_of(asked, record) == Path(folder)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (Confirm(), "give study=, or run directories with runs="),
        (Confirm(runs=" , "), "give study=, or run directories with runs="),
        (
            Confirm(runs="a", seeds=1),
            "seeds must be at least 2, but got 1: one run has no interval",
        ),
        (Confirm(runs="a", top=0), "top must be at least 1, but got 0"),
        (Confirm(runs="a", n_jobs=0), "n_jobs must be at least 1, but got 0"),
        (Confirm(runs="a", epochs=0), "epochs must be at least 1, but got 0"),
        (Confirm(runs="a", first=-1), "first must be at least 0, but got -1"),
        (Confirm(runs="a", first=2**32), "first must be at most 4294967286, but got 4294967296"),
        (Confirm(runs="a", hours=0), "hours must be above 0, but got 0"),
        (Confirm(runs="a", hours=math.nan), "hours must be above 0, but got nan"),
        (Confirm(runs="a", margin=-1), "margin must be from 0 to 100 points, but got -1"),
        (Confirm(runs="a", split_seeds=0), "split_seeds must be at least 1, but got 0"),
        (Confirm(runs="a", split_seeds=6), "split_seeds=6 are more splits than seeds=5 can take"),
        (Confirm(runs="a", ablate=True), "ablate=true needs study=: the way begins at its default"),
        (
            Confirm(study="s", ablate=True, default=False),
            "ablate=true needs default=true: the way begins at its default",
        ),
    ],
)
def test_what_cannot_be_asked_is_refused(asked, message):
    with pytest.raises(arguments.ArgumentError, match=message):
        entry.main(asked)


@pytest.mark.parametrize("word", ["top=4", "storage=sqlite:///x.db", "default=false"])
def test_what_is_of_a_study_has_no_effect_on_runs_alone(word):
    asked = parse(Confirm, ["runs=outputs/a", word])
    with pytest.raises(
        ArgumentError, match=f"{word.split('=')[0]}=.* has no effect without study="
    ):
        check_asked(asked)
