from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from mnist_sweep.fit import Epoch
from mnist_sweep.models import StagedCNN
from mnist_sweep.tracking import TensorBoard, flatten


def epoch(number):
    return Epoch(number, 0.1 / number, 1.0, 0.5, 2.0, 0.25, 1.0, 10.0)


def events(directory):
    accumulator = EventAccumulator(str(directory))
    accumulator.Reload()
    return accumulator


@pytest.fixture
def written(tmp_path):
    board = TensorBoard(tmp_path / "tensorboard")
    board.start(StagedCNN([[4, 6]]), torch.rand(5, 1, 28, 28), graph=True)
    for number in (1, 2, 3):
        board.epoch(epoch(number))
    board.finish({"optimizer.lr": 0.1, "model": "tiny"}, {"val_acc": 0.25}, "pruned: why")
    return tmp_path


def test_both_splits_and_the_learning_rate_are_scalars_by_epoch(written):
    found = events(written / "tensorboard")
    by_tag = {
        tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]
    }
    assert by_tag["loss/train"] == [(1, 1.0), (2, 1.0), (3, 1.0)]
    assert by_tag["accuracy/val"] == [(1, 0.25), (2, 0.25), (3, 0.25)]
    assert [value for _, value in by_tag["lr"]] == pytest.approx([0.1, 0.05, 0.1 / 3])
    assert by_tag["final/val_acc"] == [(0, 0.25)]


def test_one_chart_shows_both_splits(written):
    tensor = events(written / "tensorboard").Tensors("custom_scalars__config__")[0].tensor_proto
    layout = tensor.string_val[0]
    assert b"loss/train" in layout
    assert b"loss/val" in layout


def test_sample_images_and_the_graph_are_there(written):
    found = events(written / "tensorboard")
    (grid,) = found.Images("training images")
    assert (grid.width, grid.height) == (5 * 28, 28)  # the five samples side by side
    assert found.Tags()["graph"] is True


def test_hyperparameters_are_in_the_runs_own_file_without_a_ghost_run(written):
    assert [p.name for p in written.iterdir()] == ["tensorboard"]
    files = list((written / "tensorboard").rglob("*"))
    assert len(files) == 1
    content = events(written / "tensorboard").summary_metadata
    data = plugin_data_pb2.HParamsPluginData.FromString(
        content["_hparams_/session_start_info"].plugin_data.content
    )
    shown = data.session_start_info.hparams
    assert shown["optimizer.lr"].number_value == 0.1
    assert shown["model"].string_value == "tiny"


def test_how_the_run_ended_is_there_to_read(written):
    status = events(written / "tensorboard").Tensors("status/text_summary")[0].tensor_proto
    assert status.string_val[0] == b"pruned: why"


def test_a_resumed_run_hides_what_came_after_its_checkpoint(tmp_path):
    board = TensorBoard(tmp_path / "tensorboard")
    for number in (1, 2, 3):
        board.epoch(epoch(number))
    board.close()
    # A file is read after those whose names come before, and names begin with the second.
    (first,) = (tmp_path / "tensorboard").iterdir()
    first.rename(first.with_name(first.name.replace("tfevents.", "tfevents.1", 1)[:-8]))
    board = TensorBoard(tmp_path / "tensorboard", purge=3)
    board.epoch(epoch(3))
    board.close()
    assert [e.step for e in events(tmp_path / "tensorboard").Scalars("lr")] == [1, 2, 3]


def test_settings_are_shown_under_their_dotted_keys():
    config = {"optimizer": {"lr": 0.1, "betas": [0.9, 0.999]}, "early": None, "on": True}
    assert flatten(config) == {
        "optimizer.lr": 0.1,
        "optimizer.betas": "[0.9, 0.999]",
        "early": "None",
        "on": True,
    }


def test_no_tracking_writes_no_events(command, quick):
    assert command(*quick, "tracking=none") == 0
    assert not list(Path("run").glob("events*"))
