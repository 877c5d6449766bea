"""What the plan of a search says, as far as the hours depend on it."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from mnist_sweep.best import steps
from mnist_sweep.best.allowance import Allowance, Costs
from mnist_sweep.best.question import Question, QuestionError
from mnist_sweep.cli.printed_commands import override
from mnist_sweep.study_folder import STORAGE
from mnist_sweep.text import counted, duration


def plan_words(question: Question, storage: str, dry_run: str) -> list[str]:
    """Return the command that plans a question's search and does nothing.

    The storage is left out where it is the one that the search has by itself.
    """
    words = ["mnist_sweep.train", "-m", *question.overrides, f"dry_run={dry_run}"]
    return words if storage == STORAGE else [*words, override("hydra.sweeper.storage", storage)]


def read_costs(question: Question, storage: str, tick: Callable[[], None]) -> Costs:
    """Plan the search. Raises QuestionError where none of it fits, and StepFailed."""
    return costs_of(json.loads(steps.read(plan_words(question, storage, "json"), tick)))


def costs_of(plan: dict[str, Any]) -> Costs:
    """Return what a plan says, as docs/planning.md describes it. Raises QuestionError."""
    seconds, pruning = plan["seconds"], plan["pruning"]
    if seconds is None:
        raise QuestionError(
            "the time that a trial takes is not known: the search has no hydra.sweeper.probe"
        )
    return Costs(
        trial=seconds["trial"],
        workers=plan["workers"],
        start_up=seconds["start_up"],
        share=1.0 if pruning is None else pruning["epochs_share"],
        ended=plan["study"]["ended"],
        feasible=plan["gate"]["share"],
    )


def lines(costs: Costs, allowance: Allowance) -> Iterator[str]:
    """Say what the time is enough for."""
    trials = costs.trials_in(allowance.search)
    yield (
        f"{costs.feasible:.0%} of what is drawn fits; a trial of all epochs takes about "
        f"{duration(costs.trial)}, {costs.workers} at a time"
    )
    yield (
        f"{duration(allowance.search)} to search, enough for about {counted(trials, 'trial')}; "
        f"then {duration(allowance.confirm)} to confirm"
    )
