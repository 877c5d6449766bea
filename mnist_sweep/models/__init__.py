"""The networks. Every one maps images [B, 1, 28, 28] to logits [B, 10]."""

from mnist_sweep.models.cnn import SimpleCNN, StagedCNN
from mnist_sweep.models.compact import Compact
from mnist_sweep.models.dense import MLP, Linear
from mnist_sweep.models.resnet import ResNet

__all__ = ["MLP", "Compact", "Linear", "ResNet", "SimpleCNN", "StagedCNN"]
