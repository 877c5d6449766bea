"""How a study's objective is written for people: an accuracy of our runs in percent."""

from collections.abc import Mapping, Sequence
from typing import Any

from optuna.trial import FrozenTrial

from mnist_sweep.objectives import FIGURES, Figure
from mnist_sweep.sweep.study_store import DATA
from mnist_sweep.sweep.trials.outcomes import validation_images
from mnist_sweep.text import percent


class ObjectiveText:
    """A writer of the objectives of one study, which are `names`.

    Another application may call its objective as ours are called, and mean something else by it.
    So a value is written as it is until a run of ours is known, by `learn` or `recognize`.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self.ours = False
        self.images: int | None = None  # that each accuracy is measured on

    def learn(self, facts: Mapping[str, Any]) -> None:
        """Know from what a run of ours has recorded on how many images it is validated."""
        self.ours = True
        self.images = validation_images(facts) or self.images

    def recognize(self, trial: FrozenTrial) -> None:
        """Know a study of ours by a trial of it: only our runs record what data they are on."""
        self.ours = self.ours or DATA in trial.user_attrs

    def is_accuracy(self, position: int = 0) -> bool:
        """Whether an objective is an accuracy of our runs."""
        figure = self._figure(position)
        return figure is not None and figure.is_accuracy

    def one(self, value: float, position: int = 0) -> str:
        """Return the value of an objective."""
        figure = self._figure(position)
        if figure is not None and figure.is_accuracy:
            return percent(value, self.images)
        if figure is not None and not figure.each_epoch:  # a count
            return f"{value:,.0f}"
        whole = abs(value) >= 1000 and float(value).is_integer()
        return f"{value:,.0f}" if whole else f"{value:.5g}"

    def all(self, values: Sequence[float]) -> str:
        """Return the values of all objectives."""
        return ", ".join(self.one(value, n) for n, value in enumerate(values))

    def named(self, values: Sequence[float]) -> str:
        """Return the values of all objectives, each after what the user calls it."""
        if len(self.names) != len(values):
            return f"value{'s' if len(values) > 1 else ''} {self.all(values)}"
        return ", ".join(
            f"{name} {self.one(value, n)}"
            for n, (name, value) in enumerate(zip(self.names, values, strict=True))
        )

    def _figure(self, position: int) -> Figure | None:
        known = self.ours and position < len(self.names)
        return FIGURES.get(self.names[position]) if known else None
