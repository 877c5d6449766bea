"""Configurations drawn from a search space, and what its gate says of them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import optuna
from optuna.samplers import RandomSampler
from optuna.trial import TrialState, create_trial

from mnist_sweep.sweep.decisions import RANDOM_DRAWS
from mnist_sweep.sweep.gate import Verdict
from mnist_sweep.sweep.proportion import wilson
from mnist_sweep.sweep.trials.draw import Draw
from mnist_sweep.sweep.trials.proposals import GatedSpace

DRAWS = 200


@dataclass(frozen=True)
class Drawn:
    """A configuration as overrides, its searched settings, and the gate's word on it.

    `reason` is why it is not to be launched; None where it may be.
    """

    params: dict[str, Any]
    overrides: list[str]
    verdict: Verdict | None
    reason: str | None

    @property
    def figures(self) -> dict[str, float]:
        """What the gate has counted."""
        found = {} if self.verdict is None else self.verdict.attributes
        return {
            name: value
            for name, value in found.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        }


@dataclass(frozen=True)
class Survey:
    """Configurations drawn at random, independently: uniformly, or on a logarithmic scale.

    `rescue` is one that passes, looked for longer where none of `drawn` does.
    """

    drawn: list[Drawn]
    rescue: Drawn | None = None

    @cached_property
    def passed(self) -> list[Drawn]:
        """Those that the gate lets pass."""
        return [each for each in self.drawn if each.reason is None]

    @cached_property
    def rejected(self) -> list[Drawn]:
        """Those that the gate rejects, or that can be no run."""
        return [each for each in self.drawn if each.reason is not None]

    @property
    def feasible(self) -> list[Drawn]:
        """What passes, or the one that was looked for longer."""
        return self.passed or ([self.rescue] if self.rescue else [])

    @property
    def share(self) -> float:
        """The share that passes."""
        return len(self.passed) / len(self.drawn)

    @property
    def interval(self) -> tuple[float, float]:
        """Return the ends of the share's 95% interval, Wilson's."""
        return wilson(self.share, len(self.drawn))

    @cached_property
    def counted(self) -> list[str]:
        """The names of what the gate has counted of every configuration that can be a run."""
        known = [each.figures.keys() for each in self.drawn if each.verdict is not None]
        return [] if not known else [n for n in known[0] if all(n in names for names in known)]


def survey(
    gated_space: GatedSpace,
    draws: int = DRAWS,
    first_passed: Callable[[Drawn], None] = lambda drawn: None,
) -> Survey:
    """Draw configurations and have them judged; `first_passed` hears of the first at once.

    Raises SweepError for a gate or a custom search space that does not work.
    """
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    drawn: list[Drawn] = []
    heard = False
    for _ in range(draws):
        drawn.append(_drawn(gated_space, study))
        if not heard and drawn[-1].reason is None:
            first_passed(drawn[-1])
            heard = True
    if heard:
        return Survey(drawn)
    params, verdict = gated_space.find_feasible(RANDOM_DRAWS)
    if params is None:
        return Survey(drawn)
    found = params
    overrides = gated_space.space.walk(lambda name, _: found[name], gated_space.current)
    rescue = Drawn(params, overrides, verdict, None)
    first_passed(rescue)
    return Survey(drawn, rescue)


def _drawn(gated_space: GatedSpace, study: optuna.Study) -> Drawn:
    draw = Draw(study.sampler, study, create_trial(state=TrialState.RUNNING))
    judged = gated_space.judge(gated_space.choose(draw))
    return Drawn(draw.params, judged.overrides, judged.verdict, judged.reason)
