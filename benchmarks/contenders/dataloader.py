"""A torchvision data set, a DataLoader and a loop, as PyTorch's "Training with PyTorch" has it.

    python -m benchmarks.contenders.dataloader ROOT EPOCHS WORKERS

Trains the enhanced network; prints the images a second of each epoch's training pass.
https://docs.pytorch.org/tutorials/beginner/introyt/trainingyt.html
"""

import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from benchmarks.contenders.network import enhanced
from benchmarks.digits import MEAN, STD


def loaders(root: str, batch_size: int, workers: int = 0) -> tuple[DataLoader[Any], ...]:
    """Return the loaders of the training and of the test set."""
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((MEAN,), (STD,))])
    train = datasets.MNIST(root, train=True, transform=transform)
    test = datasets.MNIST(root, train=False, transform=transform)
    return (
        DataLoader(train, batch_size, shuffle=True, num_workers=workers),
        DataLoader(test, batch_size, num_workers=workers),
    )


def train_one_epoch(
    model: nn.Module, loader: DataLoader[Any], optimizer: torch.optim.Optimizer
) -> float:
    """Train for one epoch; return the mean loss."""
    loss_fn = nn.CrossEntropyLoss()
    model.train()
    running_loss = 0.0
    for inputs, labels in loader:
        optimizer.zero_grad()
        loss = loss_fn(model(inputs), labels)
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
    return running_loss / len(loader)


@torch.no_grad()
def accuracy(model: nn.Module, loader: DataLoader[Any]) -> float:
    """Return the accuracy on a loader's images."""
    model.eval()
    correct = total = 0
    for inputs, labels in loader:
        correct += (model(inputs).argmax(1) == labels).sum().item()
        total += len(labels)
    return correct / total


def images_per_second(root: str, epochs: int, workers: int) -> Iterator[float]:
    """Train the enhanced network; yield each epoch's figure."""
    torch.manual_seed(0)
    model = enhanced()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    loader, _ = loaders(root, 32, workers)
    for _ in range(epochs):
        start = time.perf_counter()
        train_one_epoch(model, loader, optimizer)
        yield len(loader.dataset) / (time.perf_counter() - start)  # type: ignore[arg-type]


if __name__ == "__main__":
    print(json.dumps(list(images_per_second(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))))
