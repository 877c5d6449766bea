"""Pictures of a study's best network, from its run directory where that is here."""

from dataclasses import dataclass

import torch
from matplotlib.figure import Figure

from mnist_sweep.data import Images
from mnist_sweep.errors import UserError, explain
from mnist_sweep.inspection import figures, predictions
from mnist_sweep.inspection.predictions import Predictions
from mnist_sweep.report.blocks import Picture
from mnist_sweep.run.directory import RecordError
from mnist_sweep.run.load import Trained, data_of, load_trained
from mnist_sweep.sweep.study_record import Row, StudyRecord

IMAGE = "maps-image"  # the figure of what the feature maps are of


@dataclass(frozen=True)
class Errors:
    """A trial's network, the split that it was judged by, and what it makes of that."""

    trained: Trained
    split: Images
    predictions: Predictions
    name: str

    @property
    def confusion(self) -> Figure:
        """Labels against predictions."""
        return figures.confusion(self.predictions, self.name)


def errors_of(row: Row) -> Errors:
    """Classify a trial's validation images by the weights that it kept.

    Raises UserError where its run, its weights or its data are not here.
    """
    directory = row.attributes.get("run_directory")
    if not directory:
        raise RecordError(f"trial {row.number} has recorded no run directory")
    trained = load_trained(str(directory), torch.device("cpu"))
    dataset = data_of(trained)
    found = predictions.predict(trained.model, dataset.val, trained.pipeline)
    return Errors(trained, dataset.val, found, f"trial {row.number}, {dataset.name} val")


def best_network(record: StudyRecord) -> tuple[dict[str, tuple[Picture, Figure]], str | None]:
    """Draw the best trial's errors on its validation images, its filters and its feature maps.

    Returns the drawings by name, and why there are none where its run cannot be read.
    """
    if not record.best:
        return {}, None
    try:
        errors = errors_of(record.best[0])
    except UserError as error:
        return {}, str(error)
    except OSError as error:  # it is another user's
        return {}, explain(error)
    name = errors.name
    drawn = {
        "confusion": (f"labels against predictions of {name}", errors.confusion),
        "failures": (
            f"failures of {name}",
            figures.failures(errors.predictions, errors.split, name),
        ),
    }
    image = errors.split[torch.tensor([0])].images[0]
    for key, figure in figures.network(
        errors.trained.model, errors.trained.pipeline, image
    ).items():
        kind, _, layer = key.partition("-")
        what = f"filters of {layer}" if kind == "filters" else f"what {layer} makes of an image"
        drawn[key] = ("an image" if key == IMAGE else what, figure)
    return {key: (Picture(key, shows), figure) for key, (shows, figure) in drawn.items()}, None
