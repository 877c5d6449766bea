"""The outcome of a launched job: its objectives, and the figures in its run directory."""

import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn
from omegaconf import DictConfig, OmegaConf

from mnist_sweep.errors import LeaseLost, UserError, explain, is_the_machines
from mnist_sweep.sweep.jobs.backend import Finished, error_of
from mnist_sweep.sweep.study_store import DATA
from mnist_sweep.sweep.trials.status import GATE, IMAGES
from mnist_sweep.text import one_line, relative
from mnist_sweep.untrusted_files import parse_json, text_of

# From result.json to the trial's user attributes, so that the study can be read on its own.
RESULT = "result.json"
RESULT_OF_OURS = {"trial", "max_epochs", "data", "device", "threads", "precision", "versions"}
NAMED = ("name", "notes")  # what few have
RECORDED = (
    "parameters",
    "multiply_adds",
    "widths",
    "epochs",
    "max_epochs",
    "best_epoch",
    "val_loss",
    "val_acc",
    "seconds",
    "hostname",
    "git_commit",
    *NAMED,
)
# The user attributes of a trial that its outcome is recorded in.
ATTRIBUTES = {
    *RECORDED,
    "status",
    "reason",
    "run_directory",
    "overrides",
    "data",
    DATA,
    IMAGES,
    GATE,
}


MOST_SHOWN = 100  # letters of a value that is no objective


class JobFailed(UserError):
    """A job that raised, was lost, or returned no objective."""


class BadValue(JobFailed):
    """A job that returned no objective: a failed trial, which does not end the sweep."""


def check_completed(returned: JobReturn) -> None:
    """Raise JobFailed, in one line, where a job raised."""
    error = error_of(returned)
    if isinstance(error, UserError):
        raise JobFailed(str(error)) from error
    if error is not None:
        raise JobFailed(f"{type(error).__name__}: {one_line(error)}") from error


def objectives(returned: JobReturn, directions: int) -> list[float]:
    """Return a job's objectives, one a direction. Raises JobFailed, BadValue where it has none.

    What a float can be made of is an objective, infinity too, as to the stock sweeper and Optuna.
    """
    check_completed(returned)
    value = returned.return_value
    try:
        values = _floats(value, directions)
    except Exception:  # an object of the task's own may raise anything
        expected = "a float" if directions == 1 else f"{directions} floats"
        raise BadValue(f"the job returned {_shown(value)}, not {expected}") from None
    if len(values) != directions:
        raise BadValue(f"the job returned {len(values)} values for {directions} directions")
    if any(math.isnan(v) for v in values):
        raise BadValue(f"the objective is {_shown(value)}")
    return values


def _floats(value: Any, directions: int) -> list[float]:
    if directions > 1 or isinstance(value, list | tuple):
        return [float(v) for v in value]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # numpy's, for an array of one number
        return [float(value)]


def _shown(value: Any) -> str:
    """Return a value as a line can show it."""
    try:
        text = one_line(repr(value))
    except Exception:
        text = type(value).__name__
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."


def values(finished: Finished, directions: int) -> list[float]:
    """Return the objectives of a job that finished, one a direction. Raises JobFailed, BadValue."""
    if finished.returned is None:
        raise JobFailed(str(finished.reason))
    return objectives(finished.returned, directions)


def lost_its_lease(finished: Finished) -> bool:
    """Whether a job stopped since its trial was another process's by then."""
    returned = finished.returned
    return returned is not None and isinstance(error_of(returned), LeaseLost)


def refused_by_machine(finished: Finished) -> str | None:
    """Return what the machine refused a job, in one line; None where that is not what ended it."""
    error = None if finished.returned is None else error_of(finished.returned)
    if error is None or not is_the_machines(error):
        return None
    return explain(error) if isinstance(error, OSError) else one_line(error)


def directory_of(returned: JobReturn) -> Path | None:
    """Return where a job ran; None where it did not get as far."""
    if not isinstance(returned.hydra_cfg, DictConfig):
        return None
    output = OmegaConf.select(returned.hydra_cfg, "hydra.runtime.output_dir")
    return None if output is None else Path(output)


def recorded(directory: Path) -> dict[str, Any]:
    """Return what a run of ours says in its result.json; nothing where there is none.

    Another task may write a file of that name: it is ignored.
    """
    try:
        found = parse_json(text_of(directory / RESULT))
    except (OSError, ValueError):
        return {}
    return found if found.keys() >= RESULT_OF_OURS else {}


def validation_images(result: Mapping[str, Any]) -> int | None:
    """Return on how many images a run is validated, by its result; None where that is not there."""
    data = result.get("data")
    sizes = data.get("sizes") if isinstance(data, Mapping) else None
    images = sizes.get("val") if isinstance(sizes, Mapping) else None
    return images if isinstance(images, int) and images > 0 else None


def figures(directory: Path, result: dict[str, Any]) -> dict[str, Any]:
    """Return where a job ran, and of its `recorded` result what its trial is to know."""
    found: dict[str, Any] = {"run_directory": relative(directory)}
    found |= {name: result[name] for name in RECORDED if result.get(name) is not None}
    data = result.get("data") or {}
    if (images := validation_images(result)) is not None:
        found[IMAGES] = images
    return found | {
        key: data[name] for key, name in (("data", "name"), (DATA, "fingerprint")) if data.get(name)
    }


def epochs_done(directory: Path) -> int:
    """Return how many epochs a run has recorded so far."""
    try:
        return (directory / "metrics.jsonl").read_bytes().count(b"\n")
    except OSError:
        return 0


def record_failure(directory: Path, reason: str) -> None:
    """Have result.json say why a run failed whose process could not say so itself."""
    result = recorded(directory)
    if result.get("status") == "running":
        from mnist_sweep.run.directory import RunDirectory  # torch comes with it

        RunDirectory(directory).write_result(result | {"status": "failed", "reason": reason})
