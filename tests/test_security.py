"""What SECURITY.md says of the package as a whole."""

import ast
from pathlib import Path

import pytest

import mnist_sweep
from mnist_sweep import mlflow, tensorboard
from mnist_sweep.allowed_targets import KINDS, locate
from mnist_sweep.config import ConfigError
from mnist_sweep.dashboard import __main__ as dashboard
from mnist_sweep.report.live import server

PACKAGE = Path(mnist_sweep.__file__).parent
ROOT = PACKAGE.parent
# In memory, and between a sweep and its own worker processes, also through Ray or Dask.
PICKLES = {
    "sweep/jobs/executor_backend.py": "cloudpickle",
    "sweep/jobs/node.py": "cloudpickle",
    "sweep/jobs/worker.py": "cloudpickle",
    "sweep/jobs/worker_backend.py": "cloudpickle",
    "sweep/space/compose.py": "pickle",
}
UNSAFE_MODULES = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
UNSAFE_CALLS = {
    "eval",
    "exec",
    "compile",
    "os.system",
    "os.popen",
    "yaml.load",
    "yaml.unsafe_load",
    "yaml.full_load",
    "torch.hub.load",
    "torch.jit.load",
    "pickle.load",
    "cloudpickle.load",
}


def uses(source):
    """Yield what a source has that could execute what a file holds."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name in UNSAFE_MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in UNSAFE_MODULES:
            yield node.module
        elif isinstance(node, ast.Call):
            name, given = ast.unparse(node.func), {word.arg: word.value for word in node.keywords}
            if name in UNSAFE_CALLS:
                yield name
            if name == "torch.load" and not _is_true(given.get("weights_only")):
                yield "torch.load without weights_only=True"
            for word in ("shell", "allow_pickle"):
                if _is_true(given.get(word)):
                    yield f"{name} with {word}=True"


def _is_true(node):
    return isinstance(node, ast.Constant) and node.value is True


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("torch.load(path)", ["torch.load without weights_only=True"]),
        ("torch.load(path, weights_only=False)", ["torch.load without weights_only=True"]),
        ("torch.load(path, weights_only=True)", []),
        ("import pickle", ["pickle"]),
        ("from cloudpickle import loads", ["cloudpickle"]),
        ("subprocess.run(line, shell=True)", ["subprocess.run with shell=True"]),
        ("np.load(path, allow_pickle=True)", ["np.load with allow_pickle=True"]),
        ("yaml.load(text)\neval(text)", ["yaml.load", "eval"]),
        ("model.eval()\nre.compile(text)\nyaml.safe_load(text)", []),
    ],
)
def test_what_could_execute_a_file_is_noticed(source, found):
    assert list(uses(source)) == found


def test_nothing_executes_what_a_file_holds():
    found = {
        str(path.relative_to(PACKAGE)): sorted(set(uses(path.read_text(encoding="utf-8"))))
        for path in sorted(PACKAGE.rglob("*.py"))
    }
    assert {name: what for name, what in found.items() if what} == {
        name: [what] for name, what in PICKLES.items()
    }


# Something of each group that another group must not name.
OF_A_GROUP = {
    "model": "mnist_sweep.models.MLP",
    "optimizer": "torch.optim.Adam",
    "scheduler": "mnist_sweep.schedules.cosine",
    "hydra.sweeper.gate": "mnist_sweep.sweep.gate.parameter_budget",
    "hydra.sweeper.sampler": "optuna.samplers.RandomSampler",
    "hydra.sweeper.pruner": "optuna.pruners.MedianPruner",
    "hydra.callbacks": "mnist_sweep.run.dry_run.DryRun",
}


@pytest.mark.parametrize("group", KINDS)
def test_a_group_may_name_what_is_its_own_and_nothing_of_another(group):
    for other, target in OF_A_GROUP.items():
        if other == group:
            assert callable(locate(group, target, KINDS[group]))
        elif not KINDS[group].applications:
            with pytest.raises(ConfigError):
                locate(group, target, KINDS[group])


def test_every_server_listens_on_this_machine_alone_unless_it_is_told():
    assert server.HOST == "127.0.0.1"
    for asked in (tensorboard.Board(), mlflow.Server(), dashboard.Dashboard()):
        assert asked.host == "127.0.0.1"


def test_every_test_that_the_page_names_is_there():
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    named = [word for word in page.split("`") if word.startswith(("tests/", "mnist_sweep/"))]
    assert len(named) >= 6
    assert [name for name in named if not (ROOT / name).exists()] == []
