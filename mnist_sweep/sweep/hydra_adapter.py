"""The Hydra adapter: from a sweeper's settings and Hydra's part to what a sweep is given."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf, read_write

from mnist_sweep.allowed_targets import KINDS, check_tree, locate
from mnist_sweep.cli.printed_commands import Program, this_program
from mnist_sweep.errors import UserError
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.probe import Probe
from mnist_sweep.sweep.replaced_defaults import SAMPLER, own_settings
from mnist_sweep.sweep.sampling import SAMPLER_TARGETS
from mnist_sweep.sweep.settings import Settings, check_settings, take_study_name, why_no_directory
from mnist_sweep.sweep.storage_address import address_of
from mnist_sweep.sweep.task_config import TaskConfig, names_trials
from mnist_sweep.sweep.trials.proposals import Extender, Gate
from mnist_sweep.text import one_line

GATE, PROBE = "hydra.sweeper.gate", "hydra.sweeper.probe"
SPACE = "hydra.sweeper.custom_search_space"


@dataclass(frozen=True)
class Prepared:
    """A sweeper's checked settings, and the objects that they name.

    `sampler` is an Optuna sampler, or a grid's that is still to be given its points.
    """

    settings: Settings
    sampler: Any
    gate: Gate | None
    probe: Probe | None
    extender: Extender | None


@dataclass(frozen=True)
class Given(Prepared):
    """What a sweep is told: its settings, and what Hydra gives.

    `names_a_time`: whether `hydra.sweep.dir` has the time in it, so that `directory` was chosen
    instead.
    """

    config: DictConfig
    context: HydraContext
    launcher: Launcher
    task: TaskConfig
    directory: Path
    program: Program
    names_a_time: bool = False


def prepare(given: Mapping[str, Any]) -> Prepared:
    """Check settings and build what they name. Raises SweepError, in one line."""
    settings = check_settings({**given, "storage": address_of(given.get("storage"))})
    settings.sampler = own_settings(settings.sampler, SAMPLER)
    settings.enqueue = settings.enqueue or []
    try:
        check_tree("hydra.sweeper.sampler", settings.sampler, KINDS["hydra.sweeper.sampler"])
        sampler = instantiate(settings.sampler, _execution_whitelist_=SAMPLER_TARGETS)
        return Prepared(
            settings,
            sampler,
            _named(GATE, settings.gate),
            _named(PROBE, settings.probe),
            _named(SPACE, settings.custom_search_space),
        )
    except SweepError:
        raise
    except UserError as error:  # what may not be named
        raise SweepError(str(error)) from error
    except Exception as error:  # what the named sampler, gate or space raises
        raise SweepError(f"hydra.sweeper cannot be set up: {one_line(error)}") from error


def given(
    prepared: Prepared, context: HydraContext, task_function: TaskFunction, config: DictConfig
) -> Given:
    """Add what Hydra gives, and the study's name as it was typed."""
    name = prepared.settings.study_name = take_study_name(config)
    names_a_time = _names_a_time(config) and why_no_directory(name) is None
    if names_a_time:
        with read_write(config.hydra):
            config.hydra.sweep.dir = f"multirun/{name}"
    launcher = Plugins.instance().instantiate_launcher(
        config=config, hydra_context=context, task_function=task_function
    )
    directory = str(config.hydra.sweep.dir)
    return Given(
        **vars(prepared),
        config=config,
        context=context,
        launcher=launcher,
        task=TaskConfig(config, directory),
        directory=Path(directory),
        program=this_program(),
        names_a_time=names_a_time,
    )


def _names_a_time(config: DictConfig) -> bool:
    """Whether a sweep of jobs that know their trial would write to a folder named after the time.

    That is Hydra's default. A trial that is resumed has to find its checkpoint, in the directory
    that it had.
    """
    written = OmegaConf.to_container(config.hydra.sweep).get("dir")  # type: ignore[union-attr]
    return names_trials(config) and "${now:" in str(written)


def _named(where: str, path: str | None) -> Any:
    return locate(where, path, KINDS[where]) if path else None
