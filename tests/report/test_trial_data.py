"""What the page's script is told of each trial."""

import json

from mnist_sweep.report.trial_data import MOST_CURVE, trial_data
from mnist_sweep.sweep.study_record import read_study
from mnist_sweep.web_pages import as_json
from tests.report.conftest import ADDRESS, add, create


def test_every_trial_is_told_with_its_state_figures_and_settings(usual):
    found = trial_data(read_study(usual, ADDRESS))
    assert [trial["number"] for trial in found["trials"]] == list(range(9))
    assert found["columns"][0] == ["optimizer.lr", "lr"]
    best, rejected, running = (found["trials"][n] for n in (2, 1, 8))
    assert best["state"] == "complete"
    assert (best["values"], best["parameters"]) == (["97.00%"], 18_000)
    assert best["settings"][0] == "0.099"
    assert (rejected["state"], rejected["values"]) == ("rejected", [])
    assert running["settings"] == [None, None, None]
    assert found["trials"][0]["curve"] == [(1, 50.0), (2, 70.0), (3, 80.0), (4, 90.0)]
    assert found["unit"] == "%"
    json.loads(as_json(found))


def test_a_curve_without_finite_values_or_with_many_is_cut_to_what_can_be_shown():
    study = create("curves")
    add(study, "complete", 0.5, (float("nan"), float("inf")))
    add(study, "complete", 0.5, [0.001 * n for n in range(200)])
    none, many = (trial["curve"] for trial in trial_data(read_study("curves", ADDRESS))["trials"])
    assert none == []
    assert len(many) <= MOST_CURVE
    assert many[-1] == (200, 0.199)  # where it ended


def test_another_applications_values_are_as_they_are():
    study = create("other")
    add(study, "complete", 0.97, (0.5, 0.9))
    found = trial_data(read_study("other", ADDRESS))
    assert found["unit"] == ""
    assert found["trials"][0]["values"] == ["0.97"]
    assert found["trials"][0]["curve"] == [(1, 0.5), (2, 0.9)]
