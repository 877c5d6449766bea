"""What is found out about a trial at once, written at once: one transaction instead of ten."""

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

import sqlalchemy
from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.storages import BaseStorage, RDBStorage
from optuna.storages._rdb import models

# Of each parameter its value, as storages have it, and where it was drawn from.
Parameters: TypeAlias = Mapping[str, tuple[float, BaseDistribution]]


class TrialWriter:
    """Writes parameters and attributes of running trials of one study.

    A transaction costs a database a millisecond, a server's round trip more, and Optuna's interface
    makes one of each parameter and attribute. Other storages get what theirs offers.
    """

    def __init__(self, storage: BaseStorage) -> None:
        self.storage = storage
        backend = getattr(storage, "_backend", storage)
        self.engine = backend.engine if isinstance(backend, RDBStorage) else None
        self.checked: dict[str, BaseDistribution] = {}

    def write(
        self,
        trial_id: int,
        parameters: Parameters,
        system: Mapping[str, Any],
        user: Mapping[str, Any],
    ) -> None:
        """Add new parameters, and add or change attributes.

        Raises ValueError for a parameter that the study has drawn from elsewhere before.
        """
        # Optuna compares a parameter's distribution with the study's; the first time is its own.
        again = {n: p for n, p in parameters.items() if self.checked.get(n) == p[1]}
        for name, (value, distribution) in parameters.items():
            if self.engine is None or name not in again:
                self.storage.set_trial_param(trial_id, name, value, distribution)
                self.checked[name] = distribution
        if self.engine is None:
            for key, attribute in system.items():
                self.storage.set_trial_system_attr(trial_id, key, attribute)
            for key, attribute in user.items():
                self.storage.set_trial_user_attr(trial_id, key, attribute)
            return
        with self.engine.begin() as connection:
            _insert(connection, trial_id, again)
            _replace(connection, models.TrialSystemAttributeModel, trial_id, system)
            _replace(connection, models.TrialUserAttributeModel, trial_id, user)


def _insert(connection: sqlalchemy.Connection, trial_id: int, parameters: Parameters) -> None:
    rows = [
        {
            "trial_id": trial_id,
            "param_name": name,
            "param_value": value,
            "distribution_json": distribution_to_json(distribution),
        }
        for name, (value, distribution) in parameters.items()
    ]
    if rows:
        connection.execute(sqlalchemy.insert(models.TrialParamModel), rows)


def _replace(
    connection: sqlalchemy.Connection, model: Any, trial_id: int, attributes: Mapping[str, Any]
) -> None:
    """Put attributes in the place of those of the same keys: databases differ in a better way."""
    if not attributes:
        return
    before = (model.trial_id == trial_id) & model.key.in_(attributes)
    connection.execute(sqlalchemy.delete(model).where(before))
    rows = [
        {"trial_id": trial_id, "key": key, "value_json": json.dumps(value)}
        for key, value in attributes.items()
    ]
    connection.execute(sqlalchemy.insert(model), rows)
