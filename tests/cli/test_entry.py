"""What the command line says where Hydra itself would print a traceback, or nothing."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from hydra._internal import utils
from omegaconf import OmegaConf

from mnist_sweep.cli.entry import inspected, resumed_run
from mnist_sweep.run import console, session
from tests.test_train import error_line

SWEEP = ["-m", "model=linear", "data=mnist_5k", "tracking=none", "epochs=1", "batch_size=512"]
PLAIN = [*SWEEP, "search=none", "hydra.sweep.dir=plain"]
# The quickest search to open: the usual one composes a config for each schedule.
SEARCH = ["-m", "search=command_line", "optimizer.lr=interval(0.001,0.01)"]


def here():
    return sorted(str(path) for path in Path().rglob("*") if path.is_file())


def test_what_is_replaced_of_hydra_is_what_its_commands_go_through():
    names = utils._run_app.__code__.co_names + utils._run_hydra.__code__.co_names
    assert names.count("run_and_report") == 2
    assert callable(utils.get_args_parser)


def test_every_combination_runs_and_those_that_failed_are_listed(command, capfd):
    assert command(*PLAIN, "hydra/launcher=basic", "budget.max_parameters=8000,10,9000") == 1
    assert sorted(p.parent.name for p in Path("plain").glob("*/result.json")) == ["0", "2"]
    assert not Path("plain/1").exists()
    first, second = capfd.readouterr().err.strip().splitlines()
    assert first == "error: 1 of 3 runs failed:"
    assert second.startswith("  #1 budget.max_parameters=10: model=linear has 7,850 parameters")


@pytest.mark.parametrize("launcher", ["joblib", "workers", "submitit_local"])
@pytest.mark.slow
def test_every_combination_runs_under_each_launcher(command, capfd, launcher):
    given = [f"hydra/launcher={launcher}", "budget.max_parameters=10,8000"]
    assert command(*PLAIN, *given, "hydra.job.chdir=true") == 1
    assert [p.parent.name for p in Path("plain").glob("*/result.json")] == ["1"]
    assert capfd.readouterr().err.strip().splitlines()[-2:][0] == "error: 1 of 2 runs failed:"


def test_a_job_that_exits_fails_alone(command, capfd, monkeypatch):
    def leave(self):
        raise SystemExit(4)

    monkeypatch.setattr(session.Session, "_start_tracking", leave)
    assert command(*PLAIN, "hydra/launcher=basic", "seed=0,1") == 1
    lines = capfd.readouterr().err.strip().splitlines()
    assert lines == [
        "error: 2 of 2 runs failed:",
        "  #0 seed=0: the job exited with code 4",
        "  #1 seed=1: the job exited with code 4",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["search=pareto"], "search=pareto has an effect only with -m"),
        (
            ["-m", "+hydra.sweeper.n_trial=3"],
            "hydra.sweeper.n_trial: there is no such setting; the ",
        ),
        (["-m", "+hydra.launcher.n_job=3"], "hydra.launcher.n_job: there is no such setting; the "),
        (["-m", "hydra.run.dir=x"], "hydra.run.dir=x has an effect only without -m"),
        (["hydra.run.dir=file"], "file: File exists (a file is where a folder should be"),
        (["hydra.run.dir=file/x"], "file/x: Not a directory (a part of that path is a file"),
        (["hydra.run.dir=" + 300 * "x"], 60 * "x" + "..." + 60 * "x" + ": File name too long"),
        (
            ["resume=" + 300 * "x"],
            "resume=" + 60 * "x" + "..." + 60 * "x" + " cannot be read: File",
        ),
        ([*SEARCH, "hydra.sweeper.study_name=" + 300 * "x"], "multirun/"),
        (["-m", "search=none", "seed=0,1", "hydra.sweep.dir=file"], "file: File exists"),
        ([*SEARCH, "epochs=0"], "epochs must be at least 1, but got 0"),
        ([*SEARCH, "objective=val_ac"], "objective must be one of val_loss"),
        (["-m", "hydra.sweeper.direction=minimize"], "hydra.sweeper.direction=minimize does"),
        ([*SEARCH, "hydra.sweeper.enqueue=[{nothing: 3}]"], "hydra.sweeper.enqueue[0]: nothing=3"),
        (["-m", "hydra/sweeper=basic"], "hydra/sweeper=basic has no study_name, which the search "),
        (
            ["-m", "hydra/sweeper=optuna"],
            "hydra/sweeper=optuna has no gate, which the search sets",
        ),
        (["--run", "--multirun"], "Only one of --run, --multirun"),
        (["model=simple"], "model=simple has 206,922 parameters"),
        (["hydra/job_logging=disabled", "model=simple"], "model=simple has 206,922 parameters"),
    ],
)
def test_what_cannot_start_is_one_line_and_leaves_nothing(command, capfd, arguments, message):
    Path("file").touch()
    assert command("data=mnist_5k", *arguments) == 1
    assert error_line(capfd).startswith(f"error: {message}")
    assert [path for path in here() if "optuna.db" not in path] == ["file"]
    if Path("multirun/optuna.db").exists():
        assert optuna.get_all_study_names("sqlite:///multirun/optuna.db") == []
    assert not Path("outputs").exists()


def test_a_disk_that_is_full_is_one_line(command, capfd, quick, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mnist_sweep.run.directory.RunDirectory.append_metrics", full)
    assert command(*quick) == 1
    assert error_line(capfd) == (
        "error: run: No space left on device (make room there, or choose another place)"
    )
    assert Path("run/result.json").exists()


@pytest.mark.parametrize("choice", ["disabled", "none", "stdout", "default"])
def test_logging_can_be_chosen(command, capfd, quick, choice):
    chosen = [
        f"hydra/job_logging={choice}",
        f"hydra/hydra_logging={choice.replace('stdout', 'none')}",
    ]
    assert command(*quick, *chosen, "epochs=1") == 0
    assert capfd.readouterr().err == ""
    assert Path("run/result.json").exists()
    assert Path("run/train.log").exists() == (choice == "default")


@pytest.mark.parametrize("sweep", [[], ["-m", "search=none", "hydra.sweep.dir=run", "seed=0,1"]])
@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "handlers.console.class=nowhere.Handler",
            "Unable to configure handler 'console': nowhere.Handler: it is not allowed here; if "
            "you trust it, set the environment variable "
            "MNIST_SWEEP_TARGETS=nowhere.Handler",
        ),
        (
            "handlers.console.class=os.system",
            "Unable to configure handler 'console': os.system can never be allowed in a config; "
            "name another",
        ),
        (
            "handlers.console.formatter=absent",
            "Unable to configure handler 'console': Unable to set formatter 'absent'",
        ),
        ("version=2", "Unsupported version: 2"),
    ],
)
def test_logging_that_cannot_be_set_up_is_one_line(command, capfd, quick, sweep, setting, message):
    given = [word for word in quick if not sweep or not word.startswith("hydra.run.dir")]
    assert command(*given, *sweep, f"hydra.job_logging.{setting}") == 1
    assert error_line(capfd) == f"error: hydra.job_logging or hydra.hydra_logging: {message}"
    assert here() == (["run/multirun.yaml"] if sweep else [])
    assert not Path("run/0").exists()
    assert sweep or not Path("run").exists()


def test_logging_that_is_allowed_but_not_there_is_one_line():
    words = [
        "-m",
        "mnist_sweep.train",
        "hydra.hydra_logging.handlers.console.class=nowhere.Handler",
    ]
    allowed = os.environ | {"MNIST_SWEEP_TARGETS": "nowhere.Handler"}
    done = subprocess.run([sys.executable, *words], env=allowed, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: hydra.job_logging or hydra.hydra_logging: Unable to configure handler 'console': "
        "Cannot resolve 'nowhere.Handler': No module named 'nowhere'\n"
    )


@pytest.mark.parametrize("kind", ["all", "hydra", "job"])
@pytest.mark.parametrize("sweeps", [[], ["-m", "model=mlp,linear", "seed=range(3)"]])
def test_the_config_can_be_shown_resolved(command, capfd, kind, sweeps):
    assert command("--cfg", kind, "--resolve", *sweeps) == 0
    shown = OmegaConf.create(capfd.readouterr().out)
    if kind != "job":
        assert shown.hydra.sweeper.direction == "maximize"
        assert shown.hydra.run.dir.startswith("outputs/")
        assert shown.hydra.mode == ("MULTIRUN" if sweeps else None)
    if kind != "hydra":
        assert shown.objective == "val_acc"


def test_a_sweep_that_is_looked_at_loses_what_it_sweeps():
    words = ["-m", "--info", "all", "seed=0,1", "epochs=2"]
    assert inspected(words) == ["hydra.mode=MULTIRUN", "epochs=2", "--info=all"]
    assert inspected(["-m", "seed=0,1"]) == ["-m", "seed=0,1"]


def test_a_second_run_in_one_process_says_everything(command, capfd, quick):
    for directory in ("one", "two"):
        assert command(*quick, f"hydra.run.dir={directory}", "epochs=1") == 0
        assert "data: mnist_5k, 4,000 train" in capfd.readouterr().out
        assert "data: mnist_5k, 4,000 train" in Path(directory, "train.log").read_text()


def test_each_run_of_a_sweep_has_in_its_log_what_the_console_says_once(command, capfd):
    assert command(*PLAIN, "hydra/launcher=basic", "seed=0,1") == 0
    assert capfd.readouterr().out.count("data: mnist_5k") == 1
    for number in (0, 1):
        assert Path(f"plain/{number}/train.log").read_text().count("data: mnist_5k") == 1


def test_a_line_said_once_is_in_each_log(tmp_path, monkeypatch):
    logger = logging.getLogger("mnist_sweep")
    monkeypatch.setattr(logger, "level", logging.INFO)
    for name in ("one", "two"):
        handler = logging.FileHandler(tmp_path / name)
        monkeypatch.setattr(logger, "handlers", [handler])
        console.say_once("a line")
        handler.close()
        assert (tmp_path / name).read_text() == "a line\n"


def test_paths_are_the_users_also_where_a_run_has_a_folder_of_its_own(command, quick, capfd):
    moved = [*quick, "hydra.job.chdir=true"]
    assert command(*moved, "data=mnist", "data.root=nowhere", "data.download=false") == 1
    assert f"{Path.cwd()}/nowhere" in error_line(capfd)
    assert command(*moved) == 0
    assert "run directory: run\n" in capfd.readouterr().out
    assert OmegaConf.load("run/.hydra/config.yaml").data.root == "data"
    assert command("resume=run", "hydra.job.chdir=true") == 0
    assert "nothing is left to do" in capfd.readouterr().out


@pytest.mark.parametrize("full", [False, True])
def test_a_traceback_is_shown_where_it_is_asked_for(command, capfd, monkeypatch, full):
    def fail(self):
        raise ArithmeticError("no good")

    monkeypatch.setattr(session.Session, "_start_tracking", fail)
    if full:
        monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    sweep = [*SWEEP, *SEARCH, "hydra/launcher=basic", "hydra.sweeper.n_trials=1"]
    try:
        assert command(*sweep, "hydra.sweeper.max_failure_rate=1") == 0
    finally:
        printed = capfd.readouterr().out
    assert "failed: ArithmeticError: no good" in printed
    assert ("in fail" in printed) == full


@pytest.mark.parametrize(
    ("words", "run"),
    [
        (["resume=outputs/a"], "outputs/a"),
        (["resume='outputs/a b'", "epochs=2"], "outputs/a b"),
        (["-m", "resume=a"], None),
        (["resume=a", "++resume=b"], "b"),
        (["resume=null"], None),
        (["resume=a", "resume=null"], None),
        (["epochs=2"], None),
        (["resume=a", "--help"], None),
        (["resume=a", "--cfg", "job"], None),
        (["resume=[", "epochs=2"], None),  # Hydra says what is wrong with it
        (["--no-such-option", "resume=a"], None),
    ],
)
def test_the_run_that_a_command_line_resumes_is_known_before_hydra_starts(words, run, capfd):
    assert resumed_run(words) == run
    assert capfd.readouterr().err == ""
