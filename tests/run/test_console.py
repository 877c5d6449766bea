"""The lines of a run."""

import logging
from pathlib import Path
from types import SimpleNamespace

import pytest

from mnist_sweep.run import console
from mnist_sweep.run.console import Narrator
from mnist_sweep.training.epochs import Epoch

FACTS = {
    "model": "tiny",
    "parameters": 1_000,
    "multiply_adds": 2_000,
    "threads": 1,
    "device": "cpu",
    "precision": "float32",
    "data": {
        "name": "mnist_5k",
        "sizes": {"train": 4_000, "val": 500, "test": 500},
        "reason": "a subset",
    },
}
FIGURES = {
    "epoch": 1,
    "lr": 0.003,
    "train_loss": 1.2782,
    "train_acc": 0.6947,
    "val_loss": 0.632,
    "val_acc": 0.822,
    "seconds": 8.0,
    "images_per_second": 735.0,
}
SHORT = "epoch  1/20  train loss 1.2782 acc 69.47%  val loss 0.6320 acc 82.2%  "
WHOLE = (
    "epoch  1/20  lr 0.003      train loss 1.2782 acc 69.47%  val loss 0.6320 acc 82.2%"
    "     735 images/s  "
)


@pytest.fixture
def narrator(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    run = SimpleNamespace(
        trial=None, epochs=20, batch_size=32, seed=0, budget=SimpleNamespace(max_parameters=None)
    )
    narrator = Narrator(run)
    narrator.announce(FACTS, tmp_path)
    return narrator


def epoch(**changed):
    return Epoch(**{**FIGURES, **changed})


@pytest.fixture
def log_file(tmp_path):
    handler = logging.FileHandler(tmp_path / "train.log", encoding="utf-8")
    logging.getLogger().addHandler(handler)
    yield Path(handler.baseFilename)
    logging.getLogger().removeHandler(handler)
    handler.close()


def test_an_epochs_figures_are_named(narrator, caplog):
    narrator.epoch(epoch())
    assert caplog.messages[-1].startswith(WHOLE)


@pytest.mark.parametrize(("columns", "line"), [(80, SHORT), (140, WHOLE)])
def test_an_epochs_line_fits_the_terminal_and_its_log_has_all_of_it(
    narrator, caplog, log_file, monkeypatch, columns, line
):
    monkeypatch.setattr(console, "columns_of", lambda log: columns)
    narrator.epoch(epoch())
    assert caplog.messages[-1].startswith(line)
    assert len(caplog.messages[-1]) <= columns
    assert log_file.read_text(encoding="utf-8").splitlines()[-1].startswith(WHOLE)
    assert log_file.read_text(encoding="utf-8").count("epoch") == 1


def test_the_accuracies_of_all_epochs_are_below_each_other(narrator, caplog):
    narrator.epoch(epoch(val_acc=0.098, train_acc=0.0987))
    narrator.epoch(epoch(epoch=20, val_acc=0.97))
    first, last = caplog.messages[-2:]
    assert first.index("images/s") == last.index("images/s")


@pytest.mark.parametrize(("loss", "said"), [(0.209, "0.2090"), (None, "not finite")])
def test_a_result_has_the_digits_that_its_images_can_tell_apart(narrator, caplog, loss, said):
    result = {
        "reason": "all 20 epochs done",
        "best_epoch": 3,
        "val_loss": loss,
        "val_acc": 0.966,
        "test_loss": 0.2301,
        "test_acc": 0.962,
        "seconds": 18.2,
    }
    narrator.result(result)
    assert caplog.messages[-1] == (
        f"all 20 epochs done; kept epoch 3: val loss {said} acc 96.6%; "
        "test loss 0.2301 acc 96.2%; 18s in all"
    )
