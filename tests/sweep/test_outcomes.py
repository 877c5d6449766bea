"""What a job's return value is to a trial: as the stock sweeper has it."""

import decimal
import math

import numpy as np
import pytest
import torch
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf

from mnist_sweep.sweep.outcomes import BadValue, JobFailed, objectives


class Raises:
    """No objective, and no pleasure to print."""

    def __float__(self):
        raise RuntimeError("no")

    def __repr__(self):
        raise RuntimeError("no")


def returned(value):
    job = JobReturn()
    job.status, job.return_value = JobStatus.COMPLETED, value
    return job


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.5, 0.5),
        (3, 3.0),
        (True, 1.0),
        ("0.25", 0.25),
        (" 1e-3 ", 0.001),
        (math.inf, math.inf),
        (-math.inf, -math.inf),
        ("inf", math.inf),
        (np.float32(0.5), 0.5),
        (np.int64(2), 2.0),
        (np.array(0.5), 0.5),
        (torch.tensor(0.5), 0.5),
        (torch.tensor([[0.5]]), 0.5),
        (decimal.Decimal("0.5"), 0.5),
        # Not to the stock sweeper, which has them fail.
        ([0.5], 0.5),
        ((torch.tensor(0.5),), 0.5),
    ],
    ids=repr,
)
def test_what_a_float_can_be_made_of_is_an_objective(value, expected):
    assert objectives(returned(value), 1) == [expected]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([1, 2.5], [1.0, 2.5]),
        ((math.inf, "-inf"), [math.inf, -math.inf]),
        (np.array([1.0, 2.0]), [1.0, 2.0]),
        (torch.tensor([1.0, 2.0]), [1.0, 2.0]),
        ({1: "a", 2: "b"}, [1.0, 2.0]),
        (OmegaConf.create([1, 2]), [1.0, 2.0]),
    ],
    ids=repr,
)
def test_several_objectives_are_whatever_gives_floats_in_turn(value, expected):
    assert objectives(returned(value), 2) == expected


@pytest.mark.parametrize(
    ("value", "directions", "reason"),
    [
        (None, 1, "the job returned None, not a float"),
        (math.nan, 1, "the objective is nan"),
        ("nan", 1, "the objective is 'nan'"),
        (torch.tensor(math.nan), 1, "the objective is tensor(nan)"),
        ("good", 1, "the job returned 'good', not a float"),
        ({"loss": 1}, 1, "the job returned {'loss': 1}, not a float"),
        (1j, 1, "the job returned 1j, not a float"),
        (10**400, 1, "the job returned 1000"),
        (torch.zeros(2), 1, "the job returned tensor([0., 0.]), not a float"),
        (np.zeros((2, 2)), 1, "the job returned array([[0., 0.], [0., 0.]]), not a float"),
        (Raises(), 1, "the job returned Raises, not a float"),
        ([1.0, 2.0], 1, "the job returned 2 values for 1 directions"),
        ([], 1, "the job returned 0 values for 1 directions"),
        ([None], 1, "the job returned [None], not a float"),
        (None, 2, "the job returned None, not 2 floats"),
        (1.0, 2, "the job returned 1.0, not 2 floats"),
        ([1.0], 2, "the job returned 1 values for 2 directions"),
        ((1.0, 2.0, 3.0), 2, "the job returned 3 values for 2 directions"),
        ([1.0, math.nan], 2, "the objective is [1.0, nan]"),
        ([1.0, "good"], 2, "the job returned [1.0, 'good'], not 2 floats"),
        (torch.zeros(2, 2), 2, "the job returned tensor([[0., 0.], [0., 0.]]), not 2 floats"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_else_is_a_bad_value_in_one_line(value, directions, reason):
    with pytest.raises(BadValue) as error:
        objectives(returned(value), directions)
    assert str(error.value).startswith(reason)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 200


def test_a_job_that_raised_is_no_bad_value(capfd):
    job = JobReturn()
    job.status, job.return_value = JobStatus.FAILED, ValueError("a bug")
    with pytest.raises(JobFailed, match="ValueError: a bug") as error:
        objectives(job, 1)
    assert not isinstance(error.value, BadValue)
