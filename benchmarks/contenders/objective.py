"""One trial as people write it: a network of some width, trained by the DataLoader loop."""

from collections.abc import Callable

import torch

from benchmarks.contenders.dataloader import accuracy, loaders, train_one_epoch
from benchmarks.contenders.network import enhanced


def train(
    root: str,
    epochs: int,
    width: float,
    dropout: float,
    batch_size: int,
    lr: float,
    report: Callable[[int, float], None] = lambda epoch, value: None,
) -> float:
    """Return the validation accuracy after the last epoch; `report` is told it after each."""
    torch.manual_seed(0)
    model = enhanced(width, dropout)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    training, validation = loaders(root, batch_size)
    value = 0.0
    for epoch in range(1, epochs + 1):
        train_one_epoch(model, training, optimizer)
        value = accuracy(model, validation)
        report(epoch, value)
    return value
