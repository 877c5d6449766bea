"""The Hydra adapter: from a sweeper's settings and Hydra's part to what a sweep is given."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from hydra.utils import instantiate
from omegaconf import DictConfig
from optuna.pruners import BasePruner

from mnist_sweep.allowed_targets import KINDS, check_tree, locate
from mnist_sweep.cli.printed_commands import Program, this_program
from mnist_sweep.errors import UserError
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.probe import Probe
from mnist_sweep.sweep.pruning import build_pruner
from mnist_sweep.sweep.replaced_defaults import SAMPLER, own_settings
from mnist_sweep.sweep.sampling import SAMPLER_TARGETS
from mnist_sweep.sweep.settings import Settings, check_settings, take_study_name
from mnist_sweep.sweep.storage_address import address_of
from mnist_sweep.sweep.task_config import TaskConfig
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
    pruner: BasePruner
    gate: Gate | None
    probe: Probe | None
    extender: Extender | None


@dataclass(frozen=True)
class Given(Prepared):
    """What a sweep is told: its settings, and what Hydra gives."""

    config: DictConfig
    context: HydraContext
    launcher: Launcher
    task: TaskConfig
    directory: Path
    program: Program


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
            build_pruner(settings.pruner),
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
    prepared.settings.study_name = take_study_name(config)
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
    )


def _named(where: str, path: str | None) -> Any:
    return locate(where, path, KINDS[where]) if path else None
