"""Which trials of a study are confirmed first, also where the seed was searched."""

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState, create_trial

from mnist_sweep.confirm.candidates import leading, seeds_for
from mnist_sweep.report.arms import arms
from mnist_sweep.sweep.study_record import of_storage

AMONG = {
    "batch_size": CategoricalDistribution([16, 32, 64]),
    "seed": CategoricalDistribution([0, 1, 1001]),
}


def record_of(*trials, direction="maximize", searched=("batch_size", "seed")):
    """A study of trials, each (batch size, seed, value); one without a value was pruned."""
    storage = optuna.storages.InMemoryStorage()
    study = optuna.create_study(storage=storage, study_name="s", direction=direction)
    for size, seed, value in trials:
        drawn = {"batch_size": size, "seed": seed}
        study.add_trial(
            create_trial(
                state=TrialState.PRUNED if value is None else TrialState.COMPLETE,
                value=value,
                params={name: drawn[name] for name in searched},
                distributions={name: AMONG[name] for name in searched},
            )
        )
    return of_storage("s", "sqlite:///s.db", storage)


def numbers(record):
    return [row.number for row in leading(record)]


def test_the_best_mean_leads_where_the_seed_was_searched_and_not_the_luckiest_run():
    steady = [(32, 0, 0.98), (32, 1, 0.98), (32, 1001, 0.983)]
    lucky = [(16, 0, 0.99), (16, 1, 0.95), (16, 1001, 0.96)]
    assert numbers(record_of(*lucky, *steady)) == [3, 0]  # of each its first trial


def test_the_lowest_mean_leads_where_less_is_better():
    trials = [(16, 0, 0.1), (16, 1, 0.3), (32, 0, 0.15), (32, 1, 0.15)]
    assert numbers(record_of(*trials, direction="minimize")) == [2, 0]


def test_a_mean_without_the_seeds_that_were_pruned_comes_last_and_one_run_before_it():
    cut = [(16, 0, 0.99), (16, 1, 0.99), (16, 1001, None)]
    assert numbers(record_of(*cut, (64, 0, 0.995), (32, 0, 0.9), (32, 1, 0.9))) == [4, 3, 0]


def test_a_seed_that_ran_twice_counts_once():
    twice = [(16, 0, 0.9), (16, 0, 0.99), (16, 1, 0.9)]
    assert numbers(record_of(*twice, (32, 0, 0.946), (32, 1, 0.946))) == [3, 1]


def test_a_seed_that_was_pruned_and_then_ran_to_its_end_is_in_the_mean():
    again = [(16, 0, None), (16, 0, 0.99), (16, 1, 0.99)]
    record = record_of(*again, (32, 0, 0.9), (32, 1, 0.9))
    assert numbers(record) == [1, 3]


def test_it_is_the_order_that_the_report_has():
    trials = [(16, 0, 0.9), (16, 1, 0.98), (32, 0, 0.95), (32, 1, 0.96), (64, 0, 0.99)]
    record = record_of(*trials, (64, 1, None))
    sizes = [row.settings["batch_size"] for row in leading(record)]
    assert sizes[:2] == [arm.settings["batch_size"] for arm in arms(record)]


def test_single_runs_lead_where_the_seed_was_not_searched():
    record = record_of((16, 0, 0.99), (16, 1, 0.9), (32, 0, 0.95), searched=("batch_size",))
    assert numbers(record) == [0, 2, 1]


def test_fresh_seeds_leave_out_all_that_were_searched():
    trials = [(16, 0, 0.9), (16, 1, 0.9), (16, 1001, 0.9)]
    assert seeds_for([], 3, 1000, record_of(*trials)) == [1000, 1002, 1003]
    alone = record_of(*trials, searched=("batch_size",))
    assert seeds_for([], 3, 1000, alone) == [1000, 1001, 1002]


def test_fresh_seeds_leave_out_those_that_chose_a_front():
    storage = optuna.storages.InMemoryStorage()
    directions = ["maximize", "minimize"]
    study = optuna.create_study(storage=storage, study_name="s", directions=directions)
    study.add_trial(
        create_trial(
            values=[0.9, 10],
            params={"seed": 1001},
            distributions={"seed": AMONG["seed"]},
        )
    )
    record = of_storage("s", "sqlite:///s.db", storage)
    assert numbers(record) == [0]
    assert seeds_for([], 2, 1000, record) == [1000, 1002]
