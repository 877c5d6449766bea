"""What the charts show, as matplotlib has drawn it."""

import io
import math
import warnings
from dataclasses import replace

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution

from mnist_sweep.confirm.intervals import Interval
from mnist_sweep.report.charts import charts
from mnist_sweep.report.content import sections
from mnist_sweep.report.drawing import svg
from mnist_sweep.report.settings_charts import MOST_AXES, parallel_settings, undrawn
from mnist_sweep.report.text import markdown
from mnist_sweep.sweep import study_search
from mnist_sweep.sweep.study_record import read_study
from tests.report.conftest import ADDRESS, add, create


def drawn(name):
    return {key: figure for key, (_, figure) in charts(read_study(name, ADDRESS)).items()}


def test_a_setting_that_no_complete_trial_has_is_named_and_has_no_empty_panel():
    study = create("conditional")
    definition = study.user_attrs[study_search.DEFINITION]
    definition["search"]["conditional"] = {
        "scheduler": {"one_cycle": {"scheduler.peak": "FloatDistribution(high=5.0, low=0.5)"}}
    }
    study.set_user_attr(study_search.DEFINITION, definition)
    add(study, "complete", 0.9)
    add(study, "complete", 0.8, lr=0.02)
    record = read_study("conditional", ADDRESS)
    assert undrawn(record) == ["scheduler.peak"]
    panels = [axes for axes in drawn("conditional")["slices"].axes if axes.get_visible()]
    assert [axes.get_xlabel() for axes in panels] == ["lr", "width", "batch_size"]
    said = markdown("conditional", sections(record))
    assert "- never drawn: scheduler.peak" in said
    assert "- not drawn below, as no complete trial has them: scheduler.peak" in said


def test_the_slices_say_once_what_their_colours_are(usual):
    figure = drawn(usual)["slices"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["best 4", "pruned"]


def test_dollar_signs_in_names_and_choices_are_no_formulas():
    study = create("dollars")
    space = {
        "p$q$": CategoricalDistribution(["a$\\foo$", "$b$"]),
        "rate": FloatDistribution(0.001, 0.1, log=True),
    }
    for number in range(4):
        study.tell(study.ask(space), 0.1 * number)
    figures = drawn("dollars")
    for name in ("slices", "parallel"):
        page = svg(figures[name], name)
        assert all(f">{text}</text>" in page for text in ("a$\\foo$", "$b$", "p$q$"))
        assert "mathdefault" not in page  # matplotlib's own labels are no formulas either
        figures[name].savefig(io.BytesIO(), format="png")


def test_infinite_values_are_left_out_of_the_charts_and_said():
    study = create("infinite", ["minimize"], objective="loss", budget=False)
    for number, value in enumerate((1.0, math.inf, 3.0, -math.inf, 2.5)):
        add(
            study,
            "complete",
            value,
            (value, value),
            lr=0.01 + number / 100,
            parameters=100 + number,
        )
    add(study, "pruned", curve=(math.inf,))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures = drawn("infinite")
        assert {"history", "parameters", "slices", "parallel", "curves"} <= figures.keys()
        for name, figure in figures.items():
            svg(figure, name)
    (points, *_) = figures["history"].axes[0].lines
    assert list(points.get_ydata()) == [1.0, 3.0, 2.5]
    said = markdown("infinite", sections(read_study("infinite", ADDRESS)))
    assert "- not drawn, as no finite loss is known of them: 2 complete trials" in said.splitlines()


def test_parallel_coordinates_show_at_most_eight_settings():
    study = create("many")
    space = {f"model.setting{n}": FloatDistribution(0, 1) for n in range(11)}
    for number in range(3):
        trial = study.ask(space)
        study.tell(trial, 0.1 * number)
    record = read_study("many", ADDRESS)
    assert len(parallel_settings(record)) == MOST_AXES
    assert len(drawn("many")["parallel"].axes[0].get_xticks()) == MOST_AXES
    assert "- parallel coordinates are of the 8 settings" in markdown("many", sections(record))


def test_curves_of_one_epoch_are_points_over_a_whole_epoch():
    study = create("short")
    for value in (0.9, 0.8):
        add(study, "complete", value, (value,))
    (axes,) = drawn("short")["curves"].axes
    low, high = axes.get_xlim()
    assert (low, high) == (0.5, 1.5)
    assert [tick for tick in axes.get_xticks() if low < tick < high] == [1]
    points = [line for line in axes.lines if line.get_marker() == "o"]
    assert sorted(float(line.get_ydata()[0]) for line in points) == [0.8, 0.9]


def test_a_front_is_drawn_from_the_smallest_on_with_the_trials_numbers():
    study = create("front", ["maximize", "minimize"], ["val_acc", "parameters"])
    for size, accuracy in ((9_000, 0.97), (4_000, 0.9), (6_000, 0.95)):
        add(study, "complete", (accuracy, float(size)), parameters=size, epochs=4)
    (axes,) = drawn("front")["parameters"].axes
    (edge,) = (line for line in axes.lines if line.get_label() == "front")
    assert list(edge.get_xdata()) == [4_000, 6_000, 9_000, 9_000]
    assert {text.get_text() for text in axes.texts} == {"0", "1", "2"}
    table = markdown("front", sections(read_study("front", ADDRESS))).split("## The front")[1]
    rows = [line for line in table.splitlines() if line.startswith("|")][:5]
    assert rows[0].startswith("| trial | val_acc | parameters | epochs |")
    assert [row.split("|")[3].strip() for row in rows[2:]] == ["4,000", "6,000", "9,000"]


def test_intervals_of_accuracies_are_cut_at_0_and_100_percent(usual, confirmed):
    wide = (Interval(0.97, 0.75, 1.19), Interval(0.3, -0.2, 0.8), Interval(0.9, 0.85, 0.95))
    confirmed.standings[:] = [replace(confirmed.standings[0], test_acc=each) for each in wide]
    _, figure = charts(read_study(usual, ADDRESS), [confirmed])["confirmed-1"]
    (axes,) = figure.axes
    bars = [container.lines[2][0].get_segments()[0] for container in axes.containers]
    ends = [(bar[0][0], bar[1][0]) for bar in bars]
    assert ends == [pytest.approx(each) for each in [(75, 100), (0, 80), (85, 95)]]


def test_accuracies_are_in_percent_along_every_chart_and_another_objective_is_not(usual):
    drawn = charts(read_study(usual, ADDRESS))
    for name in ("history", "parameters", "curves"):
        axes = drawn[name][1].axes[0]
        assert axes.get_ylabel() == "val_acc in %"
        assert axes.get_ylim()[1] <= 1.0
        labels = [label.get_text() for label in axes.get_yticklabels()]
        assert any(text.startswith("9") and float(text) > 1 for text in labels), labels
    study = create("other")
    for value in (0.5, 0.7):
        add(study, "complete", value, (0.5, value))
    drawn = charts(read_study("other", ADDRESS))
    assert drawn["history"][1].axes[0].get_ylabel() == "val_acc"
    assert drawn["curves"][1].axes[0].get_yscale() == "linear"
