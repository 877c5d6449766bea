"""One run from typed config to recorded result: budget, data, resuming, its end."""

import logging
import math
import socket
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import torch

from mnist_sweep.config import RunConfig
from mnist_sweep.config_checks import advice
from mnist_sweep.data import Dataset
from mnist_sweep.folder_lock import holding
from mnist_sweep.formats import KEY, RUN
from mnist_sweep.models.cost import Cost
from mnist_sweep.run.build import (
    build_dataset,
    check_cuda_graph,
    check_objects,
    count_within_budget,
    model_name,
)
from mnist_sweep.run.directory import COMPLETE, DIVERGED, PRUNED, RecordError, RunDirectory
from mnist_sweep.run.machine import (
    choose_device,
    describe,
    git_commit,
    processor,
    set_seeds,
    set_threads,
    versions,
)
from mnist_sweep.run.session import Reporter, Session
from mnist_sweep.run.teacher import read_teacher, warn_of_other_data
from mnist_sweep.training.loop import Diverged

# What a run stands on; epochs that had others are named in its result.
MACHINE = ("device", "processor", "threads", "versions")

log = logging.getLogger("mnist_sweep")

Objective = float | list[float]


def execute(
    run: RunConfig,
    path: Path,
    *,
    name: str | None,
    resume: bool,
    sweep: str | None,
    reporter: Reporter | None = None,
    until: int | None = None,
) -> Objective:
    """Check, train and record one run; return its objective, a list when several are asked for.

    `name` is what the user calls the model, `sweep` what it is part of: swept runs never look at
    test. A trial is resumed from what its directory has. `reporter` is told the objective each
    epoch. `until`: the epoch after which the run stops, where that is not its last. Raises
    UserError for what a user can cause, and KeyboardInterrupt, after recording it.
    """
    busy = RecordError(f"{path} is being trained by another process: wait for it, or end it")
    # A trial has its lease.
    with holding(path, busy) if run.trial is None else nullcontext():
        found = _prepare(run, path, name, resume, sweep, reporter, until=until)
        result = found.complete() if isinstance(found, Session) else found
    return objective(run, result)


def execute_or_resume(run: RunConfig, path: Path, name: str) -> None:
    """Train and record a run, from where its directory stands; it never looks at test.

    One that is complete or has diverged is left alone. Raises what `execute` raises, but for a run
    that diverges, whose result says so.
    """
    before = RunDirectory(path).read_result()
    if before and before.get("status") == DIVERGED:
        return
    with suppress(Diverged):  # it has recorded that, also where it did before it was stopped
        found = _prepare(run, path, name, before is not None, None, None, True, tests=False)
        if isinstance(found, Session):
            found.complete()


def _prepare(
    run: RunConfig,
    path: Path,
    name: str | None,
    resume: bool,
    sweep: str | None,
    reporter: Reporter | None,
    again: bool = False,
    until: int | None = None,
    tests: bool = True,
) -> Session | dict[str, Any]:
    """Check a run and build its objects; return the result of one that has nothing left to do.

    `again`: a run that was begun before and has finished no epoch starts again, as trials do.
    """
    directory = RunDirectory(path)
    before = _recorded_before(run, directory, resume)
    name = name or model_name(before, run.model)
    cost = count_within_budget(run, name)
    check_objects(run)
    dataset = None
    if before and run.trial is not None:
        dataset = build_dataset(run)
        if (before.get("data") or {}).get("fingerprint") != dataset.fingerprint:
            # By mistake it ran on other data, which its sweep has refused: it starts again.
            directory.forget()
            before = {}
    if before and before.get("status") in (COMPLETE, PRUNED):
        log.info("%s is %s: nothing is left to do", path, before["status"])
        return before

    device = choose_device(run.device)
    check_cuda_graph(run, device)
    threads = set_threads(run.threads)
    teacher, taught_by = None, None
    if run.distill.teacher is not None:  # before seeding: to build a network draws weights
        recorded = (before or {}).get("teacher")
        teacher, taught_by = read_teacher(run.distill.teacher, path, device, recorded)
    set_seeds(run.seed, run.deterministic)
    dataset = dataset or build_dataset(run)
    facts = _facts(run, name, cost, dataset, device, threads)
    if taught_by is not None:
        facts["teacher"] = taught_by
        warn_of_other_data(taught_by, dataset.fingerprint)
    session = Session(
        run,
        directory,
        facts,
        dataset.to(device),
        device,
        reporter,
        sweep,
        until,
        teacher,
        tests,
    )
    if before is None:
        directory.start()
    else:
        session.resume(again or run.trial is not None)
        if parts := _earlier(before, facts, session.training.epoch):
            facts["earlier"] = parts
    return session


def _recorded_before(
    run: RunConfig, directory: RunDirectory, resume: bool
) -> dict[str, Any] | None:
    """Return the recorded result of a run to resume; None for a new run.

    A trial is resumed where its own result is found, a single run where `resume` asks for it.
    Raises RecordError, or a trial's Diverged again, where there is nothing to resume.
    """
    if run.trial is None:
        before = (directory.read_result() or {}) if resume else None
    else:
        before = directory.read_result()
        if before and (before.get("study"), before.get("trial")) != (run.study, run.trial):
            before = None  # another's, which RunDirectory.start refuses to write over
    if before and before.get("status") == DIVERGED:
        if run.trial is not None:
            raise Diverged(str(before.get("reason")))
        raise RecordError(f"{directory.path} cannot be resumed: {before.get('reason')}")
    return before


def _earlier(before: dict[str, Any], facts: dict[str, Any], epochs: int) -> list[dict[str, Any]]:
    """Return the parts of a resumed run that had another machine, threads or versions.

    In their order, each with its number of epochs. `epochs`: how many are done by now.
    """
    parts = list(before.get("earlier") or ())
    new = epochs - sum(part["epochs"] for part in parts)
    there = {name: before.get(name) for name in MACHINE}
    if new > 0 and there != {name: facts[name] for name in MACHINE}:
        parts.append({"epochs": new, **there})
    return parts


def objective(run: RunConfig, result: dict[str, Any]) -> Objective:
    """Return the figures of a result that the config names; NaN where there is none."""
    values = [
        float(result[name]) if result.get(name) is not None else math.nan for name in run.objectives
    ]
    return values[0] if isinstance(run.objective, str) else values


def _facts(
    run: RunConfig, name: str, cost: Cost, dataset: Dataset, device: torch.device, threads: int
) -> dict[str, Any]:
    """What is known, and recorded, before the first step."""
    return {
        KEY: RUN,
        "name": run.name,
        "notes": run.notes,
        "advice": advice(run),
        "model": name,
        "parameters": cost.parameters,
        "multiply_adds": cost.multiply_adds,
        "seed": run.seed,
        "data": {
            "name": dataset.name,
            "reason": dataset.reason,
            "sizes": dataset.sizes,
            "fingerprint": dataset.fingerprint,
        },
        "device": describe(device),
        "processor": processor(),
        "threads": threads,
        "precision": run.precision,
        "study": run.study,
        "trial": run.trial,
        "max_epochs": run.epochs,
        "hostname": socket.gethostname(),
        "versions": versions(),
        "git_commit": git_commit(),
    }
