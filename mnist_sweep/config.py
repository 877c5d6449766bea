"""The typed schema of one run.

Nothing here imports torch: `--help` and `--cfg job` must not pay for it.
"""

from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from mnist_sweep.errors import UserError
from mnist_sweep.files import DATA_ROOT, users_folder
from mnist_sweep.text import nearest, shortened

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
    layout: str = "auto"  # older runs were recorded without it
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


def seen_from(folder: Path, run: RunConfig) -> RunConfig:
    """Return a run whose paths are found also where the process has left the user's folder.

    Paths are the user's, relative to `folder`; they stay as they were given where that is the
    process's own, and in what is recorded.
    """
    if folder == Path.cwd():
        return run
    root = users_folder("data.root", run.data.root, DATA_ROOT)
    data = replace(run.data, root=str(folder / root))
    distill = run.distill
    if distill.teacher:
        distill = replace(distill, teacher=str(folder / distill.teacher))
    return replace(run, data=data, distill=distill)
