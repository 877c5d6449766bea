"""What a sweep costs beside training: starting, a trial's frame, a rejection, an epoch's records.

    make bench-overhead [REPETITIONS=5]

- shell to first step: from starting `python -m mnist_sweep.train` on mnist_5k until its first
  training step would begin; `--help` and `--cfg job`: to their ends
- trial: in a sweep of one worker, from the end of a trial to the end of the next, less the time in
  the training loop (training and evaluation passes); the first trial, which loads torch and data,
  is left out; measured on trials of 2 epochs, and with the records of 18 more as a share of a trial
  of 20 epochs on mnist_5k
- rejection: beyond Optuna's own ask and tell, on SQLite
- of an epoch: evaluation, the checkpoint, the best weights, TensorBoard's scalars, and the report
  to the study with the pruner's answer, each as a share of the training pass of mnist_5k
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import optuna
import torch
from hydra import compose, initialize_config_dir
from optuna.pruners import SuccessiveHalvingPruner

from benchmarks import rejection_cost
from benchmarks.common import alternate, command, save, spread, title
from mnist_sweep import train
from mnist_sweep.config import TensorBoardConfig
from mnist_sweep.config_checks import check
from mnist_sweep.run.build import build_dataset, build_pipeline, build_training
from mnist_sweep.run.directory import RunDirectory
from mnist_sweep.run.tracking.tensorboard import TensorBoard
from mnist_sweep.sweep.storage import open_storage
from mnist_sweep.sweep.trial import Reporter
from mnist_sweep.sweep.trials.leases import SWEEP, Heartbeat, Lease
from mnist_sweep.sweep.trials.records import TrialRecords
from mnist_sweep.training.epochs import Epoch
from mnist_sweep.training.loop import Precision, evaluate, forward_backward, train_epoch

EPOCHS, TRIALS, WHOLE_TRIAL = 2, 6, 20


def wall(*arguments: str) -> float:
    """Return the seconds that a command takes."""
    with tempfile.TemporaryDirectory() as folder:
        return seconds(lambda: command(arguments, Path(folder)))


def to_first_step() -> float:
    """Return the seconds from starting the entry until its first step."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.time()
        settings = ["data=mnist_5k", "epochs=1"]
        printed = command(["benchmarks.first_step", *settings], Path(folder))
        return float(printed.splitlines()[-1]) - start


def trial_frame(evaluation: float) -> float:
    """Return a warm worker's median seconds a trial outside the training loop."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = ["search=command_line", "hydra.sweeper.study_name=s", "data=mnist_5k"]
        settings += [f"epochs={EPOCHS}", f"hydra.sweeper.n_trials={TRIALS}"]
        settings += ["hydra.sweeper.n_jobs=1", "threads=1", "model.dropout=interval(0,0.1)"]
        command(["mnist_sweep.train", "-m", *settings], folder, threads=1)
        database = f"sqlite:///{folder}/multirun/optuna.db"
        trials = optuna.load_study(study_name="s", storage=database).trials
        ends = sorted((t.datetime_complete, t.number) for t in trials if t.datetime_complete)
        frames = []
        for (before, _), (end, number) in pairwise(ends):
            lines = (folder / "multirun" / "s" / str(number) / "metrics.jsonl").read_text()
            passes = [json.loads(line)["seconds"] for line in lines.splitlines()]
            loop = sum(passes) + evaluation * len(passes)
            frames.append((end - before).total_seconds() - loop)
    return statistics.median(frames)


def epoch_parts() -> dict[str, float]:
    """Return the seconds of a training pass, and of what comes with each epoch."""
    with initialize_config_dir(train.config_directory()):
        run = check(compose("config", ["data=mnist_5k"]))
    torch.set_num_threads(1)
    dataset, pipeline, precision = build_dataset(run), build_pipeline(run), Precision()
    training = build_training(run, 125, torch.device("cpu"))
    with tempfile.TemporaryDirectory() as folder:
        directory = RunDirectory(Path(folder))
        board = TensorBoard(Path(folder), TensorBoardConfig(), {})
        directory.start()
        work = partial(forward_backward, training, precision)
        figures = Epoch(1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1)

        def one_pass() -> None:
            batches = pipeline.training_batches(dataset.train, 32, training.generator)
            train_epoch(training, batches, work)

        parts: dict[str, Callable[[], Any]] = {
            "training pass": one_pass,
            "evaluation": lambda: evaluate(training.model, dataset.val, pipeline, precision),
            "metrics line": lambda: directory.append_metrics(figures),
            "checkpoint": lambda: directory.save_last({"training": training.state_dict()}),
            "best weights": lambda: directory.save_best(training.model),
            "TensorBoard": lambda: board.epoch(figures, training.model),
            "report": reporting(f"sqlite:///{folder}/optuna.db"),
        }
        one_pass()
        taken = {name: seconds(part) for name, part in parts.items()}
        board.abandon({})
    return taken


def reporting(address: str) -> Callable[[], object]:
    """Return a job's report of an epoch to a study of `TRIALS` complete trials, and its pruner."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage, pruner = open_storage(address).optuna, SuccessiveHalvingPruner(min_resource=2)
    study = optuna.create_study(storage=storage, pruner=pruner, direction="maximize")
    for number in range(TRIALS):
        trial = study.ask()
        for epoch in range(1, WHOLE_TRIAL + 1):
            trial.report(0.9, epoch)
            trial.should_prune()
        study.tell(trial, 0.9 + number / 1000)
    records, heartbeat, number = TrialRecords(study, storage), Heartbeat(30.0), study.ask().number
    Lease(records, number, SWEEP).acquire()
    reporter, steps = Reporter(records, number, heartbeat), count(1)
    heartbeat.acquire(reporter.lease)
    return lambda: reporter.report(0.99, next(steps))


def seconds(part: Callable[[], Any]) -> float:
    """Return what a call takes."""
    start = time.perf_counter()
    part()
    return time.perf_counter() - start


def main(repetitions: int) -> None:
    """Measure everything and print it."""
    parts: dict[str, list[float]] = {}
    for _ in range(max(repetitions, 3)):
        for name, value in epoch_parts().items():
            parts.setdefault(name, []).append(value)
    evaluation = statistics.median(parts["evaluation"])
    whole = WHOLE_TRIAL * (statistics.median(parts["training pass"]) + evaluation)
    contenders: dict[str, Callable[[], float]] = {
        "shell to first step": to_first_step,
        "--help": partial(wall, "mnist_sweep.train", "--help"),
        "--cfg job": partial(wall, "mnist_sweep.train", "--cfg", "job"),
        "trial in a warm worker": partial(trial_frame, evaluation),
    }
    found = alternate(contenders, repetitions)
    with tempfile.TemporaryDirectory() as folder:
        rejection = rejection_cost.measure(f"sqlite:///{Path(folder) / 'optuna.db'}")
    title("overhead, seconds")
    for name, values in found.items():
        print(f"  {name:<24} {spread(values)}")
    records = ("metrics line", "checkpoint", "best weights", "TensorBoard", "report")
    each_epoch = sum(statistics.median(parts[name]) for name in records)
    frame = statistics.median(found["trial in a warm worker"])
    share = (frame + (WHOLE_TRIAL - EPOCHS) * each_epoch) / whole
    print(
        f"  trial in a warm worker / {WHOLE_TRIAL} epochs of mnist_5k ({whole:.1f} s): {share:.1%}"
    )
    low, median, high = rejection["difference"]
    print(f"  rejection beyond ask and tell: {median:.1f} ms (quartiles {low:.1f} to {high:.1f})")
    training = statistics.median(parts["training pass"])
    for name, values in parts.items():
        print(f"  {name:<24} {spread(values, '.4f')}, {statistics.median(values) / training:.2%}")
    save("overhead", {"seconds": found, "parts": parts, "rejection_ms": rejection, "share": share})


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
