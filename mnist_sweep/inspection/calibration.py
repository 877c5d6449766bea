"""Probabilities that mean what they say: one temperature, fitted where labels are known."""

import math

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor

LOWEST, HIGHEST = 0.05, 20.0  # temperatures that are looked at
BINS = 15  # of probability, as in Guo et al.


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Return the temperature T for which softmax(logits / T) is most likely to be the labels.

    Logits float [N, K], labels int64 [N]. Temperature scaling of Guo et al. 2017, "On calibration
    of modern neural networks" (https://arxiv.org/abs/1706.04599): it changes no prediction.
    Between LOWEST and HIGHEST; where no image is read wrongly, the lowest would be best.
    """
    exact = logits.double()

    def loss(exponent: float) -> float:
        return negative_log_likelihood(torch.softmax(exact / math.exp(exponent), 1), labels)

    # In 1/T the loss is convex, so that along log T it has one minimum.
    found = minimize_scalar(
        loss,
        bounds=(math.log(LOWEST), math.log(HIGHEST)),
        method="bounded",
        options={"xatol": 1e-5},
    )
    return math.exp(float(found.x))


def negative_log_likelihood(probabilities: Tensor, labels: Tensor) -> float:
    """Return the mean of -log p of the images' own labels; probabilities [N, K], labels [N]."""
    own = probabilities.double().gather(1, labels[:, None])[:, 0]
    return float(-own.clamp_min(1e-300).log().mean())


def calibration_error(probabilities: Tensor, labels: Tensor) -> float:
    """Return the expected calibration error: by how much the best label's probability is off.

    In bins of equal width, weighted by their images (Guo et al.); probabilities [N, K], labels [N].
    """
    best, predicted = probabilities.double().max(1)
    right = (predicted == labels).double()
    bins = (best * BINS).ceil().long().clamp(1, BINS) - 1
    gaps = torch.zeros(BINS, dtype=torch.float64).index_add_(0, bins, right - best)
    return float(gaps.abs().sum() / len(labels))
