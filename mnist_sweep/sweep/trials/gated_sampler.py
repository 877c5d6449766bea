"""Any Optuna sampler behind the gate: what the gate rejects is drawn again before it is a trial's.

Rejection sampling on Optuna's public interface. `infer_relative_search_space`, which Optuna calls
once for each trial that draws anything, lets the wrapped sampler draw whole configurations, one
after another, and has each judged. `sample_relative` returns the one that is kept.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, GridSampler
from optuna.trial import BaseTrial, FrozenTrial, TrialState

from mnist_sweep.sweep.gate import Verdict
from mnist_sweep.sweep.space.untried import Key, Points, key_of
from mnist_sweep.sweep.trials.draw import Draw


@dataclass(frozen=True)
class Judged:
    """A configuration as overrides, and what the gate says of it.

    `verdict` is None where it is no valid run, for which `error` says why. `digest` is the same for
    what resolves to the same configuration, None where that is not known; `repeats` is the trial
    that has this configuration already.
    """

    overrides: list[str]
    verdict: Verdict | None
    error: str | None = None
    digest: str | None = None
    repeats: int | None = None

    @property
    def reason(self) -> str | None:
        """Why it is not to be launched; None where it may be."""
        if self.repeats is not None:
            return f"the configuration of trial {self.repeats} again"
        return self.error if self.verdict is None else self.verdict.reason

    @property
    def excess(self) -> float:
        """By how much it misses being feasible, in its worst constraint; 0 where it is none."""
        return 0.0 if self.verdict is None else self.verdict.excess


class Judge(Protocol):
    """A maker of runs from what trials suggest, which asks the gate about them."""

    def choose(self, trial: BaseTrial) -> list[str]:
        """Have a trial suggest its settings; return them as overrides."""

    def judge(self, overrides: list[str]) -> Judged:
        """Ask the gate about a run."""


class GatedSampler(BaseSampler):
    """A sampler that draws with another one until the gate lets a configuration pass.

    `read` returns a trial of the study by its number. A configuration that is rejected is drawn
    again up to `resamples` times; of those rejected, the one closest to feasible is kept. With
    `points`, none is drawn whose parameters the study has had: one that it has not had is taken
    instead. One that resolves to the configuration of another trial is drawn again as well.
    """

    def __init__(
        self,
        wrapped: BaseSampler,
        read: Callable[[int], FrozenTrial],
        judge: Judge,
        resamples: int,
        points: Points | None = None,
    ) -> None:
        self.wrapped, self.read, self.judge = wrapped, read, judge
        self.resamples, self.points = resamples, points
        self.kept: dict[int, tuple[Draw, Judged]] = {}  # by the trial's number

    def take(self, trial: optuna.Trial) -> tuple[Draw, Judged]:
        """Return the configuration that is kept for a trial, drawing it if that is still to do.

        Raises what the judge raises.
        """
        _ = trial.relative_params  # Optuna asks this sampler, with the study as the pruner shows it
        return self.kept.pop(trial.number)

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Draw a trial's configuration; return what its parameters are drawn from."""
        drawn = self._choose(study, self.read(trial.number))
        self.kept[trial.number] = drawn
        return drawn[0].distributions

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the parameters of the configuration that was drawn."""
        return self.kept[trial.number][0].params

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Leave a parameter that no configuration had to the wrapped sampler."""
        return self.wrapped.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Tell the wrapped sampler."""
        self.wrapped.before_trial(study, trial)

    def after_trial(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Tell the wrapped sampler."""
        self.wrapped.after_trial(study, trial, state, values)

    def reseed_rng(self) -> None:
        """Tell the wrapped sampler."""
        self.wrapped.reseed_rng()

    def __str__(self) -> str:
        return type(self.wrapped).__name__

    def _choose(self, study: optuna.Study, trial: FrozenTrial) -> tuple[Draw, Judged]:
        tried = None if self.points is None or trial.params else self.points.tried()
        kept = self._draw(study, trial, tried)
        if kept is None:  # everything has been tried, and this was enqueued before
            return self._draw_any(study, trial)
        last = kept[0].params
        for _ in range(self.resamples):
            if kept[1].verdict is None or kept[1].reason is None:
                break
            again = self._draw(study, trial, tried)
            if again is None or again[0].params == last:  # fixed, or always drawn the same
                break
            last = again[0].params
            if _says_more(again[1], kept[1]):
                kept = again
        return kept

    def _draw(
        self, study: optuna.Study, trial: FrozenTrial, tried: set[Key] | None
    ) -> tuple[Draw, Judged] | None:
        """Draw a configuration and have it judged; None where there is no other to draw."""
        if tried is None or self.points is None:
            return self._draw_any(study, trial)
        found = self._draw_untried(study, trial, tried, self.points)
        if found is None:
            return None
        draw, overrides = found
        judged = self.judge.judge(overrides)
        if judged.reason is None:
            judged = replace(judged, repeats=self.points.same(judged.digest, trial.number))
        if judged.verdict is not None and judged.reason is not None:
            self.points.unfit.add(key_of(draw.params))
        tried.add(key_of(draw.params))
        return draw, judged

    def _draw_any(self, study: optuna.Study, trial: FrozenTrial) -> tuple[Draw, Judged]:
        """Draw a configuration and have it judged, tried or not."""
        draw = Draw(self.wrapped, study, trial)
        return draw, self.judge.judge(self.judge.choose(draw))

    def _draw_untried(
        self, study: optuna.Study, trial: FrozenTrial, tried: set[Key], points: Points
    ) -> tuple[Draw, list[str]] | None:
        """Draw what has not been tried, as overrides too; None where everything has been."""
        for _ in range(self.resamples + 1):
            draw = Draw(self.wrapped, study, trial)
            overrides = self.judge.choose(draw)
            if key_of(draw.params) not in tried:
                return draw, overrides
        chosen = points.untried(tried, trial.number)
        if chosen is None:
            return None
        draw = Draw(self.wrapped, study, trial, chosen)
        return draw, self.judge.choose(draw)


def _says_more(again: Judged, kept: Judged) -> bool:
    """Whether a trial is to have another configuration than the one kept, which was rejected.

    One over budget tells the sampler more than one that is no run or repeats a trial.
    """
    if again.reason is None:
        return True
    if again.verdict is None or again.repeats is not None:
        return False
    return kept.repeats is not None or again.excess < kept.excess


def is_grid(sampler: BaseSampler) -> bool:
    """Whether a sampler, gated or not, goes through a grid."""
    return isinstance(getattr(sampler, "wrapped", sampler), GridSampler)
