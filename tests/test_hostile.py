"""Bundles and run directories that somebody else has written: nothing of them is executed."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from mnist_sweep import export, pictures, predict
from mnist_sweep.allowed_targets import KINDS, locate, users_patterns
from mnist_sweep.bundle.bundle import write_bundle
from mnist_sweep.config import ConfigError
from mnist_sweep.config_checks import check
from mnist_sweep.confirm.candidates import Changes, of_runs
from mnist_sweep.errors import UserError
from mnist_sweep.recorded_config import load_recorded
from mnist_sweep.report.network import errors_of
from mnist_sweep.run.directory import RecordError, RunDirectory
from mnist_sweep.run.execute import execute
from mnist_sweep.run.exported import read_bundle
from mnist_sweep.run.load import load_trained
from mnist_sweep.run.targets import build
from mnist_sweep.sweep.study_record import Row
from tests.bundle.test_bundle import change
from tests.sampled import sampled

CPU = torch.device("cpu")

# Whatever is executed or imported of these writes the file `executed`.
BESIDE = "from pathlib import Path\nPath('executed').touch()\nclass Net: pass\n"
SHELL = "touch executed"
CODE = "open('executed', 'w')"

HOSTILE = [
    {"_target_": "mnist_sweep.sweep.jobs.worker._import", "modules": ["beside"]},
    {"_target_": "mnist_sweep.sweep.jobs.worker.importlib.import_module", "name": "beside"},
    {
        "_target_": "mnist_sweep.sweep.jobs.worker_backend.subprocess.Popen",
        "args": ["touch", "executed"],
    },
    {"_target_": "mnist_sweep.sweep.sweeper.BudgetSweeper"},
    {"_target_": "mnist_sweep.run.tracking.mlflow.SweepRun"},
    {"_target_": "mnist_sweep.models.beside.Net"},
    {"_target_": "mnist_sweep.models.cnn.nn.Linear", "in_features": 1, "out_features": 1},
    {"_target_": "mnist_sweep.models.cnn.conv_stage", "in_channels": 1, "channels": [1]},
    {"_target_": "mnist_sweep.models.checks.scaled", "channels": 1, "width": 1.0},
    {"_target_": "mnist_sweep.models.StagedCNN.__init__.__globals__"},
    {"_target_": "mnist_sweep.models.StagedCNN.forward"},
    {"_target_": "mnist_sweep.models"},
    {"_target_": "mnist_sweep.schedules.math.exp"},
    {"_target_": "torch.optim.Adam", "params": []},
    {"_target_": "torch.optim.sgd.torch.load", "f": "pickled", "weights_only": False},
    {"_target_": "torch.load", "f": "pickled", "weights_only": False},
    {"_target_": "torch.hub.load", "repo_or_dir": ".", "model": "net", "source": "local"},
    {"_target_": "torch.nn.Linear", "in_features": 1, "out_features": 1},
    {"_target_": "numpy.load", "file": "pickled", "allow_pickle": True},
    {"_target_": "os.system", "command": SHELL},
    {"_target_": "posix.system", "command": SHELL},
    {"_target_": "builtins.eval", "source": CODE},
    {"_target_": "builtins.exec", "source": CODE},
    {"_target_": "subprocess.Popen", "args": ["touch", "executed"]},
    {"_target_": "subprocess.run", "args": ["touch", "executed"]},
    {"_target_": "runpy.run_path", "path_name": "beside.py"},
    {"_target_": "importlib.import_module", "name": "beside"},
    {"_target_": "pathlib.Path.touch", "self": "executed"},
    {"_target_": "pickle.loads", "data": ""},
    {"_target_": "functools.partial", "func": SHELL},
    {"_target_": "hydra.utils.instantiate", "config": {"_target_": "os.system", "command": SHELL}},
    {"_target_": "beside.Net"},
    {"_target_": "beside"},
    {"_target_": "..beside.Net"},
    {"_target_": ""},
    {"_target_": ["os.system"]},
    {"_target_": {"_target_": "os.system", "command": SHELL}},
    {"_target_": "mnist_sweep.models.MLP", "hidden": {"_target_": "os.system", "command": SHELL}},
    {"_target_": "mnist_sweep.models.MLP", "_args_": [{"_target_": "os.system"}]},
    {"_target_": "mnist_sweep.models.MLP", "_partial_": True},
    {"_target_": "mnist_sweep.models.MLP", "_recursive_": True},
    {"_target_": "mnist_sweep.models.MLP", "_convert_": "all"},
]


def named(node):
    return json.dumps(node)[:70]


class Pickled:
    def __reduce__(self):
        return exec, (CODE,)


@pytest.fixture
def run(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    (tmp_path / "beside.py").write_text(BESIDE)
    (tmp_path / "hubconf.py").write_text(BESIDE)
    torch.save(Pickled(), tmp_path / "pickled")
    return tmp_path / "run"


@pytest.fixture(scope="module")
def bundled(finished, tmp_path_factory):
    to = tmp_path_factory.mktemp("bundled") / "bundle"
    write_bundle(load_trained(str(finished), CPU), to)
    return to


@pytest.fixture
def in_the_path(monkeypatch, tmp_path):
    """What lies in the current folder can be imported, as under `python -m`."""
    monkeypatch.syspath_prepend(str(tmp_path))


def change_config(run, **entries):
    path = run / ".hydra" / "config.yaml"
    config = OmegaConf.load(path)
    for key, value in entries.items():
        OmegaConf.update(config, key.replace("__", "."), value, merge=False, force_add=True)
    OmegaConf.save(config, path)


def row_of(run):
    attributes = {"run_directory": str(run)}
    return Row(0, "complete", None, (0.5,), {}, attributes, {}, None, None, True)


def refused(function, *arguments):
    with pytest.raises(UserError) as error:
        function(*arguments)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 1000
    return str(error.value)


@pytest.mark.parametrize("node", sampled(HOSTILE, named))
def test_no_entry_executes_what_a_model_must_not_name(
    run, bundled, in_the_path, command, capfd, node
):
    shutil.copytree(bundled, "bundle")
    change(Path("bundle"), architecture=node)
    refused(predict.main, predict.Predict("bundle", "digit.png"))
    change_config(run, model=node)
    refused(pictures.main, pictures.Pictures("run"))
    refused(export.main, export.Export("run", "to"))
    refused(errors_of, row_of(run))
    assert command("resume=run") == 1
    assert len(capfd.readouterr().err.strip().splitlines()) == 1
    assert not Path("executed").exists()


@pytest.mark.parametrize("group", ["model", "optimizer", "scheduler"])
@pytest.mark.parametrize("node", HOSTILE[:36], ids=named)
def test_no_group_may_name_it(run, in_the_path, group, node):
    if (group, node["_target_"]) == ("optimizer", "torch.optim.Adam"):
        return
    refused(build, group, OmegaConf.create({group: node})[group])
    refused(build, group, node)
    assert not Path("executed").exists()


@pytest.mark.parametrize(
    "path",
    [
        "torch.optim.lr_scheduler.LRScheduler",
        "torch.optim.swa_utils.AveragedModel",
        "torch.optim.lr_scheduler.EPOCH_DEPRECATION_WARNING",
        "torch.optim._functional.adam",
        "torch.optim.SGD.step",
        "torch.optim.adam.Optimizer.load_state_dict",
        "mnist_sweep.models.MLP",
        "mnist_sweep.schedules.cosine",
    ],
)
def test_an_optimizer_is_a_class_of_torchs_optimizers(path):
    assert path in refused(locate, "optimizer._target_", path, KINDS["optimizer"])


@pytest.mark.parametrize(
    "path",
    [
        "mnist_sweep.schedules._unchanged",
        "mnist_sweep.schedules._half_cosine",
        "mnist_sweep.schedules.LambdaLR",
        "mnist_sweep.schedules.pairwise",
        "mnist_sweep.schedules.Optimizer",
        "mnist_sweep.schedules.dataclass",
        "mnist_sweep.schedules.Schedule.after_step",
        "torch.optim.lr_scheduler.StepLR",
    ],
)
def test_a_scheduler_is_a_public_function_that_returns_a_schedule(path):
    assert path in refused(locate, "scheduler._target_", path, KINDS["scheduler"])


@pytest.mark.parametrize(
    ("group", "path"),
    [
        ("model", "mnist_sweep.models.StagedCNN"),
        ("model", "mnist_sweep.models.resnet.ResNet"),
        ("optimizer", "torch.optim.AdamW"),
        ("optimizer", "torch.optim.sgd.SGD"),
        ("scheduler", "mnist_sweep.schedules.one_cycle"),
        ("hydra.sweeper.gate", "mnist_sweep.sweep.gate.parameter_budget"),
        ("hydra.sweeper.sampler", "optuna.samplers.TPESampler"),
        (
            "hydra.sweeper.sampler",
            "hydra_plugins.hydra_optuna_sweeper._impl.create_nsgaii_sampler",
        ),
        ("hydra.sweeper.sampler", "optuna.samplers.nsgaii.UniformCrossover"),
        ("hydra.sweeper.pruner", "optuna.pruners.MedianPruner"),
        ("hydra.callbacks", "mnist_sweep.run.tracking.mlflow.SweepRun"),
    ],
)
def test_what_each_group_is_for_is_allowed(group, path):
    assert callable(locate(group, path, KINDS[group]))


def test_the_environment_variable_allows_classes_and_functions_of_the_right_kind(
    monkeypatch, in_the_path, tmp_path
):
    (tmp_path / "theirs.py").write_text(
        "from torch import nn\nclass Net(nn.Linear): pass\nclass Other: pass\n"
        "def make(): return nn.Identity()\ndef wrong(): return 3\nnumber = 3\n"
    )
    monkeypatch.setenv("MNIST_SWEEP_TARGETS", "theirs.*")
    node = {"_target_": "theirs.Net", "in_features": 1, "out_features": 1}
    assert type(build("model", node)).__name__ == "Net"
    assert callable(locate("model", "theirs.make", KINDS["model"]))
    assert "class Other does not give a Module" in refused(
        build, "model", {"_target_": "theirs.Other"}
    )
    refused(build, "model", {"_target_": "theirs.number"})
    refused(build, "model", {"_target_": "theirs.nn.Linear"})


@pytest.mark.parametrize("pattern", ["*", ".*", "a.*.b", "a b", "a.*x", "-"])
def test_what_is_no_pattern_is_refused_in_one_line(monkeypatch, pattern):
    monkeypatch.setenv("MNIST_SWEEP_TARGETS", pattern)
    assert "MNIST_SWEEP_TARGETS" in refused(users_patterns)


DAMAGES = [
    ("name", 3),
    ("name", "red \x1b[31m"),
    ("name", "two\nlines"),
    ("name", None),
    ("architecture", "MLP"),
    ("architecture", {}),
    ("architecture", {"_target_": "mnist_sweep.models.MLP", "hidden": "many"}),
    ("architecture", {"_target_": "mnist_sweep.models.MLP", "hidden": 10**400}),
    ("architecture", {"_target_": "mnist_sweep.models.MLP", "hidden": float("nan")}),
    ("architecture", {"_target_": "mnist_sweep.models.MLP", "hidden": [12]}),
    ("architecture", {"_target_": "mnist_sweep.models.MLP", "hidden": "${oc.env:HOME}"}),
    ("architecture", {"_target_": "mnist_sweep.models.MLP", "hidden": "${"}),
    ("architecture", {"_target_": "mnist_sweep.models.MLP", "a b": 1}),
    ("parameters", "many"),
    ("parameters", True),
    ("parameters", -1),
    ("parameters", 1.5),
    ("parameters", 10**30),
    ("parameters", [9550]),
    ("input", []),
    ("input", {"mean": 0.1}),
    ("input", {"mean": "0.1", "std": 0.3}),
    ("input", {"mean": 0.1, "std": 0}),
    ("input", {"mean": 0.1, "std": -1}),
    ("input", {"mean": 0.1, "std": float("nan")}),
    ("input", {"mean": 0.1, "std": float("inf")}),
    ("input", {"mean": 10**400, "std": 0.3}),
    ("input", {"mean": [0.1], "std": 0.3}),
    ("input", {"mean": True, "std": 0.3}),
    ("input", {"mean": 0.1, "std": 0.3, "shape": [3, 32, 32]}),
    ("labels", ["1"]),
    ("labels", list("01234567890")),
    ("labels", list("0123456788")),
    ("labels", []),
    ("labels", "0123456789"),
    ("labels", list(range(10))),
    ("labels", [[label] for label in "0123456789"]),
    ("labels", {"0": 1}),
    ("labels", [*"012345678", "\x1b[2J"]),
    ("figures", "good"),
    ("training", [1]),
    ("multiply_adds", "many"),
    ("weights_sha256", 3),
    ("weights_sha256", "0" * 64),
    ("format", "one"),
    ("format", [1]),
    ("format", None),
]


@pytest.mark.parametrize(("key", "value"), DAMAGES)
def test_every_wrong_entry_of_a_bundle_is_one_line(bundled, tmp_path, key, value):
    shutil.copytree(bundled, tmp_path / "bundle")
    change(tmp_path / "bundle", **{key: value})
    refused(read_bundle, "bundle", CPU)


RESULTS = [
    ("status", 3),
    ("model", ["mlp"]),
    ("model", "\x1b[2J"),
    ("parameters", "many"),
    ("multiply_adds", 1.5),
    ("val_acc", "good"),
    ("test_acc", [0.9]),
    ("val_loss", 10**400),
    ("best_epoch", "last"),
    ("data", "mnist"),
    ("data", {"name": 3}),
    ("data", {"sizes": [1, 2]}),
    ("data", {"sizes": {"val": "many"}}),
    ("versions", "new"),
]


@pytest.mark.parametrize(("key", "value"), RESULTS)
def test_every_wrong_entry_of_a_result_is_one_line(finished, tmp_path, key, value):
    shutil.copytree(finished, tmp_path / "run")
    result = json.loads((tmp_path / "run/result.json").read_text())
    (tmp_path / "run/result.json").write_text(json.dumps(result | {key: value}))
    assert key in refused(load_trained, "run", CPU)
    assert key in refused(of_runs, ["run"], Changes())


@pytest.mark.parametrize(
    "line",
    ["3", "[]", "{}", '{"epoch": "one"}', '{"epoch": 0}', '{"epoch": 1, "lr": "fast"}', "[" * 9999],
)
def test_every_wrong_line_of_the_metrics_is_one_line(tmp_path, line):
    (tmp_path / "metrics.jsonl").write_text(f"{line}\n")
    refused(RunDirectory(tmp_path).read_metrics)


def bomb(levels):
    """YAML of some hundred characters, whose aliases make billions."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


def references(levels, value):
    lines = ["a0: xxxxxxxxxx", *(f"a{n}: {value.format(n - 1)}" for n in range(1, levels))]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        "[1, 2]",
        "text",
        "",
        "a: [",
        "\x00",
        "[" * 1000,
        bomb(12),
        references(30, "${{a{0}}}${{a{0}}}"),
        references(30, "'${{oc.select:a{0}}} ${{.a{0}}}'"),
        references(30, "{{x: '${{a{0}}}', y: '${{a{0}}}'}}"),
        "a: ${b}\nb: ${a}",
        "model: ${model}",
        "a: ${",
        "seed: one",
        "model: MLP",
        "model: {}",
        "1: 2",
    ],
)
def test_every_damaged_config_is_one_line_at_once(tmp_path, text):
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra/config.yaml").write_text(text)
    refused(lambda: check(load_recorded(str(tmp_path), "run")))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model", "MLP"),
        ("model", None),
        ("model", [1]),
        ("optimizer", 3),
        ("scheduler", {"lr": 3}),
        ("data", "mnist"),
        ("data__std", float("inf")),
        ("data__std", float("nan")),
        ("data__mean", "grey"),
        ("epochs", "many"),
        ("objective", {"a": 1}),
        ("objective", [[1]]),
        ("tracking", 3),
    ],
)
def test_a_config_of_the_wrong_kind_is_one_line(finished, tmp_path, key, value):
    shutil.copytree(finished, tmp_path / "run")
    change_config(tmp_path / "run", **{key: value})
    refused(load_trained, "run", CPU)
    refused(of_runs, ["run"], Changes())


def test_weights_of_another_shape_or_type_are_refused(finished, tmp_path):
    from safetensors.torch import load_file, save_file

    shutil.copytree(finished, tmp_path / "run")
    path = tmp_path / "run/checkpoints/best.safetensors"
    weights = load_file(path)
    name = next(iter(weights))
    for changed in (
        {**weights, name: weights[name].half()},
        {**weights, name: weights[name][:-1].clone()},
        {**weights, name: torch.full_like(weights[name], torch.nan)},
        {**weights, "another": torch.zeros(1)},
        {key: value for key, value in weights.items() if key != name},
        {},
    ):
        save_file(changed, path)
        with pytest.raises(RecordError):
            load_trained("run", CPU)
    for content in (b"", b"\xff" * 100, (2**60).to_bytes(8, "little") + b"{}"):
        path.write_bytes(content)
        refused(load_trained, "run", CPU)


def test_a_network_is_not_allocated_for_weights_that_are_not_its_own(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    change_config(tmp_path / "run", model__hidden=10**12)  # three thousand terabytes
    assert "best.safetensors does not fit MLP" in refused(load_trained, "run", CPU)


def set_training(key, value):
    def changed(state):
        state["training"][key] = value

    return changed


def set_whole(key, value):
    def changed(state):
        state[key] = value

    return changed


def set_moment(value):
    def changed(state):
        state["training"]["optimizer"]["state"][0]["exp_avg"] = value

    return changed


CHECKPOINTS = [
    *(
        set_whole(key, value)
        for key in ("training", "fingerprint", "seconds")
        for value in (None, [])
    ),
    *(
        set_training(key, value)
        for key in ("epoch", "model", "optimizer", "schedule", "generator", "torch_rng", "kept")
        for value in ("text", [1], {}, torch.zeros(3))
    ),
    set_training("epoch", -1),
    set_training("epoch", 10**30),
    set_training("optimizer", {"state": {9: {}}, "param_groups": []}),
    set_training("optimizer", {"state": {}, "param_groups": [{}]}),
    set_moment(torch.zeros(3)),
    set_moment(torch.zeros(1).expand(10**12)),
]


def resume():
    execute(check(load_recorded("run")), Path("run"), name=None, resume=True, sweep=None)


@pytest.mark.parametrize("damage", CHECKPOINTS)
def test_every_damaged_checkpoint_is_one_line(finished, tmp_path, damage):
    shutil.copytree(finished, tmp_path / "run")
    path = tmp_path / "run/checkpoints/last.pt"
    state = torch.load(path, weights_only=True)
    damage(state)
    torch.save(state, path)
    change_result(tmp_path / "run", status="interrupted")
    before = path.read_bytes()
    refused(resume)
    assert path.read_bytes() == before


def change_result(run, **entries):
    path = run / "result.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04", Pickled()])
def test_a_checkpoint_that_is_none_is_one_line(tmp_path, content):
    path = tmp_path / "checkpoints/last.pt"
    path.parent.mkdir()
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    refused(RunDirectory(tmp_path).load_last, CPU)
    assert not Path("executed").exists()


def test_a_nested_target_of_a_users_class_is_bound_to_what_they_allow(
    monkeypatch, in_the_path, tmp_path
):
    (tmp_path / "nesting.py").write_text(
        "from hydra.utils import instantiate\nfrom torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self, inner):\n"
        "        super().__init__()\n"
        "        self.inner = instantiate(inner)\n"
    )
    monkeypatch.setenv("MNIST_SWEEP_TARGETS", "nesting.*, torch.nn.*")
    good = {"_target_": "nesting.Net", "inner": {"_target_": "torch.nn.Identity"}}
    assert build("model", good) is not None
    bad = good | {"inner": {"_target_": "pathlib.Path.touch", "self": "executed"}}
    with pytest.raises(ConfigError):
        build("model", bad)
    assert not Path("executed").exists()
