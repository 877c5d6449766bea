"""Where figures are from: a command, and what runs have recorded of settings, data and machine."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from mnist_sweep.config_checks import check
from mnist_sweep.confirm.default import DRAWN
from mnist_sweep.run.directory import RecordError, RunDirectory
from mnist_sweep.sweep.study_record import StudyRecord
from mnist_sweep.sweep.study_store import ARGUMENTS

# Settings that are of one machine, or of one call.
PLACES = ("data.root", "hydra.sweeper.storage", "hydra.sweeper.study_name", "hydra.sweeper.n_jobs")
# Settings that say how a run was trained on a machine, and not what.
ASIDE = (
    *("seed", "study", "trial", "lease", "resume", "name", "notes", "progress", "dry_run"),
    *("device", "threads", "layout", "cuda_graph", "tracking"),
    *("data.root", "data.download", "data.timeout"),
)
COMMON = (
    *("data", "device", "processor", "threads", "precision", "layout", "max_epochs"),
    *("versions", "earlier"),
)


def command(record: StudyRecord) -> str | None:
    """Return the line that searches the same; None where it is not known how."""
    if record.program is None:
        return None
    lines = record.study.user_attrs.get(ARGUMENTS)
    if not (isinstance(lines, list) and all(isinstance(line, str) for line in lines)):
        lines = _fixed(record)
    if lines is None:
        return None
    kept = [line for line in lines if _is_of_the_search(line.lstrip("+~").partition("=")[0])]
    return record.program.command(["-m", *kept])


def _is_of_the_search(name: str) -> bool:
    """Whether a setting says what is searched and how, and not where, or when."""
    is_hydras = name.startswith(("hydra.", "hydra/"))
    return name not in PLACES and (not is_hydras or name.startswith(("hydra.sweeper", "hydra/sw")))


def _fixed(record: StudyRecord) -> list[str] | None:
    """Return the overrides that held for all trials of a study that records no command line.

    None where the command line said what is searched, which such a study does not tell.
    """
    search = record.definition.get("search") or {}
    settings = search.get("settings") or {}
    if settings.get("search") == "command_line":
        return None
    fixed = [f"{name}={text}" for name, text in settings.items() if not DRAWN.match(str(text))]
    return [*fixed, *map(str, search.get("deletions") or [])]


def settings_of(config: DictConfig) -> dict[str, Any]:
    """Return a run's settings, without those that are of one machine or one run.

    Of a teacher's directory its name. Raises ConfigError for settings that are none of a run.
    """
    settings = asdict(check(config))
    for name in ASIDE:
        group, _, setting = name.rpartition(".")
        (settings[group] if group else settings).pop(setting)
    teacher = settings["distill"]["teacher"]
    if teacher is not None:
        settings["distill"]["teacher"] = Path(teacher).name
    return settings


def result_of(directory: Any) -> Mapping[str, Any] | None:
    """Return what a run has recorded of itself; None where that is not here, or damaged."""
    try:
        return RunDirectory(Path(directory)).read_result() if directory else None
    except (OSError, RecordError):
        return None


def in_common(results: Iterable[Mapping[str, Any] | None]) -> dict[str, Any]:
    """Return what runs have in common; a value in which they differ is a list of all.

    `read`: how many of them are here.
    """
    read = [result for result in results if result is not None]
    found: dict[str, Any] = {"read": len(read)}
    for name in COMMON:
        values: list[Any] = []
        for result in read:
            value = _without_place(result.get(name))
            if value is not None and value not in values:
                values.append(value)
        if values:
            found[name] = values[0] if len(values) == 1 else values
    return found


def _without_place(value: Any) -> Any:
    """Return a value without why its data were taken, which says where they lie."""
    if isinstance(value, dict):
        return {key: each for key, each in value.items() if key != "reason"}
    return value
