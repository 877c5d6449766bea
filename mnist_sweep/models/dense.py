"""Networks without convolutions."""

from torch import Tensor, nn

from mnist_sweep.models.checks import (
    CLASSES,
    IMAGE_SIZE,
    IN_CHANNELS,
    check_at_least_one,
    check_dropout,
)

PIXELS = IN_CHANNELS * IMAGE_SIZE * IMAGE_SIZE


class Linear(nn.Module):
    """Multinomial logistic regression on the pixels: 7,850 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.classifier = nn.Linear(PIXELS, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Images [B, 1, 28, 28] -> logits [B, 10]."""
        logits: Tensor = self.classifier(images.flatten(1))
        return logits


class MLP(nn.Module):
    """One hidden layer with ReLU: 795 parameters a hidden unit, plus 10.

    Raises ValueError when `hidden` is below 1 or `dropout` is outside [0, 1).
    """

    def __init__(self, hidden: int = 25, dropout: float = 0.05) -> None:
        super().__init__()
        check_at_least_one("hidden", hidden)
        check_dropout(dropout)
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(PIXELS, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, CLASSES),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Images [B, 1, 28, 28] -> logits [B, 10]."""
        logits: Tensor = self.layers(images)
        return logits
