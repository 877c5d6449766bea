"""Faults of real trainings, on the bundled images: `mnist_sweep.train` instead of the cheap job."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mnist_sweep.sweep.trials.status import FINISHED, status_of
from tools.faults import checks
from tools.faults.checks import SQLITE
from tools.faults.scenario import Lab, Outcome
from tools.faults.sweeps import ROOT, Study, wait_until

TIMING = ("seconds", "images_per_second")  # of an epoch, which no two runs have in common
TRIAL_TIMEOUT = 90  # seconds; an epoch takes one or two, and many on a busy machine
TRAIN = ("mnist_sweep.train", "-m")
WORDS = ("search=command_line", "data=mnist_5k", "tracking=none", "threads=1", "batch_size=32")
MLP = (
    # A grid has the same points however often its sweep is started again.
    *("model=mlp", "model.hidden=12,24", "epochs=6", "hydra/sweeper/sampler=grid"),
    *("hydra/sweeper/pruner=none", "hydra.sweeper.max_retries=20", "hydra.sweeper.n_jobs=1"),
)

# A linear network that does something odd in a training batch.
ODD = """
import time
import torch

class Odd(torch.nn.Module):
    def __init__(self, mode: str = "good"):
        super().__init__()
        self.linear = torch.nn.Linear(784, 10)
        self.mode, self.batches = mode, 0

    def forward(self, images):
        logits = self.linear(images.flatten(1))
        if images.device.type == "meta" or not self.training:
            return logits * (0 if self.mode == "constant" else 1)
        self.batches += 1
        if self.mode == "constant":
            return logits * 0
        if self.batches == 20 and self.mode == "spike":
            return logits * 1e6
        if self.batches == 20 and self.mode == "diverge":
            return logits * float("inf")
        if self.batches == 20 and self.mode == "hang":
            time.sleep(3600)
        if self.batches == 20 and self.mode == "memory":
            raise MemoryError("cannot allocate 1 TB")
        return logits
"""
# How a trial of each mode is to end, and how its reason begins.
ENDS = {
    "good": ("complete", ""),
    "spike": ("complete", ""),
    "constant": ("complete", ""),
    "diverge": ("failed", "training diverged in epoch 1"),
    "hang": ("failed", f"it ran longer than trial_timeout={TRIAL_TIMEOUT} seconds"),
    "memory": ("failed", "MemoryError: cannot allocate 1 TB"),
}


def _study(folder: Path, *words: str, trials: int = 2) -> Study:
    address = f"{SQLITE}multirun/optuna.db"
    return Study(folder, address, trials, "trained", (*WORDS, *words), module=TRAIN)


def killed_workers(lab: Lab) -> Outcome:
    """End workers as the kernel does that has no memory left; their runs are to be identical."""
    study, outcome = _study(lab.folder / "killed", *MLP), Outcome()
    sweep = study.start()
    for count in (1, 4, 8):
        if wait_until(lambda: checks.epochs_done(study) >= count or not sweep.running):  # noqa: B023
            for worker in sweep.workers():
                worker.kill()
            outcome.inject([])
    if sweep.wait() != 0:
        outcome.lost.append(sweep.last_line())
    outcome.lost += _not_as_uninterrupted(study, lab.folder / "whole")
    return outcome


def truncated_checkpoint(lab: Lab) -> Outcome:
    """Cut a killed trial's checkpoint short, as a power cut may; it is to start again."""
    study, outcome = _study(lab.folder / "cut", *MLP), Outcome()
    sweep = study.start()
    wait_until(lambda: checks.epochs_done(study) >= 2 or not sweep.running)
    sweep.kill(workers=True)
    for path in study.runs.glob("[0-9]*/checkpoints/last.pt"):
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
    again = study.finish()
    outcome.said = next((line for line in again.text().splitlines() if "damaged" in line), None)
    losses = [] if again.process.returncode == 0 else [again.last_line()]
    losses += _not_as_uninterrupted(study, lab.folder / "whole")
    outcome.inject(["; ".join(losses)] if losses else [])
    return outcome


def little_memory(lab: Lab) -> Outcome:
    """Give a sweep and its workers little address space; with enough the same command resumes."""
    limited = ("sh", "-c", 'ulimit -v "$1" && shift && exec "$@"', "sh", "900000")
    study, outcome = _study(lab.folder / "small", *MLP), Outcome()
    small = replace(study, before=limited).start()
    code = small.wait()
    outcome.said = (small.errors() or [small.last_line()])[-1]
    losses = [] if code == 1 else [f"exit code {code}: {small.last_line()}"]
    again = study.finish()
    losses += [] if again.process.returncode == 0 else [again.last_line()]
    losses += _not_as_uninterrupted(study, lab.folder / "whole")
    outcome.inject(["; ".join(losses)] if losses else [])
    return outcome


def odd_models(lab: Lab) -> Outcome:
    """Train networks that diverge, spike, output constants, hang and have no memory."""
    folder, outcome = lab.folder / "odd", Outcome()
    config = folder / "conf" / "model"
    config.mkdir(parents=True)
    (folder / "odd_models.py").write_text(ODD, encoding="utf-8")
    (config / "odd.yaml").write_text("_target_: odd_models.Odd\nmode: good\n", encoding="utf-8")
    words = [
        *("--config-dir=conf", "model=odd", f"model.mode={','.join(ENDS)}", "epochs=2"),
        *("hydra/sweeper/sampler=grid", "hydra/sweeper/pruner=none", "hydra.sweeper.n_jobs=2"),
        *(f"hydra.sweeper.trial_timeout={TRIAL_TIMEOUT}", "hydra.sweeper.max_failure_rate=1"),
    ]
    study = _study(folder, *words, trials=len(ENDS))
    python_path = f"{folder}:{ROOT}"
    sweep = study.start(MNIST_SWEEP_TARGETS="odd_models.*", PYTHONPATH=python_path)
    if sweep.wait() != 0:
        outcome.lost.append(sweep.last_line())
    ended = {trial.params["model.mode"]: trial for trial in checks.trials(study)}
    for mode, (status, reason) in ENDS.items():
        found = ended.get(mode)
        said = "" if found is None else str(found.user_attrs.get("reason", ""))
        known = None if found is None else status_of(found)
        as_expected = known == status and said.startswith(reason)
        outcome.inject([] if as_expected else [f"{mode} is {known}: {said}"])
    return outcome


def _not_as_uninterrupted(study: Study, folder: Path) -> Iterator[str]:
    """Run the same study without a fault in another folder, and say where the two differ."""
    other = replace(study, folder=folder)
    if other.finish().process.returncode != 0:
        yield "the study without a fault failed"
    found, expected = checks.trials(study), checks.trials(other)
    ended = [trial for trial in found if status_of(trial) in FINISHED]
    if len(ended) != study.trials:
        yield f"{len(ended)} trials have ended, not {study.trials}"
    for one in found:
        two = next(trial for trial in expected if trial.params == one.params)
        if one.values != two.values:
            yield f"trial {one.number} has {one.values}, without a fault {two.values}"
        if _metrics(study, one.number) != _metrics(other, two.number):
            yield f"the metrics of trial {one.number} are others than without a fault"
    yield from checks.left_behind(study)
    yield from checks.opens_clean(study)


def _metrics(study: Study, number: int) -> list[Mapping[str, Any]]:
    path = study.runs / str(number) / "metrics.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [
        {name: value for name, value in json.loads(line).items() if name not in TIMING}
        for line in lines
    ]
