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
from mnist_sweep.best.planning import Planned, lines, plan_words, read_plan
from mnist_sweep.best.question import N_TRIALS, Question, QuestionError
from mnist_sweep.best.steps import StepFailed
from mnist_sweep.cli.printed_commands import override
from mnist_sweep.study_folder import STORAGE
from mnist_sweep.text import duration

PLAN, SEARCH, CONFIRM, REPORT, EXPORT = STEPS = ("plan", "search", "confirm", "report", "export")
ROOM = 3  # times the trials that the plan expects, which may be pruned sooner: the time ends it
SHORTEST = 1.0  # second that is worth starting a step for
FEW = 20  # trials that a plan is made for where the study has as many as the config names
EPOCHS = "epochs"


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

        Raises QuestionError where the hours are too short, and StepFailed, also where the study
        has answered another question.
        """
        answered = self.ledger.answered or 0.0
        if answered >= self.terms.hours and is_confirmed(self.question):
            self._ask_again()
        elif self.left > SHORTEST:
            costs, seconds = self._plan()
            self._search(costs, seconds)
            self._confirm(costs)
        elif self.ledger.of(SEARCH) and not is_confirmed(self.question):
            self._confirm_least()
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

    def _ask_again(self) -> None:
        """Check that an answered question is the same, and confirm more where that is asked now."""
        terms, ledger = self.terms, self.ledger
        # With a trial in all nothing is left to run or to time: the plan compares the searches.
        words = plan_words(self.question, terms.storage, "json", n_trials=1)
        steps.read(words, lambda: None)
        top, seeds = ledger.top or terms.top, ledger.seeds or terms.seeds
        if terms.top <= top and terms.seeds <= seeds:
            return
        if self.left > SHORTEST:
            self._confirm(None)
        else:
            print(
                f"confirmed with top={top} seeds={seeds}, and the hours are used up: give more "
                f"hours= for top={terms.top} seeds={terms.seeds}"
            )

    def _plan(self) -> tuple[Costs | None, float]:
        """Return what a trial costs, None where that is not known, and the seconds to search."""
        planned = self._planned(None)
        if not planned.left and not self.question.gives(N_TRIALS):
            planned = self._planned(planned.ended + FEW)  # the config's number is no limit here
        if not planned.left:
            print(f"nothing is left to search; {duration(self.left)} to confirm")
            return planned.costs, 0.0
        assert planned.costs is not None
        costs, allowance = self._divide(planned.costs)
        spent = self.ledger.of(SEARCH)
        seconds = min(allowance.search - spent, self.left - allowance.confirm)
        seconds = seconds if seconds >= SHORTEST else 0.0
        print("\n".join(lines(costs, Allowance(seconds, self.left - seconds))))
        return costs, seconds

    def _planned(self, n_trials: int | None) -> Planned:
        self._begin(PLAN, plan_words(self.question, self.terms.storage, "true", n_trials))
        return read_plan(self.question, self.terms.storage, n_trials, self.ledger.timer(PLAN))

    def _divide(self, costs: Costs) -> tuple[Costs, Allowance]:
        """Divide the hours; of fewer epochs, with their costs, where those are too short."""
        planned, begun = self.ledger.of(PLAN), self.ledger.of(SEARCH) > 0
        arms = self.terms.top + 1  # the default is one more

        def allowed(costs: Costs) -> Allowance:
            return allow(self.terms.hours, planned, costs, arms, self.terms.seeds, begun)

        try:
            return costs, allowed(costs)
        except QuestionError:
            fewer = self._fewer_epochs(planned, costs, arms)
            if fewer is None:
                raise
        epochs, costs = fewer
        self._shorten(epochs)
        return costs, allowed(costs)

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

    def _search(self, costs: Costs | None, seconds: float) -> None:
        """Search for so long; not at all where nothing is left to search, or no time."""
        if costs is None or not seconds:
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

    def _confirm(self, costs: Costs | None) -> None:
        """Confirm the best within the time; where that gives no answer, as little as one takes."""
        if self.left > SHORTEST:
            top, seeds = self._top(costs), self.terms.seeds
            try:
                self._run_confirm(top, seeds, f"hours={self.left / 3600:.4f}")
            except StepFailed:
                if is_confirmed(self.question):
                    raise
            self.ledger.top, self.ledger.seeds = self.terms.top, seeds
        if not is_confirmed(self.question):
            self._confirm_least()

    def _confirm_least(self) -> None:
        print(f"nothing can be concluded yet: {SEEDS} seeds of the best and of the default")
        self._run_confirm(min(BEST, self.terms.top), SEEDS)

    def _run_confirm(self, top: int, seeds: int, *more: str) -> None:
        study, n_jobs = self.question.study, self.question.n_jobs
        words = [f"study={study}", f"storage={self.terms.storage}", f"top={top}", f"seeds={seeds}"]
        if n_jobs is not None:
            words.append(f"n_jobs={n_jobs}")
        self._run(CONFIRM, ["mnist_sweep.confirm", *words, *more])

    def _top(self, costs: Costs | None) -> int:
        """Return how many of the best there is time for, so that most get three seeds."""
        if costs is None:
            return self.terms.top
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
