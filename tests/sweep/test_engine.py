"""Sweeps from the command line, of networks that train in a fraction of a second."""

import errno
import json
import os
import shutil
import signal
import sys
from contextlib import redirect_stdout, suppress
from pathlib import Path

import optuna
import pytest
from omegaconf import OmegaConf
from optuna.trial import TrialState
from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

from mnist_sweep import train
from mnist_sweep.run import session
from mnist_sweep.run.directory import RunDirectory
from mnist_sweep.sweep.trials.status import TrialStatus, attributes_of, status_of
from mnist_sweep.sweep.trials.tally import Tally
from mnist_sweep.training.loop import Diverged
from tests.conftest import hydra_alone

STORAGE = "sqlite:///multirun/optuna.db"
# A hidden unit has 795 parameters: up to 25 of them fit the budget.
QUICK = [
    "-m",
    "search=command_line",
    "hydra.sweeper.study_name=s",
    "model=mlp",
    "data=mnist_5k",
    "tracking=none",
    "epochs=1",
    "batch_size=256",
    "hydra/launcher=basic",
    "optimizer.lr=tag(log, interval(0.001, 0.1))",
]
WIDE = "model.hidden=range(10, 61)"
NARROW = "model.hidden=range(20, 25)"
SMALL = "model.hidden=range(10, 26)"
TOO_WIDE = "model.hidden=range(30, 61)"


def trials(name="s"):
    return optuna.load_study(study_name=name, storage=STORAGE).trials


def results(name="s"):
    return OmegaConf.load(f"multirun/{name}/optimization_results.yaml")


def directories(name="s"):
    return sorted(int(p.name) for p in Path(f"multirun/{name}").iterdir() if p.name.isdigit())


@pytest.fixture
def sweep(command):
    """Return a function that runs a quick sweep of n trials."""
    return lambda n, *arguments: command(*QUICK, f"hydra.sweeper.n_trials={n}", *arguments)


def sweep_in(folder, *arguments):
    """A quick sweep in a folder, which has what it printed in printed.txt."""
    with (
        pytest.MonkeyPatch.context() as patch,
        hydra_alone(),
        (folder / "printed.txt").open("w") as printed,
        redirect_stdout(printed),
    ):
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["train", *QUICK, *arguments])
        train.main()
    return folder


@pytest.fixture(scope="module")
def over_budget_too(tmp_path_factory):
    """A sweep of a space that reaches over the budget, run once for tests that only read it."""
    folder = tmp_path_factory.mktemp("over_budget_too")
    return sweep_in(folder, WIDE, "hydra.sweeper.n_trials=3", "tracking=tensorboard")


@pytest.fixture
def swept(over_budget_too, monkeypatch):
    """The current folder is that of a sweep, to be left as it is."""
    monkeypatch.chdir(over_budget_too)


@pytest.fixture(scope="module")
def two_trials(tmp_path_factory):
    """A sweep of two trials, run once for tests that copy it."""
    return sweep_in(tmp_path_factory.mktemp("two_trials"), SMALL, "hydra.sweeper.n_trials=2")


@pytest.fixture
def begun(two_trials):
    """The current folder has a study of two trials."""
    shutil.copytree(two_trials, ".", dirs_exist_ok=True)


@pytest.mark.usefixtures("swept")
def test_over_budget_proposals_are_recorded_and_neither_launched_nor_counted():
    by_status = {status: [] for status in (TrialStatus.COMPLETE, TrialStatus.REJECTED)}
    for trial in trials():
        by_status[status_of(trial)].append(trial)
    complete, rejected = by_status.values()
    assert len(complete) == 3
    assert rejected, "the space reaches over the budget, so some proposals must be rejected"
    for trial in rejected:
        count = 795 * trial.params["model.hidden"] + 10
        assert trial.state == TrialState.PRUNED
        assert attributes_of(trial)["parameters"] == count > 19_999
        assert trial.constraints == {"parameters": count - 19_999}
        assert f"{count:,} parameters" in attributes_of(trial)["reason"]
        assert not Path(f"multirun/s/{trial.number}").exists()
    for trial in complete:
        assert trial.constraints == {"parameters": attributes_of(trial)["parameters"] - 19_999}


@pytest.mark.usefixtures("swept")
def test_trial_n_is_run_directory_n():
    complete = [t for t in trials() if t.state == TrialState.COMPLETE]
    assert directories() == [t.number for t in complete]
    for trial in complete:
        directory = Path(f"multirun/s/{trial.number}")
        result = json.loads((directory / "result.json").read_text())
        assert (result["study"], result["trial"]) == ("s", trial.number)
        assert result["val_acc"] == trial.value
        assert result["parameters"] == attributes_of(trial)["parameters"]
        assert trial.user_attrs["run_directory"] == str(directory)
        overrides = OmegaConf.load(directory / ".hydra" / "overrides.yaml")
        assert f"model.hidden={trial.params['model.hidden']}" in overrides


@pytest.mark.usefixtures("swept")
def test_a_sweep_never_measures_test():
    files = list(Path("multirun/s").glob("*/result.json"))
    assert files
    for file in files:
        assert not [key for key in json.loads(file.read_text()) if "test" in key]


@pytest.mark.usefixtures("begun")
def test_the_same_command_goes_on_to_the_total_and_overwrites_nothing(sweep):
    before = {p: p.read_bytes() for p in Path("multirun/s").glob("[0-9]*/result.json")}
    assert sweep(3, SMALL) == 0
    assert len(trials()) == 3
    assert {p: p.read_bytes() for p in before} == before
    # A study that is resumed does not propose its first trials again.
    assert len({t.params["optimizer.lr"] for t in trials()}) == 3
    assert sweep(3, SMALL) == 0
    assert len(trials()) == 3


@pytest.mark.usefixtures("begun")
def test_trial_0_is_the_default_configuration_unless_told_otherwise(sweep):
    assert trials()[0].params == {"optimizer.lr": 0.003, "model.hidden": 25}
    name = "hydra.sweeper.study_name=t"
    assert sweep(1, SMALL, name, "hydra.sweeper.default_first=false") == 0
    assert trials("t")[0].params != trials("s")[0].params


def test_enqueued_configurations_come_next_and_once(sweep):
    enqueue = "hydra.sweeper.enqueue=[{model.hidden: 11, optimizer.lr: 0.02}, {model.hidden: 12}]"
    assert sweep(2, SMALL, enqueue) == 0
    assert sweep(4, SMALL, enqueue) == 0
    hidden = [trial.params["model.hidden"] for trial in trials()]
    assert hidden[:3] == [25, 11, 12]
    assert trials()[1].params["optimizer.lr"] == 0.02
    assert hidden.count(11) + hidden.count(12) <= 3
    assert len(hidden) == 4


def test_a_timeout_ends_a_sweep_before_its_total(sweep, capfd):
    assert sweep(50, SMALL, "hydra.sweeper.timeout=0.001") == 0
    assert len(trials()) <= 1
    assert "timeout=0.001 seconds have passed: no further trial" in capfd.readouterr().out


def test_a_plateau_ends_a_sweep_before_its_total(sweep, capfd):
    # What is searched has no effect, so that no trial is better than the first.
    same = ["model.hidden=10", "optimizer.lr=0.01", "early_stopping.min_delta=interval(0.1,0.2)"]
    assert sweep(50, *same, "hydra.sweeper.plateau=2") == 0
    assert len(trials()) == 3
    assert "no better trial among the last 2 (plateau)" in capfd.readouterr().out


@pytest.mark.usefixtures("swept")
def test_the_best_run_is_linked_to_without_its_events():
    complete = [t for t in trials() if t.state == TrialState.COMPLETE]
    best = max(complete, key=lambda t: t.value)
    linked = Path("multirun/s/best")
    assert (linked / "trial").read_text().strip() == str(best.number)
    assert json.loads((linked / "result.json").read_text())["trial"] == best.number
    assert (linked / "checkpoints" / "best.safetensors").is_file()
    # TensorBoard, which follows links, has a run for each trial and none besides.
    runs = EventMultiplexer().AddRunsFromDirectory("multirun").Runs()
    assert set(runs) == {f"s/{trial.number}" for trial in complete}


@pytest.mark.usefixtures("begun")
def test_the_runs_of_another_study_are_not_taken_for_this_ones(sweep, capfd):
    for file in Path("multirun").glob("optuna.db*"):
        file.unlink()
    assert sweep(2, SMALL) == 1
    line = capfd.readouterr().err.strip()
    assert line.startswith("error: multirun/s has runs of another study with that name")
    assert len(list(Path("multirun/s/0").iterdir())) > 1


@pytest.mark.slow
def test_a_draw_over_budget_is_drawn_again_before_it_counts(sweep):
    space = ["model.hidden=range(10, 400)"]  # 4% of it fits
    space += ["hydra/sweeper/sampler=random", "hydra.sweeper.sampler.seed=0"]
    assert sweep(3, *space) == 0
    often = len(trials())
    assert sweep(3, *space, "hydra.sweeper.study_name=t", "hydra.sweeper.resamples=0") == 0
    assert often < len(trials("t")) / 2


@pytest.mark.slow
def test_a_pareto_search_gives_the_front_of_accuracy_and_size(command):
    arguments = ["-m", "search=pareto", "data=mnist_5k", "tracking=none", "epochs=1"]
    arguments += ["batch_size=256", "model.width=interval(0.1, 0.3)", "hydra.sweeper.n_trials=3"]
    assert command(*arguments, "hydra/launcher=basic") == 0
    front = results("pareto-enhanced-mnist_5k").solutions
    assert front
    for solution in front:
        assert solution["values"][1] <= 19_999


def test_a_trial_that_another_sweep_has_ended_is_left_alone(sweep, monkeypatch, capfd):
    original = session.fit

    def ended_meanwhile(*arguments, **settings):
        study = optuna.load_study(study_name="s", storage=STORAGE)
        study.tell(len(study.trials) - 1, 0.5)
        return original(*arguments, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(session, "fit", ended_meanwhile)
        assert sweep(1, SMALL) == 0
    assert [t.value for t in trials()] == [0.5]
    assert "trial 0 was taken over by another sweep" in capfd.readouterr().out


def test_the_same_seed_gives_the_same_search(sweep, over_budget_too, monkeypatch):
    assert sweep(3, WIDE) == 0
    again = trials()
    monkeypatch.chdir(over_budget_too)
    assert [t.params for t in again] == [t.params for t in trials()]
    assert [t.value for t in again] == [t.value for t in trials()]


@pytest.mark.usefixtures("begun")
def test_a_sweep_that_is_refused_leaves_the_study_as_it_was(sweep, capfd):
    before = optuna.load_study(study_name="s", storage=STORAGE).user_attrs
    wider = ["optimizer.lr=tag(log, interval(0.001, 0.2))", SMALL]
    assert sweep(3, *wider, "+hydra.sweeper.enqueue=[{optimizer.lr: 5}]") == 1
    assert "is outside the space's" in capfd.readouterr().err
    assert optuna.load_study(study_name="s", storage=STORAGE).user_attrs == before


@pytest.mark.usefixtures("begun")
def test_another_space_under_the_same_name_is_refused(sweep, capfd):
    assert sweep(3, "model.hidden=choice(10,25)") == 1
    line = capfd.readouterr().err.strip()
    assert line.startswith("error: study 's' exists with another search: ")
    assert "search: model.hidden was IntDistribution(high=25" in line
    assert len(trials()) == 2


@pytest.mark.usefixtures("begun")
def test_a_moved_range_keeps_the_trials_is_said_and_recorded_once(sweep, capfd):
    assert sweep(3, NARROW) == 0
    said = "space has changed: model.hidden was 10 to 25, is now 20 to 24; 2 launched trials, 1"
    assert said in capfd.readouterr().out
    assert sweep(4, NARROW) == 0
    assert "space has changed" not in capfd.readouterr().out
    assert [20 <= t.params["model.hidden"] <= 24 for t in trials()] == [False, True, True, True]
    attributes = optuna.load_study(study_name="s", storage=STORAGE).user_attrs
    changes = {"model.hidden": ["10 to 25", "20 to 24"]}
    assert attributes["extensions"] == [{"from_trial": 2, "changes": changes}]
    assert "high=24" in attributes["definition"]["search"]["settings"]["model.hidden"]


@pytest.mark.usefixtures("swept")
def test_a_studys_objectives_have_their_names():
    assert optuna.load_study(study_name="s", storage=STORAGE).metric_names == ["val_acc"]


def test_a_space_where_nothing_fits_ends_with_the_closest_and_a_result_file(
    sweep, monkeypatch, capfd
):
    monkeypatch.setattr("mnist_sweep.sweep.engine.RANDOM_DRAWS", 100)
    assert sweep(3, TOO_WIDE) == 1
    said = capfd.readouterr()
    line = said.err.strip()
    assert "\n" not in line
    assert line.startswith(
        "error: no configuration of the search space passes the gate among 5 proposals and 100 more"
    )
    assert "23,860 parameters, 3,861 over budget" in line  # of the smallest, 30 hidden units
    assert "trials 0 to 4 rejected, 5 proposals; the closest, trial " in said.out
    assert results().best_value is None
    assert results().trials.rejected == 5
    assert directories() == []


@pytest.mark.usefixtures("swept")
def test_the_results_file_names_the_best_trial():
    complete = [t for t in trials() if t.state == TrialState.COMPLETE]
    best = max(complete, key=lambda t: t.value)
    assert results().best_trial == best.number
    assert results().best_value == best.value
    printed = Path("printed.txt").read_text()
    assert f"best: trial {best.number} with val_acc" in printed
    again = next(line for line in printed.splitlines() if "train it again: " in line)
    assert f"optimizer.lr={best.params['optimizer.lr']}" in again
    assert "study=" not in again
    assert "python -m mnist_sweep.dashboard storage=sqlite:///multirun/optuna.db" in printed
    assert "python -m mnist_sweep.confirm study=" in printed


def test_failures_are_recorded_with_their_reason_and_the_sweep_goes_on(sweep, monkeypatch):
    original = session.fit

    def failing(training, *arguments, **settings):
        count = sum(p.numel() for p in training.model.parameters())
        if count % 2:
            raise Diverged("training diverged in epoch 1")
        if count % 4:
            raise RuntimeError("out of\nmemory")
        return original(training, *arguments, **settings)

    monkeypatch.setattr(session, "fit", failing)
    grid = ["hydra/sweeper/sampler=grid", "model.hidden=13,14,16", "optimizer.lr=0.01"]
    assert sweep(3, *grid, "hydra.sweeper.max_failure_rate=1.0") == 0
    outcomes = {t.params["model.hidden"]: t for t in trials()}
    assert outcomes[13].user_attrs["reason"] == "training diverged in epoch 1"
    assert outcomes[16].user_attrs["reason"] == "RuntimeError: out of memory"
    assert [outcomes[n].state.name for n in (13, 14, 16)] == ["FAIL", "COMPLETE", "FAIL"]
    assert results().trials.failed == 2


def test_too_many_failures_end_the_sweep_with_the_last_reason(sweep, monkeypatch, capfd):
    def failing(*arguments, **settings):
        raise Diverged("training diverged in epoch 1")

    monkeypatch.setattr(session, "fit", failing)
    assert sweep(10, SMALL, "hydra.sweeper.max_failure_rate=0.1") == 1
    line = capfd.readouterr().err.strip()
    assert line == (
        "error: 2 trials failed, more than hydra.sweeper.max_failure_rate=0.1 of 10 allows; "
        "the last one: training diverged in epoch 1"
    )
    assert len(trials()) == 2
    assert results().trials.failed == 2


def test_a_proposal_that_is_no_run_is_refused_and_not_launched(sweep):
    enqueue = "{model.dropout: 1.5}, {model.dropout: 0.1}"
    choices = ["model.dropout=choice(0.1, 1.5)", "hydra.sweeper.default_first=false"]
    choices.append("hydra.sweeper.max_failure_rate=1")
    assert sweep(1, SMALL, *choices, f"hydra.sweeper.enqueue=[{enqueue}]") == 0
    (refused,) = [t for t in trials() if status_of(t) == TrialStatus.REFUSED]
    assert refused.params["model.dropout"] == 1.5
    assert "dropout must be in [0, 1), but got 1.5" in refused.user_attrs["reason"]
    assert not Path(f"multirun/s/{refused.number}").exists()
    assert Tally(optuna.load_study(study_name="s", storage=STORAGE)).finished == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_or_sigterm_leaves_a_study_that_is_resumed(sweep, monkeypatch, capfd, number, code):
    def interrupt(*arguments, **settings):
        os.kill(os.getpid(), number)

    with monkeypatch.context() as patch:
        patch.setattr(session, "fit", interrupt)
        assert sweep(1, SMALL) == code
    before = trials()
    assert [status_of(t) for t in before] == ["interrupted"]
    assert results().trials.interrupted == 1
    assert "the same command resumes the study" in capfd.readouterr().err
    assert sweep(1, SMALL) == 0
    assert results().trials.complete == 1
    # The interrupted trial is the one that went on, in the directory that it has.
    assert [t.params for t in trials()] == [t.params for t in before]
    assert directories() == [0]


def test_a_sigterm_that_something_has_caught_ends_the_sweep_all_the_same(sweep, monkeypatch):
    """Some libraries catch everything while they are imported."""
    fit = session.fit

    def catching(*arguments, **settings):
        with suppress(BaseException):
            os.kill(os.getpid(), signal.SIGTERM)
        return fit(*arguments, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(session, "fit", catching)
        assert sweep(2, SMALL) == 143
    assert [status_of(t) for t in trials()] == ["complete"]
    assert sweep(2, SMALL) == 0


def test_a_machine_that_refuses_a_run_its_files_fails_no_trial(sweep, monkeypatch, capfd):
    def refuse(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(RunDirectory, "append_metrics", refuse)
        assert sweep(1, SMALL, "hydra.sweeper.max_failure_rate=1") == 1
    assert [status_of(t) for t in trials()] == ["interrupted"]
    (line,) = [s for s in capfd.readouterr().err.splitlines() if s.startswith("error: ")]
    assert f"trial 0 cannot continue: multirun/s/0: {os.strerror(errno.ENOSPC)} (" in line
    assert sweep(1, SMALL) == 0
    assert [t.state for t in trials()] == [TrialState.COMPLETE]


def test_a_machine_that_refuses_the_sweep_its_files_is_one_line(sweep, monkeypatch, capfd):
    def refuse(*arguments, **named):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("mnist_sweep.sweep.summary.write_results", refuse)
        assert sweep(1, SMALL) == 1
    (line,) = [s for s in capfd.readouterr().err.splitlines() if s.startswith("error: ")]
    assert line == (
        "error: multirun/s: No space left on device (make room there, or choose another place); "
        "when that is mended, the same command resumes the study"
    )
    assert sweep(1, SMALL) == 0
    assert directories() == [0]


def test_a_run_directory_that_is_removed_under_a_trial_is_made_again(sweep, monkeypatch):
    append, removed = RunDirectory.append_metrics, []

    def remove(directory, figures):
        if not removed:
            removed.append(shutil.rmtree(directory.path))
        append(directory, figures)

    monkeypatch.setattr(RunDirectory, "append_metrics", remove)
    assert sweep(1, SMALL) == 0
    assert [t.state for t in trials()] == [TrialState.COMPLETE]
    assert directories() == [0]


def test_an_interrupted_grid_point_is_run_by_the_same_command(sweep, monkeypatch):
    grid = ["hydra/sweeper/sampler=grid", "model.hidden=10,20", "optimizer.lr=0.01"]

    def interrupt(*arguments, **settings):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(session, "fit", interrupt)
        assert sweep(2, *grid) == 130
    assert sweep(2, *grid) == 0
    complete = [t.params["model.hidden"] for t in trials() if t.state == TrialState.COMPLETE]
    assert sorted(complete) == [10, 20]


@pytest.mark.usefixtures("begun")
def test_an_interrupt_in_the_gate_leaves_no_trial_running(sweep, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("mnist_sweep.run.build.check_budget", interrupt)
    assert sweep(3, SMALL) == 130
    assert [t.state for t in trials()] == [TrialState.COMPLETE] * 2 + [TrialState.WAITING]


def test_a_gate_that_raises_ends_the_sweep_in_one_line(sweep, monkeypatch, capfd):
    def broken(*arguments):
        raise KeyError("budget")

    monkeypatch.setattr("mnist_sweep.run.build.check_budget", broken)
    assert sweep(2, SMALL) == 1
    assert capfd.readouterr().err == "error: hydra.sweeper.gate raised KeyError: 'budget'\n"
    assert optuna.get_all_study_names("sqlite:///multirun/optuna.db") == []


def test_a_mistake_in_every_proposal_ends_the_sweep_soon_and_does_not_spoil_the_study(sweep, capfd):
    assert sweep(20, SMALL, "+optimizer.momentom=0.9") == 1
    line = capfd.readouterr().err.strip()
    assert line.startswith("error: none of the first 5 proposals is a valid run; the last: ")
    assert "momentom" in line
    assert "\n" not in line
    assert sweep(1, SMALL) == 0
    assert results().trials.complete == 1


def test_failures_of_an_earlier_call_do_not_end_a_later_one(sweep, monkeypatch):
    fit, failures = session.fit, []

    def failing_twice(*arguments, **settings):
        if len(failures) < 2:
            failures.append(Diverged("training diverged in epoch 1"))
            raise failures[-1]
        return fit(*arguments, **settings)

    monkeypatch.setattr(session, "fit", failing_twice)
    assert sweep(2, SMALL, "hydra.sweeper.max_failure_rate=0") == 1
    assert results().trials.failed == 1
    # Of three trials one may fail, and one does in this call.
    assert sweep(3, SMALL, "hydra.sweeper.max_failure_rate=0.4") == 0
    assert (results().trials.failed, results().trials.complete) == (2, 1)


@pytest.mark.usefixtures("begun")
def test_trials_on_other_data_than_the_studys_end_the_sweep(sweep, capfd):
    assert sweep(3, SMALL, "data.split_seed=1") == 1
    assert "exists with another search" in capfd.readouterr().err
    study = optuna.load_study(study_name="s", storage=STORAGE)
    assert study.user_attrs["data_fingerprint"] == trials()[0].user_attrs["data_fingerprint"]


@pytest.mark.slow
def test_a_call_on_other_data_by_mistake_does_not_spoil_the_study(sweep, tmp_path, full_mnist):
    # data=auto takes what it finds: here once the full set, and the subset before and after.
    auto = ["data=auto", "data.timeout=0.1", "model=linear"]
    space = ["optimizer.lr=tag(log, interval(0.001, 0.1))"]
    nowhere = f"data.root={tmp_path / 'nowhere'}"
    assert sweep(1, *auto, *space, nowhere, "data.download=false") == 0
    assert sweep(2, *auto, *space, f"data.root={full_mnist}", "data.download=false") == 1
    assert sweep(2, *auto, *space, nowhere, "data.download=false") == 0
    assert [t.state for t in trials()] == [TrialState.COMPLETE] * 2
    fingerprints = {t.user_attrs["data_fingerprint"] for t in trials()}
    assert len(fingerprints) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["hydra.sweeper.direction=null"], "hydra.sweeper.direction must be minimize"),
        (["hydra.sweeper.params=foo"], "hydra.sweeper.params must map settings, but got 'foo'"),
        (["hydra.sweeper.study_name='a\\b'"], "hydra.sweeper.study_name='a\\\\b' must name"),
        (["hydra.sweeper.n_trials=abc"], "hydra.sweeper.n_trials: Value 'abc' of type 'str'"),
        (["hydra.sweeper.preload=torch"], "hydra.sweeper.preload: Invalid value"),
        (["hydra.sweeper.n_trials=0"], "hydra.sweeper.n_trials must be at least 1, but got 0"),
        (["hydra.sweeper.enqueue=5"], "hydra.sweeper.enqueue must list configurations, but got 5"),
        (["hydra.sweeper.storage=foo"], "hydra.sweeper.storage=foo cannot be opened: "),
        (["hydra.sweeper.gate=os.system"], "hydra.sweeper.gate=os.system: "),
        (
            ["hydra.sweeper.gate=mnist_sweep.sweep.gate.none"],
            "hydra.sweeper.gate=mnist_sweep.sweep.gate.none does not exist: ",
        ),
        (
            ["hydra.sweeper.gate=mnist_sweep.sweep.trial._records"],
            "hydra.sweeper.gate=mnist_sweep.sweep.trial._records: it is not allowed here; if you "
            "trust it, set the environment variable "
            "MNIST_SWEEP_TARGETS=mnist_sweep.sweep.trial._records",
        ),
        (
            ["hydra.sweeper.gate=mnist_sweep.sweep.gate.Verdict"],
            "hydra.sweeper.gate=mnist_sweep.sweep.gate.Verdict is not allowed here: ",
        ),
        (
            ["hydra.sweeper.custom_search_space=foo.bar"],
            "hydra.sweeper.custom_search_space=foo.bar: it is not allowed here; if you trust it, "
            "set the environment variable MNIST_SWEEP_TARGETS=foo.bar",
        ),
        (
            ["hydra.sweeper.sampler._target_=optuna.samplers._random.RandomSampler"],
            "hydra.sweeper.sampler._target_=optuna.samplers._random.RandomSampler is not allowed: "
            "a name that begins with _ is private",
        ),
        (
            ["hydra.sweeper._target_=os.system"],
            "hydra.sweeper._target_=os.system is not an installed plugin; installed are ",
        ),
        (
            ["hydra.launcher._target_=os.system"],
            "hydra.launcher._target_=os.system is not an installed plugin; installed are ",
        ),
        (
            ["+hydra.callbacks.mine._target_=mine.Callback"],
            "hydra.callbacks.mine._target_=mine.Callback: it is not allowed here; if you trust "
            "it, set the environment variable MNIST_SWEEP_TARGETS=mine.Callback",
        ),
        (["hydra.sweeper.direction=minimize"], "hydra.sweeper.direction=minimize does not fit"),
        (["hydra.sweeper.direction=up"], "hydra.sweeper.direction=up does not fit"),
        (
            ["objective=[val_acc,parameters]", "hydra.sweeper.direction=maximize"],
            "hydra.sweeper.di",
        ),
        (
            ["hydra.sweeper.study_name=../s"],
            "hydra.sweeper.study_name='../s' must name a directory",
        ),
        (["hydra.sweeper.study_name=null"], "hydra.sweeper.study_name=None must name a directory"),
        (["resume=run"], "resume is for a single run"),
        (["optimizer.lr=interval(1,0)"], "the search space's optimizer.lr=interval(1,0)"),
    ],
)
def test_wrong_settings_of_the_sweeper_are_one_line(command, capfd, arguments, message):
    assert command(*QUICK, SMALL, *arguments) == 1
    line = capfd.readouterr().err.strip()
    assert line.startswith(f"error: {message}")
    assert "\n" not in line
    assert not Path("multirun/s/0").exists()


def test_a_study_may_have_any_name_that_a_directory_can_have(command):
    name = "it's my study, a=b (1) [2]"
    quoted = name.replace("'", "\\'")
    arguments = [f"hydra.sweeper.study_name='{quoted}'", "hydra.sweeper.n_trials=1"]
    assert command(*QUICK, SMALL, *arguments) == 0
    assert Path("multirun", name, "0", "result.json").is_file()


def test_the_direction_follows_the_objective(sweep):
    assert sweep(2, SMALL, "objective=val_loss") == 0
    assert results().directions == ["minimize"]
    assert results().best_value == min(t.value for t in trials())


def test_the_default_search_leaves_out_what_a_model_does_not_have(command, capfd):
    plain = [a for a in QUICK if not a.startswith(("optimizer.lr", "search=", "model="))]
    assert command(*plain, "model=linear", "hydra.sweeper.n_trials=1") == 0
    said = "not searched, since the config has no such setting: model.dropout, model.width"
    assert said in capfd.readouterr().out


@pytest.mark.usefixtures("begun")
def test_a_trial_is_not_resumed_by_hand(command, capfd):
    assert command("resume=multirun/s/0") == 1
    assert "this is trial 0 of study s, and only its sweep may run it" in capfd.readouterr().err


def test_a_grid_is_run_once_and_its_over_budget_points_are_skipped(sweep):
    """Also one that begins with more of these than end a sweep."""
    over = range(30, 45)
    widths = ",".join(map(str, (*over, 10, 11)))
    grid = ["hydra/sweeper/sampler=grid", f"model.hidden={widths}", "optimizer.lr=0.01"]
    assert sweep(20, *grid) == 0
    assert sorted((t.params["model.hidden"], status_of(t)) for t in trials()) == [
        (10, "complete"),
        (11, "complete"),
        *((width, "rejected") for width in over),
    ]
    skipped = results().skipped
    assert (23_860, 30) in [(s.parameters, s.params["model.hidden"]) for s in skipped]


def test_a_grid_runs_what_is_zipped_together_once(sweep):
    grid = ["hydra/sweeper/sampler=grid", "model.hidden=10,20", "optimizer.lr=0.01,0.02"]
    assert sweep(20, *grid, "hydra.sweeper.zip=[model.hidden,optimizer.lr]") == 0
    lines = [attributes_of(trial)["overrides"] for trial in trials()]
    pairs = [("model.hidden=10", "optimizer.lr=0.01"), ("model.hidden=20", "optimizer.lr=0.02")]
    assert sorted(tuple(sorted(set(line) & {*sum(pairs, ())})) for line in lines) == pairs


def test_several_objectives_give_a_front_of_feasible_trials(sweep):
    assert (
        sweep(
            3,
            WIDE,
            "objective=[val_acc,parameters]",
            "hydra.sweeper.direction=[maximize,minimize]",
        )
        == 0
    )
    front = results().solutions
    assert front
    assert all(solution["values"][1] <= 19_999 for solution in front)


@pytest.mark.parametrize("sampler", ["random", "nsgaii", "gp", "qmc", "cmaes"])
@pytest.mark.usefixtures("begun")
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.filterwarnings("ignore:Constraints have been set, but CmaEsSampler")
def test_every_stock_sampler_works(sweep, sampler):
    assert sweep(3, SMALL, f"hydra/sweeper/sampler={sampler}", "hydra.sweeper.sampler.seed=1") == 0
    assert results().trials.complete == 3


@pytest.mark.slow
def test_the_default_search_composes_every_schedule_with_its_own_settings(command):
    arguments = ["-m", "data=mnist_5k", "tracking=none", "epochs=1", "batch_size=128"]
    arguments.append("hydra/launcher=basic")
    small = ["model.width=0.2", "hydra.sweeper.n_trials=6", "hydra/sweeper/sampler=random"]
    assert command(*arguments, *small, "hydra.sweeper.sampler.seed=0") == 0
    own = {
        "four_phase": {"scheduler.factor"},
        "cosine": {"scheduler.floor"},
        "one_cycle": {"scheduler.peak"},
        "constant": set(),
    }
    seen = set()
    for trial in trials("schedule-enhanced-mnist_5k"):
        assert trial.state == TrialState.COMPLETE
        schedule = trial.params["scheduler"]
        seen.add(schedule)
        assert {n for n in trial.params if n.startswith("scheduler.")} == own[schedule]
    assert len(seen) >= 3


def test_plain_hydra_runs_every_combination(command, capfd):
    arguments = ["-m", "search=none", "model=linear", "data=mnist_5k", "tracking=none", "epochs=1"]
    assert command(*arguments, "seed=0,1", "hydra.sweep.dir=plain") == 0
    assert sorted(p.name for p in Path("plain").iterdir() if p.is_dir()) == ["0", "1"]
    assert "test_acc" not in json.loads(Path("plain/0/result.json").read_text())
    printed = capfd.readouterr().out
    assert [line for line in printed.splitlines() if "#1 : " in line and "seed=1" in line]
    assert printed.count("epoch 1/1") == 2


def test_the_stock_sweepers_group_name_still_works_beside_ours(command):
    arguments = ["-m", "~search", "hydra/sweeper=optuna", "model=linear", "data=mnist_5k"]
    arguments += ["tracking=none", "epochs=1", "hydra.sweeper.n_trials=1", "hydra.sweeper.n_jobs=1"]
    arguments += ["hydra.sweep.dir=stock", "hydra.sweep.subdir=0", "seed=choice(1,2)"]
    assert command(*arguments) == 0
    assert OmegaConf.load("stock/optimization_results.yaml").name == "optuna"


def test_after_nothing_fitted_other_choices_are_refused_in_one_line(sweep, capfd):
    assert sweep(1, TOO_WIDE, "hydra.sweeper.max_rejections=2") == 1
    capfd.readouterr()
    assert sweep(1, "model.hidden=choice(10,20)") == 1
    line = capfd.readouterr().err.strip()
    assert line.startswith("error: study 's' drew model.hidden from IntDistribution(high=60")
    assert "\n" not in line
    assert line.endswith("choose another hydra.sweeper.study_name")
    assert sweep(1, "model.hidden=range(10,26)") == 0


@pytest.mark.slow
def test_a_launcher_that_starts_nothing_leaves_no_study_and_costs_no_trial(sweep, capfd):
    broken = ["hydra/launcher=joblib", "hydra.launcher.backend=foo", "hydra.sweeper.n_jobs=2"]
    assert sweep(2, SMALL, *broken) == 1
    line = capfd.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("error: trial 0 cannot be started: JoblibLauncher: ")
    assert optuna.get_all_study_names("sqlite:///multirun/optuna.db") == []
    assert not Path("multirun/s").exists()
    # Neither does one that is broken when a study is resumed.
    assert sweep(1, SMALL) == 0
    left = Path("multirun/s/1/.hydra/config.yaml")
    left.parent.mkdir(parents=True)
    left.touch()
    os.utime(left, (0, 0))
    assert sweep(2, SMALL, *broken) == 1
    assert [status_of(t) for t in trials()] == [TrialStatus.COMPLETE, TrialStatus.INTERRUPTED]
    assert sweep(2, SMALL) == 0
    assert [t.state for t in trials()] == [TrialState.COMPLETE] * 2


def test_a_single_objective_in_a_list_is_pruned_as_one_that_is_not(sweep):
    settings = ["objective=[val_acc]", "epochs=3", "hydra/sweeper/pruner=threshold"]
    assert sweep(1, SMALL, *settings, "hydra.sweeper.pruner.lower=1.0") == 0
    assert [status_of(t) for t in trials()] == [TrialStatus.PRUNED]


@pytest.mark.usefixtures("swept")
def test_a_complete_trial_says_why_it_ended():
    assert trials()[0].user_attrs["reason"] == "its only epoch done"


def test_a_sweep_that_searches_nothing_is_refused_and_leaves_nothing(command, capfd):
    plain = [argument for argument in QUICK if not argument.startswith("optimizer.lr")]
    assert command(*plain) == 1
    assert "nothing is searched: every trial would be the same run" in capfd.readouterr().err
    assert not Path("multirun/optuna.db").exists()


def test_a_finite_space_ends_when_all_of_it_has_been_tried(command, capfd):
    plain = [argument for argument in QUICK if not argument.startswith("optimizer.lr")]
    small = [*plain, "model=linear", "seed=choice(1,2)"]
    assert command(*small) == 0
    said = capfd.readouterr().out
    assert "2 configurations of the search space left to try: each runs once" in said
    assert "every configuration of the search space has been tried: no further trial" in said
    assert sorted(trial.params["seed"] for trial in trials()) == [1, 2]
    assert command(*small) == 0
    assert "every configuration of the search space has been tried" in capfd.readouterr().out
    assert len(trials()) == 2


def test_what_resolves_to_the_same_configuration_runs_once_also_under_another_name(command, capfd):
    plain = [argument for argument in QUICK if not argument.startswith("optimizer.lr")]
    same = [
        *plain,
        "model=linear",
        "seed=choice(1,'${epochs}')",
        "hydra.sweeper.default_first=false",
    ]
    assert command(*same, "name=first", "hydra.sweeper.n_trials=1") == 0
    assert command(*same, "name=second") == 0
    assert [status_of(trial) for trial in trials()] == [TrialStatus.COMPLETE, TrialStatus.REJECTED]
    assert attributes_of(trials()[1])["reason"] == "the configuration of trial 0 again"
    assert "every configuration of the search space has been tried" in capfd.readouterr().out


def test_trials_have_the_settings_of_their_own_model(command):
    plain = [argument for argument in QUICK if not argument.startswith(("optimizer.lr", "model="))]
    models = ["model=choice(mlp,linear)", "model.hidden=range(3,5)", "hydra.sweeper.n_trials=3"]
    assert command(*plain, *models) == 0
    names = {trial.params["model"]: set(trial.params) for trial in trials()}
    assert names == {"mlp": {"model", "model.hidden"}, "linear": {"model"}}
    assert all(trial.state == TrialState.COMPLETE for trial in trials())
    assert [trial.params["model"] for trial in trials()].count("linear") == 1  # a run, once


@pytest.mark.slow
def test_a_study_keeps_the_widths_that_it_began_with(command, capfd):
    begun = [a for a in QUICK if not a.startswith(("optimizer.lr", "search=", "model="))]
    begun += ["model=simple", "model.hidden=1", "hydra.sweeper.n_trials=1", "epochs=1"]
    own = "hydra.sweeper.params={model.width: '${width_interval:0.5,0.9}'}"
    assert command(*begun, own) == 0
    drawn = trials()[0].distributions["model.width"]
    other = "hydra.sweeper.params={model.width: '${width_interval:0.4,0.8}'}"
    assert command(*begun, other, "hydra.sweeper.n_trials=2") == 0
    assert trials()[1].distributions["model.width"] == drawn
