from datetime import datetime

import optuna
import pytest
from omegaconf import OmegaConf
from optuna.trial import create_trial

from mnist_sweep.sweep import summary
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.gate import Verdict
from mnist_sweep.sweep.trials.status import TrialStatus
from mnist_sweep.sweep.trials.tally import Tally
from tests.sweep.conftest import add


def test_the_best_trial_is_the_best_complete_one(study):
    assert [t.number for t in Tally(study).best] == [4]


def test_results_say_what_was_found(study, tmp_path):
    summary.write_results(Tally(study), "sqlite:///x.db", tmp_path / "new")
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
    add(study, TrialStatus.REJECTED, excess=1.0, parameters=20_000, reason="1 over")
    summary.write_results(Tally(study), None, tmp_path)
    written = OmegaConf.load(tmp_path / "optimization_results.yaml")
    assert written.best_value is None
    assert written.trials.rejected == 1


def test_results_of_several_objectives_are_the_feasible_front(tmp_path):
    study = optuna.create_study(directions=["maximize", "minimize"])
    for values in ([0.9, 10.0], [0.8, 20.0], [0.95, 30.0]):
        add(study, TrialStatus.COMPLETE, values, -1.0)
    summary.write_results(Tally(study), None, tmp_path)
    solutions = OmegaConf.load(tmp_path / "optimization_results.yaml").solutions
    assert sorted(s.trial for s in solutions) == [0, 2]


def test_a_rejection_without_constraints_counts_as_the_farthest():
    study = optuna.create_study()
    add(study, TrialStatus.REJECTED, reason="a rule of its own")
    assert "a rule of its own" in summary.nothing_fits(Tally(study), 1)
    number, _ = add(study, TrialStatus.REJECTED, excess=1.0, reason="1 over")
    assert Tally(study).closest.number == number


def test_a_proposal_that_repeats_a_trial_is_not_the_one_closest_to_the_budget():
    study = optuna.create_study()
    add(study, TrialStatus.REJECTED, excess=-5.0, reason="the configuration of trial 0 again")
    number, _ = add(study, TrialStatus.REJECTED, excess=1.0, reason="1 over")
    assert Tally(study).closest.number == number


def test_a_draw_that_came_closer_than_any_trial_is_the_one_that_is_said():
    study = optuna.create_study()
    add(study, TrialStatus.REJECTED, excess=10.0, reason="10 over")
    near = Verdict({"parameters": 1.0}, reason="1 over")
    far = Verdict({"parameters": 99.0}, reason="99 over")
    assert "; the closest has 1 over:" in summary.nothing_fits(Tally(study), 5, 100, near)
    assert "; the closest, trial 0, has 10 over:" in summary.nothing_fits(Tally(study), 5, 100, far)
    assert "among 5 proposals and 100 more draws" in summary.nothing_fits(Tally(study), 5, 100, far)


def test_trials_since_the_best_are_those_that_ended_after_it_did(study):
    assert Tally(study).since_best == 1  # pruned; the failed one ended before
    add(study, TrialStatus.COMPLETE, 0.1, -1.0)
    add(study, TrialStatus.REJECTED, excess=1.0, reason="1 over")
    assert Tally(study).since_best == 2
    assert Tally(optuna.create_study()).since_best == 0


def test_trials_that_another_machine_with_a_slow_clock_ends_later_count_since_the_best(study):
    tally = Tally(study)
    before = tally.since_best
    trial = create_trial(value=0.1, user_attrs={"status": "complete"})
    trial.datetime_complete = datetime(2001, 1, 1)
    study.add_trial(trial)
    tally.renew()
    assert tally.since_best == before + 1


def written(directory):
    return OmegaConf.to_container(OmegaConf.load(summary.path_in(directory)))


def test_the_file_is_kept_up_to_date_as_trials_end(study, tmp_path):
    tally = Tally(study)
    file = summary.SummaryFile(tally, None, tmp_path)
    file.launched(3)
    file.ending()
    assert not summary.path_in(tmp_path).exists()
    file.told()
    assert written(tmp_path)["best_value"] == 0.95
    add(study, TrialStatus.COMPLETE, 0.99, -1.0, run_directory="multirun/s/7")
    tally.renew()
    file.told()
    assert written(tmp_path)["best_value"] == 0.99
    add(study, TrialStatus.FAILED, reason="diverged")
    tally.renew()
    file.ended()
    assert written(tmp_path)["trials"]["failed"] == 2


def test_a_grids_skipped_points_are_listed_at_the_end_only(tmp_path):
    grid = optuna.samplers.GridSampler({"x": [0.25, 0.5]})
    study = optuna.create_study(sampler=grid)
    add(study, TrialStatus.REJECTED, excess=1.0, parameters=20_000, reason="1 over")
    file = summary.SummaryFile(Tally(study), None, tmp_path)
    file.told()
    assert "skipped" not in written(tmp_path)
    file.ended()
    (skipped,) = written(tmp_path)["skipped"]
    assert (skipped["trial"], skipped["parameters"]) == (0, 20_000)
    assert set(skipped["params"]) == {"x"}


def test_a_directory_that_holds_another_studys_runs_is_refused(tmp_path):
    ours, other = (optuna.create_study() for _ in range(2))
    summary.check_directory(ours, tmp_path)
    summary.write_results(Tally(ours), None, tmp_path)
    summary.check_directory(ours, tmp_path)
    with pytest.raises(SweepError, match="has runs of another study"):
        summary.check_directory(other, tmp_path)


@pytest.mark.parametrize(
    "content", [b"a: [b", b"- a\n- b\n", bytes(200), b"\xff\xfe", b"study_id: ${nowhere}"]
)
def test_a_damaged_summary_is_one_line_that_says_what_to_do(study, tmp_path, content):
    summary.path_in(tmp_path).write_bytes(content)
    with pytest.raises(
        SweepError, match=r"optimization_results\.yaml is damaged.* delete it"
    ) as said:
        summary.check_directory(study, tmp_path)
    assert "\n" not in str(said.value)


def test_runs_without_a_summary_are_another_studys_unless_this_one_has_trials(study, tmp_path):
    (tmp_path / "0").mkdir()
    summary.check_directory(study, tmp_path)
    with pytest.raises(SweepError, match="has runs of another study"):
        summary.check_directory(optuna.create_study(), tmp_path)


def test_a_password_is_not_written(study, tmp_path):
    summary.write_results(Tally(study), "postgresql://me:secret@host/db", tmp_path)
    text = summary.path_in(tmp_path).read_text()
    assert "secret" not in text
    assert "host/db" in text
