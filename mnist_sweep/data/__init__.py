"""Where images come from, how they are split, how batches are made; nothing here reads config."""

from mnist_sweep.data.batches import Augmentation, Pipeline
from mnist_sweep.data.sources import DataError, Images
from mnist_sweep.data.splits import Dataset, load_dataset

__all__ = ["Augmentation", "DataError", "Dataset", "Images", "Pipeline", "load_dataset"]
