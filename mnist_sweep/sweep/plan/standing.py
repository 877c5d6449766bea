"""How the study of a sweep stands, read without a change to it."""

from dataclasses import dataclass

import optuna

from mnist_sweep.passwords import without_password
from mnist_sweep.sweep import sampling, study_store, summary
from mnist_sweep.sweep.extension import what_moves
from mnist_sweep.sweep.hydra_adapter import Given
from mnist_sweep.sweep.opening import Search, match_study, trials_left, untried_points
from mnist_sweep.sweep.read_only import in_a_file_or_server, is_there, open_to_read
from mnist_sweep.sweep.storage import open_storage
from mnist_sweep.sweep.trials.status import TrialStatus, attributes_of, status_of
from mnist_sweep.sweep.trials.tally import Tally

ENOUGH = 5  # ended trials, for their epochs to say what pruning saves


@dataclass(frozen=True)
class Standing:
    """A study, and what a sweep would add to it.

    `points`: of a grid, None where there is none. `left`: launched trials still to end. `untried`:
    how many configurations a small space has left, None where it has more than are needed.
    `epochs_share`: of their epochs, what its trials trained with this pruner; None where too few
    have ended; `run_seconds`: what one with all its epochs would have taken, on average. `shared`:
    whether jobs could reach it. `extended`: what a sweep would say of ranges that it moves.
    """

    name: str | None
    address: str | None
    resumed: bool
    ended: int
    unfinished: int
    total: int
    left: int
    points: int | None
    untried: int | None
    epochs_share: float | None
    run_seconds: float | None
    shared: bool
    extended: str | None


def standing(given: Given, search: Search) -> Standing:
    """Read a sweep's study, and check what the sweep would check. Raises what the sweep would."""
    settings = given.settings
    sampler, points = sampling.take_grid(given.sampler, search.space)
    shared = in_a_file_or_server(settings.storage)
    study = _existing(settings.study_name, settings.storage) if shared else None
    resumed = study is not None
    if study is None:
        study = study_store.open_study(
            settings.study_name, open_storage(None), sampler, search.pruner, settings.directions
        )
    study_store.check_directions(study, settings.directions)
    _, moved = match_study(given, search, study, grid=points is not None)
    if given.task.names_trials and (study_store.ID in study.user_attrs or not resumed):
        summary.check_directory(study, given.directory)
    tally = Tally(study)
    untried = untried_points(given, search, tally, points)
    total = min(settings.n_trials, points or settings.n_trials)
    untried_left = trials_left(tally, untried, total)
    ended, counts = tally.finished, tally.counts
    left = max(0, total - ended)
    return Standing(
        settings.study_name,
        without_password(settings.storage),
        resumed,
        ended,
        counts[TrialStatus.INTERRUPTED] + counts[TrialStatus.RUNNING],
        settings.n_trials,
        left if untried_left is None else min(left, untried_left),
        points,
        untried_left,
        *_trained(study),
        shared,
        what_moves(study, moved, search.space.distributions()),
    )


def _existing(name: str | None, address: str | None) -> optuna.Study | None:
    """Return the study of that name; None where there is none, or no storage yet."""
    if name is None or address is None or not is_there(address):
        return None
    storage = open_to_read(address)
    if name not in optuna.get_all_study_names(storage):
        return None
    return optuna.load_study(study_name=name, storage=storage)


def _trained(study: optuna.Study) -> tuple[float | None, float | None]:
    """Return which share of their epochs trials trained, and the mean seconds of a whole one."""
    done = most = 0
    whole: list[float] = []
    for trial in study.get_trials(deepcopy=False):
        known = attributes_of(trial)
        if status_of(trial) not in (TrialStatus.COMPLETE, TrialStatus.PRUNED):
            continue
        if known.get("epochs") and {"max_epochs", "seconds"} <= known.keys():
            done, most = done + known["epochs"], most + known["max_epochs"]
            whole.append(known["seconds"] / known["epochs"] * known["max_epochs"])
    if len(whole) < ENOUGH or not most:
        return None, None
    return done / most, sum(whole) / len(whole)
