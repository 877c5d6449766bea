import math

import pytest
import torch

from mnist_sweep.inspection.calibration import (
    HIGHEST,
    LOWEST,
    calibration_error,
    fit_temperature,
    negative_log_likelihood,
)


def drawn(temperature, count=20_000):
    """Logits whose labels are drawn from what they mean at a temperature."""
    generator = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(count, 10, generator=generator)
    labels = torch.multinomial(torch.softmax(logits / temperature, 1), 1, generator=generator)
    return logits, labels[:, 0]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_labels_were_drawn_at_is_found(temperature):
    logits, labels = drawn(temperature)
    found = fit_temperature(logits, labels)
    assert found == pytest.approx(temperature, rel=0.03)
    before, after = torch.softmax(logits, 1), torch.softmax(logits / found, 1)
    assert negative_log_likelihood(after, labels) <= negative_log_likelihood(before, labels)
    assert calibration_error(after, labels) < 0.02


def test_the_fit_is_no_worse_than_its_neighbours():
    logits, labels = drawn(1.7)
    found = fit_temperature(logits, labels)
    at = [
        negative_log_likelihood(torch.softmax(logits.double() / t, 1), labels)
        for t in (found, 0.98 * found, 1.02 * found)
    ]
    assert at[0] == min(at)


def test_logits_that_are_always_right_or_worthless_have_the_bounds():
    labels = torch.arange(10)
    assert fit_temperature(torch.eye(10), labels) == pytest.approx(LOWEST, rel=0.01)
    wrong = torch.eye(10).roll(1, 1)
    assert fit_temperature(wrong, labels) == pytest.approx(HIGHEST, rel=0.01)


def test_the_errors_are_those_of_a_table_by_hand():
    probabilities = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])
    labels = torch.tensor([0, 1, 0, 1])
    # 0.9: right half of the time; 0.6 and 0.8: always.
    assert calibration_error(probabilities, labels) == pytest.approx((0.8 + 0.4 + 0.2) / 4)
    expected = -sum(map(math.log, (0.9, 0.1, 0.6, 0.8))) / 4
    assert negative_log_likelihood(probabilities, labels) == pytest.approx(expected)
