"""The steps of an answer, in order: each is skipped where it is done, or its time is used up."""

from dataclasses import dataclass

from mnist_sweep.best import steps
from mnist_sweep.best.allowance import CLOSING, Allowance, allow
from mnist_sweep.best.answer import Found, find
from mnist_sweep.best.ledger import Ledger
from mnist_sweep.best.planning import read_costs
from mnist_sweep.best.question import Question, QuestionError
from mnist_sweep.text import duration

PLAN, SEARCH, CONFIRM, REPORT, EXPORT = STEPS = ("plan", "search", "confirm", "report", "export")
SHORTEST = 1.0  # second that is worth starting a step for


@dataclass
class Terms:
    """What is asked besides the overrides; see `python -m mnist_sweep.best --help`."""

    hours: float
    top: int = 4
    seeds: int = 10
    storage: str = "sqlite:///multirun/optuna.db"


class Work:
    """The work on a question within some hours, of which the ledger knows what is used up.

    `step`: the one that is being done.
    """

    def __init__(self, question: Question, terms: Terms, ledger: Ledger) -> None:
        self.question, self.terms, self.ledger = question, terms, ledger
        self.step = PLAN

    @property
    def left(self) -> float:
        """The seconds of the hours that are left."""
        return max(3600 * self.terms.hours - self.ledger.total, 0.0)

    def answer(self) -> Found:
        """Do what is left to do, and return what was found.

        Raises QuestionError where the hours are too short, and StepFailed.
        """
        answered = self.ledger.answered or 0.0
        if answered < self.terms.hours:
            allowance = self._plan()
            self._search(allowance)
            self._confirm()
        found = find(self.question, self.terms)
        self._report()
        self._export(found)
        self.ledger.answered = max(answered, self.terms.hours)
        self.ledger.write()
        return found

    def missing(self) -> str:
        """Return what an interrupted call leaves to do."""
        steps_left = STEPS[STEPS.index(self.step) :]
        return (
            f"interrupted in step {self.step}, with {duration(self.left)} of "
            f"{self.terms.hours:g} hours left. Still to do: {', '.join(steps_left)}; the same "
            "command resumes"
        )

    def _plan(self) -> Allowance:
        words = ["mnist_sweep.train", "-m", *self.question.overrides, "dry_run=true"]
        self._begin(PLAN, words)
        costs = read_costs(words, self.ledger.timer(PLAN))
        arms = self.terms.top + 1  # the default is one more
        return allow(self.terms.hours, costs, arms, self.terms.seeds)

    def _search(self, allowance: Allowance) -> None:
        """Search for as long as the search has left."""
        seconds = allowance.search - self.ledger.of(SEARCH)
        seconds = min(seconds, self.left - CLOSING)
        if seconds < SHORTEST:
            return
        words = [
            "mnist_sweep.train",
            "-m",
            *self.question.overrides,
            f"hydra.sweeper.timeout={seconds:.0f}",
            f"hydra.sweeper.storage={self.terms.storage}",
        ]
        self._run(SEARCH, words)

    def _confirm(self) -> None:
        """Confirm in all the time that is left, so that nothing is left over."""
        hours = (self.left - CLOSING) / 3600
        if 3600 * hours < SHORTEST:
            return
        words = [
            "mnist_sweep.confirm",
            f"study={self.question.study}",
            f"storage={self.terms.storage}",
            f"top={self.terms.top}",
            f"seeds={self.terms.seeds}",
            f"hours={hours:.4g}",
        ]
        self._run(CONFIRM, words)

    def _report(self) -> None:
        words = [f"study={self.question.study}", f"storage={self.terms.storage}"]
        self._run(REPORT, ["mnist_sweep.report", *words])

    def _export(self, found: Found) -> None:
        if found.bundle.exists():
            return
        self._run(EXPORT, ["mnist_sweep.export", f"run={found.run}", f"to={found.bundle}"])

    def _run(self, step: str, words: list[str]) -> None:
        self._begin(step, words)
        steps.run(words, self.ledger.timer(step))

    def _begin(self, step: str, words: list[str]) -> None:
        self.step = step
        number = STEPS.index(step) + 1
        print(f"\n[{number}/{len(STEPS)}] {step}: {steps.shown(words)}")
