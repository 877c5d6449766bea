"""What of a checkpoint is taken over, and what is refused before anything of it is used."""

import zipfile
from pathlib import Path

import pytest
import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

from mnist_sweep.config_checks import check
from mnist_sweep.run.checkpoint import read_checkpoint
from mnist_sweep.run.directory import RecordError
from mnist_sweep.run.execute import execute
from mnist_sweep.run.session import Session
from mnist_sweep.schedules import Schedule
from tests.conftest import read_json_lines

CPU = torch.device("cpu")


def test_a_checkpoint_is_read_as_it_was_written():
    state = {"moments": [torch.arange(3.0)], "seconds": 1.5}
    torch.save(state, "last.pt")
    found = read_checkpoint(Path("last.pt"), CPU)
    assert found["seconds"] == 1.5
    assert torch.equal(found["moments"][0], state["moments"][0])


@pytest.mark.parametrize("inside", [lambda huge: huge, lambda huge: [huge], lambda huge: {0: huge}])
def test_tensors_that_repeat_a_number_to_more_than_the_file_are_refused(inside):
    torch.save({"training": inside(torch.zeros(1).expand(10**12))}, "last.pt")
    assert Path("last.pt").stat().st_size < 10_000
    with pytest.raises(ValueError, match="its tensors are larger than the file"):
        read_checkpoint(Path("last.pt"), CPU)


def test_what_is_no_mapping_is_refused():
    torch.save([1, 2], "last.pt")
    with pytest.raises(ValueError, match=r"it holds \[1, 2\], not a mapping"):
        read_checkpoint(Path("last.pt"), CPU)


def test_a_compressed_file_is_refused_before_it_is_unpacked():
    torch.save({"training": torch.zeros(10**6)}, "plain.pt")
    with (
        zipfile.ZipFile("plain.pt") as plain,
        zipfile.ZipFile("last.pt", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for entry in plain.infolist():
            packed.writestr(entry.filename, plain.read(entry))
    with pytest.raises(ValueError, match="it is compressed"):
        read_checkpoint(Path("last.pt"), CPU)


class Squares(Optimizer):
    """Gradient descent that keeps the outer product of each gradient, as Shampoo's kind does."""

    def __init__(self, params, lr: float = 0.1):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                rows = parameter.grad.reshape(len(parameter), -1)
                state = self.state[parameter]
                state["product"] = state.get("product", 0) + rows @ rows.T
                if "steps" in state:  # from the second step on
                    state["later"] = parameter.grad.clone()
                state["steps"] = state.get("steps", 0) + 1
                parameter.sub_(parameter.grad, alpha=group["lr"])


def warm(optimizer: Optimizer, epochs: int, steps_per_epoch: int) -> Schedule:
    parts = [LinearLR(optimizer, total_iters=1), CosineAnnealingLR(optimizer, epochs)]
    return Schedule(SequentialLR(optimizer, parts, milestones=[1]))


@pytest.fixture
def execute_with(composed, monkeypatch):
    """Return a function that trains a run of three epochs with nodes of its own."""
    monkeypatch.setenv("MNIST_SWEEP_TARGETS", "tests.*")

    def train(directory, resume=False, **nodes):
        words = ["model=linear", "data=mnist_5k", "tracking=none", "epochs=3", "batch_size=1000"]
        config = composed(*words)
        for name, node in nodes.items():
            config[name] = node
        execute(check(config), Path(directory), name="linear", resume=resume, sweep=None)

    return train


def stopped_after_the_second_epoch(execute_with, directory, monkeypatch, **nodes):
    original = Session._after_epoch

    def stop(self, figures, is_best):
        original(self, figures, is_best)
        if figures.epoch == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Session, "_after_epoch", stop)
        with pytest.raises(KeyboardInterrupt):
            execute_with(directory, **nodes)


def losses(directory):
    lines = read_json_lines(Path(directory) / "metrics.jsonl")
    return [(line["train_loss"], line["val_loss"], line["lr"]) for line in lines]


OPTIMIZERS = ("ASGD", "Adafactor", "Adagrad", "NAdam", "SGD")
NODES = [
    *({"optimizer": {"_target_": f"torch.optim.{name}", "lr": 0.01}} for name in OPTIMIZERS),
    {"optimizer": {"_target_": f"{__name__}.Squares"}},
    {"scheduler": {"_target_": f"{__name__}.warm"}},
]


@pytest.mark.parametrize("nodes", NODES, ids=str)
def test_a_run_of_any_optimizer_or_schedule_is_resumed_to_what_the_whole_one_is(
    execute_with, monkeypatch, nodes
):
    execute_with("whole", **nodes)
    stopped_after_the_second_epoch(execute_with, "cut", monkeypatch, **nodes)
    execute_with("cut", resume=True, **nodes)
    assert len(losses("cut")) == 3
    assert losses("cut") == losses("whole")


def widened(state):
    state["optimizer"]["state"][0]["exp_avg"] = torch.zeros(10, 785)


def counted_wrongly(state):
    state["optimizer"]["state"][0]["step"] = torch.zeros(2)


def added(state):
    state["optimizer"]["state"][1]["more"] = torch.zeros(11)


def of_nobody(state):
    state["optimizer"]["state"][2] = {}


def in_words(state):
    state["schedule"]["_last_lr"] = ["fast"]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (widened, "training.optimizer.state.0.exp_avg is tensor"),
        (counted_wrongly, "training.optimizer.state.0.step is tensor([0., 0.]), unlike this run's"),
        (added, "training.optimizer.state.1.more has the shape [11]"),
        (of_nobody, "training.optimizer.state.2 belongs to no parameter"),
        (in_words, "training.schedule._last_lr[0] is 'fast', unlike this run's"),
    ],
)
def test_a_checkpoint_of_other_kinds_is_refused(execute_with, monkeypatch, damage, said):
    stopped_after_the_second_epoch(execute_with, "cut", monkeypatch)
    last = Path("cut/checkpoints/last.pt")
    state = torch.load(last, weights_only=True)
    damage(state["training"])
    torch.save(state, last)
    with pytest.raises(RecordError) as raised:
        execute_with("cut", resume=True)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
