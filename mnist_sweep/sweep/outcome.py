"""What became of a launched job: its objectives, and the figures it left in its directory."""

import contextlib
import io
import json
import math
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf

from mnist_sweep.errors import UserError
from mnist_sweep.sweep.study import DATA
from mnist_sweep.text import one_line, relative

# From result.json to the trial's user attributes, so that the study can be read on its own.
RECORDED = ("epochs", "best_epoch", "val_loss", "val_acc", "seconds", "git_commit")


class JobFailed(UserError):
    """A job raised, or returned no finite objective."""


def objectives(returned: JobReturn, directions: int) -> list[float]:
    """Return a job's objectives, one a direction. Raises JobFailed where it has none."""
    if returned.status != JobStatus.COMPLETED:
        try:
            # Hydra writes a line of its own to stderr when the value of a failed job is read.
            with contextlib.redirect_stderr(io.StringIO()):
                _ = returned.return_value
        except UserError as error:
            raise JobFailed(str(error)) from error
        except Exception as error:
            raise JobFailed(f"{type(error).__name__}: {one_line(error)}") from error
    value = returned.return_value
    try:
        single = directions == 1 and not isinstance(value, list | tuple)
        values = [float(value)] if single else [float(v) for v in value]
    except (TypeError, ValueError):
        expected = "a float" if directions == 1 else f"{directions} floats"
        raise JobFailed(f"the job returned {value!r}, not {expected}") from None
    if len(values) != directions:
        raise JobFailed(f"the job returned {len(values)} values for {directions} directions")
    if not all(math.isfinite(v) for v in values):
        raise JobFailed(f"the objective is {value}")
    return values


def figures(returned: JobReturn) -> dict[str, Any]:
    """Return where a job ran and what its result.json says, as far as there is one."""
    output = OmegaConf.select(returned.hydra_cfg, "hydra.runtime.output_dir")  # type: ignore[arg-type]
    if output is None:
        return {}
    found: dict[str, Any] = {"run_directory": relative(Path(output))}
    result = Path(output) / "result.json"
    if result.is_file():
        recorded = json.loads(result.read_text())
        found |= {name: recorded[name] for name in RECORDED if recorded.get(name) is not None}
        data = recorded.get("data") or {}
        found |= {"data": data.get("name"), DATA: data.get("fingerprint")}
    return found
