"""Copying a study with what is to be different in the copy.

As `optuna.copy_study` does, which copies everything as it is: what a finished trial has recorded
cannot be changed afterwards. Through the public interface of storages.
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial


def copied(
    study: optuna.Study,
    source: BaseStorage,
    target: BaseStorage,
    name: str,
    change: Callable[[Any], Any] = lambda value: value,
    more: Mapping[str, Any] | None = None,
) -> optuna.Study:
    """Copy a study of a storage to another, or to the same, under a name; return the copy.

    `change` makes of each user attribute's value, a trial's or the study's, the copy's. `more`:
    what the copy has beside them, from its beginning. Raises DuplicatedStudyError where the name is
    taken.
    """
    identity = target.create_new_study(study.directions, name)
    for key, value in (more or {}).items():
        target.set_study_user_attr(identity, key, value)
    own = source.get_study_id_from_name(study.study_name)
    for key, value in source.get_study_system_attrs(own).items():
        target.set_study_system_attr(identity, key, value)
    for key, value in study.user_attrs.items():
        if key not in (more or {}):
            target.set_study_user_attr(identity, key, change(value))
    for trial in study.get_trials(deepcopy=False):
        target.create_new_trial(identity, template_trial=_changed(trial, change))
    return optuna.load_study(study_name=name, storage=target)


def _changed(trial: FrozenTrial, change: Callable[[Any], Any]) -> FrozenTrial:
    made = copy.copy(trial)
    made.user_attrs = {key: change(value) for key, value in trial.user_attrs.items()}
    return made
