"""Which networks do the same with the same weights."""

import numpy as np
import pytest
import torch
from torch import nn

from mnist_sweep.models import MLP, StagedCNN
from mnist_sweep.training.equivalence import alike, tensors


def cnn(**settings):
    return StagedCNN([[4], [6]], **settings)


class Activated(nn.Module):
    """A user's network, with a setting that is no number."""

    def __init__(self, activation):
        super().__init__()
        self.layer = nn.Linear(3, 3)
        self.activation = activation


def with_lambda():
    return Activated(lambda x: x)


def frozen():
    model = cnn()
    model.classifier.bias.requires_grad_(False)
    return model


def test_networks_that_differ_in_their_weights_and_their_mode_are_alike():
    torch.manual_seed(0)
    first, second = cnn().train(), cnn().eval()
    assert not torch.equal(first.classifier.weight, second.classifier.weight)
    assert alike(first, second)
    assert alike(Activated(torch.relu), Activated(torch.relu))
    assert alike(Activated([1, {"a": (2, 3)}]), Activated([1, {"a": (2, 3)}]))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (cnn, MLP),
        (cnn, lambda: StagedCNN([[4], [8]])),
        (cnn, lambda: cnn(dropout=0.5)),
        (cnn, lambda: cnn().double()),
        (cnn, lambda: cnn().to("meta")),
        (cnn, lambda: cnn().to(memory_format=torch.channels_last)),
        (cnn, frozen),
        (lambda: Activated(torch.relu), lambda: Activated(torch.tanh)),
        (with_lambda, with_lambda),
        (lambda: Activated(np.ones(2)), lambda: Activated(np.ones(2))),
    ],
)
def test_networks_that_do_something_else_or_might_are_not_alike(first, second):
    assert not alike(first(), second())


def test_the_tensors_of_a_network_are_its_parameters_and_buffers_each_once():
    model = cnn()
    model.again = model.classifier
    found = tensors(model)
    assert set(found) >= {"classifier.weight", "features.0.0.norm.running_mean"}
    assert len({id(tensor) for tensor in found.values()}) == len(found)
