"""What the charts show, as matplotlib has drawn it."""

from dataclasses import replace

import pytest

from mnist_sweep.confirm.intervals import Interval
from mnist_sweep.report.charts import charts
from mnist_sweep.sweep.study_record import read_study
from tests.report.conftest import ADDRESS


def test_intervals_of_accuracies_are_cut_at_0_and_100_percent(usual, confirmed):
    wide = (Interval(0.97, 0.75, 1.19), Interval(0.3, -0.2, 0.8), Interval(0.9, 0.85, 0.95))
    confirmed.standings[:] = [replace(confirmed.standings[0], test_acc=each) for each in wide]
    _, figure = charts(read_study(usual, ADDRESS), [confirmed])["confirmed-1"]
    (axes,) = figure.axes
    bars = [container.lines[2][0].get_segments()[0] for container in axes.containers]
    ends = [(bar[0][0], bar[1][0]) for bar in bars]
    assert ends == [pytest.approx(each) for each in [(75, 100), (0, 80), (85, 95)]]
