"""A captured pass, with a recorder that does on the CPU what a CUDA graph does on a GPU."""

import copy
from functools import partial

import pytest
import torch

from mnist_sweep.capture import WARM_UP, Captured, CaptureError
from mnist_sweep.data import Augmentation, Images, Pipeline
from mnist_sweep.fit import Precision, Training, forward_backward, train_epoch
from mnist_sweep.models import StagedCNN
from mnist_sweep.schedules import one_cycle

BATCH, FLOAT = 8, Precision()


def digits(count):
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, 28, 28), dtype=torch.uint8, generator=generator)
    return Images(pixels, torch.randint(0, 10, (count,), generator=generator))


def training(epochs=2, steps=9):
    torch.manual_seed(0)
    model = StagedCNN([[4], [6]], dropout=0.2).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1)
    schedule = one_cycle(optimizer, epochs, steps)
    return Training(model, optimizer, schedule, torch.Generator().manual_seed(1))


class Recorder:
    """Records without doing, and replays to the memory it recorded: outputs and gradients."""

    def __init__(self, model):
        self.model, self.recorded, self.replayed = model, 0, 0

    def __call__(self, work):
        self.recorded += 1
        state, rng = copy.deepcopy(self.model.state_dict()), torch.get_rng_state()
        outputs = work()
        gradients = [parameter.grad for parameter in self.model.parameters()]
        self.model.load_state_dict(state)
        torch.set_rng_state(rng)

        def replay():
            self.replayed += 1
            before = [parameter.grad for parameter in self.model.parameters()]
            found = work()
            for parameter, recorded, own in zip(
                self.model.parameters(), gradients, before, strict=True
            ):
                if recorded is not None:
                    recorded.copy_(parameter.grad)
                parameter.grad = own  # a graph knows nothing of the parameter, only of memory
            for recorded, new in zip(outputs, found, strict=True):
                recorded.copy_(new)

        return replay, outputs


def epochs(work_of, pipeline, images=68, epochs=2):
    """Train; return the figures of the epochs and the weights."""
    run = training(epochs, -(-images // BATCH))
    work = work_of(run)
    split = digits(images)
    figures = [
        train_epoch(run, pipeline.training_batches(split, BATCH, run.generator), work)
        for _ in range(epochs)
    ]
    return figures, run.model.state_dict()


@pytest.mark.parametrize("augmentation", [Augmentation(), Augmentation(10, 2, 0.1)], ids=str)
@pytest.mark.parametrize("images", [64, 68])  # with a last batch of 4
def test_replayed_passes_train_as_passes_do(images, augmentation):
    recorders = []

    def captured(run):
        recorders.append(Recorder(run.model))
        work = partial(forward_backward, run, FLOAT)
        return Captured(work, list(run.model.parameters()), BATCH, recorders[0])

    pipeline = Pipeline(augmentation=augmentation)
    expected = epochs(lambda run: partial(forward_backward, run, FLOAT), pipeline, images)
    figures, weights = epochs(captured, pipeline, images)
    assert figures == expected[0]
    for name, value in weights.items():
        assert torch.equal(value, expected[1][name]), name
    assert recorders[0].recorded == 1
    assert recorders[0].replayed == 2 * 8 - WARM_UP


def test_a_pass_that_cannot_be_captured_is_an_error_that_says_so():
    def fails(work):
        raise RuntimeError("operation not permitted when\nstream is capturing")

    run = training()
    work = partial(forward_backward, run, FLOAT)
    captured = Captured(work, list(run.model.parameters()), BATCH, fails)
    batches = Pipeline().training_batches(digits(64), BATCH, run.generator)
    with pytest.raises(CaptureError, match=r"cuda_graph=true, but .*not permitted when stream is"):
        train_epoch(run, batches, captured)


def test_what_needs_no_gradient_is_left_without_one():
    run = training()
    frozen = run.model.classifier.bias
    frozen.requires_grad_(False)

    def record(work):
        outputs = work()
        return (lambda: None), outputs

    work = partial(forward_backward, run, FLOAT)
    captured = Captured(work, list(run.model.parameters()), BATCH, record)
    train_epoch(run, Pipeline().training_batches(digits(64), BATCH, run.generator), captured)
    assert frozen.grad is None
    assert run.model.classifier.weight.grad is not None
