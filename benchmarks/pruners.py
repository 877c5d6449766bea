"""Which pruner to prune with: recorded learning curves of whole trials, replayed under each.

    python -m benchmarks.pruners collect DATA SWEEP_DIRECTORY...  # from unpruned random searches
    python -m benchmarks.pruners retrain DATA RUNS_DIRECTORY  # what may win, fresh seeds: hours
    python -m benchmarks.pruners replay [studies]

DATA is `mnist` or `mnist_5k`, whose curves lie in benchmarks/pruner_curves/. `collect` adds those
of the finished trials of sweeps, run with `hydra/sweeper/pruner=none` and
`hydra/sweeper/sampler=random`, and measures the weights that each trial kept on MNIST's 10,000 test
images (MNIST_SWEEP_DATA has to have them). `retrain` trains the configurations that studies come
out with again, `SEEDS` times each, and adds their test accuracies. `replay` draws studies from
them in random order and runs each study as two asynchronous workers would have, once for each
pruner: a worker reports an epoch when the trial's own time for it has passed, asks, and takes the
next trial when it is told to stop. The pruners are those of hydra/sweeper/pruner with their
settings there. All see the same studies.

Baselines are no pruning, and one epoch of every trial with the best quarter trained to their ends.

Of studies of `TRIALS` trials:

- epochs saved: of those that the study without pruning trains
- winner lost: studies in which the trial that wins without pruning was stopped
- wrongly pruned: of the stopped trials, those that would have been among the study's best three

and of studies that end when as many epochs are trained as `BUDGET` whole trials have, so that a
pruner that saves epochs sees more trials:

- trials: how many were begun
- winner: validation accuracy of the best complete trial, and the mean test accuracy of its
  configuration retrained, which the choice among noisy validation figures does not flatter;
  percentage points more than without pruning, study by study, with their standard error
"""

import heapq
import json
import math
import os
import random
import statistics
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from omegaconf import OmegaConf

from benchmarks.common import accuracy
from mnist_sweep.data import Images, load_dataset
from mnist_sweep.sweep import search_path
from mnist_sweep.sweep.pruning import build_pruner

SEEDS = (100, 101, 102)  # none that a sweep has used
CURVES = Path(__file__).with_name("pruner_curves")
PRUNERS = Path(search_path.__file__).parent / "conf" / "hydra" / "sweeper" / "pruner"
TRIALS, BUDGET, WORKERS, STUDIES = 20, 10, 2, 200


@dataclass(frozen=True)
class Curve:
    """One trial: validation accuracy by epoch, seconds an epoch, and its configuration's worth.

    `test` is the mean over the seeds that it was retrained with, or the trial's where it never was.
    """

    accuracy: list[float]
    seconds: float
    objective: float
    test: float


@dataclass(frozen=True)
class Outcome:
    """What a pruner did to one study: the trials begun and stopped, and the epochs trained."""

    begun: int
    stopped: set[int]
    epochs: int


def collect(data: str, directories: Sequence[Path]) -> None:
    """Add the curves of the complete trials of sweeps to those recorded."""
    known, test = {tuple(c["settings"]): c for c in read(data)}, test_images()
    for directory in directories:
        for path in sorted(directory.glob("[0-9]*/result.json")):
            result = json.loads(path.read_text())
            overrides = OmegaConf.load(path.parent / ".hydra" / "overrides.yaml")
            kept = ("model.", "batch_size", "optimizer.", "scheduler")
            settings = tuple(line for line in overrides if line.startswith(kept))
            if result["status"] != "complete" or "test" in known.get(settings, {}):
                continue
            lines = (path.parent / "metrics.jsonl").read_text().splitlines()
            epochs = [json.loads(line) for line in lines]
            known[settings] = {
                "settings": settings,
                "val_acc": [epoch["val_acc"] for epoch in epochs],
                "seconds": round(statistics.median(epoch["seconds"] for epoch in epochs), 3),
                "objective": result["val_acc"],
                "test": accuracy(path.parent, test),
            }
    write(data, list(known.values()))
    print(f"{len(known)} curves of {data}")


def read(data: str) -> list[dict[str, Any]]:
    """Return what is recorded of a data set."""
    recorded: list[dict[str, Any]] = json.loads((CURVES / f"{data}.json").read_text())
    return recorded


def write(data: str, recorded: Sequence[dict[str, Any]]) -> None:
    """Record curves, a line each."""
    lines = ",\n".join(json.dumps(curve) for curve in recorded)
    (CURVES / f"{data}.json").write_text(f"[\n{lines}\n]\n")


def test_images() -> Images:
    """Return MNIST's test images, which no sweep looks at."""
    return load_dataset("mnist", os.environ.get("MNIST_SWEEP_DATA", "")).test


def retrain(data: str, directory: Path) -> None:
    """Train what may win with fresh seeds, two runs at a time, and record each as it ends."""
    recorded, wins, images = read(data), may_win(load(data)), test_images()
    jobs = [(curve, seed) for seed in SEEDS for curve in wins]
    jobs = [(c, s) for c, s in jobs if str(s) not in recorded[c].get("retrained", {})]
    print(f"{len(wins)} configurations may win: {len(jobs)} runs", flush=True)
    lock = threading.Lock()

    def train(job: tuple[int, int]) -> None:
        curve, seed = job
        path = directory / f"{curve}-{seed}"
        command = [sys.executable, "-m", "mnist_sweep.train", f"data={data}", "tracking=none"]
        command += [f"epochs={len(recorded[curve]['val_acc'])}", "threads=1", f"seed={seed}"]
        command += [*recorded[curve]["settings"], f"hydra.run.dir={path}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        test = accuracy(path, images)
        with lock:
            recorded[curve].setdefault("retrained", {})[str(seed)] = test
            write(data, recorded)
            print(f"configuration {curve}, seed {seed}: {test:.4f}", flush=True)

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(train, jobs))


def may_win(curves: Sequence[Curve]) -> list[int]:
    """Return what wins studies of equal cost under any contender, the most frequent first.

    What wins fewer than one study in a hundred is left out.
    """
    drawn, wins = draw(curves, STUDIES), Counter[int]()
    position = {id(curve): number for number, curve in enumerate(curves)}
    for contender in contenders(len(curves[0].accuracy)).values():
        for seed, order in enumerate(drawn):
            outcome = contender(order, f"replay {seed}", BUDGET * len(order[0].accuracy))
            wins[position[id(winner(order, outcome))]] += 1
    return [number for number, won in wins.most_common() if won >= wins.total() / 100]


def draw(curves: Sequence[Curve], studies: int) -> list[list[Curve]]:
    """Return studies: all curves, each time in another random order, the same at each call."""
    generator = random.Random(0)
    return [generator.sample(curves, len(curves)) for _ in range(studies)]


def load(data: str) -> list[Curve]:
    """Return the recorded curves of a data set."""
    return [
        Curve(
            c["val_acc"],
            c["seconds"],
            c["objective"],
            statistics.mean((c.get("retrained") or {"its own": c["test"]}).values()),
        )
        for c in read(data)
    ]


def replay(
    curves: Sequence[Curve], pruner: optuna.pruners.BasePruner, name: str, budget: float
) -> Outcome:
    """Run a study of these trials, in this order, on asynchronous workers.

    None is begun once `budget` epochs are trained; what runs then comes to its end.
    """
    sampler = optuna.samplers.RandomSampler(seed=0)
    study = optuna.create_study(
        study_name=name, direction="maximize", sampler=sampler, pruner=pruner
    )
    running: list[tuple[float, int, int, Any]] = []  # time of the next report, trial, epoch
    begun, epochs, stopped = 0, 0, set()

    def begin(now: float) -> int:
        if begun < len(curves) and epochs < budget:
            heapq.heappush(running, (now + curves[begun].seconds, begun, 1, study.ask()))
            return begun + 1
        return begun

    for _ in range(WORKERS):
        begun = begin(0.0)
    while running:
        now, number, epoch, trial = heapq.heappop(running)
        curve = curves[number]
        epochs += 1
        trial.report(curve.accuracy[epoch - 1], epoch)
        if epoch == len(curve.accuracy):
            study.tell(trial, curve.objective)
        elif trial.should_prune():
            stopped.add(number)
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            heapq.heappush(running, (now + curve.seconds, number, epoch + 1, trial))
            continue
        begun = begin(now)
    return Outcome(begun, stopped, epochs)


def one_epoch_then_top(curves: Sequence[Curve], name: str, budget: float) -> Outcome:
    """Train every trial for one epoch, and the best quarter of them to their ends."""
    whole = len(curves[0].accuracy)
    begun = round(min(len(curves), budget / (1 + (whole - 1) / 4)))
    ranked = sorted(range(begun), key=lambda n: curves[n].accuracy[0], reverse=True)
    top = round(begun / 4)
    return Outcome(begun, set(ranked[top:]), begun + top * (whole - 1))


Contender = Callable[[Sequence[Curve], str, float], Outcome]


def contenders(epochs: int) -> dict[str, Contender]:
    """Return each pruner's way through a study: its trials, its name, its budget of epochs.

    `epochs` are those of a whole trial.
    """
    found: dict[str, Contender] = {}
    for path in sorted(PRUNERS.glob("*.yaml"), key=lambda p: (p.stem != "none", p.stem)):
        # A sweep's config says how many epochs a trial has.
        config = OmegaConf.create({"epochs": epochs, "pruner": OmegaConf.load(path)}).pruner

        def run(curves: Sequence[Curve], name: str, budget: float, config: Any = config) -> Outcome:
            return replay(curves, build_pruner(config), name, budget)

        found[path.stem] = run
    found["one epoch, best quarter"] = one_epoch_then_top
    return found


def winner(curves: Sequence[Curve], outcome: Outcome) -> Curve:
    """Return the best complete trial of a study."""
    complete = [curves[n] for n in range(outcome.begun) if n not in outcome.stopped]
    return max(complete, key=lambda curve: curve.objective)


def whole_studies(contender: Contender, drawn: Sequence[Sequence[Curve]]) -> dict[str, float]:
    """Run studies of TRIALS trials; return what was saved, and what was lost by it."""
    saved, lost, wrong, pruned = 0.0, 0, 0, 0
    for seed, order in enumerate(drawn):
        curves = order[:TRIALS]
        outcome = contender(curves, f"replay {seed}", math.inf)
        ranked = sorted(range(TRIALS), key=lambda n: curves[n].objective, reverse=True)
        saved += 1 - outcome.epochs / sum(len(curve.accuracy) for curve in curves)
        lost += ranked[0] in outcome.stopped
        wrong += len(outcome.stopped & set(ranked[:3]))
        pruned += len(outcome.stopped)
    return {
        "epochs_saved": saved / len(drawn),
        "winner_lost": lost / len(drawn),
        "wrongly_pruned": wrong / pruned if pruned else 0.0,
    }


def equal_epochs(
    contender: Contender, unpruned: Contender, drawn: Sequence[Sequence[Curve]]
) -> dict[str, float]:
    """Run studies of as many epochs as BUDGET trials have; compare the winners."""
    begun, val, test = [], [], []
    for seed, curves in enumerate(drawn):
        budget = BUDGET * len(curves[0].accuracy)
        outcome = contender(curves, f"replay {seed}", budget)
        found = winner(curves, outcome)
        reference = winner(curves, unpruned(curves, f"replay {seed}", budget))
        begun.append(outcome.begun)
        val.append(100 * (found.objective - reference.objective))
        test.append(100 * (found.test - reference.test))
    return {
        "trials": statistics.mean(begun),
        "winner_val_points": statistics.mean(val),
        "winner_val_error": statistics.stdev(val) / len(val) ** 0.5,
        "winner_test_points": statistics.mean(test),
        "winner_test_error": statistics.stdev(test) / len(test) ** 0.5,
    }


def main(data: str, studies: int) -> None:
    """Replay every pruner on the same studies and print what became of them."""
    pool = load(data)
    drawn = draw(pool, studies)
    print(
        f"{data}: {studies} studies of {len(pool)} trials of {len(pool[0].accuracy)} epochs, "
        f"{WORKERS} workers; whole studies have {TRIALS} trials, equal ones "
        f"{BUDGET * len(pool[0].accuracy)} epochs"
    )
    print(
        "| pruner | epochs saved | winner lost | wrongly pruned | trials in equal epochs "
        "| winner's validation | winner's test |\n|---|---|---|---|---|---|---|"
    )
    ways, found = contenders(len(pool[0].accuracy)), {}
    for name, contender in ways.items():
        r = whole_studies(contender, drawn) | equal_epochs(contender, ways["none"], drawn)
        print(
            f"| {name} | {r['epochs_saved']:.0%} | {r['winner_lost']:.0%} "
            f"| {r['wrongly_pruned']:.0%} | {r['trials']:.1f} "
            f"| {r['winner_val_points']:+.3f} ± {r['winner_val_error']:.3f} "
            f"| {r['winner_test_points']:+.3f} ± {r['winner_test_error']:.3f} |"
        )
        found[name] = r
    print(json.dumps({"benchmark": "pruners", "data": data, "pool": len(pool), "results": found}))


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if sys.argv[1:2] == ["collect"]:
        collect(sys.argv[2], [Path(argument) for argument in sys.argv[3:]])
    elif sys.argv[1:2] == ["retrain"]:
        retrain(sys.argv[2], Path(sys.argv[3]).absolute())
    else:
        for name in ("mnist", "mnist_5k"):
            main(name, int(sys.argv[2]) if len(sys.argv) > 2 else STUDIES)
