"""What is trained again: configurations, from a study's best trials or from run directories."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from mnist_sweep.config_checks import check
from mnist_sweep.confirm.seed_axis import configurations, has_seeds
from mnist_sweep.errors import UserError
from mnist_sweep.run.build import model_name
from mnist_sweep.run.single import change, read_as_single
from mnist_sweep.sweep.study_record import Row, StudyRecord
from mnist_sweep.sweep.study_store import SEED
from mnist_sweep.text import printable, relative

# Data sets that one config can be read on as on another.
INTERCHANGEABLE = ("auto", "mnist", "mnist_5k")


class ConfirmError(UserError):
    """An error of a confirmation that a user can cause."""


@dataclass(frozen=True)
class Candidate:
    """A configuration. `key`: its folder's name; `result`: of the run that it is taken from.

    `directory`: of that run; None where the configuration was composed.
    """

    key: str
    title: str
    config: DictConfig
    result: dict[str, Any]
    directory: str | None = None

    @property
    def model(self) -> str:
        """What the user calls the model."""
        return model_name(self.result, self.config.model)

    @property
    def settings(self) -> dict[str, Any]:
        """What decides its figures, whatever its seed."""
        settings = asdict(check(self.config))
        for name in ("seed", "tracking", "progress", "dry_run", "name", "notes"):
            del settings[name]
        for name in ("root", "download", "timeout"):  # the fingerprint tells other data
            del settings["data"][name]
        return settings


@dataclass(frozen=True)
class Changes:
    """Settings of fresh runs that differ from those of the run they are taken from; None: none."""

    epochs: int | None = None
    data: str | None = None


def leading(record: StudyRecord) -> list[Row]:
    """Return the trials of a study whose configurations are to be taken, the best first.

    Where the seed was searched there is one of each configuration, in the order of their means over
    the seeds that have a value: its first trial, which its own value has not chosen. Those of one
    seed, and then those of which a seed was pruned, come after all others.
    """
    if not has_seeds(record):
        return record.best
    return [min(each.rows.values(), key=lambda row: row.number) for each in configurations(record)]


def of_trials(
    study: str, directories: Mapping[int, str | None], top: int, changes: Changes
) -> list[Candidate]:
    """Return a study's first `top` different configurations.

    Trials are given in order, by number with their run directories. Raises ConfirmError where there
    are none, or a run is not here, and what `of_runs` raises.
    """
    if not directories:
        raise ConfirmError(
            f"study={study} has no complete trial that fits its budget: nothing to confirm"
        )
    found: list[Candidate] = []
    for number, directory in directories.items():
        if not directory:
            raise ConfirmError(
                f"trial {number} of study={study} has no run directory, so its configuration is "
                "not known: confirm trains runs of python -m mnist_sweep.train again"
            )
        if not Path(directory).is_dir():
            raise ConfirmError(
                f"trial {number} of study={study} ran in {directory}, but that folder is "
                "neither here, nor beside the study's database, nor in multirun/; give this "
                "command in the folder where the sweep was started"
            )
        add(found, _read(directory, f"trial {number}", changes, "study"))
        if len(found) == top:
            break
    return found


def of_runs(directories: Iterable[str], changes: Changes) -> list[Candidate]:
    """Return what run directories hold.

    Raises ConfigError for one that is none, or whose settings do not go with the changes, and
    ConfirmError for data that it cannot change to.
    """
    found = []
    for given in directories:
        # best/ holds links into the run that is best today, and another tomorrow.
        where = relative((Path(given) / ".hydra").resolve().parent)
        found.append(_read(given, where, changes))
    return found


def key_of(title: str) -> str:
    """Return the name of a configuration's folder: "trial 17" is in trial-17.

    It is a name below a folder whatever the title is, which a record may have from anywhere.
    """
    name = re.sub(r"[^\w.-]+", "-", title).strip("-")
    return name if name.strip(".") else "-"


def add(candidates: list[Candidate], other: Candidate) -> None:
    """Add a candidate, unless its settings are there already; say so in that case."""
    for known in candidates:
        if known.settings == other.settings:
            if known.title != other.title:
                pair = f"{other.title} has the same settings as {known.title}"
                print(f"{printable(pair)} and is left out")
            return
    taken = {known.key for known in candidates}
    key = other.key
    while key in taken:
        key += "-again"
    candidates.append(replace(other, key=key))


def check_same_data(candidates: Sequence[Candidate]) -> None:
    """Refuse candidates that would not be judged by the same images, by ConfirmError."""
    first, *others = (check(candidate.config).data for candidate in candidates)
    for candidate, other in zip(candidates[1:], others, strict=True):
        for name in ("name", "folder", "validation", "split_seed"):
            ours, theirs = getattr(first, name), getattr(other, name)
            if ours != theirs:
                hint = "; data=mnist trains all of them on MNIST" if name == "name" else ""
                raise ConfirmError(
                    f"{candidates[0].title} has data.{name}={ours}, but {candidate.title} "
                    f"has {theirs}: they cannot be compared{hint}"
                )


def seeds_for(
    candidates: Sequence[Candidate], number: int, first: int, record: StudyRecord | None = None
) -> list[int]:
    """Return so many seeds from `first` on, without those that the candidates were chosen by.

    Of a study that searched the seed, those are all of its seeds.
    """
    searched = record.rows if record and SEED in record.searched else []
    used = {int(candidate.config.seed) for candidate in candidates}
    used |= {row.settings[SEED] for row in searched if SEED in row.settings}
    return [seed for seed in range(first, first + number + len(used)) if seed not in used][:number]


def _read(directory: str, title: str, changes: Changes, setting: str = "runs") -> Candidate:
    """Read a run directory, named by a setting, as a single run with some changes."""
    config, result = read_as_single(directory, setting)
    config = changed(title, config, changes)
    return Candidate(key_of(title), title, config, result, relative(Path(directory)))


def changed(title: str, config: DictConfig, changes: Changes) -> DictConfig:
    """Return a config with changes. Raises ConfigError, and ConfirmError for data of another kind.

    `title`: what the configuration is called.
    """
    config, settings = config.copy(), dict[str, Any]()
    if changes.epochs is not None:
        settings["epochs"] = changes.epochs
    if changes.data is not None:
        settings["data.name"] = _interchangeable(title, check(config).data.name, changes.data)
    change(config, settings)
    return config


def _interchangeable(title: str, known: str, name: str) -> str:
    if name not in INTERCHANGEABLE:
        raise ConfirmError(f"data={name}: it must be one of {', '.join(INTERCHANGEABLE)}")
    if known not in INTERCHANGEABLE:
        raise ConfirmError(f"data={name}: {title} was trained on {known}, another kind of images")
    return name
