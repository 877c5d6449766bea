"""The typed schema of one run, and every check that needs no data and no model.

Nothing here imports torch: `--help` and `--cfg job` must not pay for it.
"""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from mnist_sweep.allowed_values import objections
from mnist_sweep.errors import UserError
from mnist_sweep.objectives import OBJECTIVES, direction_of
from mnist_sweep.text import nearest, one_line, shortened
from mnist_sweep.untrusted_files import is_line, parse_config

NO_PLAN = (
    "dry_run plans a single run, or a search by hydra/sweeper=mnist_sweep, and no other sweep: "
    "leave dry_run out, or search=none"
)


class ConfigError(UserError):
    """A setting is unknown, of the wrong type, or makes no sense together with the others."""


@dataclass
class BudgetConfig:
    """`max_parameters`: the largest count allowed; None lifts the budget."""

    max_parameters: int | None = 19_999


@dataclass
class KeepConfig:
    """Which epoch's weights the run keeps: the one with the lowest or highest monitored figure."""

    monitor: str = "val_loss"
    mode: str = "min"


@dataclass
class EarlyStoppingConfig:
    """Stop after `patience` epochs without an improvement by more than `min_delta`; None: never."""

    monitor: str = "val_loss"
    mode: str = "min"
    patience: int | None = None
    min_delta: float = 0.0


@dataclass
class AugmentationConfig:
    """See `mnist_sweep.data.Augmentation`. `until`: the share of the run's epochs that have it."""

    rotation: float = 0.0
    shift: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    elastic: float = 0.0
    until: float = 1.0

    @property
    def active(self) -> bool:
        """Whether any change is asked for."""
        return bool(self.rotation or self.shift or self.scale or self.shear or self.elastic)


@dataclass
class DataConfig:
    """See `mnist_sweep.data.load_dataset` and `mnist_sweep.data.Pipeline`."""

    name: str = "auto"
    root: str = "data"
    folder: str = "MNIST"
    download: bool = True
    timeout: float = 5.0
    validation: int = 10_000
    split_seed: int = 0
    mean: float = 0.1307
    std: float = 0.3081
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)


@dataclass
class EmaConfig:
    """See `mnist_sweep.training.averaging`; `decay` None: no averaging."""

    decay: float | None = None
    every: int = 1


@dataclass
class DistillConfig:
    """See `mnist_sweep.training.losses`; `teacher`: a run directory or a bundle, None: none."""

    teacher: str | None = None
    temperature: float = 4.0
    weight: float = 0.9


@dataclass
class TensorBoardConfig:
    """What TensorBoard gets besides scalars and hyperparameters.

    The graph, sample images of single runs, and histograms of weights and gradients each epoch.
    """

    graph: bool = True
    images: int = 16
    histograms: bool = False


@dataclass
class MLflowConfig:
    """`uri`: of the store; None takes MLFLOW_TRACKING_URI, else sqlite:///mlflow.db."""

    uri: str | None = None
    experiment: str = "mnist_sweep"


@dataclass
class TrackingConfig:
    """Each tracker's settings; None turns it off. `figures`: whose errors and filters are drawn."""

    figures: str = "single"
    tensorboard: TensorBoardConfig | None = None
    mlflow: MLflowConfig | None = None


@dataclass
class RunConfig:
    """One run. `model`, `optimizer` and `scheduler` are `_target_` nodes, checked by signature."""

    model: Any
    optimizer: Any
    scheduler: Any
    data: DataConfig
    budget: BudgetConfig
    keep: KeepConfig
    early_stopping: EarlyStoppingConfig
    seed: int
    epochs: int
    batch_size: int
    objective: Any
    device: str
    threads: int | None
    deterministic: bool
    precision: str
    progress: bool
    resume: str | None
    study: str | None
    trial: int | None
    tracking: TrackingConfig = field(default_factory=TrackingConfig)  # ~tracking: none
    lease: str | None = None  # older runs were recorded without it
    cuda_graph: bool | None = False  # older runs were recorded without it
    name: str | None = None  # older runs were recorded without it
    notes: str | None = None  # older runs were recorded without it
    dry_run: Any = False  # older runs were recorded without it
    # Of the recipe, which older runs were recorded without.
    loss: str = "cross_entropy"
    label_smoothing: float = 0.0
    clip_norm: float | None = None
    ema: EmaConfig = field(default_factory=EmaConfig)
    distill: DistillConfig = field(default_factory=DistillConfig)

    @property
    def recipe(self) -> dict[str, Any]:
        """Loss, clipping, averaging and distillation, where they are not as usual."""
        usual = {
            "loss": RunConfig.loss,
            "label_smoothing": RunConfig.label_smoothing,
            "clip_norm": RunConfig.clip_norm,
            "ema": asdict(EmaConfig()),
            "distill": asdict(DistillConfig()),
        }
        own = asdict(self)
        return {name: own[name] for name in usual if own[name] != usual[name]}

    @property
    def objectives(self) -> list[str]:
        """The objective's names, also where there is only one."""
        return [self.objective] if isinstance(self.objective, str) else list(self.objective)


def _setting(name: str, root: Any) -> Any:
    """Return a setting of the run's; Hydra shows its own part of the config without the others."""
    marker = object()
    found = OmegaConf.select(root, name, default=marker)
    if found is marker and HydraConfig.initialized():
        hydra: Any = HydraConfig.get()
        return OmegaConf.select(hydra, f"..{name}", default=None)
    return None if found is marker else found


def _trial_directory(*, _root_: Any) -> str:
    """Return where a job of a sweep writes, below its directory: its trial, or its number."""
    trial = _setting("trial", _root_)
    number = OmegaConf.select(_root_, "hydra.job.num", default="???") if trial is None else trial
    return str(number)


def _setting_in_a_name(name: str, *, _root_: Any) -> str:
    value = _setting(name, _root_)
    return "null" if value is None else str(value)


def _dry_run(*, _root_: Any) -> Any:
    return _setting("dry_run", _root_) or False


def _direction_of_objective(*, _root_: Any) -> Any:
    return direction_of(_setting("objective", _root_))


def _run_directory(default: str, *, _root_: Any) -> str:
    """Where Hydra writes: the directory of the run to resume, else a new one."""
    resume = _setting("resume", _root_)
    return default if resume is None else str(resume)


def _output_subdirectory(directory: str) -> str | None:
    """Keep Hydra from overwriting the record of a run that is there already."""
    occupied = any((Path(directory) / name).exists() for name in ("metrics.jsonl", "result.json"))
    return None if occupied else ".hydra"


def config_directory() -> str:
    """Return conf/ as an absolute path."""
    return str(Path(__file__).resolve().parent / "conf")


def without_hydra(config: DictConfig) -> DictConfig:
    """Return a composed config as a job has it: a copy without Hydra's part."""
    job: DictConfig = config.copy()
    with open_dict(job):
        del job["hydra"]
    return job


def given_overrides(hydra: Any, which: str) -> list[str]:
    """Return the overrides that a command line has given, of "task" or of "hydra", as written.

    Read one by one, OmegaConf would put values where they name other settings, `x=${y}`.
    """
    given = OmegaConf.to_container(hydra.overrides[which], resolve=False)
    assert isinstance(given, list)
    return [str(override) for override in given]


def sweep_name(hydra: Any) -> str:
    """Return what a sweep is called, given its hydra node: its study, or else its directory."""
    return str(OmegaConf.select(hydra, "sweeper.study_name") or hydra.sweep.dir)


def register_resolvers() -> None:
    """Make known the resolvers that conf/ uses."""
    OmegaConf.register_resolver("run_directory", _run_directory, replace=True)
    OmegaConf.register_resolver("output_subdirectory", _output_subdirectory, replace=True)
    OmegaConf.register_resolver("direction_of", direction_of, replace=True)
    OmegaConf.register_resolver("direction_of_objective", _direction_of_objective, replace=True)
    OmegaConf.register_resolver("dry_run", _dry_run, replace=True)
    OmegaConf.register_resolver("setting", _setting_in_a_name, replace=True)
    OmegaConf.register_resolver("trial_directory", _trial_directory, replace=True)


def typed(schema: Any, node: Any, where: str = "") -> DictConfig:
    """Merge a config node into a dataclass schema and resolve its interpolations.

    Raises ConfigError, naming the setting by its full key, when a key is unknown or its value is of
    another type.
    """
    try:
        merged = OmegaConf.merge(OmegaConf.structured(schema), node)
        OmegaConf.resolve(merged)
    except OmegaConfBaseException as error:
        key = ".".join(part for part in (where, error.full_key) if part) or "config"
        raise ConfigError(f"{key}: {_refused(error)}") from error
    except RecursionError as error:
        raise ConfigError(f"{where or 'config'}: it is nested too deeply") from error
    assert isinstance(merged, DictConfig)
    return merged


def _refused(error: OmegaConfBaseException) -> str:
    """Return what is wrong with a setting; of one that there is not, which may be meant."""
    if isinstance(error, ConfigKeyError) and is_dataclass(error.object_type):
        known = [each.name for each in fields(error.object_type)]
        return f"there is no such setting; {nearest(str(error.key), known)}"
    return shortened(str(error).splitlines()[0])


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


def seen_from(folder: Path, run: RunConfig) -> RunConfig:
    """Return a run whose paths are found also where the process has left the user's folder.

    Paths are the user's, relative to `folder`; they stay as they were given where that is the
    process's own, and in what is recorded.
    """
    if folder == Path.cwd():
        return run
    data = replace(run.data, root=str(folder / run.data.root))
    distill = run.distill
    if distill.teacher:
        distill = replace(distill, teacher=str(folder / distill.teacher))
    return replace(run, data=data, distill=distill)


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


def _check_effects(run: RunConfig) -> None:
    """Refuse settings of the recipe that change nothing beside the others."""
    distill, augmentation = run.distill, run.data.augmentation
    usual, no_one = DistillConfig(), distill.teacher is None
    only_teacher = not no_one and distill.weight == 1
    no_labels = "with distill.weight=1, which leaves the labels out: change that"
    no_teacher = "without distill.teacher: set that"
    for name, value, default, idle, why in (
        (
            "label_smoothing",
            run.label_smoothing,
            0,
            run.loss == "mse",
            "with loss=mse: change that",
        ),
        ("label_smoothing", run.label_smoothing, 0, only_teacher, no_labels),
        ("loss", run.loss, RunConfig.loss, only_teacher, no_labels),
        (
            "ema.every",
            run.ema.every,
            EmaConfig.every,
            run.ema.decay is None,
            "without ema.decay: set that",
        ),
        ("distill.temperature", distill.temperature, usual.temperature, no_one, no_teacher),
        ("distill.weight", distill.weight, usual.weight, no_one, no_teacher),
        (
            "data.augmentation.until",
            augmentation.until,
            1,
            not augmentation.active,
            "without augmentation: set rotation, shift, scale, shear or elastic",
        ),
    ):
        _require(
            value == default or not idle, f"{name}={value} has no effect {why}, or leave it out"
        )
    _require(
        not augmentation.active or augmented_epochs(run) > 0,
        f"data.augmentation.until={augmentation.until} ends augmentation before the first of "
        f"epochs={run.epochs}: raise it, or leave augmentation out",
    )


# What may be given with `resume`: where a run goes on, and nothing of what it computes.
OF_THE_PLACE = ("data.root", "data.download", "data.timeout", "device", "threads", "progress")


def load_resumed(directory: str, given: DictConfig, overrides: Iterable[str]) -> DictConfig:
    """Return the config of a run to resume, with what the `given` one says of the place.

    Raises ConfigError for another override than those, since the run has its own settings, and
    where the directory has no such record.
    """
    names = {each: each.partition("=")[0].lstrip("+") for each in overrides}
    changed = [each for each, name in names.items() if name not in ("resume", *OF_THE_PLACE)]
    if changed:
        raise ConfigError(
            f"resume takes the run's own settings, so {' '.join(changed)} cannot be "
            f"given with it; leave that out, or start a new run. May be given: "
            f"{', '.join(OF_THE_PLACE)}"
        )
    config = load_recorded(directory)
    for name in names.values():
        if name != "resume":
            OmegaConf.update(config, name, OmegaConf.select(given, name), force_add=True)
    return config


def load_recorded(directory: Any, setting: str = "resume") -> DictConfig:
    """Return the config that a run directory, the value of a setting, was started with.

    Raises ConfigError when it is no directory with such a record.
    """
    if not isinstance(directory, str) or not directory:
        raise ConfigError(f"{setting} must be a run directory, but got {directory!r}")
    recorded = Path(directory) / ".hydra" / "config.yaml"
    if not recorded.is_file():
        raise ConfigError(
            f"{setting}={directory} is not a run directory: it has no .hydra/config.yaml"
        )
    try:
        return parse_config(recorded)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{recorded} is damaged: {one_line(error)}") from error
