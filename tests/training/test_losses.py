import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from mnist_sweep.training.losses import Loss

LABELS = torch.tensor([3, 0, 9, 9])


def logits(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(4, 10, generator=generator) * 3).requires_grad_()


def test_the_usual_loss_is_cross_entropy_to_the_bit():
    assert torch.equal(Loss()(logits(), LABELS), F.cross_entropy(logits(), LABELS))


def test_smoothed_labels_give_each_class_its_share():
    smoothed = F.one_hot(LABELS, 10) * 0.8 + 0.2 / 10
    expected = -(smoothed * logits().log_softmax(1)).sum(1).mean()
    assert torch.allclose(Loss(label_smoothing=0.2)(logits(), LABELS), expected)


def test_mse_is_the_squared_distance_of_the_probabilities_from_the_label():
    wrong = logits().softmax(1)
    rows = [
        sum((wrong[row, c].item() - (c == label)) ** 2 for c in range(10))
        for row, label in enumerate(LABELS.tolist())
    ]
    assert Loss("mse")(logits(), LABELS).item() == pytest.approx(sum(rows) / 4, rel=1e-5)


@pytest.mark.parametrize("kind", ["cross_entropy", "mse"])
def test_a_teacher_has_its_weight_and_the_labels_the_rest(kind):
    taught = Loss(kind, temperature=2.0, weight=0.7)(logits(), LABELS, logits(1))
    its = (logits(1) / 2).softmax(1)
    divergence = (its * (its.log() - (logits() / 2).log_softmax(1))).sum(1).mean()
    expected = 0.3 * Loss(kind)(logits(), LABELS) + 0.7 * 4 * divergence
    assert torch.allclose(taught, expected, atol=1e-6)


def test_a_teacher_alone_leaves_the_labels_out():
    alone = Loss(weight=1.0)
    assert torch.equal(alone(logits(), LABELS, logits(1)), alone(logits(), 9 - LABELS, logits(1)))
    assert alone(logits(), LABELS, logits()).item() == pytest.approx(0, abs=1e-6)


def test_at_high_temperatures_the_gradients_are_those_of_logits_that_should_be_equal():
    """Equation 4 of Hinton, Vinyals and Dean (2015), of logits with mean 0, times T squared."""
    own, its = (each - each.mean(1, keepdim=True) for each in (logits(), logits(1)))
    own = own.detach().requires_grad_()
    Loss(temperature=1000.0, weight=1.0)(own, LABELS, its).backward()
    assert torch.allclose(own.grad, (own - its).detach() / 10 / len(LABELS), rtol=0.02, atol=1e-3)
