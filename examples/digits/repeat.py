"""Is the best really better? It and the config's own values, trained again with fresh seeds.

python repeat.py               the study digits, ten seeds, accuracies on test images
"""

from pathlib import Path

import numpy as np
from app import fit
from hydra import compose, initialize_config_dir
from scipy import stats

from mnist_sweep import study

SEEDS = range(1000, 1010)  # none that the search has seen


def accuracies(overrides: list[str]) -> np.ndarray:
    """Return the test accuracy of a configuration after its last epoch, for each seed."""
    with initialize_config_dir(str(Path(__file__).resolve().parent)):
        configs = [compose("config", [*overrides, f"seed={seed}"]) for seed in SEEDS]
    return np.array([list(fit(config, "test"))[-1] for config in configs])


def interval(values: np.ndarray) -> str:
    """Return a mean with Student's 95% interval, in percent."""
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return f"{100 * values.mean():.2f} ± {100 * half:.2f}"


def main() -> None:
    """Print both accuracies and their difference, seed by seed in pairs."""
    best = study("digits").best
    if best is None:
        raise SystemExit("error: the study digits has no complete trial yet: python app.py -m")
    found, own = accuracies(best["overrides"]), accuracies([])
    print(f"trial {best['number']}: {interval(found)}% of the test images, {len(SEEDS)} seeds")
    print(f"default: {interval(own)}%")
    print(f"difference: {interval(found - own)} points, for other seeds on these images")


if __name__ == "__main__":
    main()
