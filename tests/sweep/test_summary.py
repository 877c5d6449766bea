import optuna
from omegaconf import OmegaConf

from mnist_sweep.sweep import study as studies
from mnist_sweep.sweep import summary
from tests.sweep.conftest import add


def test_the_best_trial_is_the_best_complete_one(study):
    assert [t.number for t in summary.best_trials(study)] == [4]


def test_results_say_what_was_found(study, tmp_path):
    summary.write_results(study, "sqlite:///x.db", tmp_path / "new")
    written = OmegaConf.load(tmp_path / "new" / "optimization_results.yaml")
    assert written.name == "optuna"
    assert (written.best_trial, written.best_value) == (4, 0.95)
    assert written.best_params == study.trials[4].params
    assert written.best_run_directory == "multirun/s/4"
    assert written.trials == {
        "complete": 2,
        "pruned": 1,
        "failed": 1,
        "rejected": 2,
        "refused": 0,
        "running": 1,
        "interrupted": 0,
        "queued": 0,
    }
    assert written.epochs_saved == 3
    assert (written.smallest_rejected.trial, written.smallest_rejected.parameters) == (2, 20_019)


def test_results_are_written_when_nothing_is_complete(tmp_path):
    study = optuna.create_study()
    add(study, studies.REJECTED, excess=1.0, parameters=20_000, reason="1 over")
    summary.write_results(study, None, tmp_path)
    written = OmegaConf.load(tmp_path / "optimization_results.yaml")
    assert written.best_value is None
    assert written.trials.rejected == 1


def test_results_of_several_objectives_are_the_feasible_front(tmp_path):
    study = optuna.create_study(directions=["maximize", "minimize"])
    for values in ([0.9, 10.0], [0.8, 20.0], [0.95, 30.0]):
        add(study, studies.COMPLETE, values, -1.0)
    summary.write_results(study, None, tmp_path)
    solutions = OmegaConf.load(tmp_path / "optimization_results.yaml").solutions
    assert sorted(s.trial for s in solutions) == [0, 2]


def test_a_rejection_without_constraints_counts_as_the_farthest():
    study = optuna.create_study()
    add(study, studies.REJECTED, reason="a rule of its own")
    assert "a rule of its own" in summary.nothing_fits(study, 1)
    number, _ = add(study, studies.REJECTED, excess=1.0, reason="1 over")
    assert summary.smallest_rejected(study).number == number
