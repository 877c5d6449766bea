"""Settings that would have no effect: those of a sweep in a single run, and the other way round."""

from collections.abc import Sequence
from typing import Any

from mnist_sweep.config import ConfigError
from mnist_sweep.hydra_part import given_overrides

# Of Hydra's own settings, by how they begin.
SWEEPS = ("hydra.sweeper", "hydra/sweeper", "hydra.launcher", "hydra/launcher", "hydra.sweep.")
SINGLE = ("hydra.run.",)
CHOSEN = "hydra.mode=RUN"  # a single run on purpose, as of --experimental-rerun


def check_effects(hydra_config: Any, sweeps: bool) -> None:
    """Raise ConfigError for what the command line sets in vain, `sweeps` or not."""
    given = [*given_overrides(hydra_config, "hydra"), *given_overrides(hydra_config, "task")]
    if CHOSEN in given:
        return
    if sweeps:
        idle, when = beginning(given, SINGLE), "only without -m: leave {} out"
    else:
        idle = beginning(given, (*SWEEPS, "search="))
        when = "only with -m: add -m, or leave {} out"
    if idle:
        have, it = ("has", "it") if len(idle) == 1 else ("have", "them")
        raise ConfigError(f"{', '.join(idle)} {have} an effect {when.format(it)}")


def beginning(given: Sequence[str], names: tuple[str, ...]) -> list[str]:
    """Return the overrides of settings whose names begin so."""
    return [override for override in given if override.lstrip("+~").startswith(names)]
