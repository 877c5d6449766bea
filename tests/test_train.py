"""The command line, in this process unless the process itself matters."""

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file

from mnist_sweep import train
from mnist_sweep.errors import UserError
from mnist_sweep.folder_lock import holding
from mnist_sweep.run import build, execute, session
from tests.conftest import hydra_alone, read_json_lines

TIMES = ("seconds", "images_per_second")


def figures(directory):
    lines = read_json_lines(Path(directory) / "metrics.jsonl")
    return [{key: value for key, value in line.items() if key not in TIMES} for line in lines]


def result(directory="run"):
    return json.loads((Path(directory) / "result.json").read_text())


def error_line(capfd):
    """The one line on stderr."""
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def interrupt(*arguments):
    raise KeyboardInterrupt


QUICK = ["model=linear", "data=mnist_5k", "tracking=none", "epochs=2", "batch_size=256"]


@pytest.fixture(scope="module")
def seventh(tmp_path_factory):
    """A run with seed 7, trained once for all tests, which leave it as it is."""
    folder = tmp_path_factory.mktemp("seventh") / "run"
    with pytest.MonkeyPatch.context() as patch, hydra_alone():
        words = [*QUICK, "seed=7", "threads=1", f"hydra.run.dir={folder}"]
        patch.setattr(sys, "argv", ["train", *words])
        train.main()
    return folder


@pytest.fixture(scope="module")
def broken_off(tmp_path_factory):
    """A run that was interrupted after its last epoch; `unfinished` copies it."""
    folder = tmp_path_factory.mktemp("broken_off") / "run"
    with pytest.MonkeyPatch.context() as patch, hydra_alone():
        patch.setattr(session.Session, "_finish", interrupt)
        patch.setattr(sys, "argv", ["train", *QUICK, f"hydra.run.dir={folder}"])
        with pytest.raises(SystemExit, match="130"):
            train.main()
    return folder


@pytest.fixture
def unfinished(broken_off):
    """A run in `run` that was interrupted after its last epoch."""
    shutil.copytree(broken_off, "run")


@pytest.fixture
def complete(finished):
    """A run in `run` that is complete."""
    shutil.copytree(finished, "run")


def test_a_run_leaves_the_directory_the_design_promises(command, quick):
    assert command(*quick, "tracking=tensorboard") == 0
    files = {str(p.relative_to("run")) for p in Path("run").rglob("*") if p.is_file()}
    events = [f for f in files if f.startswith("events.out.tfevents")]
    assert len(events) == 1
    assert files - set(events) == {
        ".hydra/config.yaml",
        ".hydra/hydra.yaml",
        ".hydra/overrides.yaml",
        "checkpoints/best.safetensors",
        "checkpoints/last.pt",
        "metrics.jsonl",
        "result.json",
        "train.log",
    }


def test_hydras_record_of_a_run_has_no_password(command, quick):
    address = "postgresql+psycopg://u:sesame@h/db"
    assert command(*quick, "epochs=1", f"+hydra.job.env_set.STORE='{address}'") == 0
    recorded = Path("run/.hydra/hydra.yaml")
    assert "sesame" not in recorded.read_text()
    hidden = OmegaConf.load(recorded).hydra
    assert hidden.job.env_set.STORE == "postgresql+psycopg://u:***@h/db"
    assert f"+hydra.job.env_set.STORE='{hidden.job.env_set.STORE}'" in hidden.overrides.hydra


def test_the_result_says_everything_the_run_was(seventh):
    recorded = result(seventh)
    assert recorded["status"] == "complete"
    assert recorded["reason"] == "all 2 epochs done"
    assert (recorded["model"], recorded["parameters"]) == ("linear", 7_850)
    assert recorded["multiply_adds"] == 7_840
    assert (recorded["epochs"], recorded["seed"], recorded["threads"]) == (2, 7, 1)
    assert recorded["data"]["name"] == "mnist_5k"
    assert recorded["data"]["sizes"] == {"train": 4000, "val": 500, "test": 500}
    assert len(recorded["data"]["fingerprint"]) == 16
    assert recorded["device"] == "cpu"
    assert recorded["versions"]["torch"] == torch.__version__.split("+")[0]
    assert recorded["seconds"] > 0
    kept = figures(seventh)[recorded["best_epoch"] - 1]
    assert (recorded["val_loss"], recorded["val_acc"]) == (kept["val_loss"], kept["val_acc"])


def test_a_single_run_measures_test_with_the_kept_weights(seventh):
    recorded = result(seventh)
    weights = load_file(seventh / "checkpoints/best.safetensors")
    dataset = build.load_dataset("mnist_5k", "data")
    images = dataset.test.images.flatten(1).float().div(255).sub(0.1307).div(0.3081)
    logits = images @ weights["classifier.weight"].T + weights["classifier.bias"]
    assert recorded["test_acc"] == (logits.argmax(1) == dataset.test.labels).sum().item() / 500


def test_the_same_seed_gives_the_same_metrics_and_another_seed_others(command, quick):
    for directory, seed in (("first", 0), ("second", 0), ("third", 1)):
        assert command(*quick, "epochs=1", f"hydra.run.dir={directory}", f"seed={seed}") == 0
    assert figures("first") == figures("second")
    assert figures("first") != figures("third")


def test_the_training_entry_returns_the_objective_of_the_kept_weights(composed):
    config = composed("model=linear", "data=mnist_5k", "tracking=none", "epochs=1")
    typed = train.check(config)
    value = execute.execute(typed, Path("core"), name="linear", resume=False, sweep="core")
    assert value == result("core")["val_acc"]
    assert "test_acc" not in result("core")


def test_several_objectives_are_returned_in_order(composed):
    overrides = ["model=linear", "data=mnist_5k", "tracking=none", "epochs=1"]
    typed = train.check(composed(*overrides, "objective=[val_loss,parameters]"))
    values = execute.execute(typed, Path("core"), name="linear", resume=False, sweep="core")
    assert values == [result("core")["val_loss"], 7_850.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["model=resnet"],
            "error: model=resnet has 77,754 parameters, 57,755 more than "
            "budget.max_parameters=19,999 allows; model.width=0.5 would fit (19,810), "
            "budget.max_parameters=null lifts the budget",
        ),
        (
            ["model=simple"],
            "error: model=simple has 206,922 parameters, 186,923 more than "
            "budget.max_parameters=19,999 allows; model.width=0.07 would fit (13,992), "
            "model.hidden=9 would fit (19,021), budget.max_parameters=null lifts the budget",
        ),
        (
            ["model=compact", "budget.max_parameters=8000"],
            "error: model=compact has 18,534 parameters, 10,534 more than "
            "budget.max_parameters=8,000 allows; model.fill=1 would fit (7,730), "
            "budget.max_parameters=null lifts the budget",
        ),
        (
            ["model=compact", "model.depth1=4", "model.fill=1", "budget.max_parameters=900"],
            "error: model=compact has 1,206 parameters, 306 more than "
            "budget.max_parameters=900 allows; its narrowest has 1,206: take fewer stages or "
            "convolutions, budget.max_parameters=null lifts the budget",
        ),
        (
            ["model=linear", "budget.max_parameters=7849"],
            "error: model=linear has 7,850 parameters, 1 more than budget.max_parameters=7,849 "
            "allows; budget.max_parameters=null lifts the budget",
        ),
    ],
)
def test_a_model_over_budget_is_refused_before_data_is_touched(
    command, capfd, monkeypatch, arguments, message
):
    monkeypatch.setattr(execute, "build_dataset", lambda run: pytest.fail("data were loaded"))
    assert command(*arguments, "hydra.run.dir=run") == 1
    assert error_line(capfd) == message
    assert not Path("run/result.json").exists()
    assert not Path("run/checkpoints").exists()


def test_a_model_that_just_fits_is_trained(command, quick):
    assert command(*quick, "epochs=1", "budget.max_parameters=7850") == 0


def test_the_first_cnn_trains_once_the_budget_is_lifted(command, quick):
    experiment = ["experiment=first_cnn", *quick[1:], "epochs=1", "model=simple"]
    assert command(*experiment) == 0
    assert result()["parameters"] == 20_600


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("scheduler.phases=[0.55,0.2,0.85]", "error: scheduler: phases must increase within"),
        ("optimizer.lr=-1", "error: optimizer: Invalid learning rate: -1.0"),
        ("optimizer.lr=fast", "error: optimizer.lr: Value 'fast' of type 'str' could not be"),
        (
            "data.augmentation.shift=-2",
            "error: data.augmentation: shift must be finite and cannot be neg",
        ),
        (
            "batch_size=4001",
            "error: batch_size=4,001 is larger than the training split of mnist_5k",
        ),
        ("+optimizer.momentom=0.9", "error: optimizer.momentom=0.9: Adam takes no such setting"),
        ("device=cuda", "error: device=cuda, but torch finds no CUDA device"),
        ("cuda_graph=true", "error: cuda_graph=true needs a GPU, and this run is on the CPU"),
        ("cuda_graph=often", "error: cuda_graph: Value 'often'"),
        ("optimizer.betas=[0.9]", "error: optimizer with {'lr': 0.003, 'betas': [0.9]"),
        ("threads=100000", "error: threads must be at most 1024, but got 100000"),
        ("data.mean=nan", "error: data.mean must be finite, but got nan"),
        ("data.name=other", "error: data.name=other does not fit data.folder=MNIST"),
        ("data.name=mnist", "error: no train-images-idx3-ubyte or train-labels-idx1-ubyte"),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_code_1(command, capfd, quick, override, message):
    if override in ("device=cuda", "cuda_graph=true") and torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    assert command(*quick, "data.download=false", override) == 1
    line = error_line(capfd)
    assert line.startswith(message)
    assert not Path("run/result.json").exists()


def test_an_occupied_directory_is_not_overwritten(complete, command, capfd, quick):
    before = figures("run")
    config = Path("run/.hydra/config.yaml").read_bytes()
    assert command(*quick, "seed=1") == 1
    assert "already holds a run: resume it with resume=" in error_line(capfd)
    assert figures("run") == before
    assert Path("run/.hydra/config.yaml").read_bytes() == config


def test_resuming_a_complete_run_changes_nothing(complete, command, capfd):
    before = Path("run/result.json").read_bytes()
    config = Path("run/.hydra/config.yaml").read_bytes()
    assert command("resume=run") == 0
    assert "is complete: nothing is left to do" in capfd.readouterr().out
    assert Path("run/result.json").read_bytes() == before
    assert Path("run/.hydra/config.yaml").read_bytes() == config


def test_resuming_a_directory_that_is_none_is_refused_and_makes_nothing(command, capfd):
    assert command("resume=nowhere") == 1
    assert "resume=nowhere is not a run directory" in error_line(capfd)
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("value", ["", "3", "[a,b]", "a.txt"])
def test_resuming_what_is_no_directory_is_one_line(command, capfd, value):
    Path("a.txt").touch()
    assert command(f"resume={value}") == 1
    assert error_line(capfd).startswith("error: resume")


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("result.json", "result.json is damaged"),
        (".hydra/config.yaml", "config.yaml is damaged"),
        ("checkpoints/last.pt", "last.pt is damaged"),
        ("metrics.jsonl", "metrics.jsonl is damaged"),
    ],
)
def test_resuming_a_damaged_run_is_one_line(unfinished, command, capfd, file, message):
    Path("run", file).write_text("{[\n")
    assert command("resume=run") == 1
    assert message in error_line(capfd)


def test_a_run_may_go_on_elsewhere_but_not_with_other_settings(unfinished, command, capfd):
    (Path("run/metrics.jsonl")).write_text("")
    assert command("resume=run", "epochs=9") == 1
    assert "so epochs=9 cannot be given with it" in error_line(capfd)
    assert command("resume=run", "device=cpu", "threads=1", "data.root=.") == 1
    assert "metrics.jsonl lacks epoch 1" in error_line(capfd)


def test_a_run_that_another_process_trains_is_not_resumed(unfinished, command, capfd):
    before = Path("run/metrics.jsonl").read_text()
    with holding(Path("run"), UserError("busy")):
        assert command("resume=run") == 1
    assert "run is being trained by another process" in error_line(capfd)
    assert Path("run/metrics.jsonl").read_text() == before
    assert command("resume=run") == 0


def test_study_and_trial_cannot_be_given_by_hand(command, capfd, quick):
    assert command(*quick, "study=s", "trial=1") == 1
    assert "give the sweep's command again, or leave study and trial out" in error_line(capfd)


def test_a_run_on_other_data_cannot_be_resumed(unfinished, command, capfd):
    state = torch.load("run/checkpoints/last.pt", weights_only=True)
    torch.save({**state, "fingerprint": "0" * 16}, "run/checkpoints/last.pt")
    assert command("resume=run") == 1
    assert "was trained on other data (fingerprint 0000000000000000)" in error_line(capfd)


def test_a_diverged_run_is_recorded_with_its_reason_and_is_not_gone_on_with(command, capfd, quick):
    assert command(*quick, "optimizer=sgd", "optimizer.lr=1e38") == 1
    assert "training diverged in epoch 1" in error_line(capfd)
    assert result()["status"] == "diverged"
    assert "train_loss is" in result()["reason"]
    assert len(figures("run")) == 1
    assert command("resume=run") == 1
    assert "cannot be resumed: training diverged in epoch 1" in error_line(capfd)
    assert result()["status"] == "diverged"


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_metrics_of_an_uninterrupted_one(command):
    settings = [
        "data=mnist_5k",
        "epochs=4",
        "batch_size=128",
        "model.width=0.2",
        "tracking=none",
        "scheduler=one_cycle",
        "data.augmentation.shift=1",
        "early_stopping.patience=2",
        "threads=1",
    ]
    assert command(*settings, "hydra.run.dir=whole") == 0
    process = subprocess.Popen(
        [sys.executable, "-m", "mnist_sweep.train", *settings, "hydra.run.dir=killed"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    deadline = time.monotonic() + 120
    while not (Path("killed/metrics.jsonl").exists() and len(figures("killed")) >= 2):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert result("killed")["status"] == "running"
    assert command("resume=killed") == 0
    assert figures("killed") == figures("whole")
    for name in ("val_loss", "val_acc", "test_loss", "test_acc", "best_epoch"):
        assert result("killed")[name] == result("whole")[name]
    best = (load_file(f"{name}/checkpoints/best.safetensors") for name in ("killed", "whole"))
    first, second = best
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_and_sigterm_say_how_to_go_on(command, capfd, quick, monkeypatch, number, code):
    original = session.Session._after_epoch

    def interrupt(self, figures, is_best):
        original(self, figures, is_best)
        os.kill(os.getpid(), number)

    with monkeypatch.context() as patch:
        patch.setattr(session.Session, "_after_epoch", interrupt)
        assert command(*quick) == code
    assert result()["status"] == "interrupted"
    assert "resume with: python -m mnist_sweep.train resume=run" in capfd.readouterr().out
    assert command("resume=run") == 0
    assert result()["status"] == "complete"
    assert len(figures("run")) == 2


@pytest.mark.parametrize("batch_size", [1, 3999])
def test_a_last_batch_of_one_image_is_refused_where_it_cannot_be_trained_on(
    command, capfd, quick, batch_size
):
    five = "model.stages=[[4],[4],[4],[4],[4]]"  # the last stage sees one pixel
    assert command(*quick[1:], "model=enhanced", five, f"batch_size={batch_size}") == 1
    assert error_line(capfd).startswith(f"error: batch_size={batch_size} leaves a last batch of on")


def test_a_last_batch_of_one_image_is_trained_on_where_no_layer_minds(command, quick):
    assert command(*quick, "batch_size=3999", "epochs=1") == 0


def test_a_log_has_plain_lines_and_no_progress_bar(command, capfd, quick):
    assert command(*quick) == 0
    printed = capfd.readouterr()
    assert printed.err == ""
    assert "epoch 1/2  lr 0.003" in printed.out
    assert "\r" not in printed.out
    assert "epoch 2/2" in Path("run/train.log").read_text()


USER_MODEL = """
import torch

class Pooled(torch.nn.Module):
    def __init__(self, size: int = 7):
        super().__init__()
        self.pool = torch.nn.AdaptiveAvgPool2d(size)
        self.classifier = torch.nn.Linear(size * size, 10)

    def forward(self, images):
        return self.classifier(self.pool(images).flatten(1))

class Lazy(torch.nn.Sequential):
    def __init__(self):
        super().__init__(torch.nn.Flatten(), torch.nn.LazyLinear(10))

class Broken(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(5, 10)

    def forward(self, images):
        return self.layer(images)

class Five(torch.nn.Sequential):
    def __init__(self):
        super().__init__(torch.nn.Flatten(), torch.nn.Linear(784, 5))

class Sized(torch.nn.Sequential):
    def __init__(self, width: int = 64, hidden: list = (64,)):
        layers = torch.nn.Linear(784, width), torch.nn.Linear(width, 10)
        super().__init__(torch.nn.Flatten(), *layers)
"""


@pytest.fixture
def user_package(monkeypatch, tmp_path):
    """A package and a config folder of the user's own, outside this project."""
    (tmp_path / "my_models.py").write_text(USER_MODEL)
    (tmp_path / "my_conf" / "model").mkdir(parents=True)
    for name in ("Pooled", "Lazy", "Broken", "Five", "Sized"):
        (tmp_path / "my_conf" / "model" / f"{name.lower()}.yaml").write_text(
            f"_target_: my_models.{name}\n"
        )
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("my_models", None)


def test_a_user_adds_a_model_by_one_yaml(command, quick, user_package, monkeypatch):
    monkeypatch.setenv("MNIST_SWEEP_TARGETS", "my_models.*")
    arguments = ["--config-dir=my_conf", *quick[1:], "model=pooled", "+model.size=5"]
    assert command(*arguments) == 0
    assert (result()["model"], result()["parameters"]) == ("pooled", 260)


def test_a_users_model_needs_the_allowance(command, capfd, quick, user_package):
    assert command("--config-dir=my_conf", *quick[1:], "model=pooled") == 1
    line = error_line(capfd)
    assert line.startswith("error: model._target_=my_models.Pooled")
    assert "MNIST_SWEEP_TARGETS=my_models.Pooled" in line


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("lazy", "get their shape only in a forward pass"),
        ("five", "error: Five maps one image to [1, 5]; it must give logits [1, 10]"),
        ("sized", "error: model=sized has 50,890 parameters, 30,891 more than budget"),
        ("broken", "error: model=broken cannot be counted on the meta device for images [B, 1, 28"),
    ],
)
def test_a_model_that_cannot_be_counted_is_an_error(
    command, capfd, quick, user_package, monkeypatch, model, message
):
    monkeypatch.setenv("MNIST_SWEEP_TARGETS", "my_models.*")
    assert command("--config-dir=my_conf", *quick[1:], f"model={model}") == 1
    assert message in error_line(capfd)


@pytest.mark.parametrize("override", ["deterministic=true", "precision=bfloat16"])
def test_other_modes_of_computing_train_too(command, quick, override):
    try:
        assert command(*quick, "epochs=1", override) == 0
    finally:
        torch.use_deterministic_algorithms(False)
    assert result()["val_acc"] > 0.5


def test_the_kept_weights_are_those_of_the_best_epoch_and_not_the_last(command, quick, monkeypatch):
    losses = iter([1.0, 2.0, 0.5])  # of two epochs, and of the test images

    def rising(model, split, pipeline, precision):
        return next(losses), 0.1

    monkeypatch.setattr("mnist_sweep.training.loop.evaluate", rising)
    monkeypatch.setattr(session, "evaluate", rising)
    assert command(*quick) == 0
    assert (result()["best_epoch"], result()["val_loss"], result()["test_loss"]) == (1, 1.0, 0.5)
    kept = load_file("run/checkpoints/best.safetensors")["classifier.weight"]
    state = torch.load("run/checkpoints/last.pt", weights_only=True)["training"]
    assert not torch.equal(kept, state["model"]["classifier.weight"])


def test_a_log_has_no_lines_of_matplotlibs_cache(command, capfd, quick):
    assert command(*quick, "epochs=1") == 0
    logging.getLogger("matplotlib.font_manager").info("generated new fontManager")
    logging.getLogger("mnist_sweep").info("said")
    printed = capfd.readouterr().out
    assert "fontManager" not in printed + Path("run/train.log").read_text()
    assert printed.endswith("said\n")


def test_a_name_and_notes_are_recorded_and_said(command, quick, capsys):
    assert command(*quick, "epochs=1", "name=low rate", "notes='why, and how'") == 0
    result = json.loads(Path("run/result.json").read_text())
    assert (result["name"], result["notes"]) == ("low rate", "why, and how")
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == ["name: low rate", "notes: why, and how"]
    assert said[-1].startswith("low rate: its only epoch done")


def test_a_name_is_a_line(command, quick, capsys):
    assert command(*quick, f"name={'x' * 201}") == 1
    assert "error: name must be one line of 1 to 200 printable" in capsys.readouterr().err
