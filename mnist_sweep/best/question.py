"""What is asked: the overrides of a search, the study that answers, and where that lies."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mnist_sweep.conf.composed import compose_sweep, names
from mnist_sweep.config import ConfigError
from mnist_sweep.config_checks import check
from mnist_sweep.errors import UserError
from mnist_sweep.hydra_part import without_hydra
from mnist_sweep.sweep.settings import take_study_name

SEARCH = "search=architecture"  # unless the command line names another
N_TRIALS = "hydra.sweeper.n_trials"
# What this command sets itself, by the name that a user would give it in a sweep.
TAKEN = {
    "hydra.sweeper.timeout": "hours= limits the whole, the search with it",
    "hydra.sweeper.storage": "give storage=",
    "dry_run": "python -m mnist_sweep.train -m dry_run=true prints the plan alone",
    "resume": "the same command resumes",
    "study": "give hydra.sweeper.study_name=",
    "trial": "leave it out",
    "lease": "leave it out",
}


class QuestionError(UserError):
    """A question that cannot be answered as it is asked."""


@dataclass(frozen=True)
class Question:
    """A search, its study's name, and its directory, `home`.

    `limit`: the most parameters that a network may have, None where there is no budget. `epochs`:
    of each trial. `n_jobs`: the processes of this machine, None where they are not given.
    """

    overrides: tuple[str, ...]
    study: str
    home: Path
    limit: int | None
    epochs: int
    n_jobs: int | None = None

    def gives(self, name: str) -> bool:
        """Whether an override sets something by this name."""
        return names(self.overrides, name)

    def with_epochs(self, epochs: int) -> "Question":
        """Return it with another number of epochs."""
        return replace(self, overrides=(*self.overrides, f"epochs={epochs}"), epochs=epochs)


def read_question(words: Sequence[str]) -> Question:
    """Compose the search that overrides ask for, and read off its study.

    Raises QuestionError for overrides that do not compose, that set what this command sets, or that
    search several objectives; ConfigError for settings that make no run.
    """
    overrides = (*(() if names(words, "search") else (SEARCH,)), *words)
    try:
        config = compose_sweep(overrides, TAKEN)
    except ConfigError as error:
        raise QuestionError(str(error)) from error
    name = take_study_name(config)
    run = check(without_hydra(config))
    if len(run.objectives) > 1:
        raise QuestionError(
            f"objective={','.join(run.objectives)}: the best of several objectives is a front; "
            "search it with python -m mnist_sweep.train -m search=pareto"
        )
    if not name:
        raise QuestionError(
            "the search has no hydra.sweeper.study_name: name one, so that the same command resumes"
        )
    home = Path(str(config.hydra.sweep.dir))
    n_jobs = config.hydra.sweeper.get("n_jobs")
    return Question(overrides, name, home, run.budget.max_parameters, run.epochs, n_jobs)
