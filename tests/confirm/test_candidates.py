"""Which configurations are trained again, and as what."""

from pathlib import Path

import pytest

from mnist_sweep.config import ConfigError
from mnist_sweep.config_checks import check
from mnist_sweep.confirm.candidates import (
    Changes,
    ConfirmError,
    add,
    check_same_data,
    key_of,
    of_runs,
    of_trials,
    seeds_for,
)
from mnist_sweep.sweep.best_link import point_to

AS_IT_WAS = Changes()


def test_trials_are_called_by_their_numbers(recorded):
    recorded("multirun/s/4"), recorded("multirun/s/12", "batch_size=64")
    found = of_trials("s", {12: "multirun/s/12", 4: "multirun/s/4"}, 3, AS_IT_WAS)
    assert [(c.key, c.title, c.model) for c in found] == [
        ("trial-12", "trial 12", "linear"),
        ("trial-4", "trial 4", "linear"),
    ]


def test_runs_are_called_by_where_they_are(recorded):
    recorded("outputs/2026-11-20/17-25-21")
    (found,) = of_runs(["outputs/2026-11-20/17-25-21"], AS_IT_WAS)
    assert (found.key, found.title) == (
        "outputs-2026-11-20-17-25-21",
        "outputs/2026-11-20/17-25-21",
    )


def test_the_best_of_a_sweep_is_the_run_that_it_points_to(recorded):
    point_to(Path("multirun/s/best"), Path(recorded("multirun/s/7")))
    (found,) = of_runs(["multirun/s/best"], AS_IT_WAS)
    assert found.title == "multirun/s/7"


def test_the_first_different_configurations_are_taken(recorded, capsys):
    """A search over seeds has the same one many times."""
    for number, batch in enumerate((32, 32, 64, 64, 128, 256)):
        trial = (f"seed={number}", "study=s", f"trial={number}")
        recorded(f"multirun/s/{number}", f"batch_size={batch}", *trial)
    directories = {number: f"multirun/s/{number}" for number in (1, 0, 2, 3, 4, 5)}
    found = of_trials("s", directories, 3, AS_IT_WAS)
    assert [c.title for c in found] == ["trial 1", "trial 2", "trial 4"]
    assert capsys.readouterr().out.splitlines() == [
        "trial 0 has the same settings as trial 1 and is left out",
        "trial 3 has the same settings as trial 2 and is left out",
    ]


def test_a_name_and_notes_make_no_other_configuration(recorded, capsys):
    recorded("a", "name=first"), recorded("b", "name=second", "notes=why")
    found = []
    for candidate in of_runs(["a", "b"], AS_IT_WAS):
        add(found, candidate)
    assert [candidate.title for candidate in found] == ["a"]
    assert capsys.readouterr().out == "b has the same settings as a and is left out\n"


def test_a_run_that_is_a_trial_already_is_taken_once(recorded, capsys):
    recorded("multirun/s/4")
    found = of_trials("s", {4: "multirun/s/4"}, 3, AS_IT_WAS)
    (again,) = of_runs(["./multirun/s/4"], AS_IT_WAS)
    add(found, again)
    assert [c.title for c in found] == ["trial 4"]
    assert "multirun/s/4 has the same settings as trial 4" in capsys.readouterr().out


def test_where_the_data_lie_and_who_looks_on_are_no_settings_of_a_run(recorded):
    moved = recorded("moved", "data.root=elsewhere", "data.download=false", "tracking=tensorboard")
    first, second = of_runs([recorded("run"), moved], AS_IT_WAS)
    assert first.settings == second.settings
    (other,) = of_runs([recorded("other", "data.augmentation.shift=1")], AS_IT_WAS)
    assert other.settings != first.settings


def test_runs_of_one_name_have_folders_of_their_own(recorded):
    recorded("a/b"), recorded("a-b", "batch_size=64")
    found = []
    for candidate in of_runs(["a/b", "a-b"], AS_IT_WAS):
        add(found, candidate)
    assert [(c.key, c.title) for c in found] == [("a-b", "a/b"), ("a-b-again", "a-b")]


def test_a_study_in_which_nothing_is_complete_is_refused():
    with pytest.raises(ConfirmError, match="study=s has no complete trial that fits its budget"):
        of_trials("s", {}, 3, AS_IT_WAS)


def test_a_trial_whose_run_is_not_here_is_refused():
    with pytest.raises(ConfirmError, match="trial 4 of study=s ran in multirun/s/4, but that"):
        of_trials("s", {4: "multirun/s/4"}, 3, AS_IT_WAS)


def test_a_folder_that_is_no_run_is_refused():
    Path("empty").mkdir()
    with pytest.raises(ConfigError, match="runs=empty is not a run directory"):
        of_runs(["empty"], AS_IT_WAS)


def test_a_trial_becomes_a_run_of_its_own(recorded):
    recorded("multirun/s/4", "study=s", "trial=4", "seed=3", "optimizer.lr=0.02")
    (found,) = of_trials("s", {4: "multirun/s/4"}, 3, AS_IT_WAS)
    assert (found.config.study, found.config.trial, found.config.resume) == (None, None, None)
    assert found.config.optimizer.lr == 0.02


def test_a_run_whose_data_were_chosen_for_it_keeps_that_choice(recorded):
    """Or it would be another data set where MNIST has come to lie on the disk."""
    directory = recorded("run", "data=auto", data={"name": "mnist_5k"})
    (found,) = of_runs([directory], AS_IT_WAS)
    assert found.config.data.name == "mnist_5k"
    (found,) = of_runs([directory], Changes(data="auto"))
    assert found.config.data.name == "auto"


@pytest.mark.parametrize(
    ("tracking", "kept"), [("[tensorboard,mlflow]", True), ("none", False), ("mlflow", False)]
)
def test_seeds_are_tracked_in_tensorboard_alone_and_draw_nothing(recorded, tracking, kept):
    directory = recorded("run", f"tracking={tracking}")
    (found,) = of_runs([directory], AS_IT_WAS)
    run = check(found.config)
    assert (run.tracking.figures, run.tracking.mlflow) == ("never", None)
    assert (run.tracking.tensorboard is not None) == kept


def test_epochs_and_data_can_be_others(recorded):
    (found,) = of_runs([recorded("run")], Changes(epochs=3, data="mnist"))
    assert (found.config.epochs, found.config.data.name) == (3, "mnist")


def test_epochs_that_do_not_go_with_the_other_settings_are_refused(recorded):
    directory = recorded("run", "early_stopping.patience=4")
    with pytest.raises(ConfigError, match="patience=4 can never stop a run of epochs=3"):
        of_runs([directory], Changes(epochs=3))


def test_data_of_another_kind_are_refused(recorded):
    with pytest.raises(ConfirmError, match="data=svhn: it must be one of auto, mnist, mnist_5k"):
        of_runs([recorded("run")], Changes(data="svhn"))
    with pytest.raises(ConfirmError, match="data=mnist: other was trained on fashion_mnist, ano"):
        of_runs([recorded("other", "data=fashion_mnist")], Changes(data="mnist"))


def test_configurations_on_different_data_are_not_compared(recorded):
    directories = [recorded("one"), recorded("other", "data=mnist")]
    with pytest.raises(
        ConfirmError, match=r"one has data.name=mnist_5k, but other has mnist: they"
    ):
        check_same_data(of_runs(directories, AS_IT_WAS))
    check_same_data(of_runs(directories, Changes(data="mnist")))


def test_configurations_on_different_splits_are_not_compared(recorded):
    directories = [recorded("one"), recorded("other", "data.split_seed=1")]
    with pytest.raises(ConfirmError, match=r"one has data.split_seed=0, but other has 1"):
        check_same_data(of_runs(directories, AS_IT_WAS))


def test_fresh_seeds_leave_out_those_that_the_configurations_were_chosen_by(recorded):
    runs = of_runs([recorded("one", "seed=1001"), recorded("other", "seed=1003")], AS_IT_WAS)
    assert seeds_for(runs, 4, 1000) == [1000, 1002, 1004, 1005]
    assert seeds_for(runs, 3, 0) == [0, 1, 2]


@pytest.mark.parametrize(
    ("title", "name"),
    [("trial 17", "trial-17"), ("..", "-"), (".", "-"), ("", "-"), ("a/../b", "a-..-b")],
)
def test_a_configurations_folder_is_a_name_below_its_own(title, name):
    assert key_of(title) == name


def test_a_trial_without_a_run_directory_is_said_to_have_none():
    with pytest.raises(ConfirmError, match="trial 3 of study=x has no run directory"):
        of_trials("x", {3: None}, 1, Changes())
