"""The best network for a budget, within some hours, and whether it is better than the default.

    python -m mnist_sweep.best budget.max_parameters=8000 hours=3 data=mnist

hours    the time for everything, over all calls of the command
top      how many of the search's best are confirmed; 4
seeds    with how many fresh seeds, at most; 10
storage  where the study is; sqlite:///multirun/optuna.db where that is left out

Everything else is an override of the search: search=architecture unless it names another, a model,
epochs, hydra.sweeper.n_trials, a range. The steps are commands that can be given alone, and each
is printed as it begins:

plan     what is searched, and what the hours are enough for
search   trials, in up to three fifths of the time
confirm  the best and the default race for fresh seeds, in what is left
report   the study's page, which begins with the conclusion
export   the winner as a bundle, of the fresh run that is best on validation images

The same command resumes at the step that was interrupted, with the hours that are left. With more
hours it searches further. Where they are too few for the config's epochs, it takes fewer, and says
so; with epochs= it does not.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields
from pathlib import Path

from mnist_sweep.best.answer import lines
from mnist_sweep.best.ledger import read_ledger
from mnist_sweep.best.question import QuestionError, read_question
from mnist_sweep.best.work import Terms, Work
from mnist_sweep.cli import arguments
from mnist_sweep.cli.arguments import ArgumentError
from mnist_sweep.folder_lock import alone_in
from mnist_sweep.study_folder import ANSWER, ANSWER_LOCK
from mnist_sweep.sweep.read_only import file_of


def main(words: Sequence[str]) -> None:
    """Answer the question that a command line asks; interrupted, say what is missing."""
    names = {field.name for field in fields(Terms)}
    own = [word for word in words if word.partition("=")[0] in names]
    terms = arguments.parse(Terms, own)
    _check(terms)
    file_of(terms.storage)  # what is no address of a storage never becomes one
    question = read_question([word for word in words if word not in own])
    with _alone_in(question.home):
        work = Work(question, terms, read_ledger(question.home))
        try:
            found = work.answer()
        except KeyboardInterrupt:
            print(work.missing(), file=sys.stderr)
            raise
        print("\n" + "\n".join(lines(question, found, work.ledger.total)))


def _check(terms: Terms) -> None:
    if not 0 < terms.hours < float("inf"):
        raise ArgumentError(f"hours must be greater than 0 and finite, but got {terms.hours:g}")
    for name, value, least in (("top", terms.top, 1), ("seeds", terms.seeds, 2)):
        if value < least:
            raise ArgumentError(f"{name} must be at least {least}, but got {value}")


@contextmanager
def _alone_in(home: Path) -> Iterator[None]:
    """Keep a second call out, whose time would count twice; leave no folder where nothing began."""
    busy = QuestionError(
        f"the same question is being answered in {home} by another process: wait for it, or "
        "name another study with hydra.sweeper.study_name="
    )
    with alone_in(home, "hydra.sweep.dir", busy, ANSWER_LOCK):
        try:
            yield
        finally:
            if {path.name for path in home.iterdir()} <= {ANSWER, ANSWER_LOCK}:
                (home / ANSWER).unlink(missing_ok=True)
            with suppress(OSError):
                (home / ANSWER_LOCK).unlink()
                home.rmdir()  # unless it holds anything


if __name__ == "__main__":
    arguments.run_words(__doc__ or "", main)
