from pathlib import Path

import optuna
import pytest

from mnist_sweep.errors import UserError
from mnist_sweep.sweep.study_record import read_study
from tests.report.conftest import ADDRESS, SPACE, add, create, create_usual

SQLITE = "sqlite:///studies.db"


@pytest.fixture
def usual():
    return create_usual()


def test_every_trial_is_a_row_with_what_it_came_to(usual):
    record = read_study(usual, ADDRESS)
    assert [row.status for row in record.rows] == [
        "complete",
        "rejected",
        "complete",
        "pruned",
        "complete",
        "failed",
        "complete",
        "rejected",
        "running",
    ]
    first, rejected, _, pruned = record.rows[:4]
    assert first.values == (0.9,)
    assert first.curve == {1: 0.5, 2: 0.7, 3: 0.8, 4: 0.9}
    assert first.command == ["data=mnist_5k", "seed=0", "run='a b'"]
    assert (rejected.feasible, rejected.values) == (False, ())
    assert (pruned.reason, pruned.values) == ("pruned at 0.3", ())
    assert record.objectives == ["val_acc"]
    assert record.budget == 19_999
    assert record.searched == SPACE


def test_the_figures_of_a_study_are_sums_over_the_trials_that_ran(usual):
    record = read_study(usual, ADDRESS)
    assert record.counts == {"complete": 4, "rejected": 2, "pruned": 1, "failed": 1, "running": 1}
    assert len(record.finished) == 6
    assert record.epochs_trained == 4 * 4 + 1 + 2
    assert record.epochs_saved == 3
    assert record.seconds == 180.0


def test_the_best_come_first_and_of_equals_the_earlier(usual):
    assert [row.number for row in read_study(usual, ADDRESS).best] == [2, 6, 4, 0]


def test_a_lower_loss_is_better_and_an_infeasible_trial_is_not_ranked():
    study = create("losses", ["minimize"], "val_loss")
    for value, excess in ((0.3, -1.0), (0.1, 5.0), (0.2, -1.0)):
        add(study, "complete", value, excess=excess)
    assert [row.number for row in read_study("losses", ADDRESS).best] == [2, 0]


def test_with_several_objectives_the_front_is_ranked_by_the_first():
    study = create("front", ["maximize", "minimize"], ["val_acc", "parameters"])
    for values in ((0.9, 10.0), (0.95, 20.0), (0.9, 30.0)):
        add(study, "complete", values)
    record = read_study("front", ADDRESS)
    assert [row.number for row in record.best] == [1, 0]
    assert record.objectives == ["val_acc", "parameters"]


def test_a_study_of_another_application_is_read_too():
    study = optuna.create_study(study_name="foreign", storage=SQLITE)
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
    record = read_study("foreign", SQLITE)
    assert record.objectives == ["value"]
    assert [len(row.values) for row in record.rows] == [1, 1, 1]
    assert (record.budget, record.seconds, record.epochs_trained) == (None, 0.0, 0)


@pytest.mark.parametrize(
    ("name", "address", "message"),
    [
        ("other", SQLITE, "study=other is not in sqlite:///studies.db; it has usual"),
        ("usual", "sqlite:///none.db", "there is no file none.db; name the study's storage"),
        ("usual", "journal:///none.log", "there is no file none.log"),
        ("usual", "nonsense", "storage=nonsense cannot be read: it is no address"),
    ],
)
def test_what_is_not_there_is_one_line_and_nothing_is_made(name, address, message):
    create("usual", storage=SQLITE)
    with pytest.raises(UserError, match=message) as raised:
        read_study(name, address)
    assert "\n" not in str(raised.value)
    assert "error:" not in str(raised.value)
    assert all(path.name.startswith("studies.db") for path in Path().iterdir())
