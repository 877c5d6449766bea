import json
import logging
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from omegaconf import OmegaConf

from mnist_sweep.config import MLflowConfig
from mnist_sweep.fit import Epoch
from mnist_sweep.tracking import mlflow as ours
from mnist_sweep.tracking.mlflow import MLflow, MLflowError, Store, SweepRun

mlflow = pytest.importorskip("mlflow", reason="tracking=mlflow needs the extra [mlflow]")

# Of mlflow's own use of SQLAlchemy and pydantic.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

FACTS = {
    "model": "tiny",
    "parameters": 12,
    "multiply_adds": 34,
    "data": {"name": "mnist_5k", "fingerprint": "abc"},
    "git_commit": None,
    "study": None,
    "trial": None,
}
RESULT = {
    "status": "complete",
    "reason": "all 1 epochs done",
    "epochs": 1,
    "val_acc": 0.25,
    "test_acc": None,
}


def epoch(number):
    return Epoch(number, 0.1 / number, 1.0, 0.5, 2.0, 0.25, 1.0, 10.0)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store with the tables in it, which take MLflow seconds to make."""
    folder = tmp_path_factory.mktemp("mlflow")
    patch = pytest.MonkeyPatch()
    patch.chdir(folder)
    Store(MLflowConfig())
    patch.undo()
    return folder / "mlflow.db"


@pytest.fixture
def config(store, request):
    return MLflowConfig(uri=f"sqlite:///{store}", experiment=request.node.name)


def run_in(directory, config, sweep=None, **facts):
    Path(directory).mkdir(exist_ok=True)
    return MLflow(Path(directory), config, {"optimizer.lr": 0.1}, FACTS | facts, sweep)


def recorded(config):
    """Return the runs of an experiment by name."""
    opened = Store(config)
    return {r.info.run_name: r for r in opened.client.search_runs([opened.experiment])}


def test_a_run_has_settings_figures_by_epoch_and_files(config):
    tracker = run_in("run", config)
    for number in (1, 2, 3):
        tracker.epoch(epoch(number), None)
    Path("run/result.json").write_text("{}")
    tracker.finish(RESULT, {"hardest images": Figure()})
    run = recorded(config)["run"]
    assert run.info.status == "FINISHED"
    assert run.data.params == {"optimizer.lr": "0.1", "parameters": "12", "multiply_adds": "34"}
    assert run.data.metrics["final_val_acc"] == 0.25
    assert "final_test_acc" not in run.data.metrics
    assert run.data.tags["status"] == "complete"
    history = tracker.client.get_metric_history(run.info.run_id, "lr")
    assert [(m.step, m.value) for m in history] == [(1, 0.1), (2, 0.05), (3, 0.1 / 3)]
    files = {file.path for file in tracker.client.list_artifacts(run.info.run_id)}
    assert files == {"result.json", "hardest_images.png"}


@pytest.mark.parametrize(
    ("status", "expected"),
    [("interrupted", "KILLED"), ("failed", "FAILED"), ("diverged", "FAILED")],
)
def test_a_run_that_did_not_come_to_its_end_says_so(config, status, expected):
    run_in("run", config).abandon({"status": status, "reason": "why"})
    run = recorded(config)["run"]
    assert (run.info.status, run.data.tags["reason"]) == (expected, "why")


def test_a_run_gone_on_with_is_one_run(config):
    run_in("run", config).abandon({"status": "interrupted", "reason": "Ctrl-C"})
    again = run_in("run", config)
    assert again.client.get_run(again.run_id).info.status == "RUNNING"
    again.finish(RESULT, {})
    assert len(recorded(config)) == 1


def test_a_trial_is_below_its_sweep(config):
    written = OmegaConf.create(
        {
            "tracking": {"mlflow": {"uri": config.uri, "experiment": config.experiment}},
            "hydra": {"sweeper": {"study_name": "it's"}, "sweep": {"dir": "multirun/s"}},
        }
    )
    callback = SweepRun()
    callback.on_multirun_start(written)
    run_in("3", config, sweep="it's", study="it's", trial=3).finish(RESULT, {})
    results = Path("multirun/s/optimization_results.yaml")
    results.parent.mkdir(parents=True)
    results.write_text("best_value: 0.5\nbest_trial: 3\ntrials: {complete: 1, pruned: 0}\n")
    callback.on_multirun_end(written)
    runs = recorded(config)
    parent, trial = runs["it's"], runs["it's/3"]
    assert trial.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics == {"best_value": 0.5, "trials_complete": 1, "trials_pruned": 0}
    assert parent.data.tags["best_trial"] == "3"

    SweepRun().on_multirun_start(written)  # gone on with
    assert len(recorded(config)) == 2


def test_a_store_that_fails_later_does_not_end_the_run(config, caplog, monkeypatch):
    tracker = run_in("run", config)
    calls = []

    def fail(*arguments, **settings):
        calls.append(arguments)
        raise ConnectionError("no route")

    monkeypatch.setattr(tracker.client, "log_batch", fail)
    with caplog.at_level(logging.WARNING):
        tracker.epoch(epoch(1), None)
        tracker.epoch(epoch(2), None)
        tracker.finish(RESULT, {})
    assert len(calls) == 1
    (line,) = caplog.messages
    assert "no route" in line
    assert "the rest of this run is in run alone" in line


@pytest.mark.parametrize("uri", ["sqlite:////proc/nowhere/mlflow.db", "nonsense://host"])
def test_a_store_that_cannot_be_opened_is_one_line(command, quick, capsys, uri):
    assert command(*quick, "tracking=mlflow", f"tracking.mlflow.uri={uri}") == 1
    error = capsys.readouterr().err
    assert error.splitlines()[-1].startswith(f"error: tracking.mlflow.uri={uri}")


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(ours, "find_spec", lambda name: None)
    with pytest.raises(MLflowError, match="pip install mlflow"):
        Store(MLflowConfig())


def test_the_environment_names_the_store_where_the_config_does_not(monkeypatch, store):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store}")
    assert Store(MLflowConfig()).uri == f"sqlite:///{store}"
    other = f"sqlite:////{store}"
    assert Store(MLflowConfig(uri=other)).uri == other


def test_both_trackers_work_together(command, quick, store):
    uri = f"tracking.mlflow.uri=sqlite:///{store}"
    assert command(*quick, "tracking=[tensorboard,mlflow]", uri) == 0
    assert list(Path("run").glob("events*"))
    assert Path("run/mlflow_run_id").exists()
    result = json.loads(Path("run/result.json").read_text())
    run = recorded(MLflowConfig(uri=f"sqlite:///{store}"))["run"]
    assert run.data.metrics["final_val_acc"] == pytest.approx(result["val_acc"])
