"""The trials of a study by their numbers: what the sweep reads and writes beside Optuna's `Trial`.

Optuna's `Study` has no public way to its storage. The sweep opens the storage itself, so it asks
that one, whose interface (`optuna.storages.BaseStorage`) is public.
"""

from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, Trial, TrialState


class TrialRecords:
    """Reads and marks the trials of one study in the storage that it was opened in."""

    def __init__(self, study: optuna.Study, storage: BaseStorage) -> None:
        self.study, self.storage = study, storage
        self.study_id = storage.get_study_id_from_name(study.study_name)
        self.ids: dict[int, int] = {}

    def id_of(self, number: int) -> int:
        """Return the storage's id of a trial. Raises KeyError where the study has no such trial."""
        if number not in self.ids:
            find = self.storage.get_trial_id_from_study_id_trial_number
            self.ids[number] = find(self.study_id, number)
        return self.ids[number]

    def read(self, number: int) -> FrozenTrial:
        """Return a trial as the storage has it now."""
        return self.storage.get_trial(self.id_of(number))

    def trial(self, number: int) -> Trial:
        """Return a running trial, to report to and to ask the pruner of."""
        return Trial(self.study, self.id_of(number))

    def mark(self, number: int, key: str, value: Any) -> None:
        """Set a system attribute of a running or waiting trial."""
        self.storage.set_trial_system_attr(self.id_of(number), key, value)

    def describe(self, number: int, key: str, value: Any) -> None:
        """Set a user attribute of a running or waiting trial."""
        self.storage.set_trial_user_attr(self.id_of(number), key, value)

    def wait(self, number: int) -> None:
        """Have a running trial wait: the next `Study.ask` returns it, with what it has.

        A public call with a transition that Optuna does not document; `tests/test_private_names.py`
        notices if a release refuses it.
        """
        self.storage.set_trial_state_values(self.id_of(number), TrialState.WAITING)
