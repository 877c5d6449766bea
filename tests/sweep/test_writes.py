import optuna
import pytest
import sqlalchemy
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from mnist_sweep.sweep.storage import open_storage
from mnist_sweep.sweep.writes import TrialWriter

RATE = FloatDistribution(1e-5, 1e-1, log=True)
WIDTH = IntDistribution(8, 64)
KIND = CategoricalDistribution(["a", 2, None, False])
DRAWN = {"rate": (0.001, RATE), "width": (32.0, WIDTH), "kind": (2.0, KIND)}
VALUES = {"rate": 0.001, "width": 32, "kind": None}


@pytest.fixture(params=[None, "journal:///studies.log", "sqlite:///studies.db"])
def storage(request):
    opened = open_storage(request.param)
    yield opened.optuna
    opened.close()


@pytest.fixture
def study(storage):
    return optuna.create_study(study_name="s", storage=storage)


def test_what_is_written_is_what_optuna_would_have_written(study):
    writer = TrialWriter(study._storage)
    for number in range(3):  # the first time each parameter is compared with the study's
        trial_id = study.ask()._trial_id
        writer.write(trial_id, DRAWN, {"constraints:size": -5.0}, {"note": {"a": [1, None]}})
        trial = study.get_trials()[number]
        assert trial.params == VALUES
        assert trial.distributions == {"rate": RATE, "width": WIDTH, "kind": KIND}
        assert trial.constraints == {"size": -5.0}
        assert trial.user_attrs == {"note": {"a": [1, None]}}
        study.tell(trial.number, 1.0)
    assert study.best_trial.params == VALUES


def test_an_attribute_that_is_there_is_changed_and_others_are_left(study):
    writer, trial = TrialWriter(study._storage), study.ask()
    trial.set_user_attr("reason", "of another sweep")
    trial.set_user_attr("status", "interrupted")
    writer.write(trial._trial_id, {}, {}, {"reason": "too wide"})
    writer.write(trial._trial_id, {}, {}, {})
    assert study.get_trials()[0].user_attrs == {"reason": "too wide", "status": "interrupted"}


@pytest.mark.parametrize("times", [0, 2])
def test_a_parameter_that_the_study_draws_otherwise_is_refused(study, times):
    writer = TrialWriter(study._storage)
    for _ in range(times):
        writer.write(study.ask()._trial_id, DRAWN, {}, {})
    study.tell(study.ask({"kind": KIND, "rate": RATE}), 1.0)
    other = {"kind": (0.0, CategoricalDistribution(["a", "b"]))}
    with pytest.raises(ValueError, match="dynamic value space"):
        writer.write(study.ask()._trial_id, other, {}, {})


@pytest.mark.parametrize("storage", ["sqlite:///studies.db"], indirect=True)
def test_on_a_database_all_of_it_is_one_transaction(study):
    writer = TrialWriter(study._storage)
    writer.write(study.ask()._trial_id, DRAWN, {}, {})
    commits = []
    sqlalchemy.event.listen(writer.engine, "commit", commits.append)
    trial_id = study.ask()._trial_id
    commits.clear()
    writer.write(trial_id, DRAWN, {"constraints:size": -5.0}, {"note": 1, "reason": "2"})
    assert len(commits) == 1
