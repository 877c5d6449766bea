"""Pictures of a study's best network, from its run directory where that is here."""

import torch
from matplotlib.figure import Figure

from mnist_sweep import insight, pictures, plots
from mnist_sweep.build import build_dataset
from mnist_sweep.errors import UserError
from mnist_sweep.report.content import Picture
from mnist_sweep.report.reading import StudyRecord
from mnist_sweep.trained import load_trained


def best_network(record: StudyRecord) -> tuple[dict[str, tuple[Picture, Figure]], str | None]:
    """Draw the best trial's errors on its validation images, its filters and its feature maps.

    Returns the drawings by name, and why there are none where its run cannot be read.
    """
    if not record.best:
        return {}, None
    best = record.best[0]
    directory = best.attributes.get("run_directory")
    if not directory:
        return {}, f"trial {best.number} has recorded no run directory"
    try:
        trained = load_trained(str(directory), torch.device("cpu"))
        dataset = build_dataset(trained.run)
    except UserError as error:
        return {}, str(error)
    known = best.attributes.get("data_fingerprint")
    if known not in (None, dataset.fingerprint):
        return {}, f"its data, {known}, is not here: {dataset.name} is {dataset.fingerprint}"
    split = dataset.val
    found = insight.predict(trained.model, split, trained.pipeline)
    name = f"trial {best.number}, {dataset.name} val"
    drawn = {
        "confusion": (
            f"labels against predictions of {name}",
            plots.confusion(
                found.confusion(), f"{name}: {found.accuracy:.2%} of {len(split):,} images"
            ),
        ),
        "failures": (f"failures of {name}", pictures.failures(found, split, name)),
    }
    image = pictures.choose_image("0", split)
    for key, figure in pictures.network(trained, image).items():
        what = "filters of" if key.startswith("filters") else "what becomes of an image in"
        drawn[key] = (f"{what} {key.partition('-')[2]}", figure)
    return {key: (Picture(key, shows), figure) for key, (shows, figure) in drawn.items()}, None
