"""A recorded run trained again, and what then differs, figure by figure.

    python -m mnist_sweep.reproduce run=outputs/2026-11-20/17-25-21
    python -m mnist_sweep.reproduce study=overnight trial=7

run        the directory of a run: outputs/..., multirun/<study>/<trial>, multirun/<study>/best
study      a study, one of whose trials is trained again
trial      its number; the study's best where that is left out
storage    where the study is; sqlite:///multirun/optuna.db where that is left out
device     auto, cpu or cuda; what the run was trained on where that is left out
teacher    where the run's teacher is, of a run that has one; where it was if that is left out
tolerance  the largest difference of a loss or an accuracy that still counts as reproduced; 0
to         an empty folder to train in; outputs/reproduce/<run>/<number> where that is left out

The recorded config is trained with the threads that the run had, for as many epochs as it has
recorded: a pruned, interrupted or diverged run is reproduced as far as it came. A trial does not
look at test, as it did not then. The original is not changed.

Every epoch's losses, accuracies and learning rate, the kept figures and the kept weights are
compared, then what the runs stood on: versions, threads, device, processor, commit, data, teacher.
<to>/reproduction.json has all of it.

Exit code 0: all figures are identical, or within the tolerance. 2: they are not. 1: an error.
"""

import itertools
import json
import logging
import math
import re
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from mnist_sweep.cli import arguments
from mnist_sweep.cli.arguments import ArgumentError
from mnist_sweep.cli.text_table import in_columns
from mnist_sweep.cli.unstarted import leave_nothing
from mnist_sweep.config_checks import check
from mnist_sweep.errors import UserError
from mnist_sweep.files import replacing, writing
from mnist_sweep.recorded_config import TEACHER
from mnist_sweep.run.build import build_dataset, model_name
from mnist_sweep.run.comparison import (
    Pair,
    RunComparison,
    changed,
    compare,
    largest_difference,
    surroundings,
)
from mnist_sweep.run.directory import RunDirectory
from mnist_sweep.run.execute import execute
from mnist_sweep.run.load import real_directory
from mnist_sweep.run.machine import choose_device
from mnist_sweep.run.single import change, read_as_single, write_config
from mnist_sweep.study_folder import STORAGE
from mnist_sweep.sweep.study_record import read_study
from mnist_sweep.text import command_folder, counted, printable, relative, visible
from mnist_sweep.training.loop import Diverged

LOG = "reproduce"  # as Hydra would name one; what is printed here goes to none
DIFFERS = 2  # the exit code, as cmp and diff have another for an error


class ReproduceError(UserError):
    """A run that cannot be trained again."""


@dataclass
class Reproduce:
    """The command line; see the module."""

    run: str | None = None
    study: str | None = None
    trial: int | None = None
    storage: str = STORAGE
    device: str | None = None
    teacher: str | None = None
    tolerance: float = 0.0
    to: str | None = None


def main(asked: Reproduce) -> None:
    """Train again, compare, and say what came out."""
    _check(asked)
    setting, given = _original(asked)
    config, then = read_as_single(given, setting)
    path = Path(relative(real_directory(given)))
    original = RunDirectory(path)
    epochs = original.read_metrics()
    if not epochs:
        raise ReproduceError(f"{setting}={given} has finished no epoch: nothing to compare with")
    change(config, _as_then(then, asked.device))
    if asked.teacher is not None:
        if config.distill.teacher is None:
            raise ReproduceError(
                f"teacher={asked.teacher} has no effect, since {setting}={given} had none: leave "
                "it out"
            )
        change(config, {TEACHER: asked.teacher})
    print(
        printable(f"original: {path}, {then.get('status')}, {counted(len(epochs), 'epoch')}"),
        flush=True,
    )
    choose_device(config.device)  # before a folder is made
    _say_other_data(config, then)
    folder, made = _folder(asked, path)
    try:
        with writing("to", folder):
            write_config(config, folder)
        now = _train(config, then, folder, len(epochs))
    finally:
        leave_nothing(folder.resolve(), LOG, command_folder(), made)  # of a run that never began
    again = RunDirectory(folder)
    weights = _weights_apart(original, again)
    found = compare(epochs, again.read_metrics(), then, now, weights)
    other = changed(surroundings(then), surroundings(now))
    with writing("to", folder):
        _record(found, other, str(path), folder)
    lines = [*sentences(found, asked.tolerance), *surrounded(other)]
    print(visible("\n".join(lines)), flush=True)
    if not (found.identical or (asked.tolerance and found.within(asked.tolerance))):
        sys.exit(DIFFERS)


def _check(asked: Reproduce) -> None:
    if (asked.run is None) == (asked.study is None):
        raise ArgumentError("give either run=, a run directory, or study=; see --help")
    if asked.trial is not None and asked.study is None:
        raise ArgumentError(f"trial={asked.trial} is of a study: give study= with it")
    if not (math.isfinite(asked.tolerance) and asked.tolerance >= 0):
        raise ArgumentError(f"tolerance cannot be negative, but got {asked.tolerance}")


def _original(asked: Reproduce) -> tuple[str, str]:
    """Return the setting that names the run, and its directory."""
    if asked.study is None:
        return "run", str(asked.run)
    record = read_study(asked.study, asked.storage)
    if asked.trial is None:
        if not record.best:
            raise ReproduceError(f"study={asked.study} has no complete trial: name one with trial=")
        row = record.best[0]
    else:
        rows = {row.number: row for row in record.rows}
        if asked.trial not in rows:
            raise ReproduceError(
                f"trial={asked.trial}: study={asked.study} has {counted(len(rows), 'trial')}, "
                "numbered from 0"
            )
        row = rows[asked.trial]
    directory = row.attributes.get("run_directory")
    if not directory and record.folder is not None:  # of one that has not ended
        directory = str(record.folder / str(row.number))
    if not directory or not Path(directory).is_dir():
        where = f"ran in {directory}, which is not here" if directory else "was never trained"
        raise ReproduceError(f"trial={row.number} of study={asked.study} {where} ({row.status})")
    return "study", directory


def _as_then(result: dict[str, Any], device: str | None) -> dict[str, Any]:
    """Return the settings that have a run trained on what it was trained on."""
    trained_on = result.get("device")
    if device is None and trained_on is not None:
        device = "cpu" if trained_on == "cpu" else "cuda"
        if device == "cuda" and not torch.cuda.is_available():
            raise ReproduceError(
                f"it was trained on {trained_on}, and torch finds no GPU here: give device=cpu to "
                "train it on the CPU, where its figures will differ"
            )
    settings: dict[str, Any] = {} if device is None else {"device": device}
    if result.get("threads"):
        settings["threads"] = result["threads"]
    return settings


def _say_other_data(config: DictConfig, result: dict[str, Any]) -> None:
    """Say before the training that its figures cannot be those of other images."""
    known, here = (result.get("data") or {}).get("fingerprint"), build_dataset(check(config))
    if known not in (None, here.fingerprint):
        print(
            f"other data: {here.name} has the fingerprint {here.fingerprint} here, and had {known} "
            "then: the figures will differ",
            flush=True,
        )


def _folder(asked: Reproduce, original: Path) -> tuple[Path, bool]:
    """Return an empty folder for the run, and whether it was made for that."""
    if asked.to is not None:
        folder = Path(asked.to)
        with writing("to", folder):
            made = not folder.exists()
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise ReproduceError(f"to={asked.to} is not empty: choose another folder")
        return folder, made
    key = re.sub(r"[^\w.-]+", "-", str(original)).strip("-")
    for number in itertools.count(1):
        folder = Path("outputs", "reproduce", key, str(number))
        with writing("to", folder), suppress(FileExistsError):
            folder.mkdir(parents=True)
            return folder, True
    raise AssertionError("unreachable")


def _train(config: DictConfig, then: dict[str, Any], folder: Path, epochs: int) -> dict[str, Any]:
    """Train as many epochs as the original has; return the result."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    run, name = check(config), model_name(then, config.model)
    # A search never looks at test, nor does what repeats a part of one.
    sweep = None if then.get("test_acc") is not None else "reproduction"
    with suppress(Diverged):  # its result says so, and the original may have
        execute(run, folder, name=name, resume=False, sweep=sweep, until=epochs)
    return RunDirectory(folder).read_result() or {}


def _weights_apart(original: RunDirectory, again: RunDirectory) -> float | None:
    if not (original.best.exists() and again.best.exists()):
        return None
    cpu = torch.device("cpu")
    return largest_difference(original.load_best(cpu), again.load_best(cpu))


def _record(
    found: RunComparison, other: dict[str, tuple[str, str]], original: str, folder: Path
) -> None:
    content = {
        "original": original,
        "identical": found.identical,
        **asdict(found),
        "surroundings": {name: {"then": then, "now": now} for name, (then, now) in other.items()},
    }
    with replacing(folder / "reproduction.json") as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def sentences(found: RunComparison, tolerance: float = 0.0) -> list[str]:
    """Return what was found, as lines for a terminal."""
    names = list(dict.fromkeys(name for figures in found.epochs.values() for name in figures))
    epochs = counted(len(found.epochs), "epoch")
    weights = "no weights to compare" if found.weights is None else "and of the kept weights"
    if found.identical:
        return [f"identical, bit for bit: {', '.join(names)} of {epochs}, {weights}"]
    lines = table(found, names) if _differ(found) else [f"the figures of {epochs} are identical"]
    if found.missing:
        lines.append(f"not trained again: {_numbers(found.missing)}; see the reason in its log")
    for name, pair in found.kept.items():
        if not pair.identical:
            then, now = _value(pair.then), _value(pair.now)
            lines.append(f"{name}: {then} then, {now} now ({_apart(pair)})")
    if found.weights:
        lines.append(f"the kept weights differ by at most {found.weights:.1e}")
    verdict = "reproduced" if tolerance and found.within(tolerance) else "not reproduced"
    what = f"within the tolerance of {tolerance:g}" if tolerance else "bit for bit"
    return [*lines, f"{verdict} {what}"]


def _differ(found: RunComparison) -> bool:
    return any(not pair.identical for figures in found.epochs.values() for pair in figures.values())


def table(found: RunComparison, names: list[str]) -> list[str]:
    """Return a line for each epoch: by how much each figure differs, "=" where it does not."""
    cells = [["epoch", *names]]
    for epoch, figures in found.epochs.items():
        apart = [_apart(figures[name]) if name in figures else "" for name in names]
        cells.append([str(epoch), *apart])
    return in_columns(cells, first=str.rjust, others=str.rjust)


def _apart(pair: Pair) -> str:
    if pair.identical:
        return "="
    return f"{pair.difference:+.1e}" if math.isfinite(pair.difference) else "not finite"


def _value(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.6g}"


def _numbers(epochs: list[int]) -> str:
    return f"epoch {epochs[0]}" if len(epochs) == 1 else f"epochs {epochs[0]} to {epochs[-1]}"


def surrounded(other: dict[str, tuple[str, str]]) -> list[str]:
    """Return what differs in what the runs stood on, as lines."""
    if not other:
        return ["trained with the same versions, threads, processor, commit and data"]
    return ["what differs in the surroundings:"] + [
        f"  {name}: {then} then, {now} now" for name, (then, now) in other.items()
    ]


if __name__ == "__main__":
    arguments.run(Reproduce, __doc__ or "", main, wait="reading the run")
