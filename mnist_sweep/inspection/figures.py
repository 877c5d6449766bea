"""The figures of a network that people look at, wherever they look: its errors, and its insides."""

from matplotlib.figure import Figure
from torch import Tensor, nn

from mnist_sweep.data import Images, Pipeline
from mnist_sweep.inspection import plots, predictions
from mnist_sweep.inspection.predictions import Predictions

FAILURES = 40
HARDEST = 16


def confusion(predictions: Predictions, name: str) -> Figure:
    """Draw labels against predictions."""
    title = f"{name}: {predictions.accuracy:.2%} of {len(predictions.labels):,} images"
    return plots.confusion(predictions.confusion(), title)


def failures(predictions: Predictions, split: Images, name: str) -> Figure:
    """Draw what was taken for something else, the least probable of the images' own labels first.

    Where nothing was, draw the hardest.
    """
    order = predictions.hardest(len(predictions.labels))
    wrong = order[predictions.predicted[order] != predictions.labels[order]]
    if not len(wrong):
        return hardest(predictions, split, name, FAILURES)
    shown = wrong[:FAILURES]
    return _gallery(predictions, split, shown, f"{name}: {len(shown)} of {len(wrong)} failures")


def hardest(predictions: Predictions, split: Images, name: str, count: int = HARDEST) -> Figure:
    """Draw the images whose own label has the least probability, right or wrong."""
    return _gallery(predictions, split, predictions.hardest(count), f"{name}: the hardest images")


def _gallery(predictions: Predictions, split: Images, shown: Tensor, title: str) -> Figure:
    sure = predictions.probabilities[shown].amax(1)
    captions = [
        f"{label} as {other}\n{probability:.0%}"
        for label, other, probability in zip(
            predictions.labels[shown], predictions.predicted[shown], sure, strict=True
        )
    ]
    images = split[shown.to(split.labels.device)].images.cpu()
    return plots.gallery(images, captions, title)


def network(model: nn.Module, pipeline: Pipeline, pixels: Tensor) -> dict[str, Figure]:
    """Draw every convolution, and what each unit makes of an image uint8 [28, 28]."""
    drawn = {
        f"filters-{name}": plots.filters(name, weight)
        for name, weight in predictions.convolutions(model).items()
    }
    prepared = pipeline.prepare(pixels[None])
    found = predictions.feature_maps(model, prepared, predictions.mapped_modules(model))
    drawn["maps-image"] = plots.maps("image", pixels[None].float())
    return drawn | {f"maps-{name}": plots.maps(name, output) for name, output in found.items()}


def of_a_run(model: nn.Module, split: Images, pipeline: Pipeline, name: str) -> dict[str, Figure]:
    """Draw what a run's trackers show of its kept weights: errors on a split, the first filters."""
    predicted = predictions.predict(model, split, pipeline)
    drawn = {
        "confusion": confusion(predicted, name),
        "hardest images": hardest(predicted, split, name),
    }
    first = next(iter(predictions.convolutions(model).items()), None)
    return drawn | ({"first filters": plots.filters(*first)} if first else {})
