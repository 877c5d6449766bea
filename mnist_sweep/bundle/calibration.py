"""A run's probabilities, calibrated on its own validation images, for the bundle made of it.

At export, not at the end of training: runs of a search are not exported, and old runs can be.
"""

from typing import Any

import torch

from mnist_sweep.errors import UserError
from mnist_sweep.inspection import predictions
from mnist_sweep.inspection.calibration import (
    calibration_error,
    fit_temperature,
    negative_log_likelihood,
)
from mnist_sweep.run.exported import BundleError
from mnist_sweep.run.load import OtherData, Trained, data_of
from mnist_sweep.text import counted


def calibrate(trained: Trained) -> dict[str, Any]:
    """Return what a bundle records: the temperature, the images it is from, and what it changes.

    Where the images that the run was validated by are not here, a temperature of 1 and the reason.
    Nothing is downloaded, and test is not looked at. Raises BundleError for a network whose logits
    are no finite numbers: they say nothing of an image.
    """
    try:
        dataset = data_of(trained, download=False)
    except OtherData as other:
        return {"temperature": 1.0, "reason": other.what}
    except UserError:  # which names places of this machine: not for a bundle, which goes elsewhere
        return {
            "temperature": 1.0,
            "reason": f"the data set {trained.run.data.name} could not be read when it was "
            "exported; set MNIST_SWEEP_DATA to its folder and export the run again",
        }
    logits = predictions.logits(trained.model, dataset.val, trained.pipeline)
    labels = dataset.val.labels.cpu()
    lost = int((~logits.isfinite().all(1)).sum())
    if lost:
        raise BundleError(
            f"run={trained.path} gives outputs that are no finite numbers for {lost:,} of "
            f"{counted(len(labels), 'validation image')}: train it again, with a lower learning "
            "rate"
        )
    temperature = fit_temperature(logits, labels)
    before, after = torch.softmax(logits, 1), torch.softmax(logits / temperature, 1)
    return {
        "temperature": temperature,
        "split": "val",
        "images": len(labels),
        "nll": {part: negative_log_likelihood(p, labels) for part, p in _parts(before, after)},
        "ece": {part: calibration_error(p, labels) for part, p in _parts(before, after)},
    }


def _parts(before: torch.Tensor, after: torch.Tensor) -> tuple[tuple[str, torch.Tensor], ...]:
    return ("before", before), ("after", after)
