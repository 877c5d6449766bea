import pytest
import torch
from matplotlib.figure import Figure
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from mnist_sweep.config import TensorBoardConfig
from mnist_sweep.models import StagedCNN
from mnist_sweep.run.tracking.tensorboard import TensorBoard
from mnist_sweep.training.epochs import Epoch

SETTINGS = {"optimizer.lr": 0.1, "model": "tiny"}


def epoch(number):
    return Epoch(number, 0.1 / number, 1.0, 0.5, 2.0, 0.25, 1.0, 10.0)


def events(directory):
    accumulator = EventAccumulator(str(directory))
    accumulator.Reload()
    return accumulator


def board(directory, first_epoch=None, **config):
    return TensorBoard(directory, TensorBoardConfig(**config), SETTINGS, first_epoch=first_epoch)


def as_seen(count):
    return torch.rand(count, 1, 28, 28)


@pytest.fixture
def written(tmp_path):
    tracker, model = board(tmp_path / "tensorboard", images=5), StagedCNN([[4, 6]])
    tracker.start(model, as_seen)
    for number in (1, 2, 3):
        tracker.epoch(epoch(number), model)
    figure = Figure()
    figure.subplots().plot([1, 2])
    result = {
        "status": "pruned",
        "reason": "why",
        "epochs": 3,
        "val_acc": 0.25,
        "test_acc": None,
    }
    tracker.finish(result, {"confusion": figure})
    return tmp_path


class Untraceable(StagedCNN):
    """A network that calls a compiled function, which torch.jit.trace refuses."""

    def __init__(self):
        super().__init__([[4, 6]])
        self.twice = torch.compile(lambda logits: 2 * logits, backend="eager")

    def forward(self, images):
        return self.twice(super().forward(images))


def test_a_network_that_cannot_be_traced_has_no_graph_and_goes_on(tmp_path, caplog, capfd):
    tracker, model = board(tmp_path, images=0), Untraceable()
    tracker.start(model, as_seen)
    assert model.training
    tracker.epoch(epoch(1), model)
    tracker.leave()
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("graph not shown: Untraceable cannot be traced: ")
    assert said.endswith("; tracking.tensorboard.graph=false leaves it out")
    assert "\n" not in said
    assert capfd.readouterr().out == ""
    found = events(tmp_path)
    assert not found.Tags()["graph"]
    assert "loss/val" in found.Tags()["scalars"]


def test_name_and_notes_are_texts_where_there_are_any(tmp_path):
    settings = {**SETTINGS, "name": "low rate"}
    config = TensorBoardConfig(graph=False, images=0)
    tracker = TensorBoard(tmp_path / "named", config, settings, notes="why, and how")
    tracker.start(StagedCNN([[4, 6]]), as_seen)
    tracker.leave()
    found = events(tmp_path / "named").Tags()["tensors"]
    assert {"name/text_summary", "notes/text_summary"} <= set(found)
    other = board(tmp_path / "other", graph=False, images=0)
    other.start(StagedCNN([[4, 6]]), as_seen)
    other.leave()
    assert not any("text" in tag for tag in events(tmp_path / "other").Tags()["tensors"])


def test_both_splits_and_the_learning_rate_are_scalars_by_epoch(written):
    found = events(written / "tensorboard")
    by_tag = {
        tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]
    }
    assert by_tag["loss/train"] == [(1, 1.0), (2, 1.0), (3, 1.0)]
    assert by_tag["accuracy/val"] == [(1, 0.25), (2, 0.25), (3, 0.25)]
    assert [value for _, value in by_tag["lr"]] == pytest.approx([0.1, 0.05, 0.1 / 3])
    # What the run ended with is no chart of one point: it is in HPARAMS.
    assert set(by_tag) == {
        *("loss/train", "loss/val", "accuracy/train", "accuracy/val"),
        *("lr", "images_per_second"),
    }


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


def session(directory):
    """The columns of a run in HPARAMS."""
    content = events(directory).summary_metadata
    # TensorBoard makes the list of columns itself: one run's would be taken for everyone's.
    assert "_hparams_/experiment" not in content
    if "_hparams_/session_start_info" not in content:
        return None
    data = plugin_data_pb2.HParamsPluginData.FromString(
        content["_hparams_/session_start_info"].plugin_data.content
    )
    return {
        name: getattr(value, value.WhichOneof("kind"))
        for name, value in data.session_start_info.hparams.items()
    }


def test_hyperparameters_are_in_the_runs_own_file_without_a_ghost_run(written):
    assert [p.name for p in written.iterdir()] == ["tensorboard"]
    files = list((written / "tensorboard").rglob("*"))
    assert len(files) == 1
    shown = session(written / "tensorboard")
    assert SETTINGS.items() < shown.items()


@pytest.mark.parametrize("status", ["complete", "pruned"])
def test_a_runs_status_and_cost_are_columns_and_its_figures_where_it_is_complete(tmp_path, status):
    tracker = board(tmp_path)
    result = {"status": status, "reason": "why", "epochs": 3, "parameters": 12, "best_epoch": 2}
    tracker.finish({**result, "val_acc": 0.25, "val_loss": 2.0, "test_acc": None}, {})
    figures = {"Val accuracy": 0.25, "result.val_loss": 2.0} if status == "complete" else {}
    assert session(tmp_path) == {
        **SETTINGS,
        **figures,
        "Status": status,
        "result.epochs": 3,
        "result.parameters": 12,
        "result.best_epoch": 2,
    }


def test_the_schedule_is_among_the_columns_that_are_shown_first(tmp_path):
    settings = {"scheduler": "cosine", "scheduler.floor": 0.1}
    config = TensorBoardConfig(graph=False, images=0)
    tracker = TensorBoard(tmp_path, config, settings)
    tracker.finish({"status": "complete", "reason": "why", "epochs": 3}, {})
    assert {"Schedule": "cosine", "scheduler.floor": 0.1}.items() < session(tmp_path).items()


@pytest.mark.parametrize(
    ("status", "listed"), [("diverged", True), ("interrupted", False), ("failed", False)]
)
def test_a_run_that_cannot_be_resumed_is_listed_too(tmp_path, status, listed):
    tracker = board(tmp_path)
    tracker.abandon({"status": status, "reason": "why", "epochs": 3})
    found = session(tmp_path)
    assert (found is not None) == listed
    assert not listed or found["Status"] == status


def test_how_the_run_ended_is_there_to_read(written):
    status = events(written / "tensorboard").Tensors("status/text_summary")[0].tensor_proto
    assert status.string_val[0] == b"pruned: why"


def test_figures_are_images_of_the_last_epoch(written):
    (image,) = events(written / "tensorboard").Images("confusion")
    assert image.step == 3
    assert image.width > 100


def test_histograms_are_written_when_asked_for(tmp_path):
    model = StagedCNN([[4, 6]])
    model(torch.rand(2, 1, 28, 28)).sum().backward()
    for folder, asked in (("with", True), ("without", False)):
        tracker = board(tmp_path / folder, histograms=asked)
        tracker.epoch(epoch(1), model)
        tracker.abandon({})
    tags = events(tmp_path / "with").Tags()["histograms"]
    names = {name for name, _ in model.named_parameters()}
    assert {f"weights/{name}" for name in names} <= set(tags)
    # A convolution's bias is no part of training, and has no gradient.
    trained = {name for name, p in model.named_parameters() if p.grad is not None}
    assert trained < names
    assert {tag for tag in tags if tag.startswith("gradients/")} == {
        f"gradients/{name}" for name in trained
    }
    assert events(tmp_path / "without").Tags()["histograms"] == []


def test_a_trial_shows_no_training_images(tmp_path):
    tracker = TensorBoard(tmp_path, TensorBoardConfig(graph=False), SETTINGS, single=False)
    tracker.start(StagedCNN([[4, 6]]), as_seen)
    tracker.abandon({})
    assert events(tmp_path).Tags()["images"] == []


def test_a_resumed_run_hides_what_came_after_its_checkpoint(tmp_path):
    model = StagedCNN([[4, 6]])
    tracker = board(tmp_path / "tensorboard")
    for number in (1, 2, 3):
        tracker.epoch(epoch(number), model)
    tracker.abandon({})
    # A file is read after those whose names come before, and names begin with the second.
    (first,) = (tmp_path / "tensorboard").iterdir()
    first.rename(first.with_name(first.name.replace("tfevents.", "tfevents.1", 1)[:-8]))
    tracker = board(tmp_path / "tensorboard", first_epoch=3)
    tracker.start(model, as_seen)
    tracker.epoch(epoch(3), model)
    tracker.abandon({})
    found = events(tmp_path / "tensorboard")
    assert [e.step for e in found.Scalars("lr")] == [1, 2, 3]
    assert found.Tags()["images"] == []  # they are there from before
