"""The steps of an answer, in order: each is skipped where it is done, or its time is used up."""

import math
from dataclasses import dataclass

from mnist_sweep.best import steps
from mnist_sweep.best.allowance import (
    BEST,
    CLOSING,
    SEEDS,
    Allowance,
    Costs,
    allow,
    seeds_that_fit,
    shortened,
)
from mnist_sweep.best.answer import Found, confirmed_runs, find, is_confirmed
from mnist_sweep.best.ledger import Ledger
from mnist_sweep.best.planning import lines, plan_words, read_costs
from mnist_sweep.best.question import Question, QuestionError
from mnist_sweep.best.steps import StepFailed
from mnist_sweep.cli.printed_commands import override
from mnist_sweep.study_folder import STORAGE
from mnist_sweep.text import duration

PLAN, SEARCH, CONFIRM, REPORT, EXPORT = STEPS = ("plan", "search", "confirm", "report", "export")
ROOM = 3  # times the trials that the plan expects, which may be pruned sooner: the time ends it
SHORTEST = 1.0  # second that is worth starting a step for
N_TRIALS, EPOCHS = "hydra.sweeper.n_trials", "epochs"


@dataclass
class Terms:
    """What is asked besides the overrides; see `python -m mnist_sweep.best --help`."""

    hours: float
    top: int = 4
    seeds: int = 10
    storage: str = STORAGE


class Work:
    """The work on a question within some hours, of which the ledger knows what is used up.

    `step`: the one that is being done.
    """

    def __init__(self, question: Question, terms: Terms, ledger: Ledger) -> None:
        if ledger.epochs is not None and not question.gives(EPOCHS):
            question = question.with_epochs(ledger.epochs)
        self.question, self.terms, self.ledger = question, terms, ledger
        self.step = PLAN

    @property
    def left(self) -> float:
        """The seconds of the hours that are left for searching and confirming."""
        return max(3600 * self.terms.hours - self.ledger.total - CLOSING, 0.0)

    def answer(self) -> Found:
        """Do what is left to do, and return what was found.

        Raises QuestionError where the hours are too short, and StepFailed.
        """
        answered = self.ledger.answered or 0.0
        if answered < self.terms.hours and self.left > SHORTEST:
            costs, allowance = self._plan()
            self._search(costs, allowance)
            self._confirm(costs)
        found = find(self.question, self.terms.storage)
        self._report()
        self._export(found)
        self.ledger.answered = max(answered, self.terms.hours)
        self.ledger.write()
        return found

    def missing(self) -> str:
        """Return what an interrupted call leaves to do."""
        rest = ", ".join(STEPS[STEPS.index(self.step) :])
        return (
            f"interrupted in step {self.step}, with {duration(self.left)} of "
            f"{self.terms.hours:g} hours left. Still to do: {rest}; the same command resumes"
        )

    def _plan(self) -> tuple[Costs, Allowance]:
        self._begin(PLAN, plan_words(self.question, self.terms.storage, "true"))
        costs = read_costs(self.question, self.terms.storage, self.ledger.timer(PLAN))
        planned, begun = self.ledger.of(PLAN), self.ledger.of(SEARCH) > 0
        arms = self.terms.top + 1  # the default is one more

        def allowed(costs: Costs) -> Allowance:
            return allow(self.terms.hours, planned, costs, arms, self.terms.seeds, begun)

        try:
            allowance = allowed(costs)
        except QuestionError:
            fewer = self._fewer_epochs(planned, costs, arms)
            if fewer is None:
                raise
            epochs, costs = fewer
            self._shorten(epochs)
            allowance = allowed(costs)
        print("\n".join(lines(costs, allowance)))
        return costs, allowance

    def _fewer_epochs(self, planned: float, costs: Costs, arms: int) -> tuple[int, Costs] | None:
        """Return how many epochs there is time for, and the costs then; None where they are given.

        None also where one is too many.
        """
        question, terms = self.question, self.terms
        if question.gives(EPOCHS):
            return None
        return shortened(terms.hours, planned, costs, arms, terms.seeds, question.epochs)

    def _shorten(self, epochs: int) -> None:
        """Ask the question with fewer epochs, from now on."""
        print(
            f"epochs={epochs} instead of {self.question.epochs}, which hours={self.terms.hours:g} "
            "is too short for; more hours find better networks"
        )
        self.question, self.ledger.epochs = self.question.with_epochs(epochs), epochs
        self.ledger.write()

    def _search(self, costs: Costs, allowance: Allowance) -> None:
        """Search for as long as the search has left."""
        spent = self.ledger.of(SEARCH)
        seconds = min(allowance.search - spent, self.left - allowance.confirm)
        if seconds < SHORTEST:
            return
        words = ["mnist_sweep.train", "-m", *self.question.overrides]
        if not self.question.gives(N_TRIALS):
            most = costs.ended + math.ceil(ROOM * costs.trials_in(seconds))
            words.append(f"{N_TRIALS}={most}")
        # What runs when the time is over is finished: half a trial, on the average.
        seconds = max(seconds - costs.trial * costs.share / 2, SHORTEST)
        words.append(f"hydra.sweeper.timeout={seconds:.0f}")
        words.append(override("hydra.sweeper.storage", self.terms.storage))
        self._run(SEARCH, words)

    def _confirm(self, costs: Costs) -> None:
        """Confirm the best within the time; where that gives no answer, as little as one takes."""
        words = [
            "mnist_sweep.confirm",
            f"study={self.question.study}",
            f"storage={self.terms.storage}",
        ]
        if self.left > SHORTEST:
            hours = f"hours={self.left / 3600:.4f}"
            known = [f"top={self._top(costs)}", f"seeds={self.terms.seeds}", hours]
            try:
                self._run(CONFIRM, [*words, *known])
            except StepFailed:
                if is_confirmed(self.question):
                    raise
        if not is_confirmed(self.question):
            print(f"nothing can be concluded yet: {SEEDS} seeds of the best and of the default")
            self._run(CONFIRM, [*words, f"top={min(BEST, self.terms.top)}", f"seeds={SEEDS}"])

    def _top(self, costs: Costs) -> int:
        """Return how many of the best there is time for, so that most get three seeds."""
        done = confirmed_runs(self.question) * costs.trial / costs.workers
        enough = min(SEEDS + 1, self.terms.seeds)
        for top in range(self.terms.top, BEST, -1):
            if seeds_that_fit(self.left + done, costs, top + 1, self.terms.seeds) >= enough:
                return top
        return min(BEST, self.terms.top)

    def _report(self) -> None:
        words = [f"study={self.question.study}", f"storage={self.terms.storage}"]
        self._run(REPORT, ["mnist_sweep.report", *words])

    def _export(self, found: Found) -> None:
        if not found.bundle.exists():
            self._run(EXPORT, ["mnist_sweep.export", f"run={found.run}", f"to={found.bundle}"])

    def _run(self, step: str, words: list[str]) -> None:
        self._begin(step, words)
        steps.run(words, self.ledger.timer(step))

    def _begin(self, step: str, words: list[str]) -> None:
        self.step = step
        print(f"\n[{STEPS.index(step) + 1}/{len(STEPS)}] {step}: {steps.shown(words)}")
