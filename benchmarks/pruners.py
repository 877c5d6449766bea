"""Which pruner to prune with: recorded learning curves of whole trials, replayed under each.

    python benchmarks/pruners.py collect SWEEP_DIRECTORY     # from an unpruned random search
    python benchmarks/pruners.py replay [studies]

`collect` writes the curves of the finished trials of a sweep, run with `hydra/sweeper/pruner=none`
and `hydra/sweeper/sampler=random`, to benchmarks/pruner_curves.json. `replay` draws studies of 20
trials from them, in random order, and runs each study as two asynchronous workers would have, once
for each pruner: a worker reports an epoch when the trial's own time for it has passed, asks, and
takes the next trial when it is told to stop. The pruners are those of hydra/sweeper/pruner with
their settings there. All see the same studies.

Baselines are no pruning, and one epoch of every trial with the best `TOP` trained to their end.

- epochs saved: of those that the study without pruning trains
- regret: how much better, in percentage points of validation accuracy, the best trial without
  pruning is than the winner
- winner lost: studies in which the trial that wins without pruning was stopped
- wrongly pruned: of the stopped trials, those that would have been among the study's best three
"""

import heapq
import json
import random
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from omegaconf import OmegaConf

from mnist_sweep.sweep import search_path
from mnist_sweep.sweep.pruning import build_pruner

CURVES = Path(__file__).with_name("pruner_curves.json")
PRUNERS = Path(search_path.__file__).parent / "conf" / "hydra" / "sweeper" / "pruner"
TRIALS, WORKERS, TOP = 20, 2, 5


@dataclass(frozen=True)
class Curve:
    """One trial's validation accuracy by epoch, its seconds an epoch, and its objective."""

    accuracy: list[float]
    seconds: float
    objective: float


@dataclass(frozen=True)
class Outcome:
    """What a pruner did to one study: which trials it stopped, and the epochs it trained."""

    stopped: set[int]
    epochs: int


def collect(directory: Path) -> None:
    """Write the curves of a sweep's complete trials."""
    curves = []
    for path in sorted(directory.glob("[0-9]*/result.json"), key=lambda p: int(p.parent.name)):
        result = json.loads(path.read_text())
        if result["status"] != "complete":
            continue
        lines = (path.parent / "metrics.jsonl").read_text().splitlines()
        epochs = [json.loads(line) for line in lines]
        overrides = OmegaConf.load(path.parent / ".hydra" / "overrides.yaml")
        kept = ("model.", "batch_size", "optimizer.", "scheduler")
        curves.append(
            {
                "settings": [line for line in overrides if line.startswith(kept)],
                "val_acc": [epoch["val_acc"] for epoch in epochs],
                "seconds": statistics.median(epoch["seconds"] for epoch in epochs),
                "objective": result["val_acc"],
            }
        )
    CURVES.write_text("[\n" + ",\n".join(json.dumps(curve) for curve in curves) + "\n]\n")
    print(f"{len(curves)} curves in {CURVES}")


def load() -> list[Curve]:
    """Return the recorded curves."""
    recorded = json.loads(CURVES.read_text())
    return [Curve(c["val_acc"], c["seconds"], c["objective"]) for c in recorded]


def replay(curves: Sequence[Curve], pruner: optuna.pruners.BasePruner, name: str) -> Outcome:
    """Run a study of these trials, in this order, on asynchronous workers."""
    sampler = optuna.samplers.RandomSampler(seed=0)
    study = optuna.create_study(
        study_name=name, direction="maximize", sampler=sampler, pruner=pruner
    )
    waiting = list(enumerate(curves))[::-1]
    running: list[tuple[float, int, int, Any]] = []  # time of the next report, trial, epoch

    def start(now: float) -> None:
        if waiting:
            number, curve = waiting.pop()
            heapq.heappush(running, (now + curve.seconds, number, 1, study.ask()))

    for _ in range(WORKERS):
        start(0.0)
    stopped, epochs = set(), 0
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
        start(now)
    return Outcome(stopped, epochs)


def one_epoch_then_top(curves: Sequence[Curve], seed: int) -> Outcome:
    """Train every trial for one epoch, and the best of them to their end."""
    ranked = sorted(range(len(curves)), key=lambda n: curves[n].accuracy[0], reverse=True)
    epochs = len(curves) + sum(len(curves[n].accuracy) - 1 for n in ranked[:TOP])
    return Outcome(set(ranked[TOP:]), epochs)


def contenders() -> dict[str, Callable[[Sequence[Curve], int], Outcome]]:
    """Return each pruner's way through a study, which takes its trials and its seed."""
    found: dict[str, Callable[[Sequence[Curve], int], Outcome]] = {}
    for path in sorted(PRUNERS.glob("*.yaml"), key=lambda p: (p.stem != "none", p.stem)):
        config = OmegaConf.load(path)

        def run(curves: Sequence[Curve], seed: int, config: Any = config) -> Outcome:
            return replay(curves, build_pruner(config), f"replay {seed}")

        found[path.stem] = run
    found[f"one epoch, then the best {TOP}"] = one_epoch_then_top
    return found


def main(studies: int) -> None:
    """Replay every pruner on the same studies and print what became of them."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pool = load()
    generator = random.Random(0)
    drawn = [generator.sample(pool, TRIALS) for _ in range(studies)]
    print(
        f"{studies} studies of {TRIALS} trials drawn from {len(pool)}, "
        f"{len(pool[0].accuracy)} epochs each, {WORKERS} workers"
    )
    print(
        f"{'pruner':<28}{'epochs saved':>14}{'regret (points)':>20}{'winner lost':>13}"
        f"{'wrongly pruned':>16}"
    )
    found = {}
    for name, contender in contenders().items():
        saved, regrets, lost, wrong, pruned = [], [], 0, 0, 0
        for seed, curves in enumerate(drawn):
            outcome = contender(curves, seed)
            ranked = sorted(range(TRIALS), key=lambda n: curves[n].objective, reverse=True)
            left = [curves[n].objective for n in range(TRIALS) if n not in outcome.stopped]
            saved.append(1 - outcome.epochs / sum(len(c.accuracy) for c in curves))
            regrets.append(100 * (curves[ranked[0]].objective - max(left, default=0.0)))
            lost += ranked[0] in outcome.stopped
            wrong += len(outcome.stopped & set(ranked[:3]))
            pruned += len(outcome.stopped)
        mean, error = statistics.mean(regrets), statistics.stdev(regrets) / studies**0.5
        share = wrong / pruned if pruned else 0.0
        print(
            f"{name:<28}{statistics.mean(saved):>13.0%} {mean:>12.3f} ± {error:.3f}"
            f"{lost / studies:>13.0%}{share:>16.1%}"
        )
        found[name] = {
            "epochs_saved": statistics.mean(saved),
            "regret_points": mean,
            "regret_standard_error": error,
            "winner_lost": lost / studies,
            "wrongly_pruned": share,
        }
    print(json.dumps({"benchmark": "pruners", "pool": len(pool), "results": found}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["collect"]:
        collect(Path(sys.argv[2]))
    else:
        main(int(sys.argv[2]) if len(sys.argv) > 2 else 200)
