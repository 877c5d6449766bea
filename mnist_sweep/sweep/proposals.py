"""From a study to a candidate that passed the gate: ask, draw, judge, draw again."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from omegaconf import DictConfig
from optuna.samplers import GridSampler
from optuna.trial import Trial

from mnist_sweep.errors import UserError
from mnist_sweep.sweep.compose import Composer
from mnist_sweep.sweep.current import Current
from mnist_sweep.sweep.draft import Draft, DraftStorage
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.gate import Verdict
from mnist_sweep.sweep.outcome import ATTRIBUTES
from mnist_sweep.sweep.points import Key, Points, Probe, key_of
from mnist_sweep.sweep.space import SearchSpace
from mnist_sweep.sweep.values import override_value
from mnist_sweep.sweep.writes import TrialWriter
from mnist_sweep.text import one_line

Gate = Callable[[DictConfig, DictConfig], Verdict]
Extender = Callable[[DictConfig, Trial], None]


class InvalidProposal(UserError):
    """A proposal composes to no config."""


@dataclass(frozen=True)
class Proposal:
    """A trial, the overrides that make it a run, and what the gate found about it.

    `verdict` is None where the proposal is no valid run, for which `error` says why.
    """

    trial: Trial
    overrides: list[str]
    verdict: Verdict | None
    error: str | None = None

    @property
    def reason(self) -> str | None:
        """Why it is not to be launched; None where it may be."""
        return self.error if self.verdict is None else self.verdict.reason

    @property
    def excess(self) -> float:
        """By how much it misses being feasible, in its worst constraint."""
        assert self.verdict is not None
        return excess_of(self.verdict)


def excess_of(verdict: Verdict) -> float:
    """Return by how much a verdict's proposal misses being feasible, in its worst constraint."""
    return max(verdict.constraints.values(), default=0.0)


class Proposer:
    """Draws proposals from a study and has the gate judge them.

    `current` is the sweep's composed config; `names` gives a trial's number the overrides that tell
    its job who it is. A trial whose first draw does not pass is drawn up to `resamples` times more;
    of the draws that fail, the one closest to feasible stands. With `points`, no configuration is
    drawn that the study has had: one that has not is taken instead. `check_name` refuses what a
    custom search space must not suggest.
    """

    def __init__(
        self,
        study: optuna.Study,
        space: SearchSpace,
        current: Current,
        compose: Composer,
        gate: Gate | None,
        extender: Extender | None,
        names: Callable[[int], list[str]],
        resamples: int,
        points: Points | None = None,
        check_name: Callable[[str], None] = lambda name: None,
    ) -> None:
        self.study, self.space, self.current, self.compose = study, space, current, compose
        self.gate, self.extender, self.names = gate, extender, names
        self.resamples = 0 if isinstance(study.sampler, GridSampler) else resamples
        self.points, self.check_name = points, check_name
        self.writer = TrialWriter(study._storage)

    def propose(self, trial: Trial) -> Proposal:
        """Draw a trial's parameters and write them down, with the constraints they have.

        Raises SweepError for a gate or a custom search space that does not work.
        """
        tried = self._tried(trial)
        closest = self._draw_untried(trial, tried)
        assert closest is not None
        last = closest.trial.params
        for _ in range(self.resamples):
            if closest.verdict is None or closest.reason is None:
                break
            drawn = self._draw_untried(trial, tried)
            if drawn is None or drawn.trial.params == last:  # fixed, or always drawn the same
                break
            last = drawn.trial.params
            if drawn.verdict is None:  # no valid run: an over-budget one says more
                continue
            if drawn.reason is None or drawn.excess < closest.excess:
                closest = drawn
        draft = closest.trial
        assert isinstance(draft, Draft)
        try:
            draft.write(self.writer, closest.verdict)
        except ValueError as error:
            # As much as a custom search space, or one name under two conditions, can do wrong.
            raise SweepError(
                f"study {self.study.study_name!r} has drawn one of {', '.join(draft.params)} from "
                f"other values before: {one_line(error)} A setting keeps its choices in a study"
            ) from error
        return closest

    def exhausted(self) -> bool:
        """Whether every configuration of the space has been tried."""
        return self.points is not None and self.points.untried(self.points.tried(), 0) is None

    def probe(self, draws: int) -> tuple[dict[str, Any] | None, Verdict | None]:
        """Look for any configuration that passes the gate, without the sampler, which takes longer.

        Returns its parameters; None and the closest verdict where none of so many draws passes.
        """
        generator, closest = random.Random(0), None
        for _ in range(0 if self.extender else draws):
            probe = Probe(generator)
            overrides = self.space.walk(probe.choose, self.current) + self.names(0)
            try:
                verdict = self._judge(overrides)
            except UserError:
                continue
            if verdict.reason is None:
                return probe.params, verdict
            if closest is None or excess_of(verdict) < excess_of(closest):
                closest = verdict
        return None, closest

    def _tried(self, trial: Trial) -> set[Key] | None:
        """Return what a trial must not be; None where it may be anything, or is something."""
        if self.points is None or trial.params:
            return None
        return self.points.tried()

    def _draw_untried(self, trial: Trial, tried: set[Key] | None) -> Proposal | None:
        """Draw what has not been tried, the first of a trial in any case; None if there is none."""
        if tried is None or self.points is None:
            return self._draw(trial)
        for _ in range(self.resamples + 1):
            draft = Draft(trial)
            overrides = self._overrides(draft)
            if key_of(draft.params) not in tried:
                break
        else:
            chosen = self.points.untried(tried, trial.number)
            if chosen is None:
                return None
            draft = Draft(trial, chosen)
            overrides = self._overrides(draft)
        proposal = self._judged(draft, overrides)
        if proposal.verdict is not None and proposal.reason is not None:
            self.points.unfit.add(key_of(draft.params))
        tried.add(key_of(draft.params))
        return proposal

    def _draw(self, trial: Trial) -> Proposal:
        draft = Draft(trial)
        return self._judged(draft, self._overrides(draft))

    def _judged(self, draft: Draft, overrides: list[str]) -> Proposal:
        try:
            return Proposal(draft, overrides, self._judge(overrides))
        except UserError as error:
            return Proposal(draft, overrides, None, str(error))

    def _overrides(self, trial: Trial) -> list[str]:
        overrides = self.space.suggest(trial, self.current)
        if self.extender:
            overrides += self._extended(self.extender, trial)
        return overrides + self.names(trial.number)

    def _extended(self, extender: Extender, trial: Trial) -> list[str]:
        """Let a custom search space suggest more; return it as overrides.

        As upstream, it finds what is fixed among the trial's user attributes, by name.
        """
        fixed = self.space.fixed()
        for name, text in fixed.items():
            trial.set_user_attr(name, text)
            if isinstance(trial.storage, DraftStorage) and name in ATTRIBUTES:
                trial.storage.user.pop(name)  # seen, and not recorded as what the trial came to
        try:
            extender(self.current.config, trial)
        except Exception as error:
            raise SweepError(
                f"hydra.sweeper.custom_search_space raised {type(error).__name__}: "
                f"{one_line(error)}"
            ) from error
        known = self.space.names()
        added = {n: v for n, v in trial.params.items() if n not in known or n in fixed}
        taken = {name.lstrip("+"): text for name, text in fixed.items()}
        for name in added:
            self.check_name(name)
            if name.lstrip("+") in taken:
                raise SweepError(
                    f"hydra.sweeper.custom_search_space suggests {name}, which is fixed to "
                    f"{name.lstrip('+')}={taken[name.lstrip('+')]}: take one of them back (what is "
                    "fixed is among trial.user_attrs)"
                )
        return [f"{name}={override_value(value)}" for name, value in added.items()]

    def _judge(self, overrides: Sequence[str]) -> Verdict:
        """Ask the gate. Raises UserError for a proposal that can be no run at all."""
        if self.gate is None:
            return Verdict()
        try:
            config, hydra = self.compose(overrides)
        except Exception as error:  # composing raises many kinds
            raise InvalidProposal(one_line(error)) from error
        try:
            verdict = self.gate(config, hydra)
        except UserError:
            raise
        except Exception as error:
            raise SweepError(
                f"hydra.sweeper.gate raised {type(error).__name__}: {one_line(error)}"
            ) from error
        if not isinstance(verdict, Verdict):
            raise SweepError(
                "hydra.sweeper.gate must return a mnist_sweep.sweep.gate.Verdict, but returned a "
                f"{type(verdict).__name__}"
            )
        return verdict
