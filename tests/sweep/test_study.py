import optuna
import pytest
from omegaconf import OmegaConf
from optuna.trial import TrialState

from mnist_sweep.sweep import study as studies
from mnist_sweep.sweep.errors import SweepError


@pytest.fixture(autouse=True)
def _quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def add(study, status, value=None, excess=None, **attributes):
    """A trial that came to something."""
    trial = study.ask()
    x = trial.suggest_float("x", 0, 1)
    if excess is not None:
        trial.set_constraint("parameters", excess)
    for name, attribute in {"status": status, **attributes}.items():
        trial.set_user_attr(name, attribute)
    study.tell(trial, value, studies.STATES[status])
    return trial.number, x


@pytest.fixture
def study():
    study = optuna.create_study(direction="maximize")
    add(study, studies.REJECTED, excess=500.0, parameters=20_499, reason="500 over")
    add(study, studies.COMPLETE, 0.9, -10.0, run_directory="multirun/s/1")
    add(study, studies.REJECTED, excess=20.0, parameters=20_019, reason="20 over")
    add(study, studies.FAILED, reason="diverged")
    add(study, studies.COMPLETE, 0.95, -5.0, run_directory="multirun/s/4")
    add(study, studies.INTERRUPTED)
    study.ask()  # runs
    return study


def test_only_launched_trials_that_ended_count(study):
    assert studies.finished(study) == 3
    assert studies.counts(study) == {
        "rejected": 2,
        "complete": 2,
        "failed": 1,
        "interrupted": 1,
        None: 1,
    }


def test_rejections_are_pruned_so_that_tpe_learns_from_them(study):
    rejected = [t for t in study.trials if studies.status(t) == studies.REJECTED]
    assert {t.state for t in rejected} == {TrialState.PRUNED}


def test_the_best_trial_is_the_best_complete_one(study):
    assert [t.number for t in studies.best_trials(study)] == [4]


def test_results_say_what_was_found(study, tmp_path):
    studies.write_results(study, "sqlite:///x.db", tmp_path / "new" / "results.yaml")
    results = OmegaConf.load(tmp_path / "new" / "results.yaml")
    assert results.name == "optuna"
    assert (results.best_trial, results.best_value) == (4, 0.95)
    assert results.best_params == study.trials[4].params
    assert results.best_run_directory == "multirun/s/4"
    assert results.trials == {
        "complete": 2,
        "failed": 1,
        "rejected": 2,
        "refused": 0,
        "interrupted": 1,
    }
    assert (results.smallest_rejected.trial, results.smallest_rejected.parameters) == (2, 20_019)


def test_results_are_written_when_nothing_is_complete(tmp_path):
    study = optuna.create_study()
    add(study, studies.REJECTED, excess=1.0, parameters=20_000, reason="1 over")
    studies.write_results(study, None, tmp_path / "results.yaml")
    results = OmegaConf.load(tmp_path / "results.yaml")
    assert results.best_value is None
    assert results.trials.rejected == 1


def test_results_of_several_objectives_are_the_feasible_front(tmp_path):
    study = optuna.create_study(directions=["maximize", "minimize"])
    for values in ([0.9, 10.0], [0.8, 20.0], [0.95, 30.0]):
        add(study, studies.COMPLETE, values, -1.0)
    studies.write_results(study, None, tmp_path / "results.yaml")
    solutions = OmegaConf.load(tmp_path / "results.yaml").solutions
    assert sorted(s.trial for s in solutions) == [0, 2]


def test_a_database_in_a_folder_that_is_not_there_is_created(tmp_path):
    storage = f"sqlite:///{tmp_path}/new/optuna.db"
    studies.open_study("s", storage, None, ["maximize"])
    assert (tmp_path / "new" / "optuna.db").is_file()
    again = studies.open_study("s", storage, None, ["maximize"])
    assert again.study_name == "s"


@pytest.mark.parametrize("storage", ["sqlite:////proc/none/x.db", "nonsense://x"])
def test_a_storage_that_cannot_be_opened_is_one_line(storage):
    with pytest.raises(SweepError, match="study 's' cannot be opened in") as error:
        studies.open_study("s", storage, None, ["maximize"])
    assert "\n" not in str(error.value)


def test_another_search_under_the_same_name_is_refused_with_the_difference():
    study = optuna.create_study(study_name="s")
    first = {"search": {"settings": {"lr": "0.1", "batch": "32"}}, "budget": 5}
    studies.check_definition(study, first)
    studies.check_definition(study, first)
    changed = {"search": {"settings": {"lr": "0.2"}}, "budget": 5}
    with pytest.raises(SweepError) as error:
        studies.check_definition(study, changed)
    assert "search.settings.batch was 32, is absent; search.settings.lr was 0.1, is 0.2" in str(
        error.value
    )
