"""What must not go wrong on any processor, to be run in a process of its own: it may crash.

    python -m tests.every_processor convolutions
    python -m tests.every_processor runs "model=resnet model.width=0.3" model=linear

Each prints what it is about to do, so that the last line names what a crash was in.
"""

import itertools
import sys

import torch
from hydra import compose, initialize_config_dir
from torch import nn

from mnist_sweep import train
from mnist_sweep.config_checks import check
from mnist_sweep.models.layers import Conv2d
from mnist_sweep.models.layout import set_layout
from mnist_sweep.run.build import build_dataset, build_pipeline, build_training, choose_layout
from mnist_sweep.training.loop import Precision, fit

SETTINGS = ["data=mnist_5k", "epochs=1", "tracking=none", "budget.max_parameters=null"]
NARROW = [(1, 1), (4, 1), (6, 1), (7, 1)]  # channels, groups
WIDE = [(8, 1), (12, 1), (16, 1), (24, 1), (6, 2), (12, 2), (16, 4), (6, 6)]


def convolutions() -> None:
    """Compare ours in channels_last with torch's contiguous: output and gradients."""
    torch.manual_seed(0)
    cases = itertools.product((1, 3, 5), (1, 2), (28, 14, 7), NARROW + WIDE)
    for kernel, stride, size, (channels, groups) in cases:
        print(f"kernel {kernel}, stride {stride}, {size} pixels, {channels} channels / {groups}")
        settings = {"stride": stride, "padding": kernel // 2, "groups": groups}
        theirs = nn.Conv2d(channels, 12, kernel, **settings)
        ours = Conv2d(channels, 12, kernel, **settings).to(memory_format=torch.channels_last)
        ours.load_state_dict(theirs.state_dict())
        x = torch.randn(8, channels, size, size)
        results = []
        for module, layout in ((ours, torch.channels_last), (theirs, torch.contiguous_format)):
            mine = x.contiguous(memory_format=layout).clone().requires_grad_()
            y = module(mine)
            y.square().sum().backward()
            results.append([y.detach(), mine.grad, *(p.grad for p in module.parameters())])
        for one, other in zip(*results, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3 * other.abs().max().item())


def runs(models: list[str]) -> None:
    """Train shipped models as a run does, each for an epoch of 100 images.

    A model is its overrides, separated by spaces; they are printed before it is trained.
    """
    few = torch.arange(100)
    for model in models:
        print(model)
        with initialize_config_dir(train.config_directory()):
            run = check(compose("config", overrides=[*model.split(), *SETTINGS]))
        dataset, cpu = build_dataset(run), torch.device("cpu")
        training = build_training(run, steps_per_epoch=4, device=cpu)
        set_layout(training.model, choose_layout(run, cpu))
        fit(
            training,
            dataset.train[few],
            dataset.val[few],
            build_pipeline(run),
            epochs=1,
            batch_size=run.batch_size,
            precision=Precision(run.precision),
            after_epoch=lambda figures, is_best: print(figures),
        )


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}")
    what, *arguments = sys.argv[1:]
    if what == "convolutions":
        convolutions()
    else:
        runs(arguments)
    print("done")
