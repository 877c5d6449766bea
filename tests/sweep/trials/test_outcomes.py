"""What becomes of a job: its return value as the stock sweeper has it, and what it recorded."""

import decimal
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf

from mnist_sweep.errors import LeaseLost
from mnist_sweep.sweep.jobs.backend import Finished, Job
from mnist_sweep.sweep.trials.outcomes import (
    RESULT_OF_OURS,
    BadValue,
    JobFailed,
    directory_of,
    epochs_done,
    figures,
    lost_its_lease,
    objectives,
    record_failure,
    recorded,
    values,
)


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


def failed(error):
    job = JobReturn()
    job.status, job.return_value = JobStatus.FAILED, error
    return job


def test_a_job_that_finished_has_its_objectives_or_the_reason_why_not():
    job = Job(0, [])
    assert values(Finished(job, returned=returned(0.5)), 1) == [0.5]
    with pytest.raises(JobFailed, match=r"^out of memory$"):
        values(Finished(job, reason="out of memory", died=True), 1)
    with pytest.raises(BadValue):
        values(Finished(job, returned=returned(None)), 1)


@pytest.mark.parametrize(
    ("finished", "lost"),
    [
        (Finished(Job(0, []), returned=failed(LeaseLost("trial 0 was taken over"))), True),
        (Finished(Job(0, []), returned=failed(ValueError("a bug"))), False),
        (Finished(Job(0, []), returned=returned(0.5)), False),
        (Finished(Job(0, []), reason="killed", died=True), False),
    ],
    ids=["lost", "raised", "returned", "died"],
)
def test_a_job_that_stopped_since_its_trial_was_anothers_is_told_from_one_that_failed(
    finished, lost, capfd
):
    assert lost_its_lease(finished) is lost
    assert capfd.readouterr().err == ""


def test_a_job_ran_where_hydra_says_so_and_nowhere_if_it_did_not_get_as_far():
    job = returned(0.5)
    assert directory_of(job) is None
    job.hydra_cfg = OmegaConf.create({"hydra": {"runtime": {"output_dir": "multirun/s/3"}}})
    assert directory_of(job) == Path("multirun/s/3")
    job.hydra_cfg = OmegaConf.create({"hydra": {}})
    assert directory_of(job) is None


RESULT = {
    **dict.fromkeys(RESULT_OF_OURS),
    "status": "running",
    "trial": 3,
    "max_epochs": 5,
    "val_acc": 0.9,
}


def write(text):
    Path("run").mkdir(exist_ok=True)
    Path("run/result.json").write_text(text)


@pytest.mark.parametrize("text", [None, "", "{", "[]", "7", '{"status": "running"}'])
def test_what_is_no_result_of_a_run_of_ours_says_nothing(text):
    if text is not None:
        write(text)
    assert recorded(Path("run")) == {}
    record_failure(Path("run"), "killed")
    assert text is None or Path("run/result.json").read_text() == text


def test_a_trial_is_told_what_its_run_has_recorded():
    data = {"name": "mnist_5k", "fingerprint": "abc"}
    write(json.dumps({**RESULT, "data": data, "val_loss": None, "device": "cpu"}))
    assert figures(Path("run"), recorded(Path("run"))) == {
        "run_directory": "run",
        "max_epochs": 5,
        "val_acc": 0.9,
        "data": "mnist_5k",
        "data_fingerprint": "abc",
    }
    assert figures(Path("elsewhere"), {}) == {"run_directory": "elsewhere"}


@pytest.mark.parametrize(
    ("status", "after"),
    [("running", "failed"), ("complete", "complete"), ("interrupted", "interrupted")],
)
def test_a_run_that_was_cut_off_gets_the_reason_and_one_that_ended_keeps_its_own(status, after):
    write(json.dumps({**RESULT, "status": status, "reason": None}))
    record_failure(Path("run"), "killed")
    found = json.loads(Path("run/result.json").read_text())
    assert found["status"] == after
    assert found["reason"] == ("killed" if status == "running" else None)
    assert found["val_acc"] == 0.9


def test_epochs_are_counted_by_the_lines_that_are_complete():
    assert epochs_done(Path("run")) == 0
    Path("run").mkdir()
    Path("run/metrics.jsonl").write_text('{"epoch": 1}\n{"epoch": 2}\n{"epo')
    assert epochs_done(Path("run")) == 2
