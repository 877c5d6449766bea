"""The sweeper's own settings, checked before a study is opened."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from mnist_sweep.config import OBJECTIVES, direction_of, given_overrides, typed
from mnist_sweep.errors import UserError
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.values import quoted

GRACE_PERIOD = 120.0  # seconds
STUDY_NAME = "hydra.sweeper.study_name"


@dataclass
class Settings:
    """The settings with a type that can be checked; see `BudgetSweeper` for what they mean."""

    n_trials: int = 20
    n_jobs: int | None = None
    max_failure_rate: float = 0.0
    max_rejections: int = 100
    resamples: int = 10
    max_retries: int = 2
    trial_timeout: float | None = None
    timeout: float | None = None
    plateau: int | None = None
    grace_period: float = GRACE_PERIOD
    default_first: bool = True
    study_name: str | None = None
    storage: str | None = None
    custom_search_space: str | None = None
    gate: str | None = None
    preload: list[str] = field(default_factory=list)


LEAST = {
    "n_trials": 1,
    "n_jobs": 1,
    "max_rejections": 1,
    "resamples": 0,
    "max_retries": 0,
    "plateau": 1,
}
POSITIVE = ("trial_timeout", "timeout", "grace_period")


def check_settings(**settings: Any) -> Settings:
    """Raise SweepError, naming the setting, for a wrong type or a value that makes no sense."""
    try:
        merged = typed(Settings, OmegaConf.create(settings), where="hydra.sweeper")
    except UserError as error:
        raise SweepError(str(error)) from error
    checked = OmegaConf.to_object(merged)
    assert isinstance(checked, Settings)
    for name, least in LEAST.items():
        value = getattr(checked, name)
        if value is not None and value < least:
            raise SweepError(f"hydra.sweeper.{name} must be at least {least}, but got {value}")
    for name in POSITIVE:
        value = getattr(checked, name)
        if value is not None and not value > 0:
            raise SweepError(f"hydra.sweeper.{name} must be greater than 0, but got {value}")
    if math.isinf(checked.grace_period):
        raise SweepError("hydra.sweeper.grace_period must be finite, but got inf")
    rate = checked.max_failure_rate
    if not 0 <= rate <= 1:
        raise SweepError(f"hydra.sweeper.max_failure_rate must be in [0, 1], but got {rate}")
    return checked


def check_shapes(direction: Any, params: Any, conditional: Any) -> None:
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


# What a study's directory has.
OF_A_STUDY = re.compile(
    r"\d+|\..*|best|confirmation(-.*)?|optimization_results\.yaml|report|workers", re.DOTALL
)


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
        return f"multirun/{first} is taken"
    for part in inner:
        if OF_A_STUDY.fullmatch(part):
            return f"{part} is a name within a study's directory"
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
    raise SweepError(
        f"{STUDY_NAME} is the number {value} as YAML reads it: write it in quotes, as it is meant"
    )


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
            f"hydra.sweeper.direction={', '.join(directions)} does not go with "
            f"objective={', '.join(names)}, which asks for {', '.join(expected)}"
        )
