"""Opening a sweep: what is searched, checked against the study, and the objects that run it."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import optuna
from omegaconf import DictConfig, OmegaConf
from optuna.pruners import BasePruner

from mnist_sweep.cli.ineffective_settings import check_effects
from mnist_sweep.hydra_part import given_overrides
from mnist_sweep.sweep import sampling, study_search, study_store, summary
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.extension import Difference, extend
from mnist_sweep.sweep.hydra_adapter import Given
from mnist_sweep.sweep.jobs.backend import Backend
from mnist_sweep.sweep.kept_files import SETTING
from mnist_sweep.sweep.pruning import (
    build_pruner,
    computed_settings,
    why_off,
    with_settings,
)
from mnist_sweep.sweep.settings import check_objective, check_study_name, objective_names
from mnist_sweep.sweep.space.base_config import BaseConfig
from mnist_sweep.sweep.space.compose import Composer
from mnist_sweep.sweep.space.conditions import check_conditions, check_searches
from mnist_sweep.sweep.space.enqueue import enqueue, read_configurations
from mnist_sweep.sweep.space.following import follow
from mnist_sweep.sweep.space.parsing import parse_space
from mnist_sweep.sweep.space.search_space import SearchSpace
from mnist_sweep.sweep.space.searchable import check_name, check_space, check_told
from mnist_sweep.sweep.space.untried import Points
from mnist_sweep.sweep.storage import Storage
from mnist_sweep.sweep.study_store import name_objectives
from mnist_sweep.sweep.trials.proposals import GatedSpace, Proposer
from mnist_sweep.sweep.trials.queue import Limits, TrialQueue
from mnist_sweep.sweep.trials.records import TrialRecords
from mnist_sweep.sweep.trials.tally import Tally
from mnist_sweep.sweep.zipped import groups_of
from mnist_sweep.text import relative


@dataclass(frozen=True)
class Search:
    """What is searched: the space, and the config that it is searched in.

    `unmet` are conditions that nothing meets, as lines; `missing` the settings that the config
    lacks. Neither is searched. `pruner_settings` are those that the config computes for `pruner`.
    """

    space: SearchSpace
    current: BaseConfig
    compose: Composer
    unmet: list[str]
    missing: list[str]
    pruner: BasePruner
    pruner_settings: dict[str, Any]


@dataclass(frozen=True)
class Chosen:
    """What was decided for the user, to be said once at the start.

    `pruning_off`: why nothing will be pruned although a pruner is named. `left`: how many
    configurations a small space has untried; None where they are more than are needed.
    `extended`: what was done with a study whose ranges this sweep has moved. `directory`: where it
    writes, where `hydra.sweep.dir` names a time.
    """

    sampler: str
    pruner: str
    backend: str
    slots: int
    missing: Sequence[str]
    unmet: Sequence[str]
    pruning_off: str | None
    left: int | None
    extended: str | None = None
    directory: str | None = None


@dataclass(frozen=True)
class Opened:
    """A sweep that can begin."""

    study: optuna.Study
    tally: Tally
    gated_space: GatedSpace
    queue: TrialQueue
    total: int
    chosen: Chosen


def read_search(given: Given, arguments: list[str]) -> Search:
    """Parse what is searched, and check it against the config. Raises SweepError."""
    loader = given.context.config_loader
    compose = Composer(loader, given.config)
    current = BaseConfig(given.config, compose)
    settings = given.settings
    space = parse_space(settings.params, settings.conditional, arguments, current, loader)
    follow(space, groups_of(settings.zip))
    unmet = check_conditions(space, current)
    missing: list[str] = []
    if given.task.names_trials:
        if given.task.ours:
            check_space(space, current)
        else:
            check_told(space)
        space.find_varying(current)
        missing = space.without_missing(current.is_setting)
        if not given.extender:
            check_searches(space, unmet, current)
    given.task.check({name for name, _ in space.distributions()})
    computed = computed_settings(given.config, space.ends("epochs"))
    pruner = build_pruner(with_settings(settings.pruner, computed))
    return Search(space, current, compose, unmet, missing, pruner, computed)


def open_sweep(
    given: Given,
    search: Search,
    backend: Backend,
    storage: Storage,
    made: Callable[[optuna.Study, Storage], None],
) -> Opened:
    """Open the study, check that this sweep is the one it holds, and build what runs it.

    `made` is called with a study that did not exist before. Raises SweepError.
    """
    settings, space, task = given.settings, search.space, given.task
    sampler, points = sampling.take_grid(given.sampler, space)
    off = why_off(search.pruner, settings.directions, storage.shared, task.objective)
    pruner = build_pruner(None) if off else search.pruner
    lock: Callable[[], AbstractContextManager[object]] = partial(
        storage.lock, settings.study_name or ""
    )
    given.directory.mkdir(parents=True, exist_ok=True)
    with lock():
        known = study_store.exists(settings.study_name, storage)
        study = study_store.open_study(
            settings.study_name, storage, sampler, pruner, settings.directions
        )
        earlier = 0
        if not known:
            made(study, storage)
            study_store.count_sweep(study)  # before anything is refused: another may open it next
        study_store.check_format(study)
        definition, moved = match_study(given, search, study, grid=points is not None)
        if task.names_trials:
            summary.check_directory(study, given.directory)
        # Before the study is written to: what is refused changes nothing.
        read_configurations(study.sampler, space, search.current, settings.enqueue)
        extended = extend(study, moved, space.distributions())
        if moved:
            study_search.replace_definition(study, definition)
        study_store.record_format(study)
        study_store.record_pruner(study, search.pruner_settings)
        lines = [
            *given_overrides(given.config.hydra, "hydra"),
            *given_overrides(given.config.hydra, "task"),
        ]
        study_store.record_start(study, relative(given.directory), given.program.recorded(), lines)
        name_objectives(study, objective_names(given.config))
        if known:
            earlier = study_store.count_sweep(study)
        study.sampler = sampling.reseed(study.sampler, settings.sampler, earlier)
        enqueue(study, space, search.current, settings.enqueue, settings.default_first)
    tally = Tally(study)
    untried = untried_points(given, search, tally, points)
    total = min(settings.n_trials, points or settings.n_trials)
    left = trials_left(tally, untried, total)
    if left is not None:
        total = tally.launched + left
    study_store.record_total(study, total)
    records = TrialRecords(study, storage.optuna)
    gated_space = GatedSpace(
        space,
        search.current,
        search.compose,
        given.gate,
        given.extender,
        partial(task.trial_overrides, study.study_name),
        check_name if task.ours else lambda name: None,
        None if untried is None else study_search.VOLATILE,
    )
    proposer = Proposer(records, gated_space, settings.resamples, untried)
    queue = TrialQueue(
        records,
        tally,
        lock,
        proposer,
        Limits(total, settings.n_trials, points),
        settings.grace_period,
        study_search.Claim(study, definition),
    )
    chosen = Chosen(
        str(proposer.sampler),
        type(pruner).__name__ + ("" if off else _in_all_trials(search)),
        str(backend),
        backend.free(),
        search.missing,
        search.unmet,
        off,
        left,
        extended,
        relative(given.directory) if given.names_a_time else None,
    )
    return Opened(study, tally, gated_space, queue, total, chosen)


def _in_all_trials(search: Search) -> str:
    """Return which of the pruner's settings the trials share although their lengths differ."""
    if not search.pruner_settings or len(set(search.space.ends("epochs"))) < 2:
        return ""
    shared = [f"{name}={value}" for name, value in search.pruner_settings.items()]
    return f", {', '.join(shared)} in all trials, of whatever length"


def check_given(given: Given) -> None:
    """Raise SweepError for settings that have no effect, a wrong name, or a wrong direction."""
    if given.task.names_trials:
        check_effects(given.config.hydra, sweeps=True)
        check_study_name(given.settings.study_name)
    elif given.settings.keep_weights is not None:
        raise SweepError(
            f"{SETTING}={given.settings.keep_weights} needs jobs that are told their trial (study: "
            "null and trial: null in the config), whose weights it can find; leave it out"
        )
    check_objective(given.config, given.settings.directions)


def match_study(
    given: Given, search: Search, study: optuna.Study, grid: bool
) -> tuple[dict[str, Any], list[Difference]]:
    """Give computed ranges the ends that the study has; refuse another search, by SweepError.

    Returns the definition of this search, and the ranges that it moves, which those of a `grid`
    may not.
    """
    space = search.space
    space.settings |= study_search.drawn_ranges(study, _computed(given.config, space))
    definition = given.task.definition(space.describe())
    moved = _check_definition(given, study, definition, may_move=not grid)
    study_search.check_distributions(study, space.distributions())
    return definition, moved


def _computed(config: DictConfig, space: SearchSpace) -> set[str]:
    """Return the settings whose range a resolver of the config computes."""
    params = OmegaConf.select(config, "hydra.sweeper.params")
    if not isinstance(params, DictConfig):
        return set()
    names = {n for n in map(str, params) if OmegaConf.is_interpolation(params, n)}
    return names & space.optional & space.settings.keys()


def untried_points(given: Given, search: Search, tally: Tally, grid: int | None) -> Points | None:
    """Return what tells tried configurations from others; None where they may be repeated.

    Another application's job may answer otherwise to the same question; ours does not. A `grid` of
    so many points knows them itself.
    """
    known = given.task.ours and not given.extender and grid is None
    return Points(tally, search.space, search.current) if known else None


def trials_left(tally: Tally, points: Points | None, total: int) -> int | None:
    """Return what a small space has left for a study; None where it has enough."""
    wanted = total - tally.launched
    if points is None or wanted <= 0:
        return None
    left = points.left(wanted)
    return None if left >= wanted else left


def _check_definition(
    given: Given, study: optuna.Study, definition: dict[str, Any], may_move: bool
) -> list[Difference]:
    """Refuse another search than the study's; one that could be none says that instead.

    A grid's points are what it is: its ranges may not move. Returns the ranges that were moved.
    """
    try:
        return study_search.check_definition(study, definition, may_move)
    except SweepError:
        if given.gate is not None and given.task.names_trials:
            given.task.judge(given.gate)
        raise
