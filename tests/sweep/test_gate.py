import numpy as np
import pytest
from omegaconf import OmegaConf

from mnist_sweep.errors import UserError
from mnist_sweep.sweep.gate import Verdict, parameter_budget

HYDRA = OmegaConf.create({"runtime": {"choices": {"model": "enhanced"}}})


@pytest.mark.parametrize(
    ("overrides", "constraints", "attributes", "reason"),
    [
        (
            [],
            {"parameters": 19_306 - 19_999},
            {"parameters": 19_306, "multiply_adds": 1_923_120},
            None,
        ),
        (
            ["model.width=1.2"],
            {"parameters": 7_283},
            {"parameters": 27_282},
            "27,282 parameters, 7,283 over budget",
        ),
        (["budget.max_parameters=19306"], {"parameters": 0}, None, None),
        (
            ["budget.max_parameters=19305"],
            {"parameters": 1},
            {"parameters": 19_306},
            "19,306 parameters, 1 over budget",
        ),
        (["budget.max_parameters=null", "model=resnet"], {}, None, None),
    ],
)
def test_verdicts(composed, overrides, constraints, attributes, reason):
    verdict = parameter_budget(composed(*overrides), HYDRA)
    assert verdict.constraints == constraints
    assert verdict.reason == reason
    if attributes is not None:
        assert verdict.attributes == attributes


@pytest.mark.parametrize(
    "override", ["epochs=0", "model.dropout=1.5", "optimizer.lr=-1", "scheduler.factor=2"]
)
def test_a_proposal_that_can_be_no_run_is_an_error(composed, override):
    with pytest.raises(UserError):
        parameter_budget(composed(override), HYDRA)


def test_a_teacher_that_is_not_there_is_refused_before_anything_trains(composed):
    with pytest.raises(UserError, match=r"distill\.teacher=gone is no directory here; name that"):
        parameter_budget(composed("distill.teacher=gone", "distill.weight=0.5"), HYDRA)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"constraints": [7]}, r"constraints must be numbers by name, but are \[7\]"),
        ({"constraints": {"b": "7"}}, "constraint b must be a number, but is '7'"),
        ({"constraints": {"b": float("nan")}}, "constraint b is NaN"),
        ({"attributes": {"o": np.int64(3)}}, "attributes must be Python's own numbers.*int64"),
        ({"reason": 17}, "reason must be a text or None, but is 17"),
        ({"attributes": {"o": object()}}, "attributes must be Python's own numbers.*object"),
    ],
)
def test_a_verdict_that_cannot_be_recorded_is_refused_by_name(given, said):
    with pytest.raises((TypeError, ValueError), match=said):
        Verdict(**given)


def test_numpys_numbers_are_constraints():
    assert Verdict(constraints={"a": np.float32(0.5), "b": np.int64(2)}).excess == 2
