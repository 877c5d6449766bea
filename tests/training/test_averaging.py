import pytest
import torch
from torch import nn

from mnist_sweep.models import StagedCNN
from mnist_sweep.training.averaging import Averaging


def small():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))


@torch.no_grad()
def step(model, to):
    """Set all that a network has to a number, as a step of its training would."""
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.fill_(to)


def values(model):
    """The one number that each of a network's tensors is made of."""
    return {round(each.flatten()[0].item(), 6) for each in model.state_dict().values()}


def test_an_average_forgets_its_first_weights_quickly_and_later_ones_as_decay_says():
    model = small()
    step(model, 0)
    averaging, expected = Averaging(model, decay=0.3), 0.0
    # (1 + n) / (10 + n) is below 0.3 for n = 0, 1, 2.
    for number, decay in enumerate((1 / 10, 2 / 11, 3 / 12, 0.3, 0.3), 1):
        step(model, number)
        averaging.after_step(model)
        expected = decay * expected + (1 - decay) * number
        assert averaging.model[0].weight[0, 0].item() == pytest.approx(expected, rel=1e-5)


def test_statistics_are_averaged_as_weights_are_and_counts_are_copied():
    model = small()
    step(model, 0)
    averaging = Averaging(model, decay=0.9)
    for number in (1, 2):
        step(model, number)
        averaging.after_step(model)
    mean, weight = averaging.model[1].running_mean, averaging.model[0].weight
    assert torch.equal(mean[0], weight[0, 0])
    assert 1 < mean[0] < 2
    assert averaging.model[1].num_batches_tracked == 2


def test_an_average_is_updated_as_often_as_asked():
    model = small()
    step(model, 0)
    averaging = Averaging(model, decay=0.9, every=3)
    for number in range(1, 6):
        step(model, number)
        averaging.after_step(model)
        assert values(averaging.model) == ({0.0} if number < 3 else {2.7, 3.0})  # 3: the count


def test_the_average_is_a_network_of_its_own():
    model = small()
    averaging = Averaging(model, decay=0.9)
    own = {each.data_ptr() for each in averaging.model.state_dict().values()}
    assert own.isdisjoint(each.data_ptr() for each in model.state_dict().values())
    assert not any(each.requires_grad for each in averaging.model.parameters())
    assert all(each.requires_grad for each in model.parameters())


def test_a_restored_average_continues_where_it_was():
    model = StagedCNN([[2], [2]])
    averaging = Averaging(model, decay=0.5, every=2)
    for number in (1, 2, 3):
        step(model, number)
        averaging.after_step(model)
    other = Averaging(StagedCNN([[2], [2]]), decay=0.5, every=2)
    other.load_state_dict(averaging.state_dict())
    step(model, 4)
    for each in (averaging, other):
        each.after_step(model)
    before, after = averaging.model.state_dict(), other.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
