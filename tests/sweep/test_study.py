import optuna
import pytest
from optuna.trial import TrialState

from mnist_sweep.sweep import study as studies
from mnist_sweep.sweep.errors import SweepError


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


def test_a_study_of_another_direction_is_refused(tmp_path):
    storage = f"sqlite:///{tmp_path}/optuna.db"
    studies.open_study("s", storage, None, ["maximize"])
    with pytest.raises(SweepError, match="exists with direction maximize, not minimize"):
        studies.open_study("s", storage, None, ["minimize"])


def test_trials_on_other_data_end_the_sweep():
    study = optuna.create_study(study_name="s")
    studies.check_data(study, {})
    studies.check_data(study, {"data": "mnist_5k", "data_fingerprint": "aa"})
    studies.check_data(study, {"data": "mnist_5k", "data_fingerprint": "aa"})
    with pytest.raises(SweepError, match="is on data aa, but this trial ran on mnist bb"):
        studies.check_data(study, {"data": "mnist", "data_fingerprint": "bb"})


def test_another_search_under_the_same_name_is_refused_with_the_difference():
    study = optuna.create_study(study_name="s")
    first = {"search": {"settings": {"lr": "0.1", "batch": "32", "threads": "1"}}, "budget": 5}
    studies.check_definition(study, first)  # nothing is recorded yet
    studies.record_definition(study, first)
    studies.check_definition(study, first)
    settings = {"lr": "0.1", "batch": "32", "progress": "false", "data.root": "elsewhere"}
    studies.check_definition(study, {"search": {"settings": settings}, "budget": 5})
    changed = {"search": {"settings": {"lr": "0.2"}}, "budget": 5}
    with pytest.raises(SweepError) as error:
        studies.check_definition(study, changed)
    assert "search.settings.batch was 32, is absent; search.settings.lr was 0.1, is 0.2" in str(
        error.value
    )
