"""Classify scikit-learn's digits by random kernel features; search for the best within a budget.

python app.py                  one run
python app.py -m               a search, as config.yaml describes it
"""

from collections.abc import Iterator

import hydra
import numpy as np
from omegaconf import DictConfig
from sklearn.datasets import load_digits
from sklearn.kernel_approximation import RBFSampler
from sklearn.linear_model import SGDClassifier

from mnist_sweep.sweep.trial import reporting

VALIDATION, TEST = 400, 400  # images; the other 997 are for training


def splits() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return images [n, 64] from 0 to 16 and labels [n], by split; the same in every run."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    ends = [len(images) - VALIDATION - TEST, len(images) - TEST]
    parts = zip(("train", "val", "test"), np.split(order, ends), strict=True)
    return {name: (images[part], labels[part]) for name, part in parts}


def fit(config: DictConfig, split: str = "val") -> Iterator[float]:
    """Train; yield the accuracy on a split after each epoch, a fraction."""
    data = splits()
    features = RBFSampler(
        gamma=config.gamma, n_components=config.components, random_state=config.seed
    )
    images, labels = features.fit_transform(data["train"][0]), data["train"][1]
    judged = features.transform(data[split][0]), data[split][1]
    classifier = SGDClassifier(
        loss="log_loss", alpha=config.alpha, average=True, random_state=config.seed
    )
    draw = np.random.default_rng(config.seed)
    for _ in range(config.epochs):
        order = draw.permutation(len(labels))
        classifier.partial_fit(images[order], labels[order], classes=np.arange(10))
        yield float(classifier.score(*judged))


@hydra.main(config_path=".", config_name="config")
def main(config: DictConfig) -> float:
    """Train one run and return its validation accuracy, which the sweep maximizes."""
    accuracy = 0.0
    with reporting(config) as reporter:  # None where no sweep of ours is to be told
        for epoch, accuracy in enumerate(fit(config), start=1):
            print(f"epoch {epoch:2}/{config.epochs}  accuracy {accuracy:.1%}")
            last = epoch == config.epochs
            if reporter is not None and reporter.report(accuracy, epoch, may_stop=not last):
                break  # the pruner has seen enough
    return accuracy


if __name__ == "__main__":
    main()
