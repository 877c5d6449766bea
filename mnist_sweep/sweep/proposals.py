"""From a study to a candidate that passed the gate: ask, draw, judge, draw again."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig
from optuna.samplers import GridSampler
from optuna.storages import BaseStorage
from optuna.trial import Trial

from mnist_sweep.errors import UserError
from mnist_sweep.sweep.compose import Composer
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.gate import Verdict
from mnist_sweep.sweep.space import SearchSpace, override_value
from mnist_sweep.sweep.study import REJECTED
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
        return max(self.verdict.constraints.values(), default=0.0)


class _DraftStorage:
    """A trial's storage, as long as nobody else knows of the trial.

    Parameters are not written down, attributes only noted; the trial's system attributes are those
    that are known.
    """

    def __init__(self, storage: BaseStorage, known: dict[str, Any]) -> None:
        self.storage, self.known = storage, known
        self.system: dict[str, Any] = {}
        self.user: dict[str, Any] = {}

    def set_trial_param(self, *parameter: Any) -> None:
        """Forget it."""

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Note it."""
        self.system[key] = value

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Note it."""
        self.user[key] = value

    def get_trial_system_attrs(self, trial_id: int) -> dict[str, Any]:
        """Return what is known, which saves Optuna a query whenever it looks."""
        return self.known

    def __getattr__(self, name: str) -> Any:
        return getattr(self.storage, name)


class Draft(Trial):
    """A trial whose parameters and attributes are written to the study only by `write`.

    Optuna fixes a parameter once it is suggested. A draft can be dropped for another of the same
    trial, whose parameters the sampler draws anew.
    """

    def __init__(self, trial: Trial) -> None:
        vars(self).update(vars(trial))
        # As `Trial.__init__` leaves them, without another query.
        self._cached_frozen_trial = known = copy.deepcopy(trial._cached_frozen_trial)
        if isinstance(trial.study.sampler, GridSampler):  # it marks a trial as that is asked for
            known.system_attrs = trial.storage.get_trial_system_attrs(trial._trial_id)
        self.relative_search_space, self._relative_params = None, None
        self.recorded = set(self.params)
        self.constrained = set(known.constraints)
        self.storage: Any = _DraftStorage(trial.storage, known.system_attrs)

    def write(self, writer: TrialWriter, verdict: Verdict | None = None) -> None:
        """Record what was drawn, and what the gate found out about it.

        From then on it is a trial as any other of Optuna's.
        """
        draft = self.storage
        if not isinstance(draft, _DraftStorage):
            return
        if verdict is not None:
            self._note(verdict)
        drawn = {
            name: (distribution.to_internal_repr(self.params[name]), distribution)
            for name, distribution in self.distributions.items()
            if name not in self.recorded
        }
        writer.write(self._trial_id, drawn, draft.system, draft.user)
        self.storage = draft.storage

    def _note(self, verdict: Verdict) -> None:
        for name, value in verdict.constraints.items():
            if name not in self.constrained:  # Optuna sets a constraint once, also over restarts
                self.set_constraint(name, value)
        for name, value in verdict.attributes.items():
            self.set_user_attr(name, value)
        if verdict.reason is not None:
            self.set_user_attr("reason", verdict.reason)
            self.set_user_attr("status", REJECTED)


class Proposer:
    """Draws proposals from a study and has the gate judge them.

    `config` is the sweep's composed config; `names` gives a trial's number the overrides that tell
    its job who it is. A trial whose first draw does not pass is drawn up to `resamples` times more;
    of the draws that fail, the one closest to feasible stands.
    """

    def __init__(
        self,
        study: optuna.Study,
        space: SearchSpace,
        config: DictConfig,
        loader: ConfigLoader,
        gate: Gate | None,
        extender: Extender | None,
        names: Callable[[int], list[str]],
        resamples: int,
    ) -> None:
        self.study, self.space, self.config = study, space, config
        self.gate, self.extender, self.names = gate, extender, names
        self.resamples = 0 if isinstance(study.sampler, GridSampler) else resamples
        self.compose = Composer(loader, config)
        self.writer = TrialWriter(study._storage)

    def propose(self, trial: Trial) -> Proposal:
        """Draw a trial's parameters and write them down, with the constraints they have.

        Raises SweepError for a gate or a custom search space that does not work.
        """
        closest = self._draw(trial)
        last = closest.trial.params
        for _ in range(self.resamples):
            if closest.verdict is None or closest.reason is None:
                break
            drawn = self._draw(trial)
            if drawn.trial.params == last:  # fixed, or always drawn the same
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

    def _draw(self, trial: Trial) -> Proposal:
        draft = Draft(trial)
        overrides = self._overrides(draft)
        try:
            return Proposal(draft, overrides, self._judge(overrides))
        except UserError as error:
            return Proposal(draft, overrides, None, str(error))

    def _overrides(self, trial: Trial) -> list[str]:
        overrides = self.space.suggest(trial, self.config.hydra.runtime.choices)
        if self.extender:
            try:
                self.extender(self.config, trial)
            except Exception as error:
                raise SweepError(
                    f"hydra.sweeper.custom_search_space raised {type(error).__name__}: "
                    f"{one_line(error)}"
                ) from error
            known = self.space.names()
            added = {n: v for n, v in trial.params.items() if n not in known}
            overrides += [f"{name}={override_value(value)}" for name, value in added.items()]
        return overrides + self.names(trial.number)

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
