"""Every check of a run's settings that needs no data and no model.

Nothing here imports torch: `--help` and `--cfg job` must not pay for it.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from omegaconf import DictConfig, OmegaConf

from mnist_sweep.allowed_values import objections
from mnist_sweep.config import ConfigError, DataConfig, DistillConfig, EmaConfig, RunConfig, typed
from mnist_sweep.objectives import OBJECTIVES
from mnist_sweep.text import shortened
from mnist_sweep.untrusted_files import is_line


def check(config: DictConfig) -> RunConfig:
    """Return a composed config as typed data, or raise ConfigError with what is wrong.

    Only what needs neither data nor objects is checked here; `_target_` nodes are checked where
    they are built, and a batch size against the training split once that is known.
    """
    merged = typed(RunConfig, config)
    missing = sorted(str(key) for key in OmegaConf.missing_keys(merged))
    if missing:
        left_out = missing[0].partition(".")[0] not in list(config)  # "???" is not `in` it
        raise ConfigError(
            f"{', '.join(missing)}: a value must be given, {missing[0]}=VALUE"
            f"{f'; leave ~{missing[0]} out' if left_out else ''}"
        )
    run = OmegaConf.to_object(merged)
    assert isinstance(run, RunConfig)
    _check_nodes(run)
    _check_values(run)
    _check_together(run)
    _require(
        run.name is None or is_line(run.name),
        f"name must be one line of 1 to 200 printable characters, but got {shortened(run.name)!r}",
    )
    _check_effects(run)
    return run


def check_no_trial(run: RunConfig) -> None:
    """Refuse a run by itself that says it is a sweep's trial. Raises ConfigError."""
    if run.trial is not None:
        raise ConfigError(
            f"this is trial {run.trial} of study {run.study}, and only its sweep may run it: "
            "give the sweep's command again, or leave study and trial out"
        )


def _require(satisfied: bool, message: str) -> None:
    if not satisfied:
        raise ConfigError(message)


def _check_nodes(run: RunConfig) -> None:
    for group in ("model", "optimizer", "scheduler"):
        node = getattr(run, group)
        _require(
            isinstance(node, dict) and isinstance(node.get("_target_"), str),
            f"{group} must be a config with a _target_, but got {shortened(node)}",
        )


def _check_values(run: RunConfig) -> None:
    """Check each setting's value by itself."""
    is_list = isinstance(run.objective, list) and len(run.objective) > 0
    _require(
        isinstance(run.objective, str) or is_list,
        f"objective must be one of {', '.join(OBJECTIVES)}, or a list of them, "
        f"but got {run.objective}",
    )
    for objection in objections(run):
        raise ConfigError(objection)
    twice = [name for name in run.objectives if run.objectives.count(name) > 1]
    _require(not twice, f"objective has {', '.join(twice[:1])} twice: leave one out")
    images = run.tracking.tensorboard.images if run.tracking.tensorboard else 0
    _require(images >= 0, f"tracking.tensorboard.images cannot be negative, but got {images}")


def _check_together(run: RunConfig) -> None:
    """Check values that must fit each other."""
    for group, criterion in (("keep", run.keep), ("early_stopping", run.early_stopping)):
        falls = criterion.monitor.endswith("loss")
        better = "a lower loss" if falls else "a higher accuracy"
        _require(
            (criterion.mode == "min") == falls,
            f"{group}.mode={criterion.mode} makes no sense for "
            f"{group}.monitor={criterion.monitor}: {better} is better",
        )
    patience = run.early_stopping.patience
    _require(
        patience is None or patience < run.epochs,
        f"early_stopping.patience={patience} can never stop a run of epochs={run.epochs}; "
        "lower it, or set it to null to turn early stopping off",
    )
    _require(
        (run.trial is None) == (run.study is None),
        f"study={run.study} and trial={run.trial}: the sweep sets both or neither; leave both out",
    )
    _require(
        run.lease is None or run.trial is not None,
        f"lease={run.lease}: only the sweep sets it, for a trial; leave it out",
    )


def augmented_epochs(run: RunConfig) -> int:
    """Return how many of a run's epochs are augmented: the whole ones in its share."""
    return whole_epochs(run.data.augmentation.until, run.epochs)


def whole_epochs(share: float, epochs: int) -> int:
    """Return how many whole epochs a share of them has."""
    return math.floor(share * epochs + 1e-9)  # 0.7 * 30 is a hair below 21


@dataclass(frozen=True)
class Idle:
    """A setting that changes nothing, `when` it is so; `why` ends the sentence that says so.

    `usual`: the value that it has where nobody gives one.
    """

    name: str
    value: object
    usual: object
    when: bool
    why: str


def _of_the_recipe(run: RunConfig) -> Iterator[Idle]:
    """Yield what a run minimizes by, as far as other settings can leave it without effect."""
    distill, augmentation = run.distill, run.data.augmentation
    no_one = distill.teacher is None
    only_teacher = not no_one and distill.weight == 1
    no_labels = "with distill.weight=1, which leaves the labels out: change that"
    yield Idle(
        "label_smoothing", run.label_smoothing, 0, run.loss == "mse", "with loss=mse: change that"
    )
    yield Idle("label_smoothing", run.label_smoothing, 0, only_teacher, no_labels)
    yield Idle("loss", run.loss, RunConfig.loss, only_teacher, no_labels)
    no_average = "without ema.decay: set that"
    yield Idle("ema.every", run.ema.every, EmaConfig.every, run.ema.decay is None, no_average)
    for name in ("temperature", "weight"):
        usual = getattr(DistillConfig, name)
        why = "without distill.teacher: set that"
        yield Idle(f"distill.{name}", getattr(distill, name), usual, no_one, why)
    why = "without augmentation: set rotation, shift, scale, shear or elastic"
    yield Idle("data.augmentation.until", augmentation.until, 1, not augmentation.active, why)


def _of_a_command(run: RunConfig) -> Iterator[Idle]:
    """Yield the others that can be without effect; runs with them have been recorded."""
    stopping, data = run.early_stopping, run.data
    for name, usual in (("min_delta", 0), ("monitor", run.keep.monitor), ("mode", run.keep.mode)):
        off, why = stopping.patience is None, "without early_stopping.patience: set that"
        yield Idle(f"early_stopping.{name}", getattr(stopping, name), usual, off, why)
    for name in ("folder", "timeout", "validation"):
        subset, why = data.name == "mnist_5k", "with data=mnist_5k, which is as it is: take another"
        yield Idle(f"data.{name}", getattr(data, name), getattr(DataConfig, name), subset, why)
    # A first epoch is always better than none before it, and the last one ends a run anyway.
    patience, last = stopping.patience, run.epochs - 1
    why = f"with epochs={run.epochs}, which end first: give fewer"
    yield Idle("early_stopping.patience", patience, None, (patience or 0) >= last, why)


def check_command(run: RunConfig) -> None:
    """Refuse what a command asks for in vain, besides what `check` refuses. Raises ConfigError.

    Not of recorded runs, which stay as they are.
    """
    _refuse(_of_a_command(run))


def advice(run: RunConfig) -> str | None:
    """Return what is to be known of settings that may be given together but are seldom meant so.

    It names no value, so that a sweep which searches one says it once.
    """
    if run.label_smoothing > 0 and run.keep.monitor == "val_loss":
        return (
            "label_smoothing with keep.monitor=val_loss keeps an early epoch, since that loss is "
            "of the plain labels; keep.monitor=val_acc keep.mode=max keeps the most accurate one"
        )
    return None


def _refuse(found: Iterable[Idle]) -> None:
    for each in found:
        _require(
            each.value == each.usual or not each.when,
            f"{each.name}={each.value} has no effect {each.why}, or leave it out",
        )


def _check_effects(run: RunConfig) -> None:
    """Refuse settings of the recipe that change nothing beside the others."""
    _refuse(_of_the_recipe(run))
    augmentation = run.data.augmentation
    _require(
        not augmentation.active or augmented_epochs(run) > 0,
        f"data.augmentation.until={augmentation.until} ends augmentation before the first of "
        f"epochs={run.epochs}: raise it, or leave augmentation out",
    )
