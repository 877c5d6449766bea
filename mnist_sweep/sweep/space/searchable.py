"""What a search of this project's runs must leave alone, for its trials to be comparable."""

from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.space.base_config import BaseConfig
from mnist_sweep.sweep.space.grammar import plain_name
from mnist_sweep.sweep.space.search_space import SearchSpace
from mnist_sweep.sweep.space.values import override_value
from mnist_sweep.sweep.study_search import VOLATILE

# What trials are judged by, on and within; the sweep's own settings.
FIXED = {
    "objective": "trials with different objectives cannot be compared",
    "data": "trials on different images cannot be compared",
    "budget": "trials under different budgets cannot be compared",
    "keep": "trials that keep different epochs' weights cannot be compared",
    "study": "the sweep sets it",
    "lease": "the sweep sets it",
    "trial": "the sweep sets it",
    "resume": "it is for a single run",
    "search": "it says what is searched",
    "hydra": "it is a setting of the sweep itself",
}
SET = ("study", "trial", "lease", "resume")  # by nobody but the sweep
# What happens to training images only, and to the pixels of all alike.
FREE = ("data.augmentation", "data.mean", "data.std")
IDLE = "it does not change what a trial is judged by"


def check_name(name: str) -> None:
    """Raise SweepError for a setting that must not be searched."""
    plain = plain_name(name).replace("/", ".")
    if any(_is_in(plain, free) for free in FREE):
        return
    reasons = [reason for fixed, reason in FIXED.items() if _is_in(plain, fixed)]
    reasons += [IDLE for volatile in VOLATILE if _is_in(plain, volatile)]
    if reasons:
        instead = "" if plain in SET else ", or give it one value"
        raise SweepError(f"{name} must not be searched: {reasons[0]}. Leave it out{instead}")


def check_told(space: SearchSpace) -> None:
    """Raise SweepError for a value of what the sweep tells its jobs."""
    for name in space.fixed():
        if plain_name(name) in ("study", "trial", "lease") and space.settings[name] != "null":
            raise SweepError(
                f"{name}={space.settings[name]}: the sweep sets it; leave it out "
                "(hydra.sweeper.study_name=... names a study)"
            )


def check_space(space: SearchSpace, current: BaseConfig) -> None:
    """Raise SweepError for a space whose trials could not be compared.

    What has one value under a condition, or follows another setting, differs between trials too. An
    option of a group is one that sets such a setting: an experiment with a budget of its own.
    """
    check_told(space)
    options = [
        (name, override_value(choice))
        for name, distribution in space.distributions()
        for choice in getattr(distribution, "choices", ())
    ]
    under_conditions = list(space.under_conditions())
    for name in [*(n for n, _ in space.distributions()), *(n for n, _ in under_conditions)]:
        check_name(name)
    fixed = [f"{n}={t}" for n, t in space.fixed().items() if current.is_group(n)]
    for name, option in dict.fromkeys([*options, *under_conditions]):
        if current.is_group(name):
            _check_option(name, option, fixed, space, current)


def _check_option(
    name: str, option: str, fixed: Sequence[str], space: SearchSpace, current: BaseConfig
) -> None:
    composed = current.composed((*fixed, f"{name}={option}"))
    if composed is None:  # the proposals say why
        return
    given = {plain_name(each) for each in space.fixed()}
    for key, reason in FIXED.items():
        before, after = (_leaves(config, key) for config in (current.config, composed))
        for path in sorted(before.keys() | after.keys()):
            if any(_is_in(path, free) for free in (*FREE, *VOLATILE)) or path in given:
                continue
            if before.get(path) != after.get(path):
                raise SweepError(
                    f"{name}={option} sets {path}={after.get(path)}, where the sweep has "
                    f"{before.get(path)}: {reason}. Fix {path} on the command line, or leave "
                    f"{option} out"
                )


def _leaves(config: DictConfig, key: str) -> dict[str, Any]:
    """Return the settings of a part of a config, by their full names, as they are written."""
    if key == "hydra" or key not in config:
        return {}
    plain = OmegaConf.to_container(OmegaConf.masked_copy(config, [key]), resolve=False)
    found: dict[str, Any] = {}

    def collect(path: str, value: Any) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                collect(f"{path}.{name}" if path else str(name), inner)
        else:
            found[path] = value

    collect("", plain)
    return found


def _is_in(name: str, group: str) -> bool:
    return name == group or name.startswith(f"{group}.")
