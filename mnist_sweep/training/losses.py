"""What training minimizes. Validation and test losses are cross entropy whatever this is."""

from dataclasses import dataclass

import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor


@dataclass(frozen=True)
class Loss:
    """A loss of logits, a mean over the batch.

    `kind`: "cross_entropy", in nats, its targets smoothed by `label_smoothing` (arXiv:1512.00567,
    section 7); or "mse", the squared distance of the probabilities from the one-hot label, summed
    over the classes (Brier, 1950: doi 10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2).

    With a teacher's logits, that has 1 - `weight`, and `weight` has the divergence of the
    softened probabilities from the teacher's, times the square of the temperature, so that its
    gradients keep their size at any temperature (arXiv:1503.02531, section 2).
    """

    kind: str = "cross_entropy"
    label_smoothing: float = 0.0
    temperature: float = 4.0
    weight: float = 0.9

    def __call__(self, logits: Tensor, labels: Tensor, teacher: Tensor | None = None) -> Tensor:
        """Logits [B, C], labels [B], a teacher's logits [B, C] or None -> a scalar."""
        if teacher is None:
            return self.of_labels(logits, labels)
        soft = self.of_teacher(logits, teacher)
        if self.weight == 1:
            return soft
        return (1 - self.weight) * self.of_labels(logits, labels) + self.weight * soft

    def of_labels(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss against the labels."""
        if self.kind == "mse":
            # Of float32: bfloat16 has not the digits for probabilities that are nearly 1.
            wrong = logits.float().softmax(1) - F.one_hot(labels, logits.shape[1])
            return wrong.square().sum(1).mean()
        return F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)

    def of_teacher(self, logits: Tensor, teacher: Tensor) -> Tensor:
        """Return the divergence from a teacher, in nats times the temperature's square."""
        own = F.log_softmax(logits.float() / self.temperature, 1)
        its = F.log_softmax(teacher / self.temperature, 1)
        divergence = F.kl_div(own, its, reduction="batchmean", log_target=True)
        return self.temperature**2 * divergence
