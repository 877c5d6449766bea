"""What a study calls its objectives, which Optuna's plots and optuna-dashboard show."""

import warnings
from collections.abc import Sequence

import optuna
from optuna.exceptions import ExperimentalWarning


def name_objectives(study: optuna.Study, names: Sequence[str]) -> None:
    """Name a study's objectives, in the order of its directions.

    A study keeps the names that it has. Nothing is named where there is not one for each direction:
    another application may not say what its job returns.
    """
    if len(names) != len(study.directions) or study.metric_names is not None:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # Optuna's, of this call
        study.set_metric_names(list(names))
