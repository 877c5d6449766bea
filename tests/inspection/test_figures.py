import io

import pytest
import torch

from mnist_sweep.data import Images
from mnist_sweep.inspection import figures
from mnist_sweep.inspection.predictions import Predictions


@pytest.fixture
def split():
    pixels = torch.arange(4, dtype=torch.uint8)[:, None, None].expand(4, 28, 28).contiguous()
    return Images(pixels, torch.tensor([0, 1, 2, 3]))


def predictions(*own):
    """Four images labelled 0 to 3, each with this probability of its own label, the rest a 9's."""
    probabilities = torch.zeros(4, 10)
    for label, probability in enumerate(own):
        probabilities[label, label] = probability
        probabilities[label, 9] = 1 - probability
    return Predictions(probabilities, torch.arange(4))


def captions(figure):
    return [axes.get_title() for axes in figure.axes if axes.get_title()]


def test_failures_are_the_wrong_ones_the_surest_first(split):
    figure = figures.failures(predictions(0.9, 0.1, 0.3, 0.8), split, "net")
    assert captions(figure) == ["1 as 9\n90%", "2 as 9\n70%"]
    assert figure.get_suptitle() == "net: 2 of 2 failures"


def test_a_network_without_failures_shows_what_it_finds_hardest(split):
    figure = figures.failures(predictions(0.9, 0.6, 0.7, 0.8), split, "net")
    assert captions(figure)[0] == "1 as 1\n60%"
    assert figure.get_suptitle() == "net: the hardest images"


def test_the_hardest_images_are_those_whose_own_label_is_least_probable(split):
    figure = figures.hardest(predictions(0.9, 0.1, 0.7, 0.8), split, "net", 2)
    assert captions(figure) == ["1 as 9\n90%", "2 as 2\n70%"]
    shown = [axes.images[0].get_array()[0, 0] for axes in figure.axes if axes.images]
    assert shown == [1, 2]


def test_a_name_with_dollar_signs_is_drawn_as_it_is(split):
    drawn = figures.failures(predictions(0.9, 0.1, 0.3, 0.8), split, r"net $\foo$")
    drawn.savefig(io.BytesIO(), format="png")
    assert drawn.get_suptitle() == r"net $\foo$: 2 of 2 failures"


def test_unsure_hits_take_no_failures_place(split, monkeypatch):
    monkeypatch.setattr(figures, "FAILURES", 1)
    unsure = predictions(0.51, 0.9, 0.9, 0.45)  # the fourth is wrong, the first nearly
    assert captions(figures.failures(unsure, split, "net")) == ["3 as 9\n55%"]
