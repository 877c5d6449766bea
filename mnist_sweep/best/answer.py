"""The answer: the winner of the confirmation, how it compares with the default, how to use it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from omegaconf import OmegaConf

from mnist_sweep.best.question import Question, QuestionError
from mnist_sweep.cli.printed_commands import entry
from mnist_sweep.confirm import wording
from mnist_sweep.confirm.candidates import key_of
from mnist_sweep.confirm.conclusion import CONFIRMATION, Conclusion, Standing, read_conclusions
from mnist_sweep.confirm.intervals import Interval
from mnist_sweep.run.directory import COMPLETE, RunDirectory
from mnist_sweep.sweep.space.values import same, value_of
from mnist_sweep.sweep.study_record import Row, StudyRecord, read_study
from mnist_sweep.sweep.trials.status import TrialStatus
from mnist_sweep.text import counted, duration, relative

BUNDLES = "bundles"  # below the study's directory
UNLAUNCHED = (TrialStatus.REJECTED, TrialStatus.REFUSED)


@dataclass(frozen=True)
class Found:
    """What is known once the best are confirmed.

    `run`: the winner's fresh run that is best on validation images; `bundle`: where it is exported
    to; `default`: how the default configuration was called, None where it was not trained.
    """

    record: StudyRecord
    conclusion: Conclusion
    run: Path
    bundle: Path
    default: str | None

    @property
    def winner(self) -> Standing:
        """The first of the confirmation."""
        return self.conclusion.standings[0]


def default_row(question: Question, record: StudyRecord) -> Row | None:
    """Return the trial of the default configuration; None where none was launched.

    A default that does not fit the budget is rejected, and another configuration takes its place.
    """
    for row in record.rows:
        if row.settings and row.status not in UNLAUNCHED and _is_default(question, row):
            return row
    return None


def _is_default(question: Question, row: Row) -> bool:
    choices = question.config.hydra.runtime.choices
    return all(
        same(
            choices[name] if name in choices else OmegaConf.select(question.config, name),
            value_of(value),
        )
        for name, value in row.settings.items()
    )


def find(question: Question, storage: str) -> Found:
    """Read what the steps have left. Raises QuestionError where nothing is confirmed."""
    record = read_study(question.study, storage)
    folder = question.home / CONFIRMATION
    conclusions = read_conclusions(question.home, CONFIRMATION)
    if not conclusions:
        raise QuestionError(
            f"nothing is confirmed in {folder}, and the hours are used up: give more hours="
        )
    conclusion = conclusions[0]
    winner = conclusion.standings[0]
    key = key_of(winner.title)
    run = _best_seed(folder / key, winner.seeds, conclusion.ranked_by)
    bundle = question.home / BUNDLES / f"{key}-seed-{run.name}"
    return Found(record, conclusion, run, bundle, _default_title(question, record, conclusion))


def _best_seed(folder: Path, seeds: list[int], ranked_by: str) -> Path:
    """Return the directory of the seed that is best on validation images. Raises RecordError."""
    sign = 1 if ranked_by == "val_loss" else -1

    def rank(seed: int) -> float:
        return sign * float((RunDirectory(folder / str(seed)).read_result() or {})[ranked_by])

    return folder / str(min(seeds, key=rank))


def _default_title(question: Question, record: StudyRecord, conclusion: Conclusion) -> str | None:
    """Return what the confirmation calls the default: by its trial, or by its run directory."""
    row = default_row(question, record)
    if row is None:
        return None
    directory = row.attributes.get("run_directory")
    names = {f"trial {row.number}"} | ({relative(Path(directory))} if directory else set())
    titles = [s.title for s in conclusion.standings] + conclusion.unsettled
    return next((title for title in titles if title in names), None)


def lines(question: Question, found: Found, seconds: float) -> Iterator[str]:
    """Yield the answer in five lines; `seconds`: what it took."""
    winner, conclusion = found.winner, found.conclusion
    limit = "" if question.limit is None else f" of at most {question.limit:,}"
    yield (
        f"answer: {winner.model}, {winner.parameters:,} parameters{limit}: {winner.title} of "
        f"study {question.study}"
    )
    test = "not measured" if winner.test_acc is None else wording.percent(winner.test_acc)
    yield (
        f"  test accuracy {test} over "
        f"{counted(len(winner.seeds), 'fresh seed')} ({conclusion.level:.0%}; "
        f"{conclusion.images:,} test images of {conclusion.data})"
    )
    yield f"  {_against_default(found)}"
    counts = found.record.counts
    runs = sum(len(s.seeds) + len(s.diverged) for s in conclusion.standings)
    yield (
        f"  it took {duration(seconds)}: {counted(len(found.record.finished), 'trial')} "
        f"({counts[TrialStatus.PRUNED]} pruned), {counted(runs, 'run')} to confirm"
    )
    use = entry("predict", bundle=relative(found.bundle), images="digit.png")
    yield f"  use it: {use}"


def _against_default(found: Found) -> str:
    if found.default is None:
        return (
            "the default configuration was not launched: it is outside of the budget or the search"
        )
    if found.winner.title == found.default:
        return "it is the default configuration: nothing that was searched is better"
    for comparison in found.conclusion.comparisons:
        if comparison.title == found.default:
            return _difference(found.conclusion, comparison.difference)
    return "too many seeds of the default configuration diverged to compare with it"


def _difference(conclusion: Conclusion, found: Interval) -> str:
    amount = (
        f"{wording.points(found.mean)} points of test accuracy "
        f"({wording.points(found.low)} to {wording.points(found.high)})"
    )
    if found.sign > 0:
        return f"better than the default: {amount}"
    if found.sign < 0:
        return f"worse than the default on test images, though better on validation: {amount}"
    return f"cannot be told apart from the default: {amount}"


def confirmed_runs(question: Question) -> int:
    """Return how many fresh runs are complete already."""
    found = (question.home / CONFIRMATION).glob("*/*/result.json")
    return sum(
        (RunDirectory(path.parent).read_result() or {}).get("status") == COMPLETE for path in found
    )
