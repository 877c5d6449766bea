import json
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mnist_sweep.config_checks import check
from mnist_sweep.inspection import figures
from mnist_sweep.run import session
from mnist_sweep.run.tracking import compared, draws_figures, flatten


def test_settings_are_shown_under_their_dotted_keys():
    config = {"optimizer": {"lr": 0.1, "betas": [0.9, 0.999]}, "early": None, "on": True}
    assert flatten(config) == {
        "optimizer.lr": 0.1,
        "optimizer.betas": "[0.9, 0.999]",
        "early": "None",
        "on": True,
    }


def test_runs_are_compared_by_their_groups_and_augmentation_only_where_there_is_some(composed):
    shown = compared(check(composed("optimizer=sgd")), "enhanced")
    assert shown["model"] == "enhanced"
    assert shown["optimizer.lr"] > 0
    assert (shown["optimizer"], shown["scheduler"]) == ("SGD", "four_phase")
    assert not any("_target_" in key or key.startswith("augmentation") for key in shown)
    turned = compared(check(composed("data.augmentation.rotation=5")), "enhanced")
    assert turned["augmentation.rotation"] == 5
    assert not {"loss", "ema.decay", "clip_norm", "distill.teacher"} & shown.keys()
    averaged = compared(check(composed("ema.decay=0.99", "loss=mse")), "enhanced")
    assert (averaged["ema.decay"], averaged["loss"]) == (0.99, "mse")


def test_a_run_that_has_a_name_is_compared_under_it(composed):
    assert "name" not in compared(check(composed()), "enhanced")
    assert compared(check(composed("name=low rate")), "enhanced")["name"] == "low rate"


@pytest.mark.parametrize(
    ("overrides", "single", "swept"),
    [
        (["tracking=tensorboard"], True, False),
        (["tracking=mlflow"], True, False),
        (["tracking=tensorboard", "tracking.figures=always"], True, True),
        (["tracking=tensorboard", "tracking.figures=never"], False, False),
        (["tracking=none"], False, False),
        (["tracking=none", "+tracking.figures=always"], False, False),
    ],
    ids=str,
)
def test_figures_are_drawn_for_whom_they_are_asked(composed, overrides, single, swept):
    run = check(composed(*overrides))
    assert draws_figures(run, sweep=None) is single
    assert draws_figures(run, sweep="multirun/s") is swept


def test_no_tracking_writes_no_events(command, quick):
    assert command(*quick, "tracking=none") == 0
    assert not list(Path("run").glob("events*"))


def test_a_single_run_shows_its_errors_and_its_first_filters(command, quick):
    words = [word for word in quick if not word.startswith("model=")]
    model = ["model=enhanced", "model.stages=[[4,6]]", "epochs=1"]
    assert command(*words, *model, "tracking=tensorboard", "tracking.tensorboard.graph=false") == 0
    accumulator = EventAccumulator("run")
    accumulator.Reload()
    assert set(accumulator.Tags()["images"]) == {
        "training images",
        "confusion",
        "hardest images",
        "first filters",
    }


def test_a_network_without_convolutions_has_no_filters_to_show(command, quick):
    assert command(*quick, "tracking=tensorboard") == 0
    accumulator = EventAccumulator("run")
    accumulator.Reload()
    assert "first filters" not in accumulator.Tags()["images"]
    assert "confusion" in accumulator.Tags()["images"]


class Broken:
    """A tracker that fails in everything."""

    def start(self, model, as_seen):
        pass

    def epoch(self, figures, model):
        pass

    def finish(self, result, drawn):
        raise OSError("no space left")

    def abandon(self, result):
        raise OSError("no space left")


def test_a_tracker_that_fails_at_the_end_leaves_the_run_complete(
    command, quick, monkeypatch, capsys
):
    monkeypatch.setattr(session, "trackers", lambda *arguments: [Broken()])
    assert command(*quick) == 0
    assert json.loads(Path("run/result.json").read_text())["status"] == "complete"
    assert "run: Broken cannot be finished: no space left" in capsys.readouterr().out


def test_figures_that_cannot_be_drawn_leave_the_run_complete(command, quick, monkeypatch, capsys):
    def fail(*arguments):
        raise TypeError("no such colour")

    monkeypatch.setattr(figures, "of_a_run", fail)
    assert command(*quick, "tracking=tensorboard") == 0
    assert json.loads(Path("run/result.json").read_text())["status"] == "complete"
    assert "its figures cannot be drawn: no such colour" in capsys.readouterr().out
    assert list(Path("run").glob("events*"))


def test_a_tracker_that_fails_to_close_hides_nothing(command, quick, monkeypatch, capsys):
    monkeypatch.setattr(session, "trackers", lambda *arguments: [Broken()])
    assert command(*quick, "optimizer=sgd", "optimizer.lr=1e38") == 1
    assert "training diverged" in capsys.readouterr().err
