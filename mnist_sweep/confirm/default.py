"""The default configuration of a study: what its search started from, as its config has it."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from mnist_sweep.conf.composed import compose_run
from mnist_sweep.config_checks import check
from mnist_sweep.confirm.candidates import Candidate, Changes, ConfirmError, changed, of_trials
from mnist_sweep.confirm.wording import DEFAULT
from mnist_sweep.errors import UserError
from mnist_sweep.hydra_part import without_hydra
from mnist_sweep.run.build import check_budget
from mnist_sweep.run.single import make_single
from mnist_sweep.sweep.space.values import same, value_of
from mnist_sweep.sweep.study_record import Row, StudyRecord
from mnist_sweep.text import one_line

# How a study records what is searched; all other settings are overrides that hold for every trial.
DRAWN = re.compile(r"(?:Categorical|Float|Int)Distribution\(")


def default_of(record: StudyRecord, like: Candidate, changes: Changes) -> Candidate:
    """Return a study's default configuration: the trial that has it, else composed anew.

    It is what the searched settings are where no trial chooses them, with all that the sweep's
    command line fixed. `like`: one of the study's trials, for what data=auto found. Raises
    ConfirmError where it cannot be composed, or is no run, or does not fit the budget.
    """
    config = _composed(record)
    row = _trial_of(record, config)
    if row is not None:
        directory = {row.number: row.attributes["run_directory"]}
        return of_trials(record.name, directory, 1, changes)[0]
    model = str(config.hydra.runtime.choices.get("model"))
    config = without_hydra(config)
    try:
        if config.data.name == "auto":
            config.data.name = like.config.data.name
        make_single(config, {})
        config = changed("the default configuration", config, changes)
        check_budget(check(config), model)
    except UserError as error:
        raise ConfirmError(str(error)) from error
    return Candidate(DEFAULT, DEFAULT, config, {"model": model})


def _composed(record: StudyRecord) -> DictConfig:
    """Return the config that a study's trials share, with Hydra's part. Raises ConfirmError."""
    program = record.program
    if program is None or not program.ours:
        raise ConfirmError("its trials are not of python -m mnist_sweep.train")
    if program.options:
        # A user's own folder of configs may be gone, or hold other files by now.
        raise ConfirmError(f"its sweep was started with {' '.join(program.options)}")
    search: Mapping[str, Any] = record.definition.get("search") or {}
    fixed = [
        f"{name}={text}"
        for name, text in (search.get("settings") or {}).items()
        if not DRAWN.match(str(text)) and not name.lstrip("+~").startswith("hydra")
    ]
    try:
        return compose_run([*fixed, *map(str, search.get("deletions") or [])])
    except Exception as error:  # composing raises many kinds
        raise ConfirmError(f"it cannot be composed: {one_line(error)}") from error


def _trial_of(record: StudyRecord, config: DictConfig) -> Row | None:
    """Return the first trial whose drawn settings are the config's own, if its run is here."""
    choices = config.hydra.runtime.choices
    for row in record.rows:
        directory = row.attributes.get("run_directory")
        if not row.settings or not directory or not Path(directory).is_dir():
            continue
        own = {
            name: choices[name]
            if name in choices
            else OmegaConf.select(config, name, throw_on_resolution_failure=False)
            for name in (each.lstrip("+") for each in row.settings)
        }
        drawn = {name.lstrip("+"): value_of(value) for name, value in row.settings.items()}
        if all(same(own[name], value) for name, value in drawn.items()):
            return row
    return None
