"""The answer: the winner of the confirmation, how it compares with the default, how to use it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mnist_sweep.best.question import Question, QuestionError
from mnist_sweep.cli.printed_commands import entry
from mnist_sweep.confirm import headline
from mnist_sweep.confirm.conclusion import (
    FILE,
    Conclusion,
    Standing,
    read_conclusions,
)
from mnist_sweep.run.directory import COMPLETE, RunDirectory
from mnist_sweep.study_folder import BUNDLES, CONFIRMATION
from mnist_sweep.sweep.study_record import StudyRecord, read_study
from mnist_sweep.sweep.trials.status import TrialStatus
from mnist_sweep.text import counted, duration, relative


@dataclass(frozen=True)
class Found:
    """What is known once the best are confirmed.

    `run`: the winner's fresh run that is best on validation images; `bundle`: where that is
    exported to.
    """

    record: StudyRecord
    conclusion: Conclusion
    run: Path
    bundle: Path

    @property
    def winner(self) -> Standing:
        """The first of the confirmation."""
        return self.conclusion.standings[0]


def find(question: Question, storage: str) -> Found:
    """Read what the steps have left. Raises QuestionError where nothing is confirmed."""
    record = read_study(question.study, storage)
    folder = question.home / CONFIRMATION
    conclusions = read_conclusions([question.home], CONFIRMATION)
    if not conclusions:
        raise QuestionError(
            f"nothing is confirmed in {folder}, and the hours are used up: give more hours="
        )
    conclusion = conclusions[0]
    winner = conclusion.standings[0]
    run = _best_seed(folder / winner.folder, winner.seeds, conclusion.ranked_by)
    bundle = question.home / BUNDLES / f"{winner.folder}-seed-{run.name}"
    return Found(record, conclusion, run, bundle)


def _best_seed(folder: Path, seeds: list[int], ranked_by: str) -> Path:
    """Return the directory of the seed that is best on validation images.

    Raises RecordError, and QuestionError where none of them has its result any more.
    """
    sign = 1 if ranked_by == "val_loss" else -1
    found = {seed: RunDirectory(folder / str(seed)).read_result() or {} for seed in seeds}
    ranks = {
        seed: sign * float(known[ranked_by]) for seed, known in found.items() if ranked_by in known
    }
    if not ranks:
        raise QuestionError(
            f"the fresh runs in {folder} are gone, of which the best is exported: delete "
            f"{folder.parent / FILE}, and the same command trains them again"
        )
    return folder / str(min(ranks, key=ranks.__getitem__))


def lines(question: Question, found: Found, seconds: float) -> Iterator[str]:
    """Yield the answer in five lines; `seconds`: what it took."""
    winner, conclusion = found.winner, found.conclusion
    limit = "" if question.limit is None else f" of at most {question.limit:,}"
    yield (
        f"answer: {winner.model}, {winner.parameters:,} parameters{limit}: {winner.title} of "
        f"study {question.study}"
    )
    yield f"  {headline.result(conclusion)}"
    yield f"  {headline.against_default(conclusion)}"
    counts = found.record.counts
    runs = sum(len(s.seeds) + len(s.diverged) for s in conclusion.standings)
    yield (
        f"  it took {duration(seconds)}: {counted(len(found.record.finished), 'trial')} "
        f"({counts[TrialStatus.PRUNED]} pruned), {counted(runs, 'run')} to confirm"
    )
    use = entry("predict", bundle=relative(found.bundle), images="digit.png")
    yield f"  use it: {use}"


def is_confirmed(question: Question) -> bool:
    """Whether there is a conclusion. Raises ConfirmError for a damaged one."""
    return bool(read_conclusions([question.home], CONFIRMATION))


def confirmed_runs(question: Question) -> int:
    """Return how many fresh runs are complete already."""
    found = (question.home / CONFIRMATION).glob("*/*/result.json")
    return sum(
        (RunDirectory(path.parent).read_result() or {}).get("status") == COMPLETE for path in found
    )
