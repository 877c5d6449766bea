"""What is asked: the overrides of a search, the study that answers, and where that lies."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig

from mnist_sweep import conf
from mnist_sweep.cli.entry import check_words
from mnist_sweep.cli.hydra_errors import said
from mnist_sweep.config import check, config_directory, without_hydra
from mnist_sweep.errors import UserError
from mnist_sweep.sweep.settings import take_study_name

SEARCH = "search=architecture"  # unless the command line names another
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
    of each trial.
    """

    overrides: tuple[str, ...]
    study: str
    home: Path
    limit: int | None
    epochs: int

    def gives(self, name: str) -> bool:
        """Whether an override sets something by this name."""
        return any(word.partition("=")[0].lstrip("+") == name for word in self.overrides)

    def with_epochs(self, epochs: int) -> "Question":
        """Return it with another number of epochs."""
        return replace(self, overrides=(*self.overrides, f"epochs={epochs}"), epochs=epochs)


def read_question(words: Sequence[str]) -> Question:
    """Compose the search that overrides ask for, and read off its study.

    Raises QuestionError for overrides that do not compose, that set what this command sets, or that
    search several objectives; ConfigError for settings that make no run.
    """
    check_words(words)
    overrides = (*(() if _names(words, "search") else (SEARCH,)), *words)
    config = _composed(overrides)
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
    return Question(overrides, name, home, run.budget.max_parameters, run.epochs)


def _composed(overrides: Iterable[str]) -> DictConfig:
    """Return the config that the jobs of a sweep share. Raises QuestionError."""
    conf.register()
    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
        for override in parsed:
            name = override.get_key_element().lstrip("+")
            if name in TAKEN:
                raise QuestionError(f"{override.input_line} cannot be given here: {TAKEN[name]}")
        fixed = [str(each.input_line) for each in parsed if not each.is_sweep_override()]
        with initialize_config_dir(config_directory(), job_name="train"):
            config = compose(
                "config", overrides=["hydra.mode=MULTIRUN", *fixed], return_hydra_config=True
            )
    except HydraException as error:
        raise QuestionError(said(error)) from error
    HydraConfig.instance().set_config(config)  # for what names ${hydra:...}
    return config


def _names(words: Iterable[str], group: str) -> bool:
    return any(word.partition("=")[0].lstrip("+") == group for word in words)
