from dataclasses import asdict

import pytest
from optuna.trial import TrialState, create_trial

from mnist_sweep.sweep.trials.retries import (
    DEATHS,
    REACHED,
    Deaths,
    RetryPolicy,
    after_another_death,
)


def trial(reports, deaths=None):
    """A trial with so many intermediate values, and these deaths recorded."""
    return create_trial(
        state=TrialState.RUNNING,
        system_attrs={} if deaths is None else {DEATHS: asdict(deaths)},
        intermediate_values=dict.fromkeys(range(reports), 0.5),
    )


@pytest.mark.parametrize(
    ("reports", "before", "after"),
    [
        (0, None, Deaths(1, 0)),
        (4, None, Deaths(1, 4)),
        (0, Deaths(1, 0), Deaths(2, 0)),
        (4, Deaths(2, 4), Deaths(3, 4)),
        (5, Deaths(2, 4), Deaths(1, 5)),  # one epoch more: it is no trial that kills its processes
        (1, Deaths(2, 0), Deaths(1, 1)),
    ],
)
def test_deaths_in_a_row_are_counted_until_an_epoch_more_is_reported(reports, before, after):
    assert after_another_death(trial(reports, before)) == after


def test_a_trial_that_reports_nothing_gets_further_by_the_epochs_that_it_has_done():
    before = {"count": 2, "reports": 4}
    one_more = {DEATHS: before, REACHED: 5}
    assert after_another_death(create_trial(state=TrialState.RUNNING, system_attrs=one_more)) == (
        Deaths(1, 5)
    )


def test_a_record_that_was_taken_off_counts_from_the_beginning():
    cleared = create_trial(state=TrialState.RUNNING, system_attrs={DEATHS: None})
    assert after_another_death(cleared) == Deaths(1, 0)


@pytest.mark.parametrize(
    ("max_retries", "count", "again"),
    [(0, 0, True), (0, 1, False), (2, 1, True), (2, 2, True), (2, 3, False)],
)
def test_a_trial_is_retried_as_often_as_it_may(max_retries, count, again):
    assert RetryPolicy(max_retries).retries(Deaths(count)) is again
