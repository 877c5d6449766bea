"""What the plan of a search says, as far as the hours depend on it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from mnist_sweep.best import steps
from mnist_sweep.best.allowance import Allowance, Costs
from mnist_sweep.best.question import N_TRIALS, Question, QuestionError
from mnist_sweep.cli.printed_commands import override
from mnist_sweep.study_folder import STORAGE
from mnist_sweep.text import counted, duration


@dataclass(frozen=True)
class Planned:
    """`left`: the trials that the search has still to run; `ended`: those that the study has.

    `costs` are None where nothing is left to run, and too few trials have ended to say what one
    takes.
    """

    left: int
    ended: int
    costs: Costs | None


def plan_words(
    question: Question, storage: str, dry_run: str, n_trials: int | None = None
) -> list[str]:
    """Return the command that plans a question's search and does nothing.

    `n_trials` for a question that does not give it. The storage is left out where it is the one
    that the search has by itself.
    """
    words = ["mnist_sweep.train", "-m", *question.overrides, f"dry_run={dry_run}"]
    if n_trials is not None and not question.gives(N_TRIALS):
        words.append(f"{N_TRIALS}={n_trials}")
    return words if storage == STORAGE else [*words, override("hydra.sweeper.storage", storage)]


def read_plan(
    question: Question, storage: str, n_trials: int | None, tick: Callable[[], None]
) -> Planned:
    """Plan the search. Raises QuestionError where none of it fits, and StepFailed."""
    words = plan_words(question, storage, "json", n_trials)
    return planned_of(json.loads(steps.read(words, tick)))


def planned_of(plan: dict[str, Any]) -> Planned:
    """Return what a plan says, as docs/planning.md describes it. Raises QuestionError."""
    study, seconds, pruning = plan["study"], plan["seconds"], plan["pruning"]
    known = {"workers": plan["workers"], "ended": study["ended"], "feasible": plan["gate"]["share"]}
    costs = None
    if seconds is not None:
        share = 1.0 if pruning is None else pruning["epochs_share"]
        costs = Costs(seconds["trial"], share=share, start_up=seconds["start_up"], **known)
    elif study["left"]:
        raise QuestionError(_why_untimed(plan["gate"]))
    elif study["trial_seconds"] is not None:
        costs = Costs(study["trial_seconds"], **known)
    return Planned(study["left"], study["ended"], costs)


def _why_untimed(gate: dict[str, Any]) -> str:
    if gate["passed"]:
        return "the time that a trial takes is not known: the search has no hydra.sweeper.probe"
    smallest = ", ".join(f"{name} {each['smallest']:,.0f}" for name, each in gate["counts"].items())
    return (
        f"nothing of {counted(gate['draws'], 'draw')} passes the gate"
        + (f" (the smallest: {smallest})" if smallest else "")
        + ": raise the budget, or change the search space (hydra.sweeper.params)"
    )


def lines(costs: Costs, allowance: Allowance) -> Iterator[str]:
    """Say what the time is enough for; `allowance`: of the search, what it has still."""
    yield (
        f"{costs.feasible:.0%} of what is drawn fits; a trial of all epochs takes about "
        f"{duration(costs.trial)}, {costs.workers} at a time"
    )
    if not allowance.search:
        yield f"the search has had its time; {duration(allowance.confirm)} to confirm"
        return
    trials = costs.trials_in(allowance.search)
    yield (
        f"{duration(allowance.search)} to search, enough for about {counted(trials, 'trial')}; "
        f"then {duration(allowance.confirm)} to confirm"
    )
