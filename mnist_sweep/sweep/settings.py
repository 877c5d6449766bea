"""The sweeper's own settings, checked before a study is opened."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from mnist_sweep import study_folder
from mnist_sweep.allowed_values import DRY_RUN, DRY_RUN_CHOICES
from mnist_sweep.config import typed
from mnist_sweep.errors import UserError
from mnist_sweep.hydra_part import given_overrides
from mnist_sweep.objectives import OBJECTIVES, direction_of
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.space.values import quoted
from mnist_sweep.text import nearest

GRACE_PERIOD = 120.0  # seconds
STUDY_NAME = "hydra.sweeper.study_name"


def _setting(default: Any, least: int | None = None, positive: bool = False) -> Any:
    """Declare a setting with its bound: at `least` so much, or greater than 0."""
    return field(default=default, metadata={"least": least, "positive": positive})


@dataclass
class Settings:
    """Every setting of the sweeper, with its type, default and bound.

    conf/hydra/sweeper/mnist_sweep.yaml says what each does.
    """

    sampler: Any = None
    direction: Any = "minimize"
    storage: str | None = None
    study_name: str | None = None
    n_trials: int = _setting(20, least=1)
    n_jobs: int | None = _setting(None, least=1)
    max_failure_rate: float = 0.0
    custom_search_space: str | None = None
    params: Any = None
    pruner: Any = None
    conditional: Any = None
    zip: Any = None
    gate: str | None = None
    probe: str | None = None
    dry_run: Any = False
    resamples: int = _setting(10, least=0)
    max_rejections: int = _setting(100, least=1)
    enqueue: Any = None
    preload: list[str] = field(default_factory=list)
    worker_memory: float | None = _setting(None, positive=True)
    default_first: bool = True
    timeout: float | None = _setting(None, positive=True)
    plateau: int | None = _setting(None, least=1)
    target: float | None = None
    keep_weights: int | None = _setting(None, least=1)
    trial_timeout: float | None = _setting(None, positive=True)
    max_retries: int = _setting(2, least=0)
    grace_period: float = _setting(GRACE_PERIOD, positive=True)

    @property
    def directions(self) -> list[str]:
        """Return minimize or maximize for each objective."""
        if isinstance(self.direction, str) or not isinstance(self.direction, Iterable):
            return [_name_of(self.direction)]
        return [_name_of(each) for each in self.direction]


def _name_of(direction: Any) -> str:
    """Return a direction as Optuna has it; the stock sweeper's config has an enumeration."""
    return str(getattr(direction, "name", direction))


def check_settings(given: Mapping[str, Any]) -> Settings:
    """Return the settings of what a config gives.

    Raises SweepError, naming the setting, for a name that there is not, a wrong type, and a value
    that makes no sense.
    """
    known = {each.name: each for each in fields(Settings)}
    for name in given:
        if name not in known:
            raise SweepError(
                f"hydra.sweeper.{name}: there is no such setting; {nearest(name, list(known))}"
            )
    # What may be anything keeps its place in the config, for the interpolations in it.
    anything = {name: value for name, value in given.items() if known[name].type is Any}
    rest = {name: value for name, value in given.items() if name not in anything}
    if rest.get("preload", ...) is None:
        del rest["preload"]
    try:
        merged = typed(Settings, OmegaConf.create(rest), where="hydra.sweeper")
    except UserError as error:
        raise SweepError(str(error)) from error
    checked = OmegaConf.to_object(merged)
    assert isinstance(checked, Settings)
    for name, setting in known.items():
        _check_bound(name, getattr(checked, name), setting.metadata)
    if math.isinf(checked.grace_period):
        raise SweepError("hydra.sweeper.grace_period must be finite, but got inf")
    if checked.target is not None and not math.isfinite(checked.target):
        raise SweepError(f"hydra.sweeper.target must be finite, but got {checked.target}")
    rate = checked.max_failure_rate
    if not 0 <= rate <= 1:
        raise SweepError(f"hydra.sweeper.max_failure_rate must be in [0, 1], but got {rate}")
    settings = replace(checked, **anything)
    if settings.dry_run not in DRY_RUN:
        raise SweepError(
            f"hydra.sweeper.dry_run must be one of {DRY_RUN_CHOICES}, but got {settings.dry_run!r}"
        )
    _check_shapes(settings.direction, settings.params, settings.conditional)
    if settings.target is not None and len(settings.directions) > 1:
        raise SweepError(
            f"hydra.sweeper.target={settings.target:g} needs a single objective, and there are "
            f"{len(settings.directions)}; leave it out"
        )
    return settings


def _check_bound(name: str, value: Any, bound: Mapping[str, Any]) -> None:
    if value is None:
        return
    least = bound.get("least")
    if least is not None and value < least:
        raise SweepError(f"hydra.sweeper.{name} must be at least {least}, but got {value}")
    if bound.get("positive") and not value > 0:
        raise SweepError(f"hydra.sweeper.{name} must be greater than 0, but got {value}")


def _check_shapes(direction: Any, params: Any, conditional: Any) -> None:
    """Raise SweepError where a setting is not of the kind that it must be."""
    if direction is None:
        raise SweepError("hydra.sweeper.direction must be minimize, maximize, or a list of them")
    for name, value in (("params", params), ("conditional", conditional)):
        if value is not None:
            _require_mapping(name, "settings", value)
    for outer, branches in (conditional or {}).items():
        if branches is None:
            continue
        _require_mapping(f"conditional.{outer}", "values to settings", branches)
        for value, inner in branches.items():
            _require_mapping(f"conditional.{outer}.{value}", "settings to sweeps", inner)


def _require_mapping(name: str, what: str, value: Any) -> None:
    if not isinstance(value, Mapping | DictConfig):
        raise SweepError(f"hydra.sweeper.{name} must map {what}, but got {value!r}")


def check_study_name(name: str | None) -> None:
    """Raise SweepError for a name that cannot be the name of the sweep's directory."""
    objection = why_no_directory(name)
    if objection:
        raise SweepError(
            f"hydra.sweeper.study_name={name!r} must name a directory below multirun/: {objection}"
        )


def why_no_directory(name: str | None) -> str | None:
    """Say why a study of that name cannot have multirun/<name> to itself; None where it can."""
    if not name:
        return "it is empty"
    first, *inner = name.split("/")
    if not name.isprintable() or "\\" in name:  # Hydra's override grammar cannot say them
        return "it has a backslash, or a character that cannot be printed"
    if {first, *inner} & {"", ".", ".."}:
        return "it has an empty part, . or .."
    if first == "artifacts" or first.startswith("optuna.db"):
        return f"multirun/{first} is used for other files"
    for part in inner:
        if study_folder.is_taken(part):
            return f"{part} is a name that a study's directory uses"
    return None


def take_study_name(config: DictConfig) -> str | None:
    """Return a study's name as it was typed, and have the config say it so too.

    Hydra and YAML read 1.10 as the number 1.1 and 2026_11_25 as 20261125. Raises SweepError for a
    number in a config file, whose text is not known any more.
    """
    lines = config.hydra.overrides.hydra
    name: str | None
    for position, line in reversed(list(enumerate(given_overrides(config.hydra, "hydra")))):
        override = OverridesParser.create().parse_override(line)
        if override.get_key_element().lstrip("+") != STUDY_NAME:
            continue
        if override.value() is None or isinstance(override.value(), str):
            break
        name = line.partition("=")[2].strip()
        with read_write(config.hydra), open_dict(config.hydra):
            lines[position] = f"{line.partition('=')[0]}={quoted(name)}"
            config.hydra.sweeper.study_name = name
        return name
    value = config.hydra.sweeper.get("study_name")
    computed = OmegaConf.is_interpolation(config.hydra.sweeper, "study_name")
    if value is None or isinstance(value, str) or computed:
        return None if value is None else str(value)
    raise SweepError(f"YAML reads {STUDY_NAME} as the number {value}: write the name in quotes")


def objective_names(config: DictConfig) -> list[str]:
    """Return what a config calls its objectives; nothing where it means something else by that."""
    try:
        objective = OmegaConf.select(config, "objective")
        if isinstance(objective, str):
            return [objective]
        names = list(objective) if OmegaConf.is_list(objective) else []
    except OmegaConfBaseException:
        return []
    return names if all(isinstance(name, str) for name in names) else []


def check_objective(config: DictConfig, directions: Sequence[str]) -> None:
    """Raise SweepError where the directions contradict what the config's objectives are.

    A config without an `objective` of ours is another task's, whose directions are its own.
    """
    names = objective_names(config)
    if not names or not set(names) <= set(OBJECTIVES):
        return
    expected = direction_of(names)
    if list(directions) != expected:
        raise SweepError(
            f"hydra.sweeper.direction={', '.join(directions)} does not fit "
            f"objective={', '.join(names)}, which needs {', '.join(expected)}"
        )
