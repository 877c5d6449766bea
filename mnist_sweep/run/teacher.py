"""The teacher of a run, read from a run directory or a bundle, neither of which is trusted."""

import logging
from pathlib import Path
from typing import Any

import torch

from mnist_sweep.config import ConfigError
from mnist_sweep.data import Pipeline
from mnist_sweep.data.sources import CLASSES, SIZE
from mnist_sweep.files import digest
from mnist_sweep.models.cost import count_parameters
from mnist_sweep.run.directory import COMPLETE, PRUNED, RunDirectory
from mnist_sweep.run.exported import DESCRIPTION, WEIGHTS, read_bundle
from mnist_sweep.run.load import load_trained
from mnist_sweep.text import one_line
from mnist_sweep.training.distillation import Teacher
from mnist_sweep.untrusted_files import is_line

log = logging.getLogger("mnist_sweep")

SETTING = "distill.teacher"


def read_teacher(
    given: str, student: Path | None, device: torch.device, before: dict[str, Any] | None
) -> tuple[Teacher, dict[str, Any]]:
    """Read what `distill.teacher` names; return it, and what the run records of it.

    `student`: the directory of the run that learns, if it has one; `before`: what that recorded of
    its teacher when it began. Raises ConfigError, and what reading a run or a bundle does.
    """
    path = Path(given)
    if student is not None and path.resolve() == student.resolve():
        raise ConfigError(f"{SETTING}={given} is this run itself; name another")
    if (path / DESCRIPTION).is_file():
        bundle = read_bundle(given, device, SETTING)
        name, figures = bundle.description["name"], bundle.description.get("figures") or {}
        teacher, weights = Teacher(bundle.model, bundle.pipeline), path / WEIGHTS
    elif (path / ".hydra" / "config.yaml").is_file():
        trained = load_trained(given, device, SETTING)
        if trained.result.get("status") not in (COMPLETE, PRUNED):
            raise ConfigError(
                f"{SETTING}={given} has not ended: its status is {trained.result.get('status')}; "
                "resume it, or name another"
            )
        name, figures = trained.name, trained.result
        plain = Pipeline(trained.pipeline.mean, trained.pipeline.std)
        teacher, weights = Teacher(trained.model, plain), RunDirectory(trained.path).best
    else:
        raise ConfigError(
            f"{SETTING}={given} is neither a run directory nor a bundle: it has no "
            f".hydra/config.yaml and no {DESCRIPTION}"
        )
    _check_outputs(teacher, given, device)
    sha256 = digest(weights)
    if before and before.get("weights_sha256") not in (None, sha256):
        raise ConfigError(
            f"{SETTING}={given} has other weights than when this run began; start a new run"
        )
    data = figures.get("data")
    # A bundle's own word, which anybody may have written.
    fingerprint = data.get("fingerprint") if isinstance(data, dict) else None
    return teacher, {
        "path": given,
        "model": name,
        "parameters": count_parameters(teacher.model),
        "fingerprint": fingerprint if is_line(fingerprint) else None,
        "weights_sha256": sha256,
    }


def warn_of_other_data(teacher: dict[str, Any], fingerprint: str) -> None:
    """Warn where a teacher may have been trained on images that its student is judged by."""
    if teacher["fingerprint"] != fingerprint:
        log.warning(
            "%s=%s was trained on other data or another split (fingerprint %s, not %s): it may "
            "have seen this run's validation or test images",
            SETTING,
            teacher["path"],
            teacher["fingerprint"],
            fingerprint,
        )


def _check_outputs(teacher: Teacher, given: str, device: torch.device) -> None:
    try:
        outputs = list(teacher.logits(torch.zeros((1, 1, SIZE, SIZE), device=device)).shape)
    except Exception as error:  # a user's model may raise anything
        raise ConfigError(f"{SETTING}={given} takes no image: {one_line(error)}") from error
    if outputs != [1, CLASSES]:
        raise ConfigError(
            f"{SETTING}={given} gives logits {outputs} for an image, not [1, {CLASSES}]: it tells "
            "other classes apart"
        )
