"""What a single run would be and cost, printed in its place: `dry_run=true`.

Hydra makes a run's directory and its log before the run begins. It calls this callback before that.
"""

import json
import statistics
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from mnist_sweep.cli import encoding
from mnist_sweep.cli.ineffective_settings import check_effects
from mnist_sweep.config import ConfigError, RunConfig, seen_from
from mnist_sweep.config_checks import check, check_command, check_no_trial
from mnist_sweep.errors import UserError, explain, full_errors
from mnist_sweep.hydra_part import without_hydra
from mnist_sweep.text import command_folder, counted, duration, megabytes, short_duration

SECONDS = 3.0  # that the run's network is trained for
WIDTH = 80


class DryRun(Callback):
    """Ends the program with a single run's plan, where `dry_run` asks for one."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Print the plan and exit: with code 0, or with 1 where the run would be refused."""
        if not config.get("dry_run"):
            return
        HydraConfig.instance().set_config(config)
        try:
            _show(config)
        except (UserError, OSError) as error:
            if full_errors():
                raise
            line = explain(error) if isinstance(error, OSError) else str(error)
            encoding.fail(line)
        sys.exit(0)


@dataclass(frozen=True)
class RunPlan:
    """A single run, what it costs, and where it would be written.

    `epoch_seconds` are of several measurements; `seconds` of the whole run, its start included.
    """

    model: str
    parameters: int
    budget: int | None
    multiply_adds: int
    epochs: int
    batch_size: int
    steps: int
    seed: int
    data: dict[str, Any]
    device: str
    threads: int
    precision: str
    epoch_seconds: tuple[float, ...]
    seconds: float
    bytes: int
    directory: str
    notes: tuple[str, ...]


def plan_run(config: DictConfig) -> RunPlan:
    """Find out what a composed single run costs. Nothing is written.

    Raises UserError where the run would be refused.
    """
    check_effects(config.hydra, sweeps=False)
    if config.get("resume") is not None:
        raise ConfigError(
            f"resume={config.resume} is a run that has begun, and dry_run plans a new one: leave "
            "one of them out"
        )
    run = _checked(config)
    import psutil  # and torch with the rest, which a mistake need not wait for
    import torch

    from mnist_sweep.run.directory import RunDirectory
    from mnist_sweep.run.machine import choose_device, describe
    from mnist_sweep.run.timing import planned, timed

    directory = str(config.hydra.run.dir)
    RunDirectory(Path(directory)).check_new()
    name = str(config.hydra.runtime.choices.get("model"))
    plan = planned(run, name)
    start_up = time.time() - psutil.Process().create_time()
    found = timed(plan, SECONDS)
    dataset = plan.dataset
    return RunPlan(
        name,
        plan.cost.parameters,
        run.budget.max_parameters,
        plan.cost.multiply_adds,
        run.epochs,
        run.batch_size,
        plan.steps,
        run.seed,
        {"name": dataset.name, "sizes": dataset.sizes, "reason": dataset.reason},
        describe(choose_device(run.device)),
        torch.get_num_threads(),
        run.precision,
        found.epoch_seconds,
        start_up + plan.overhead + run.epochs * statistics.median(found.epoch_seconds),
        sum(asdict(found.disk).values()),
        directory,
        plan.notes + found.notes,
    )


def _checked(config: DictConfig) -> RunConfig:
    """Return a run as a job has it: without Hydra's part. Raises ConfigError."""
    run = seen_from(command_folder(), check(without_hydra(config)))
    check_no_trial(run)
    check_command(run)
    return run


def lines(plan: RunPlan) -> Iterator[str]:
    """Yield the lines of a plan, of at most 80 columns."""
    budget = "no budget" if plan.budget is None else f"budget {plan.budget:,}"
    train, val, test = (f"{size:,}" for size in plan.data["sizes"].values())
    low, high = short_duration(min(plan.epoch_seconds)), short_duration(max(plan.epoch_seconds))
    yield "A dry run: nothing is trained, and nothing is written."
    yield ""
    for line in (
        f"model: {plan.model}, {plan.parameters:,} parameters ({budget}), "
        f"{plan.multiply_adds:,} multiply-adds an image",
        f"training: {counted(plan.epochs, 'epoch')} of {counted(plan.steps, 'step')} of batch "
        f"{plan.batch_size}; seed {plan.seed}",
        f"data: {plan.data['name']}, {train} train / {val} validation / {test} test images; "
        f"{plan.data['reason']}",
        f"device: {plan.device}, {counted(plan.threads, 'thread')}, {plan.precision}",
        f"time: {short_duration(statistics.median(plan.epoch_seconds))} an epoch ({low} to "
        f"{high}, timed in some steps on this machine), {duration(plan.seconds)} in all",
        f"disk: {megabytes(plan.bytes)} in {plan.directory}",
        *(f"note: {note}" for note in plan.notes),
    ):
        yield from textwrap.wrap(line, WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def _show(config: DictConfig) -> None:
    plan = plan_run(config)
    if config.dry_run == "json":
        print(json.dumps(asdict(plan), indent=2))
        return
    for line in lines(plan):
        print(line)
