"""Over the config space: what passes the checks trains a step, the rest is one line."""

import logging
import tempfile
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from mnist_sweep.config_checks import check
from mnist_sweep.errors import UserError
from mnist_sweep.hydra_part import config_directory
from mnist_sweep.run.directory import RunDirectory
from mnist_sweep.run.execute import execute
from mnist_sweep.training.loop import Diverged
from tests.inputs.material import make_idx

NUMBERS = st.sampled_from(
    [
        "0",
        "-1",
        "1",
        "2",
        "0.5",
        "0.9",
        "1.5",
        "1e-3",
        "1e-30",
        "1e30",
        "1e308",
        "nan",
        "inf",
        "-inf",
    ]
)
ODD = st.sampled_from(
    ["mse", "val_acc", "null", "true", "many", "[]", "[1,2]", "{a: 1}", "''", "9" * 25]
)
VALUES = NUMBERS | NUMBERS | ODD
OPTIONS = {
    "model": ["linear", "mlp", "enhanced", "residual", "compact", "baseline"],
    "optimizer": ["adam", "adamw", "sgd"],
    "scheduler": ["constant", "cosine", "four_phase", "one_cycle", "plateau"],
}
OF_A_RUN = (
    "batch_size",
    "loss",
    "label_smoothing",
    "clip_norm",
    "ema.decay",
    "ema.every",
    "keep.monitor",
    "keep.mode",
    "early_stopping.patience",
    "early_stopping.min_delta",
    "seed",
    "data.mean",
    "data.std",
    "data.validation",
    "data.split_seed",
    "data.augmentation.rotation",
    "data.augmentation.shift",
    "data.augmentation.scale",
    "data.augmentation.shear",
    "data.augmentation.elastic",
    "data.augmentation.until",
    "optimizer.lr",
    "optimizer.weight_decay",
    "budget.max_parameters",
    "objective",
    "precision",
)
SENSIBLE = {
    "label_smoothing": ["0", "0.1"],
    "clip_norm": ["null", "1"],
    "ema.decay": ["null", "0.9"],
    "data.augmentation.rotation": ["0", "10"],
    "data.augmentation.elastic": ["0", "1"],
    "precision": ["float32", "bfloat16"],
    "objective": ["val_acc", "val_loss", "[val_acc,parameters]"],
}
COMPOSITIONS = st.fixed_dictionaries(
    {
        **{group: st.sampled_from(options) for group, options in OPTIONS.items()},
        **{name: st.sampled_from(values) for name, values in SENSIBLE.items()},
    }
)
CHANGES = st.dictionaries(st.sampled_from(OF_A_RUN), VALUES, max_size=2)
TINY = [
    "data=fashion_mnist",
    "data.name=tiny",
    "data.folder=MNIST_tiny",
    "data.validation=4",
    "data.download=false",
    "tracking=none",
    "epochs=1",
    "batch_size=4",
    "threads=1",
    "device=cpu",
    "progress=false",
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The root of a set of a dozen images."""
    root = tmp_path_factory.mktemp("tiny")
    make_idx(root / "MNIST_tiny/raw")
    return root


def outcome(overrides, folder):
    """Compose, check and train; return the result, or what it was refused or ended by."""
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(config_directory()):
            run = check(compose("config", overrides=overrides))
        execute(run, folder, name=None, resume=False, sweep=None)
    except (UserError, Diverged) as error:
        return str(error)
    return RunDirectory(folder).read_result()


@pytest.mark.slow
@settings(derandomize=True, deadline=None, max_examples=20, database=None, phases=[Phase.generate])
@given(COMPOSITIONS, CHANGES)
def test_a_composition_trains_a_step_or_is_refused_in_one_line(tiny, chosen, changed):
    logging.getLogger("mnist_sweep").setLevel(logging.ERROR)
    given_values = [f"{name}={value}" for name, value in (chosen | changed).items()]
    with tempfile.TemporaryDirectory() as folder:
        found = outcome([*TINY, f"data.root={tiny}", *given_values], Path(folder) / "run")
    if isinstance(found, str):
        assert found.isprintable()
        assert changed, f"a sensible composition was refused: {found}"
    else:
        assert (found["status"], found["epochs"]) == ("complete", 1)
