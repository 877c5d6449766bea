"""The config that the jobs of a sweep share, composed from the overrides of a command line."""

from collections.abc import Mapping, Sequence

from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig

from mnist_sweep import conf
from mnist_sweep.cli.entry import check_words
from mnist_sweep.cli.hydra_errors import said
from mnist_sweep.config import ConfigError
from mnist_sweep.hydra_part import config_directory


def compose_run(overrides: Sequence[str]) -> DictConfig:
    """Return what `python -m mnist_sweep.train` composes, with Hydra's part.

    Raises what Hydra raises.
    """
    conf.register()
    with initialize_config_dir(config_directory(), job_name="train"):
        return compose("config", list(overrides), return_hydra_config=True)


def compose_sweep(overrides: Sequence[str], taken: Mapping[str, str]) -> DictConfig:
    """Return what `python -m mnist_sweep.train -m` composes, with Hydra's part.

    What is swept is left out. `taken` are the names that the calling command sets itself, with what
    to give instead. Raises ConfigError for one of them, and for overrides that do not compose.
    """
    check_words(overrides)
    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
        for override in parsed:
            name = override.get_key_element().lstrip("+")
            if name in taken:
                raise ConfigError(f"{override.input_line} cannot be given here: {taken[name]}")
        fixed = [str(each.input_line) for each in parsed if not each.is_sweep_override()]
        config = compose_run(["hydra.mode=MULTIRUN", *fixed])
    except HydraException as error:
        raise ConfigError(said(error)) from error
    HydraConfig.instance().set_config(config)  # for what names ${hydra:...}
    return config


def names(overrides: Sequence[str], name: str) -> bool:
    """Whether a command line sets something by this name."""
    return any(word.partition("=")[0].lstrip("+") == name for word in overrides)
