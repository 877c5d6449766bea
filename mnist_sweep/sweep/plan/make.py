"""A sweep's plan: everything that a dry run says, as plain data."""

from contextlib import ExitStack
from dataclasses import dataclass

import optuna

from mnist_sweep.sweep.backend_choice import choose_backend
from mnist_sweep.sweep.hydra_adapter import Given
from mnist_sweep.sweep.opening import Search, check_given, read_search
from mnist_sweep.sweep.plan.costs import Costs, find_costs
from mnist_sweep.sweep.plan.draws import Drawn, Survey, survey
from mnist_sweep.sweep.plan.space_rows import Fixed, Searched, fixed, searched
from mnist_sweep.sweep.plan.standing import Standing, standing
from mnist_sweep.sweep.plan.timing import Timer
from mnist_sweep.sweep.pruning import build_pruner, why_off
from mnist_sweep.sweep.settings import Settings
from mnist_sweep.sweep.space.searchable import check_name
from mnist_sweep.sweep.trials.proposals import GatedSpace

FEW, FEASIBLE = 10, 0.05  # trials in the given time, and the share that passes: less is warned of


@dataclass(frozen=True)
class Plan:
    """What a sweep would do.

    `costs` is None where the application has no probe, nothing passes the gate, or nothing is left
    to run. `pruning_off` is why nothing would be pruned although a pruner is named.
    """

    standing: Standing
    searched: list[Searched]
    fixed: list[Fixed]
    search: Search
    survey: Survey
    settings: Settings
    workers: int
    backend: str
    sampler: str
    pruner: str
    pruning_off: str | None
    costs: Costs | None

    @property
    def launched(self) -> float | None:
        """How many trials can be launched in the given time; None where it suffices for all."""
        if self.costs is None or self.settings.timeout is None:
            return None
        span = self.costs.pruning.span if self.costs.pruning else self.costs.whole
        return span.launched if span.launched < self.standing.left else None

    @property
    def warnings(self) -> list[str]:
        """What the user should know before the sweep is started, a line each."""
        found = []
        if not self.survey.feasible:
            found.append(
                "nothing drawn passes the gate: change the search space "
                "(hydra.sweeper.params), or raise the budget"
            )
        elif self.survey.share < FEASIBLE:
            found.append(
                f"{self.survey.share:.1%} of the space passes the gate, less than "
                f"{FEASIBLE:.0%}: most proposals will be rejected; narrow the search, or raise "
                "the budget"
            )
        points = self.standing.points
        if points is not None and points > self.settings.n_trials:
            found.append(
                f"the grid has {points:,} points and hydra.sweeper.n_trials="
                f"{self.settings.n_trials:,}: the others are not run"
            )
        if self.launched is not None and self.launched < FEW:
            found.append(
                f"about {self.launched:.0f} trials can run in hydra.sweeper.timeout="
                f"{self.settings.timeout:g} seconds, fewer than {FEW}: give it more time, or make "
                "trials shorter"
            )
        return found


def plan_sweep(given: Given, arguments: list[str]) -> Plan:
    """Find out what a sweep would do. Nothing is written, and no trial is run.

    Raises SweepError, and what else a user can cause, where the sweep could not start either.
    """
    check_given(given)
    search = read_search(given, arguments)
    backend = choose_backend(given)
    workers, said = backend.free(), str(backend).partition(",")[0]
    backend.stop(0)  # a cluster is not needed any more
    stands = standing(given, search)
    off = why_off(search.pruner, given.settings.directions, stands.shared, given.task.objective)
    gated_space = GatedSpace(
        search.space,
        search.current,
        search.compose,
        given.gate,
        given.extender,
        check_name=check_name if given.task.ours else lambda name: None,
    )
    with ExitStack() as stack:
        timer = None
        if given.probe is not None and stands.left:
            timer = stack.enter_context(Timer(given, given.probe, workers))

        def first_passed(drawn: Drawn) -> None:
            if timer is not None:
                timer.warm_up(drawn.overrides)

        found = survey(gated_space, first_passed=first_passed)
        costs = None
        if timer is not None and given.probe is not None and found.feasible:
            pruner = build_pruner(None) if off else search.pruner
            costs = find_costs(given, given.probe, search, found, stands, timer, pruner)
    return Plan(
        stands,
        searched(search),
        fixed(search),
        search,
        found,
        given.settings,
        workers,
        said,
        _sampler(given),
        type(search.pruner).__name__,
        off,
        costs,
    )


def _sampler(given: Given) -> str:
    """Return the sampler's name; a grid sampler is still to be given its grid."""
    sampler = given.sampler
    if sampler is None:
        return optuna.samplers.TPESampler.__name__
    return str(getattr(getattr(sampler, "func", None), "__name__", type(sampler).__name__))
