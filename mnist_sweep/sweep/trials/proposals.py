"""From a study to a proposal: ask, have a configuration drawn and judged, write it down."""

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from omegaconf import DictConfig
from optuna.trial import BaseTrial, Trial

from mnist_sweep.errors import UserError
from mnist_sweep.private_names import FIXED_PARAMS
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.gate import Verdict
from mnist_sweep.sweep.space.base_config import BaseConfig
from mnist_sweep.sweep.space.compose import Composer
from mnist_sweep.sweep.space.distributions import suggest
from mnist_sweep.sweep.space.resolved import CONFIGURATION, digest_of
from mnist_sweep.sweep.space.search_space import SearchSpace
from mnist_sweep.sweep.space.untried import Points, RandomDraw
from mnist_sweep.sweep.space.values import override_value
from mnist_sweep.sweep.trials.draw import Draw
from mnist_sweep.sweep.trials.gated_sampler import GatedSampler, Judged, is_grid
from mnist_sweep.sweep.trials.outcomes import ATTRIBUTES
from mnist_sweep.sweep.trials.records import TrialRecords
from mnist_sweep.sweep.trials.status import GATE
from mnist_sweep.text import one_line

Gate = Callable[[DictConfig, DictConfig], Verdict]
Extender = Callable[[DictConfig, BaseTrial], None]


@dataclass(frozen=True)
class Proposal(Judged):
    """A configuration that the gate has judged, and the trial that it is recorded as."""

    trial: Trial = field(kw_only=True)

    @property
    def number(self) -> int:
        """The trial's number."""
        return self.trial.number


class GatedSpace:
    """A search space behind its gate: chooses runs, as overrides, and judges them.

    `current` is the sweep's composed config; `names` gives a trial's number the overrides that tell
    its job who it is. `extender` is a custom search space, and `check_name` refuses what it must
    not suggest. `immaterial` are the settings that make no other configuration; None where it does
    not matter which configurations are the same.
    """

    def __init__(
        self,
        space: SearchSpace,
        current: BaseConfig,
        compose: Composer,
        gate: Gate | None,
        extender: Extender | None,
        names: Callable[[int], list[str]] = lambda number: [],
        check_name: Callable[[str], None] = lambda name: None,
        immaterial: Collection[str] | None = None,
    ) -> None:
        self.space, self.current, self.compose = space, current, compose
        self.gate, self.extender, self.names, self.check_name = gate, extender, names, check_name
        self.immaterial = immaterial

    def choose(self, trial: BaseTrial) -> list[str]:
        """Have a trial suggest its settings; return them as overrides.

        Raises SweepError for a custom search space that does not work.
        """
        overrides = self.space.walk(lambda n, d: suggest(trial, n, d), self.current)
        if self.extender:
            overrides += self._extended(self.extender, trial)
        return overrides + self.names(trial.number)

    def judge(self, overrides: list[str]) -> Judged:
        """Ask the gate about a run. Raises SweepError for a gate that does not work."""
        try:
            verdict, digest = self._verdict(overrides)
            return Judged(overrides, verdict, digest=digest)
        except UserError as error:
            return Judged(overrides, None, str(error))

    def find_feasible(self, draws: int) -> tuple[dict[str, Any] | None, Verdict | None]:
        """Look for any configuration that passes the gate, without the sampler, which takes longer.

        Returns its parameters; None and the closest verdict where none of so many draws passes.
        """
        generator, closest = random.Random(0), None
        for _ in range(0 if self.extender else draws):
            drawn = RandomDraw(generator)
            verdict = self.judge(
                self.space.walk(drawn.choose, self.current) + self.names(0)
            ).verdict
            if verdict is None:
                continue
            if verdict.reason is None:
                return drawn.params, verdict
            if closest is None or verdict.excess < closest.excess:
                closest = verdict
        return None, closest

    def _extended(self, extender: Extender, trial: BaseTrial) -> list[str]:
        """Let a custom search space suggest more; return it as overrides.

        As upstream, it finds what is fixed among the trial's user attributes, by name.
        """
        fixed = self.space.fixed()
        for name, text in fixed.items():
            trial.set_user_attr(name, text)
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
                    f"{name.lstrip('+')}={taken[name.lstrip('+')]}: remove one of the two "
                    "(trial.user_attrs has what is fixed)"
                )
        return [f"{name}={override_value(value)}" for name, value in added.items()]

    def _verdict(self, overrides: list[str]) -> tuple[Verdict, str | None]:
        """Ask the gate; return a digest of what it passes too, where digests are wanted.

        Raises UserError for a proposal that can be no run at all.
        """
        if self.gate is None:
            return Verdict(), None  # nothing is composed
        try:
            config, hydra = self.compose(overrides)
        except Exception as error:  # composing raises many kinds
            raise UserError(one_line(error)) from error
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
        if verdict.reason is not None or self.immaterial is None:
            return verdict, None
        return verdict, digest_of(config, self.immaterial)


class Proposer:
    """A maker of proposals for a study's trials.

    A `GatedSampler` takes the place of the study's sampler; see there for `resamples` and
    `points`.
    """

    def __init__(
        self,
        records: TrialRecords,
        gated_space: GatedSpace,
        resamples: int,
        points: Points | None = None,
    ) -> None:
        self.records, self.study = records, records.study
        self.gated_space, self.points = gated_space, points
        grid = is_grid(self.study.sampler)
        self.sampler = GatedSampler(
            self.study.sampler, records.read, gated_space, 0 if grid else resamples, points
        )
        self.study.sampler = self.sampler

    def propose(self, trial: Trial) -> Proposal:
        """Draw a trial's parameters and write them down, with what the gate found.

        Raises SweepError for a gate or a custom search space that does not work.
        """
        draw, judged = self.sampler.take(trial)
        if draw.overrules_queue():  # the trial would suggest what was enqueued nevertheless
            self.records.mark(trial.number, FIXED_PARAMS, draw.params)
            trial = self.records.trial(trial.number)
        try:
            for name, distribution in draw.distributions.items():
                suggest(trial, name, distribution)
        except ValueError as error:
            # As much as a custom search space, or one name under two conditions, can do wrong.
            raise SweepError(
                f"study {self.study.study_name!r} drew one of {', '.join(draw.params)} from "
                f"other values before: {one_line(error)} A study cannot change a "
                "setting's choices"
            ) from error
        self._record(trial, draw, judged)
        return Proposal(**vars(judged), trial=trial)

    def exhausted(self) -> bool:
        """Whether every configuration of the space has been tried."""
        return self.points is not None and self.points.untried(self.points.tried(), 0) is None

    def _record(self, trial: Trial, draw: Draw, judged: Judged) -> None:
        for name, value in draw.noted.items():
            if name not in ATTRIBUTES:  # a search space sees `epochs=5`; the trial records its own
                trial.set_user_attr(name, value)
        if judged.verdict is None:
            return
        if judged.reason is None and judged.digest is not None:
            self.records.mark(trial.number, CONFIGURATION, judged.digest)
        for name, excess in judged.verdict.constraints.items():
            if name not in draw.constraints:  # Optuna sets a constraint once, also over restarts
                trial.set_constraint(name, float(excess))
        found = dict(judged.verdict.attributes)
        if judged.reason is not None:
            found["reason"] = judged.reason
        if found:
            trial.set_user_attr(GATE, found)
