"""What only a GPU can show: CUDA graphs, and runs that repeat. Skipped where there is none."""

import copy
import json
from collections import deque
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pytest
import torch

from mnist_sweep import train
from mnist_sweep.config_checks import check
from mnist_sweep.confirm import __main__ as confirm
from mnist_sweep.run.build import build_dataset, build_pipeline, build_training
from mnist_sweep.run.machine import set_seeds
from mnist_sweep.training import cuda_graph
from mnist_sweep.training.cuda_graph import Captured, CaptureError
from mnist_sweep.training.loop import Precision, fit, forward_backward
from tests.conftest import read_json_lines

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU here")

MODELS = sorted(path.stem for path in (Path(train.config_directory()) / "model").glob("*.yaml"))
IMAGES, EPOCHS = 500, 3  # the last batch of 32 is short


@pytest.fixture(autouse=True)
def _as_before(monkeypatch):
    """Leave no recording behind, and torch's settings as they were."""
    monkeypatch.setattr(cuda_graph, "KEPT", deque(maxlen=4))
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    yield
    set_seeds(0, deterministic=False)
    torch.backends.cudnn.benchmark = False


@pytest.fixture
def prepared(composed):
    """Return a function from overrides to a run and its images, on the GPU."""

    def prepare(*overrides):
        words = ["data=mnist_5k", "budget.max_parameters=null", f"epochs={EPOCHS}", *overrides]
        run = check(composed(*words))
        return run, build_dataset(run).to(torch.device("cuda"))

    return prepare


def started(run, seed=0):
    """Return a run's training as it begins, with kernels that repeat."""
    set_seeds(seed, deterministic=True)
    return build_training(run, -(-IMAGES // run.batch_size), torch.device("cuda"))


def trained(run, dataset, training, graph, epochs=EPOCHS):
    """Train on some images; return what each epoch came to, without the clock's figures."""
    lines = []

    def note(figures, best):
        known = asdict(figures)
        lines.append({name: value for name, value in known.items() if "second" not in name})

    some = torch.arange(IMAGES, device="cuda")
    settings = {"epochs": epochs, "batch_size": run.batch_size, "cuda_graph": graph}
    settings |= {"precision": Precision(run.precision), "after_epoch": note}
    fit(training, dataset.train[some], dataset.val, build_pipeline(run), **settings)
    return lines


def assert_same(model, other):
    for name, value in model.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("model", MODELS)
def test_a_graph_trains_as_plain_passes_do_and_the_same_seed_repeats(model, precision, prepared):
    run, dataset = prepared(f"model={model}", f"precision={precision}")
    plain, again, graph = started(run), started(run), started(run)
    expected = trained(run, dataset, plain, False)
    assert trained(run, dataset, again, False) == expected
    assert_same(plain.model, again.model)
    assert trained(run, dataset, graph, True) == expected
    assert_same(plain.model, graph.model)
    assert len(cuda_graph.KEPT) == 1


def test_a_graph_draws_other_dropout_masks_in_every_pass(prepared):
    run, dataset = prepared("model=mlp", "model.dropout=0.5")
    training = started(run)
    work = Captured(
        partial(forward_backward, training, Precision()), training.model, 32, "", None, deque()
    )
    images = build_pipeline(run).prepare(dataset.train.images[:32])
    losses = {work(images, dataset.train.labels[:32])[0].item() for _ in range(20)}
    assert len(losses) == 20  # the weights are those of the beginning throughout


def test_the_next_run_takes_the_graph_of_the_one_before_and_leaves_it_its_weights(prepared):
    run, dataset = prepared()
    alone = [started(run, seed) for seed in (0, 1)]
    expected = [trained(run, dataset, training, False) for training in alone]
    handed = [started(run, seed) for seed in (0, 1)]
    assert [trained(run, dataset, training, True) for training in handed] == expected
    assert len(cuda_graph.KEPT) == 1
    for training, other in zip(handed, alone, strict=True):
        assert_same(training.model, other.model)


def test_a_run_with_a_graph_goes_on_from_a_checkpoint_as_if_it_had_not_stopped(prepared):
    run, dataset = prepared()
    whole, first, second = started(run), started(run), started(run)
    expected = trained(run, dataset, whole, True)
    lines = trained(run, dataset, first, True, epochs=1)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    assert lines + trained(run, dataset, second, True) == expected
    assert_same(whole.model, second.model)


class Asking(torch.nn.Module):
    """Asks the GPU for a value in the midst of its pass, which no graph can hold."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(784, 10)

    def forward(self, images):
        flat = images.flatten(1)
        return self.layer(flat if flat.sum().item() else flat + 1)


def test_what_no_graph_can_hold_is_refused_in_one_line_and_training_works_afterwards(prepared):
    run, dataset = prepared("model=linear")
    training = started(run)
    training.model = Asking().cuda()
    with pytest.raises(CaptureError, match="cannot be captured"):
        trained(run, dataset, training, True)
    assert not cuda_graph.KEPT
    after, expected = started(run), started(run)
    assert trained(run, dataset, after, True) == trained(run, dataset, expected, False)


def lines_of(directory):
    lines = read_json_lines(Path(directory) / "metrics.jsonl")
    return [{name: value for name, value in line.items() if "second" not in name} for line in lines]


@pytest.mark.slow
def test_the_command_line_replays_a_graph_and_says_so(command, quick, capsys):
    words = [*quick, "model=enhanced", "deterministic=true", "batch_size=64"]
    assert command(*words, "cuda_graph=false", "hydra.run.dir=plain") == 0
    capsys.readouterr()
    assert command(*words, "hydra.run.dir=graph") == 0
    assert "float32, CUDA graph" in capsys.readouterr().out
    assert lines_of("graph") == lines_of("plain")
    plain, graph = (
        json.loads(Path(name, "result.json").read_text()) for name in ("plain", "graph")
    )
    assert (plain["cuda_graph"], graph["cuda_graph"]) == (False, True)
    assert plain["test_acc"] == graph["test_acc"]
    assert graph["device"] == torch.cuda.get_device_name()


@pytest.mark.slow
def test_a_network_that_is_not_ours_has_a_graph_only_where_that_is_asked(
    command, quick, tmp_path, monkeypatch
):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("MNIST_SWEEP_TARGETS", "its_own.*")
    (tmp_path / "its_own.py").write_text(
        "from torch import nn\n\n\n"
        "def linear():\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))\n"
    )
    theirs = [*quick, "model._target_=its_own.linear"]
    for setting, expected in (("null", False), ("true", True)):
        assert command(*theirs, f"cuda_graph={setting}", f"hydra.run.dir=graph_{setting}") == 0
        result = json.loads(Path(f"graph_{setting}", "result.json").read_text())
        assert result["cuda_graph"] is expected


@pytest.mark.slow
def test_a_confirmation_replays_a_graph(command, quick):
    assert command(*quick, "model=enhanced", "batch_size=64", "hydra.run.dir=run") == 0
    confirm.main(confirm.Confirm(runs="run", seeds=3))
    results = [json.loads(p.read_text()) for p in Path("outputs").glob("*/run/*/result.json")]
    assert [result["status"] for result in results] == ["complete"] * 3
    assert [result["cuda_graph"] for result in results] == [True] * 3
    assert len({result["val_loss"] for result in results}) == 3
