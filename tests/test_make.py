"""What make passes on to the programs, and what it refuses."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ODD = 'it\'s é=a,b (c) & $d $(e) "q" $$ #'


@pytest.fixture
def make(tmp_path):
    """Return a function that runs make with a Python that prints its arguments."""
    program = tmp_path / "python"
    program.write_text(
        f'#!/bin/sh\nexec {sys.executable} -c "import sys; print(sys.argv[1:])" "$@"\n'
    )
    program.chmod(0o755)
    (tmp_path / ".ready").touch()

    def run(*words):
        command = ["make", "-s", "-C", str(ROOT), f"BIN={tmp_path}", f"PYTHON={sys.executable}"]
        return subprocess.run([*command, *words], capture_output=True, text=True)

    return run


def arguments(done):
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("[")]
    return ast.literal_eval(lines[-1])


def test_a_studys_name_reaches_the_programs_as_it_is(make):
    assert f"study={ODD}" in arguments(make("report", f"STUDY={ODD}"))
    assert f"study={ODD}" in arguments(make("confirm", f"STUDY={ODD}"))
    quoted = ODD.replace("'", "\\'")
    assert f"hydra.sweeper.study_name='{quoted}'" in arguments(make("sweep", f"STUDY={ODD}"))


@pytest.mark.parametrize("target", ["dashboard", "report", "confirm"])
def test_an_address_of_a_storage_reaches_the_programs_as_it_is(make, target):
    assert "storage=postgresql://u@h/a?b=c&d" in arguments(
        make(target, "STORAGE=postgresql://u@h/a?b=c&d")
    )


def test_a_run_to_reproduce_is_named_before_anything_is_set_up(make):
    assert f"run={ODD}" in arguments(make("reproduce", f"RUN={ODD}"))
    refused = make("reproduce")
    assert refused.returncode == 2
    assert "make reproduce needs RUN, a run directory" in refused.stderr


def test_tensorboard_shows_a_study_where_one_is_named(make):
    program = ["-m", "mnist_sweep.tensorboard"]
    assert arguments(make("tensorboard")) == program
    assert arguments(make("tensorboard", f"STUDY={ODD}")) == [*program, f"study={ODD}"]
    assert arguments(make("tensorboard", "ARGS=all=true")) == [*program, "all=true"]


def test_a_question_is_its_hours_and_what_else_is_given(make):
    assert arguments(make("best", "HOURS=0.1")) == [
        *("-m", "mnist_sweep.best", "data=mnist_5k", "hours=0.1"),
        "storage=sqlite:///multirun/optuna.db",
    ]
    asked = arguments(make("best", "BUDGET=8000", "HOURS=3", "DATA=mnist", "ARGS=top=2 seeds=4"))
    assert {"budget.max_parameters=8000", "data=mnist", "top=2", "seeds=4"} < set(asked)


def test_a_plan_is_a_dry_run_of_the_same_sweep(make):
    words = ["TRIALS=3", "EPOCHS=2", "STUDY=s", "ARGS=optimizer=sgd"]
    assert arguments(make("plan", *words)) == [
        *arguments(make("sweep", *words))[:-1],
        "dry_run=true",
        "optimizer=sgd",
    ]


def test_no_storage_is_null_to_hydra(make):
    assert "hydra.sweeper.storage=null" in arguments(make("sweep", "STORAGE=null"))


def test_args_are_words_of_the_shell(make):
    given = arguments(make("train", "ARGS='x=choice(1,2)' 'y=${z}' seed=1"))
    assert given == [
        "-m",
        "mnist_sweep.train",
        "model=enhanced",
        "x=choice(1,2)",
        "y=${z}",
        "seed=1",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sweep", "TRAILS=3"], "make sweep does not use TRAILS: the nearest is TRIALS;"),
        (["train", "TRIALS=3"], "make train does not use TRIALS: it uses MODEL, DATA, EPOCHS"),
        (["report", "EPOCHS=3"], "make report does not use EPOCHS"),
        (["mlflow", "STUDY=s"], "make mlflow does not use STUDY: it uses none"),
        (["TRIALS=3"], "make help does not use TRIALS"),
        (["test", "ARGS=-x"], "make test does not use ARGS"),
    ],
)
def test_a_variable_without_an_effect_is_refused(make, words, message):
    done = make(*words)
    assert done.returncode != 0
    assert message in done.stderr
    assert done.stdout == ""


def test_what_one_of_the_targets_uses_is_taken(make):
    assert make("sweep", "report", "TRIALS=3").returncode == 0
    assert make("bench-gpu", "REPETITIONS=3").returncode == 0
    assert make("train", "MNIST_SWEEP_DATA=x", "HYDRA_FULL_ERROR=1").returncode == 0


def test_watch_looks_at_the_study_that_sweep_makes_unless_one_is_named(make):
    program = ["-m", "mnist_sweep.watch", "storage=sqlite:///multirun/optuna.db"]
    assert arguments(make("watch")) == [*program, "study=schedule-enhanced-mnist_5k"]
    assert arguments(make("watch", "STUDY=a", "ARGS=every=9")) == [*program, "study=a", "every=9"]


@pytest.mark.parametrize("target", ["report", "watch", "confirm", "screenshots"])
def test_a_study_whose_name_make_cannot_know_is_asked_for(make, target):
    done = make(target, "SEARCH=architecture")
    assert done.returncode != 0
    assert f"make {target} SEARCH=architecture needs STUDY, the name" in done.stderr
    assert make(target, "SEARCH=architecture", "STUDY=s").returncode == 0
    assert "study=pareto-enhanced-mnist_5k" in arguments(make(target, "SEARCH=pareto"))


def test_live_opens_on_a_study_where_one_is_named(make):
    program = ["-m", "mnist_sweep.report", "live=true", "storage=sqlite:///multirun/optuna.db"]
    assert arguments(make("live")) == program
    assert arguments(make("live", f"STUDY={ODD}", "ARGS=port=8091")) == [
        *program,
        f"study={ODD}",
        "port=8091",
    ]


def test_studies_passes_on_what_to_do(make):
    program = ["-m", "mnist_sweep.studies", "storage=journal:///x"]
    assert arguments(make("studies", "STORAGE=journal:///x", "ARGS=rename=a to=b")) == [
        *program,
        "rename=a",
        "to=b",
    ]


def test_an_ablation_is_named_before_anything_is_set_up(make):
    found = arguments(make("ablation", "NAME=dropout", "ARGS=epochs=1", "STORAGE=journal:///x"))
    assert found[:4] == ["-m", "mnist_sweep.train", "-m", "search=ablation/dropout"]
    assert found[4:] == ["hydra.sweeper.storage='journal:///x'", "epochs=1"]
    refused = make("ablation")
    assert refused.returncode == 2
    assert "make ablation needs NAME, a file in mnist_sweep/conf/search/ablation/" in refused.stderr


def test_pictures_are_of_a_study_where_one_is_named(make):
    assert arguments(make("screenshots", f"STUDY={ODD}", "CHROME=/x")) == [
        *("-m", "tools.screenshots", "storage=sqlite:///multirun/optuna.db"),
        f"study={ODD}",
    ]
    assert arguments(make("docs")) == ["-m", "tools.settings_page"]
