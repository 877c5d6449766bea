"""A trial whose parameters may still be drawn anew."""

import copy
from collections.abc import Mapping
from typing import Any

from optuna.samplers import GridSampler
from optuna.storages import BaseStorage
from optuna.trial import Trial

from mnist_sweep.sweep.gate import Verdict
from mnist_sweep.sweep.study import REJECTED
from mnist_sweep.sweep.writes import TrialWriter


class DraftStorage:
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
    trial, whose parameters the sampler draws anew. `chosen` are parameters that it does not draw.
    """

    def __init__(self, trial: Trial, chosen: Mapping[str, Any] | None = None) -> None:
        vars(self).update(vars(trial))
        if chosen is not None:  # as `Trial.__init__` has what `Study.enqueue_trial` was given
            self._fixed_params = dict(chosen)
        # As `Trial.__init__` leaves them, without another query.
        self._cached_frozen_trial = known = copy.deepcopy(trial._cached_frozen_trial)
        if isinstance(trial.study.sampler, GridSampler):  # it marks a trial as that is asked for
            known.system_attrs = trial.storage.get_trial_system_attrs(trial._trial_id)
        self.relative_search_space, self._relative_params = None, None
        self.recorded = set(self.params)
        self.constrained = set(known.constraints)
        self.storage: Any = DraftStorage(trial.storage, known.system_attrs)

    def write(self, writer: TrialWriter, verdict: Verdict | None = None) -> None:
        """Record what was drawn, and what the gate found out about it.

        From then on it is a trial as any other of Optuna's.
        """
        draft = self.storage
        if not isinstance(draft, DraftStorage):
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
