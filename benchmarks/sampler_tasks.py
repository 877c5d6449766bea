"""What `benchmarks.samplers` searches: a model of recorded runs, and a made-up function.

`recorded` is the default search space with the accuracies of `benchmarks.sampler_table`, between
which a Gaussian process interpolates. `conditional` has the shape of a space of architectures, with
18 to 26 settings, up to 8 of which depend on others, and a made-up function.
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from omegaconf import OmegaConf
from scipy.stats import spearmanr
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.model_selection import KFold

from benchmarks import sampler_table
from mnist_sweep.data import load_dataset
from mnist_sweep.sweep.space.base_config import BaseConfig
from mnist_sweep.sweep.space.compose import Composer
from mnist_sweep.sweep.space.parsing import parse_space
from mnist_sweep.sweep.space.values import override_value
from mnist_sweep.sweep.trials.proposals import GatedSpace

SCHEDULERS = ("constant", "cosine", "four_phase", "one_cycle")
Params = Mapping[str, Any]


@dataclass(frozen=True)
class Task:
    """A space to search. `quality` is what a configuration is worth, as an accuracy.

    `observe` is what one run of it shows a search: with the luck of the run, from the generator.
    `seconds` is how long that takes. `about` says how good a model of real runs it is.
    """

    name: str
    space: GatedSpace
    quality: Callable[[Params], float]
    observe: Callable[[Params, np.random.Generator], float]
    seconds: Callable[[Params], float]
    about: str


def recorded() -> Task:
    """Return the default search space, with a model of the recorded runs."""
    model = Model(sampler_table.read())
    return Task(
        "schedule",
        sampler_table.gated_space(),
        model.quality,
        model.observe,
        model.seconds,
        model.about(),
    )


class Model:
    """A Gaussian process of the logit of accuracy over the recorded configurations.

    The luck of a run is drawn from what runs with other seeds show, of the third of the repeated
    configurations that is as good: in logits, the distance of a run's validation accuracy from the
    mean accuracy of its configuration on the held images.
    """

    def __init__(self, rows: Sequence[sampler_table.Row]) -> None:
        runs: dict[int, list[sampler_table.Row]] = {}
        for row in rows:
            runs.setdefault(row.number, []).append(row)
        self.rows = [found[0] for found in runs.values()]
        self.inputs = np.array([features(row.settings) for row in self.rows])
        self.targets = np.array(
            [statistics.mean(logit(row.held_acc) for row in found) for found in runs.values()]
        )
        self.process = fitted(self.inputs, self.targets)
        repeated = sorted(
            (statistics.mean(logit(row.held_acc) for row in found), found)
            for found in runs.values()
            if len(found) == sampler_table.SEEDS
        )
        self.luck = []  # up to this logit, these distances
        for third in np.array_split(np.arange(len(repeated)), 3):
            # A mean of n runs is closer to each of them than the true one, by (n - 1) / n.
            widen = math.sqrt(sampler_table.SEEDS / (sampler_table.SEEDS - 1))
            part = [repeated[int(n)] for n in third]
            distances = [widen * (logit(r.val_acc) - mean) for mean, found in part for r in found]
            self.luck.append((part[-1][0], distances))
        self.kept: dict[tuple[float, ...], float] = {}

    def quality(self, params: Params) -> float:
        """Return the accuracy that the model expects of a configuration."""
        return accuracy(self._logit(params))

    def observe(self, params: Params, generator: np.random.Generator) -> float:
        """Return the validation accuracy of one run, in steps of one of 500 images."""
        expected = self._logit(params)
        among = next((d for most, d in self.luck if expected <= most), self.luck[-1][1])
        return round(500 * accuracy(expected + generator.choice(among))) / 500

    def seconds(self, params: Params) -> float:
        """Return how long the most similar recorded run took."""
        away = ((self.inputs - features(params)) ** 2).sum(1)
        return self.rows[int(away.argmin())].seconds

    def about(self) -> str:
        """Return how well it predicts configurations that it has not seen, with its lengths."""
        predicted = np.empty_like(self.targets)
        for fit, check in KFold(10, shuffle=True, random_state=0).split(self.inputs):
            process = fitted(self.inputs[fit], self.targets[fit], self.process.kernel_)
            predicted[check] = process.predict(self.inputs[check])
        left = self.targets - predicted
        explained = 1 - (left**2).sum() / ((self.targets - self.targets.mean()) ** 2).sum()
        best = np.argsort(self.targets)[-len(self.targets) // 4 :]
        ranks = spearmanr(predicted, self.targets).statistic
        among_best = spearmanr(predicted[best], self.targets[best]).statistic
        return (
            f"{len(self.rows)} configurations; held out in tenths: R^2 {explained:.2f} of the "
            f"logit, rank correlation {ranks:.2f}, {among_best:.2f} among the best quarter; "
            f"standard deviation of the luck in logits, from bad to good configurations: "
            + ", ".join(f"{statistics.stdev(distances):.2f}" for _, distances in self.luck)
        )

    def _logit(self, params: Params) -> float:
        inputs = tuple(features(params))
        if inputs not in self.kept:
            self.kept[inputs] = float(self.process.predict([list(inputs)])[0])
        return self.kept[inputs]


def features(params: Params) -> list[float]:
    """Return a configuration as numbers from about 0 to 1; 0.5 for a setting that it has not."""
    peak = params.get("scheduler.peak")
    return [
        params["model.dropout"] / 0.3,
        params["model.width"],
        (math.log2(params["batch_size"]) - 4) / 3,
        math.log(params["optimizer.lr"] / 0.0005) / math.log(40),
        *(0.5 * (params["scheduler"] == name) for name in SCHEDULERS),
        (params.get("scheduler.factor", 0.4) - 0.1) / 0.6,
        params.get("scheduler.floor", 0.15) / 0.3,
        0.5 if peak is None else math.log(peak / 0.5) / math.log(10),
    ]


def fitted(inputs: np.ndarray, targets: np.ndarray, kernel: Any = None) -> GaussianProcessRegressor:
    """Return a Gaussian process with a length for each input, found here unless it is given."""
    if kernel is not None:
        process = GaussianProcessRegressor(kernel, optimizer=None, normalize_y=True)
        return process.fit(inputs, targets)
    lengths = Matern(np.ones(inputs.shape[1]), (0.05, 20.0), nu=2.5)
    kernel = ConstantKernel(1.0) * lengths + WhiteKernel(0.1)
    return GaussianProcessRegressor(kernel, normalize_y=True, random_state=0).fit(inputs, targets)


def logit(share: float) -> float:
    """Return the logit of an accuracy, kept finite."""
    share = min(max(share, 0.001), 0.9995)
    return math.log(share / (1 - share))


def accuracy(value: float) -> float:
    """Return the accuracy whose logit this is."""
    return 1 / (1 + math.exp(-value))


def trained() -> Task:
    """Return the default search space with real trainings, as the table has them."""
    space, dataset = sampler_table.gated_space(), load_dataset("mnist_5k", "")

    def run(params: Params, seed: int) -> tuple[float, float]:
        overrides = [f"{name}={override_value(value)}" for name, value in params.items()]
        # A group first: it brings the settings of its own.
        overrides.sort(key=lambda line: not line.startswith("scheduler="))
        config, _ = space.compose([f"epochs={sampler_table.EPOCHS}", "data=mnist_5k", *overrides])
        return sampler_table.run(config, dataset, seed)

    return Task(
        "trained",
        space,
        lambda params: statistics.mean(run(params, seed)[1] for seed in (100, 101, 102)),
        lambda params, generator: run(params, 0)[0],
        lambda params: 1.0 + 8 / params["batch_size"],
        "real trainings",
    )


# A space of small convolutional networks, of two to four stages.
SETTINGS = {
    "fill": "interval(0.85, 1.0)",
    "stages": "choice(2, 3, 4)",
    "depth1": "range(1, 5)",
    "depth2": "range(1, 5)",
    "growth2": "tag(log, interval(1.0, 4.0))",
    "bottleneck": "choice(0.0, 0.5, 0.65, 0.7)",
    "kernel": "choice(full, separable_3, separable_5, crossed)",
    "shared": "choice(false, true)",
    "pooling": "choice(max, blur, stride)",
    "residual": "choice(none, last, all)",
    "activation": "choice(relu, leaky_relu, silu)",
    "squeeze": "choice(false, true)",
    "head": "choice(linear, conv)",
    "dropout": "interval(0.0, 0.2)",
    "lr": "tag(log, interval(0.003, 0.03))",
    "decay": "tag(log, interval(0.001, 0.1))",
    "rotation": "interval(0.0, 12.0)",
    "shift": "interval(0.0, 4.0)",
}
THIRD = {
    "depth3": "range(1, 5)",
    "growth3": "tag(log, interval(0.7, 2.0))",
    "entry3": "interval(0.5, 1.0)",
}
FOURTH = {name.replace("3", "4"): sweep for name, sweep in THIRD.items()}
CONDITIONAL = {
    "stages": {3: THIRD, 4: THIRD | FOURTH},
    "depth1": {n: {"entry1": "interval(0.5, 1.0)"} for n in (2, 3, 4)},
    "depth2": {n: {"entry2": "interval(0.5, 1.0)"} for n in (2, 3, 4)},
}
# What each choice costs, in points of accuracy.
COSTS = {
    "stages": {2: 0.25, 3: 0.0, 4: 0.1},
    "bottleneck": {0.0: 0.1, 0.5: 0.05, 0.65: 0.0, 0.7: 0.0},
    "kernel": {"full": 0.0, "separable_3": 0.1, "separable_5": 0.05, "crossed": 0.1},
    "shared": {False: 0.05, True: 0.0},
    "pooling": {"max": 0.0, "blur": 0.0, "stride": 0.1},
    "residual": {"none": 0.02, "last": 0.0, "all": 0.04},
    "activation": {"relu": 0.03, "leaky_relu": 0.03, "silu": 0.0},
    "squeeze": {False: 0.02, True: 0.0},
    "head": {"linear": 0.0, "conv": 0.02},
}
MADE_UP_BEST, MADE_UP_LUCK = 0.994, 0.0007  # accuracies, of the best and a standard deviation


def conditional() -> Task:
    """Return a space of networks with conditional settings, and a made-up function over it."""
    config = OmegaConf.create({"hydra": {"runtime": {"choices": {}}}})
    current = BaseConfig(config)
    space = parse_space(SETTINGS, CONDITIONAL, [])
    return Task(
        "conditional",
        # Nothing is composed without a gate.
        GatedSpace(space, current, Composer(None, config), None, None),  # type: ignore[arg-type]
        made_up,
        lambda params, generator: made_up(params) + MADE_UP_LUCK * float(generator.normal()),
        lambda params: 1.0 + params["depth1"] + params["depth2"] / 2,
        "a made-up function: not measured on any network",
    )


def made_up(params: Params) -> float:
    """Return an accuracy: each choice costs something, and each number has an optimum.

    A stage's depth, growth and entry interact: its capacity, which is about their product, has one
    optimum, which more depth reaches with less growth. So do learning rate and kernel, and the
    augmentation with the capacity of all.
    """
    points = sum(costs[params[name]] for name, costs in COSTS.items())
    capacity = 0.0
    for stage, best in ((1, 1.2), (2, 1.8), (3, 1.6), (4, 1.2)):
        if f"depth{stage}" not in params:
            continue
        entry = params.get(f"entry{stage}", 1.0)
        found = math.log(params[f"depth{stage}"] * params.get(f"growth{stage}", 1.0) * entry)
        points += 0.15 * (found - math.log(best * 1.5)) ** 2 + 0.2 * (entry - 0.75) ** 2
        capacity += found
    rate = math.log(params["lr"] / (0.015 if params["kernel"] == "full" else 0.008))
    points += 0.12 * rate**2 + 0.02 * math.log(params["decay"] / 0.02) ** 2
    points += 0.05 * (params["rotation"] / 6 - min(capacity, 3.0) / 2) ** 2
    points += 0.05 * (params["shift"] - 1.5) ** 2 + 3 * params["dropout"] ** 2
    points += 0.5 * (1.0 - params["fill"])
    return MADE_UP_BEST - points / 100
