"""A captured pass, with a recorder that does on the CPU what a CUDA graph does on a GPU."""

import copy
from collections import deque
from functools import partial

import pytest
import torch

from mnist_sweep.data import Augmentation, Images, Pipeline
from mnist_sweep.models import StagedCNN
from mnist_sweep.schedules import one_cycle
from mnist_sweep.training.cuda_graph import (
    WARM_UP,
    Captured,
    CaptureError,
    Recording,
    repeats,
)
from mnist_sweep.training.equivalence import tensors
from mnist_sweep.training.loop import Precision, Training, forward_backward, train_epoch

BATCH, FLOAT = 8, Precision()


def digits(count):
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, 28, 28), dtype=torch.uint8, generator=generator)
    return Images(pixels, torch.randint(0, 10, (count,), generator=generator))


def training(epochs=2, steps=9, seed=0, stages=((4,), (6,)), dropout=0.2):
    torch.manual_seed(seed)
    model = StagedCNN([list(stage) for stage in stages], dropout=dropout).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1)
    schedule = one_cycle(optimizer, epochs, steps)
    return Training(model, optimizer, schedule, torch.Generator().manual_seed(seed + 1))


def plain(run):
    return partial(forward_backward, run, FLOAT)


def assert_same(weights, others):
    for name, value in weights.items():
        assert torch.equal(value, others[name]), name


class Recorder:
    """Records without doing, and replays to the memory it recorded: outputs and gradients.

    As a graph it knows memory and no parameters: a network of its own lies in the memory of the one
    that was recorded.
    """

    def __init__(self, run):
        self.run, self.recorded, self.replayed = run, 0, 0

    def __call__(self, work):
        self.recorded += 1
        model = self.run.model
        state, rng = copy.deepcopy(model.state_dict()), torch.get_rng_state()
        outputs = work()
        gradients = [parameter.grad for parameter in model.parameters()]
        model.load_state_dict(state)
        torch.set_rng_state(rng)
        shadow = copy.deepcopy(self.run)
        for own, recorded in zip(
            tensors(shadow.model).values(), tensors(model).values(), strict=True
        ):
            own.data = recorded.data
        recording = self.recording

        def replay():
            self.replayed += 1
            found = forward_backward(shadow, FLOAT, *recording.batch)
            for recorded, own in zip(gradients, shadow.model.parameters(), strict=True):
                if recorded is not None:
                    recorded.copy_(own.grad)
            for recorded, new in zip(outputs, found, strict=True):
                recorded.copy_(new)

        return replay, outputs


def captured(run, recorder, kept, mode="float32"):
    """A training's passes, recorded by a recorder that has to know their memory."""
    work = Captured(partial(forward_backward, run, FLOAT), run.model, BATCH, mode, recorder, kept)
    record = work._record

    def known(batch):
        original = Recording.record

        def told(recording, *arguments):
            recorder.recording = recording
            return original(recording, *arguments)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Recording, "record", told)
            return record(batch)

    work._record = known
    return work


def epochs(work_of, pipeline, images=68, epochs=2, seed=0):
    """Train; return the figures of the epochs and the network's tensors."""
    run = training(epochs, -(-images // BATCH), seed)
    work = work_of(run)
    split = digits(images)
    figures = [
        train_epoch(run, pipeline.training_batches(split, BATCH, run.generator), work)
        for _ in range(epochs)
    ]
    return figures, tensors(run.model)


@pytest.mark.parametrize("augmentation", [Augmentation(), Augmentation(10, 2, 0.1)], ids=str)
@pytest.mark.parametrize("images", [64, 68])  # with a last batch of 4
def test_replayed_passes_train_as_passes_do(images, augmentation):
    recorders = []

    def work(run):
        recorders.append(Recorder(run))
        return captured(run, recorders[0], deque())

    pipeline = Pipeline(augmentation=augmentation)
    expected = epochs(plain, pipeline, images)
    figures, weights = epochs(work, pipeline, images)
    assert figures == expected[0]
    assert_same(weights, expected[1])
    assert recorders[0].recorded == 1
    assert recorders[0].replayed == 2 * 8 - WARM_UP


def test_a_network_like_one_before_takes_its_recording_and_leaves_it_its_weights():
    recorders, kept = [], deque()

    def work(run):
        recorders.append(Recorder(run))
        return captured(run, recorders[-1], kept)

    expected = [epochs(plain, Pipeline(), seed=seed) for seed in (0, 1)]
    found = [epochs(work, Pipeline(), seed=seed) for seed in (0, 1)]
    assert [figures for figures, _ in found] == [figures for figures, _ in expected]
    for (_, weights), (_, theirs) in zip(found, expected, strict=True):
        assert_same(weights, theirs)  # also the first's, after the second was trained
    assert [recorder.recorded for recorder in recorders] == [1, 0]
    assert recorders[0].replayed == 2 * 8 - WARM_UP + 2 * 8


def test_networks_that_take_turns_train_as_each_alone():
    kept, runs = deque(), [training(seed=seed) for seed in (0, 1)]
    works = [captured(run, Recorder(run), kept) for run in runs]
    found = []
    for _ in range(2):
        for run, work in zip(runs, works, strict=True):
            torch.set_rng_state(run.random["torch_rng"])
            batches = Pipeline().training_batches(digits(68), BATCH, run.generator)
            found.append(train_epoch(run, batches, work))
            run.random = {"torch_rng": torch.get_rng_state()}
    expected = [epochs(plain, Pipeline(), seed=seed) for seed in (0, 1)]
    assert [found[0::2], found[1::2]] == [figures for figures, _ in expected]
    for run, (_, weights) in zip(runs, expected, strict=True):
        assert_same(run.model.state_dict(), weights)


@pytest.mark.parametrize(
    ("settings", "mode"),
    [({"dropout": 0.1}, "float32"), ({"stages": [[4], [8]]}, "float32"), ({}, "bfloat16")],
    ids=str,
)
def test_a_network_that_does_something_else_is_recorded_anew(settings, mode):
    kept, recorders = deque(), []
    for run, its_mode in ((training(), "float32"), (training(**settings), mode)):
        recorders.append(Recorder(run))
        work = captured(run, recorders[-1], kept, its_mode)
        train_epoch(run, Pipeline().training_batches(digits(64), BATCH, run.generator), work)
    assert [recorder.recorded for recorder in recorders] == [1, 1]
    assert len(kept) == 2


def test_a_pass_that_cannot_be_captured_is_an_error_that_says_so():
    def fails(work):
        raise RuntimeError("operation not permitted when\nstream is capturing")

    run = training()
    kept = deque()
    work = Captured(plain(run), run.model, BATCH, "float32", fails, kept)
    batches = Pipeline().training_batches(digits(64), BATCH, run.generator)
    with pytest.raises(
        CaptureError, match=r"not permitted when stream is capturing.*set cuda_graph=false"
    ):
        train_epoch(run, batches, work)
    assert not kept


def test_what_needs_no_gradient_is_left_without_one():
    run = training()
    frozen = run.model.classifier.bias
    frozen.requires_grad_(False)

    def record(work):
        outputs = work()
        return (lambda: None), outputs

    work = Captured(plain(run), run.model, BATCH, "float32", record, deque())
    train_epoch(run, Pipeline().training_batches(digits(64), BATCH, run.generator), work)
    assert frozen.grad is None
    assert run.model.classifier.weight.grad is not None


class Theirs(StagedCNN):
    """May do in its passes what it likes."""


def test_only_the_shipped_networks_are_known_to_do_the_same_in_every_pass():
    assert repeats(StagedCNN([[4]]))
    assert not repeats(Theirs([[4]]))
    assert not repeats(torch.nn.Linear(1, 1))
