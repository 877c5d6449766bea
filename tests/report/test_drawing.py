"""What a figure becomes on a page: colours, and which point is which trial."""

import re
from types import SimpleNamespace

import pytest
from matplotlib.collections import LineCollection

from mnist_sweep.report.drawing import axes_of, of_trials, svg, whole


def trials(*numbers):
    return [SimpleNamespace(number=number) for number in numbers]


def told(drawing):
    return [int(number) for number in re.findall(r'data-trial="(\d+)"', drawing)]


@pytest.mark.parametrize("count", [1, 3, 40])
def test_each_point_of_a_line_and_of_a_scatter_says_which_trial_it_is(count):
    figure, axes = axes_of()
    numbers = [7 * n for n in range(count)]
    (points,) = axes.plot(numbers, numbers, "o", label="points")
    of_trials(points, trials(*numbers))
    dots = axes.scatter(numbers, numbers[::-1], c=["red"] * count)
    of_trials(dots, trials(*numbers[::-1]))
    drawing = svg(figure, "name")
    assert told(drawing) == [*numbers[::-1], *numbers]  # a scatter lies below lines
    assert "trials-" not in drawing


def test_each_line_of_many_says_which_trial_it_is():
    figure, axes = axes_of()
    lines = LineCollection([[(0, 0), (1, 1)], [(0, 1), (1, 0)], [(0, 0.5), (1, 0.5)]])
    axes.add_collection(lines)
    of_trials(lines, trials(4, 0, 12))
    assert told(svg(figure, "name")) == [4, 0, 12]


def test_points_that_are_not_all_drawn_are_no_trials_rather_than_the_wrong_ones():
    figure, axes = axes_of()
    (points,) = axes.plot([0, float("nan"), 2], [0, 1, 2], "o")
    of_trials(points, trials(0, 1, 2))
    assert told(svg(figure, "name")) == []


def test_points_of_one_kind_say_their_style_once():
    figure, axes = axes_of()
    (points,) = axes.plot([1, 2, 3], [1.23456789, 2, 3], "o", color="#0072b2")
    of_trials(points, trials(0, 1, 2))
    parts = re.findall(r"<use data-trial[^>]*>", svg(figure, "name"))
    assert len(parts) == 3
    assert not any("style" in part or re.search(r"\.\d{3}", part) for part in parts)


@pytest.mark.parametrize("last", [1, 2, 3])
def test_whole_numbers_mark_an_axis_however_short_it_is(last):
    _, axes = axes_of()
    axes.set_xlim(0.5, last + 0.5)
    whole(axes.xaxis)
    ticks = [tick for tick in axes.get_xticks() if 0.5 <= tick <= last + 0.5]
    assert ticks
    assert all(tick == int(tick) for tick in ticks)
