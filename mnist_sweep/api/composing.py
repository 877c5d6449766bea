"""A run's config from overrides, as the command line composes it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobRuntime
from hydra.errors import HydraException
from omegaconf import DictConfig

from mnist_sweep.cli.entry import check_words
from mnist_sweep.cli.hydra_errors import said
from mnist_sweep.conf.composed import compose_run
from mnist_sweep.config import ConfigError
from mnist_sweep.hydra_part import without_hydra
from mnist_sweep.text import shortened


def compose(*overrides: str) -> DictConfig:
    """Compose a run's config as `python -m mnist_sweep.train` does.

    `overrides` are in Hydra's grammar: "model=baseline", "optimizer.lr=0.01", "+model.new=1",
    "~tracking". What is returned can be changed (`config.epochs = 5`) and given to `train`. A Hydra
    application that calls this keeps its own state.

    Raises ConfigError for an override that cannot be read, names nothing, sweeps, or is of Hydra's
    own settings (hydra.run.dir=...), which have no effect here.
    """
    return composed(overrides)[0]


def composed(overrides: Sequence[str]) -> tuple[DictConfig, DictConfig]:
    """Return a run's config, and Hydra's part, whose `runtime.choices` are the groups' options.

    Raises what `compose` raises.
    """
    for override in overrides:
        _check(override)
    try:
        with _own_hydra():
            config = compose_run(overrides)
    except HydraException as error:
        raise ConfigError(shortened(said(error))) from error
    return without_hydra(config), config.hydra


def _check(override: object) -> None:
    """Raise ConfigError for what is no override of one run."""
    if not isinstance(override, str):
        raise ConfigError(f"an override is a text such as 'epochs=5', but got {override!r}")
    if override.startswith("-"):
        raise ConfigError(f"{override!r} is an option of the command line: leave it out")
    check_words([override])
    try:
        (parsed,) = OverridesParser.create().parse_overrides([override])
    except HydraException as error:
        raise ConfigError(shortened(said(error))) from error
    if parsed.is_sweep_override():
        raise ConfigError(
            f"{override} names several runs, and this composes one: give one value, or search with "
            "python -m mnist_sweep.train -m"
        )
    if parsed.get_key_element().lstrip("+~").startswith(("hydra.", "hydra/")):
        raise ConfigError(f"{override} has no effect from Python: leave it out")


@contextmanager
def _own_hydra() -> Iterator[None]:
    """Have Hydra to oneself, and give back what another application had set up."""
    state, runtime = GlobalHydra.instance(), JobRuntime.instance()
    theirs, name = state.hydra, runtime.get("name")
    state.clear()
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = theirs
        runtime.set("name", name)
