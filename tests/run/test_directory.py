import json
import math

import pytest
import torch

from mnist_sweep.models import StagedCNN
from mnist_sweep.run.directory import RecordError, RunDirectory
from mnist_sweep.training.epochs import Epoch


def epoch(number, val_loss=1.0):
    return Epoch(number, 0.1, 1.0, 0.5, val_loss, 0.5, 1.0, 10.0)


@pytest.fixture
def directory(tmp_path):
    directory = RunDirectory(tmp_path / "run")
    directory.start()
    return directory


def test_metrics_are_one_flushed_line_an_epoch(directory):
    directory.append_metrics(epoch(1))
    directory.append_metrics(epoch(2))
    lines = directory.metrics.read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]
    assert list(json.loads(lines[0])) == [
        "epoch",
        "lr",
        "train_loss",
        "train_acc",
        "val_loss",
        "val_acc",
        "seconds",
        "images_per_second",
    ]


def test_figures_that_json_cannot_hold_become_null(directory):
    directory.append_metrics(epoch(1, val_loss=math.nan))
    assert directory.read_metrics()[0]["val_loss"] is None
    directory.write_result({"val_loss": math.inf, "data": {"mean": math.nan}})
    assert directory.read_result() == {"val_loss": None, "data": {"mean": None}}


def test_figures_survive_the_file_bit_by_bit(directory):
    value = 0.1 + 0.2
    directory.append_metrics(epoch(1, val_loss=value))
    assert directory.read_metrics()[0]["val_loss"] == value


def test_a_line_cut_short_is_left_out_and_later_epochs_are_dropped(directory):
    for number in (1, 2, 3):
        directory.append_metrics(epoch(number))
    with directory.metrics.open("a") as file:
        file.write('{"epoch": 4, "lr"')
    assert len(directory.read_metrics()) == 3
    directory.keep_metrics(2)
    directory.append_metrics(epoch(3))
    assert [line["epoch"] for line in directory.read_metrics()] == [1, 2, 3]


def test_a_directory_that_holds_a_run_is_not_overwritten(directory):
    directory.append_metrics(epoch(1))
    with pytest.raises(RecordError, match="already holds a run: resume it with resume="):
        RunDirectory(directory.path).start()


def test_best_weights_come_back_exactly(directory):
    model = StagedCNN([[4, 6]]).to(memory_format=torch.channels_last)
    directory.save_best(model)
    loaded = directory.load_best(torch.device("cpu"))
    assert loaded.keys() == model.state_dict().keys()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in model.state_dict().items())


def test_shared_weights_can_be_saved(directory):
    shared = torch.nn.Linear(3, 3)
    directory.save_best(torch.nn.Sequential(shared, shared))
    assert torch.equal(directory.load_best(torch.device("cpu"))["1.weight"], shared.weight)


def test_a_damaged_or_absent_checkpoint_is_a_clear_error(directory):
    with pytest.raises(RecordError, match="no epoch of it was finished"):
        directory.load_last(torch.device("cpu"))
    directory.save_last({"epoch": 1})
    content = directory.last.read_bytes()
    directory.last.write_bytes(content[: len(content) // 2])
    with pytest.raises(RecordError, match=r"last\.pt is damaged"):
        directory.load_last(torch.device("cpu"))


def test_saving_leaves_no_temporary_files(directory):
    directory.save_last({"epoch": 1})
    directory.save_best(torch.nn.Linear(2, 2))
    directory.write_result({"status": "complete"})
    files = sorted(p.name for p in directory.path.rglob("*") if p.is_file())
    assert files == ["best.safetensors", "last.pt", "result.json"]
