"""The line of a trial that has ended."""

from dataclasses import replace

import pytest
from omegaconf import OmegaConf

from mnist_sweep.sweep.space.base_config import BaseConfig
from mnist_sweep.sweep.trial_line import PLAIN_BARS, TrialLine, changes, sparkline

CURVE = [0.5, 0.9, 0.97]
CHANGES = ["cosine", "lr=0.0123", "dropout=0.205", "batch_size=64", "width=0.822"]
LINE = TrialLine(7, "done", "97.0%", True, 13_441, CURVE, 3, CHANGES)


def test_a_line_has_how_a_trial_ended_how_good_it_is_and_what_was_tried():
    assert LINE.fitted(None) == (
        "trial  7 done    97.0%  best  13,441 params  ▁▇█  "
        "cosine lr=0.0123 dropout=0.205 batch_size=64 width=0.822"
    )


@pytest.mark.parametrize("columns", range(40, 130, 6))
def test_a_line_is_no_wider_than_the_terminal_and_counts_what_it_leaves_out(columns):
    line = LINE.fitted(columns)
    assert len(line) <= max(columns, len("trial  7 done    97.0%  best  13,441 params  ▁▇█"))
    named = sum(change in line for change in CHANGES)
    assert named == len(CHANGES) or columns < 56 or line.endswith(f" +{len(CHANGES) - named}")


def test_the_settings_of_all_trials_are_below_each_other():
    other = replace(LINE, number=12, state="pruned", value="8.6%", best=False, parameters=986)
    short = replace(other, curve=CURVE[:1])
    starts = {line.fitted(None).index("cosine") for line in (LINE, other, short)}
    assert len(starts) == 1


def test_a_trial_of_the_default_configuration_says_so():
    assert replace(LINE, changes=[]).fitted(80).endswith("  default settings")


def test_a_trial_of_another_application_has_neither_parameters_nor_epochs():
    line = TrialLine(0, "done", "-1.25", False, None, [], 1, ["x=3"])
    assert line.fitted(80) == "trial  0 done    -1.25        x=3"


@pytest.mark.parametrize(
    ("values", "width", "expected"),
    [
        ([], 8, ""),
        ([0.5], 8, "▁"),
        ([1.0, 1.0, 1.0], 8, "▁▁▁"),
        ([0.0, 1.0, 2.0], 8, "▁▅█"),
        ([2.0, 1.0, 0.0], 8, "█▅▁"),
        (list(range(16)), 8, "▁▂▃▄▅▆▇█"),
    ],
)
def test_a_sparkline_reaches_from_the_least_to_the_greatest_value(values, width, expected):
    assert sparkline(values, width) == expected


def test_a_sparkline_ends_with_the_last_value_however_many_there_are():
    for count in range(2, 50):
        values = [0.0] * (count - 1) + [1.0]
        drawn = sparkline(values, 8)
        assert len(drawn) == min(count, 8)
        assert drawn[-1] == "█"


def test_a_pruned_trial_has_a_sparkline_as_long_as_its_share_of_the_epochs():
    line = replace(LINE, curve=[0.1, 0.2, 0.3, 0.4, 0.5], steps=20, changes=["x"])
    assert "params  ▁█        x" in line.fitted(None)


def test_an_encoding_without_bars_has_plain_ones():
    assert sparkline([0.0, 1.0, 2.0, 3.0], 8, PLAIN_BARS) == PLAIN_BARS
    PLAIN_BARS.encode("ascii")


CONFIG = {
    "lr": 0.003,
    "model": {"width": 1.0, "dropout": 0.1},
    "teacher": {"width": 2.0},
    "batch_size": 32,
    "loss": None,
    "hydra": {"runtime": {"choices": {"scheduler": "four_phase"}}},
}


def changed(params, names=()):
    return changes(params, names, BaseConfig(OmegaConf.create(CONFIG)))


def test_only_settings_that_differ_from_the_config_are_named():
    params = {"lr": 0.012345, "batch_size": 32, "scheduler": "cosine", "loss": "null", "+new": 3}
    found = changed(params)
    assert [change.text for change in found] == ["lr=0.0123", "scheduler=cosine", "new=3"]
    assert [change.short for change in found] == ["lr=0.0123", "cosine", "new=3"]
    assert changed({"lr": 0.003, "model.width": 1, "scheduler": "four_phase"}) == []


def test_a_setting_is_called_by_the_last_part_of_its_name_where_that_is_unique():
    names = {"model.width", "teacher.width", "model.dropout"}
    found = changed({"model.width": 0.5, "model.dropout": 0.3}, names)
    assert [change.name for change in found] == ["model.width", "dropout"]
