import pickle

import pytest
import torch
from torch import nn

from mnist_sweep.models import Linear, StagedCNN
from mnist_sweep.models.cost import (
    BudgetExceeded,
    UnknownCost,
    WrongOutput,
    count_multiply_adds,
    count_parameters,
    largest_fitting,
    on_meta,
)


def test_parameters_are_counted_once_each_with_frozen_ones():
    shared = nn.Linear(4, 4)
    shared.bias.requires_grad_(False)
    assert count_parameters(nn.Sequential(shared, shared, nn.Linear(4, 1))) == 20 + 5


def test_buffers_do_not_count():
    assert count_parameters(nn.BatchNorm2d(7)) == 14


def test_a_lazy_module_is_an_error_and_not_a_zero():
    with pytest.raises(UnknownCost, match=r"0.weight, 0.bias get their shape only in a forward"):
        count_parameters(nn.Sequential(nn.LazyLinear(10)))


def test_nothing_is_allocated():
    model = on_meta(lambda: nn.Linear(10**6, 10**6))  # 4 TB, were it real
    assert count_parameters(model) == 10**12 + 10**6
    assert all(p.device.type == "meta" for p in model.parameters())


def test_multiply_adds_of_a_linear_model_are_its_weights():
    assert count_multiply_adds(on_meta(Linear)) == 784 * 10


def test_multiply_adds_of_convolutions_are_counted_by_hand():
    model = on_meta(lambda: StagedCNN([[8, 16], [20]]))
    by_hand = 28 * 28 * (9 * 8 + 8 * 16) + 14 * 14 * 9 * 16 * 20 + 20 * 10
    assert count_multiply_adds(model) == by_hand


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(784, 5)), r"\[1, 5\]"),
        (nn.Conv2d(1, 10, 28), r"\[1, 10, 1, 1\]"),
        (nn.Sequential(nn.Flatten(), nn.LSTM(784, 10)), "tuple"),
    ],
)
def test_a_model_that_gives_no_ten_logits_is_refused(model, shape):
    with pytest.raises(WrongOutput, match=rf"maps one image to {shape}; it must give logits"):
        count_multiply_adds(model.to("meta"))


def test_counting_leaves_the_model_in_its_mode():
    model = on_meta(Linear)
    assert model.training
    count_multiply_adds(model)
    assert model.training


@pytest.mark.parametrize(("limit", "expected"), [(100, 10), (99, 9), (1, 1), (10**6, 20)])
def test_the_largest_fitting_value_is_found_by_bisection(limit, expected):
    assert largest_fitting(range(1, 21), lambda value: value * value, limit) == expected


def test_no_fitting_value_is_a_lookup_error():
    with pytest.raises(LookupError, match="at most 0"):
        largest_fitting([1, 2], lambda value: value, 0)


def test_an_exceeded_budget_survives_the_way_from_a_worker():
    error = pickle.loads(pickle.dumps(BudgetExceeded("too large", 12, 10)))
    assert (str(error), error.parameters, error.limit) == ("too large", 12, 10)


def test_the_meta_device_gives_the_counts_of_the_real_one():
    stages = [[8, 16, 16], [22, 30, 30], [36, 46, 36]]
    real = sum(p.numel() for p in StagedCNN(stages).parameters())
    assert count_parameters(on_meta(lambda: StagedCNN(stages))) == real == 19_306
    assert torch.empty(0).device.type == "cpu"  # the meta device ends with its context
