import json
import logging
import pickle
from dataclasses import asdict
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from omegaconf import OmegaConf

from mnist_sweep.config import MLflowConfig
from mnist_sweep.config_checks import check
from mnist_sweep.run.tracking import mlflow_store as ours
from mnist_sweep.run.tracking import trackers
from mnist_sweep.run.tracking.mlflow import MLflow, SweepRun
from mnist_sweep.run.tracking.mlflow_store import MLflowError, Store, existing
from mnist_sweep.training.epochs import Epoch

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
    "reason": "its only epoch done",
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


def test_a_run_has_its_name_and_its_notes_as_its_description(config):
    run_in("run", config, name="low rate", notes="why, and how")
    run_in("3", config, sweep="multirun/s", study="s", trial=3, name="low rate")
    found = recorded(config)
    assert set(found) == {"low rate", "s/3 low rate"}
    assert found["low rate"].data.tags["mlflow.note.content"] == "why, and how"
    assert "mlflow.note.content" not in found["s/3 low rate"].data.tags


def test_a_run_has_settings_figures_by_epoch_and_files(config):
    tracker = run_in("run", config)
    for number in (1, 2, 3):
        tracker.epoch(epoch(number), None)
    Path("run/result.json").write_text("{}")
    tracker.finish(RESULT, {"hardest images": Figure()})
    run = recorded(config)["tiny run"]
    assert run.info.status == "FINISHED"
    assert run.data.params == {"optimizer.lr": "0.1", "parameters": "12", "multiply_adds": "34"}
    assert run.data.metrics["final_val_acc"] == 0.25
    assert "final_test_acc" not in run.data.metrics
    assert run.data.tags["status"] == "complete"
    history = tracker.client.get_metric_history(run.info.run_id, "lr")
    assert [(m.step, m.value) for m in history] == [(1, 0.1), (2, 0.05), (3, 0.1 / 3)]
    files = {file.path for file in tracker.client.list_artifacts(run.info.run_id)}
    assert files == {"result.json", "hardest_images.png"}


def test_a_complete_run_has_its_data_its_model_and_its_figures_in_mlflows_own_kinds(config):
    sizes = {"train": 40, "val": 10}
    data = {"name": "mnist_5k", "fingerprint": "abc", "reason": "a subset", "sizes": sizes}
    tracker = run_in("run", config, data=data, model="mine/wide.v2")
    for name in (".hydra/config.yaml", "checkpoints/best.safetensors"):
        path = Path("run", name)
        path.parent.mkdir(parents=True)
        path.write_text("what it is")
    tracker.finish(RESULT | {"best_epoch": 1}, {})
    run = recorded(config)["mine/wide.v2 run"]
    (used,) = run.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("mnist_5k", "abc")
    assert json.loads(used.dataset.profile) == sizes
    assert {tag.key: tag.value for tag in used.tags} == {"mlflow.data.context": "training"}
    (made,) = run.outputs.model_outputs
    model = tracker.client.get_logged_model(made.model_id)
    assert (model.name, made.step, str(model.status)) == ("mine_wide_v2", 1, "READY")
    assert model.params == {"parameters": "12", "multiply_adds": "34"}
    figures = {metric.key: metric for metric in model.metrics}
    assert figures["final_val_acc"].value == 0.25
    assert figures["final_val_acc"].dataset_name == "mnist_5k"
    files = {path.name for path in Path(model.artifact_location).iterdir()}
    assert files == {"config.yaml", "best.safetensors"}


def test_a_store_without_data_sets_and_models_has_the_run_and_says_so(config, monkeypatch, caplog):
    def fail(*arguments, **settings):
        raise ConnectionError("no such endpoint")

    monkeypatch.setattr(mlflow.MlflowClient, "log_inputs", fail)
    monkeypatch.setattr(mlflow.MlflowClient, "create_logged_model", fail)
    tracker = run_in("run", config)
    for name in (".hydra/config.yaml", "checkpoints/best.safetensors"):
        path = Path("run", name)
        path.parent.mkdir(parents=True)
        path.write_text("what it is")
    tracker.finish(RESULT | {"best_epoch": 1}, {})
    assert recorded(config)["tiny run"].data.metrics["final_val_acc"] == 0.25
    said = [line.partition(" of this run")[0] for line in caplog.messages if "endpoint" in line]
    assert said == ["mlflow: data set", "mlflow: model"]


def test_a_pruned_run_is_no_model(config):
    tracker = run_in("run", config)
    for name in (".hydra/config.yaml", "checkpoints/best.safetensors"):
        path = Path("run", name)
        path.parent.mkdir(parents=True)
        path.write_text("what it is")
    tracker.finish(RESULT | {"best_epoch": 1, "status": "pruned"}, {})
    run = recorded(config)["tiny run"]
    assert run.outputs is None or not run.outputs.model_outputs
    assert run.data.metrics["final_val_acc"] == 0.25


def test_a_store_to_look_at_is_one_that_there_is(config, tmp_path):
    made = Store(config)
    assert existing(config) == (made.uri, made.experiment)
    with pytest.raises(MLflowError, match=f"experiment=x is not in .*{config.experiment}"):
        existing(MLflowConfig(config.uri, "x"))
    with pytest.raises(
        MLflowError, match=r"there is no file .*none.db; train with tracking=mlflow"
    ):
        existing(MLflowConfig("sqlite:///none.db"))
    assert not Path("none.db").exists()


@pytest.mark.parametrize(
    ("status", "expected"),
    [("interrupted", "KILLED"), ("failed", "FAILED"), ("diverged", "FAILED")],
)
def test_a_run_that_did_not_come_to_its_end_says_so(config, status, expected):
    run_in("run", config).abandon({"status": status, "reason": "why"})
    run = recorded(config)["tiny run"]
    assert (run.info.status, run.data.tags["reason"]) == (expected, "why")


def test_a_run_gone_on_with_is_one_run_and_gets_the_epochs_that_it_lacks(config):
    tracker = run_in("run", config)
    tracker.epoch(epoch(1), None)
    lines = [json.dumps(asdict(epoch(number))) for number in (1, 2)]
    Path("run/metrics.jsonl").write_text("\n".join(lines) + "\n")
    tracker.abandon({"status": "interrupted", "reason": "Ctrl-C"})
    again = run_in("run", config)
    again.start(None, None)
    assert again.client.get_run(again.run_id).info.status == "RUNNING"
    history = again.client.get_metric_history(again.run_id, "lr")
    assert [metric.step for metric in history] == [1, 2]
    again.finish(RESULT, {})
    assert len(recorded(config)) == 1


@pytest.mark.parametrize(
    "address", ["http://user:secret@host", "http://host?password=secret", "http://secret@host"]
)
def test_a_password_in_the_address_is_neither_recorded_nor_said(
    store, monkeypatch, caplog, address
):
    caplog.set_level(logging.INFO)
    real = ours._client
    monkeypatch.setattr(ours, "_client", lambda uri: real(f"sqlite:///{store}"))
    config = MLflowConfig(uri=address, experiment=f"secretly {address}".replace("secret@", ""))
    config.experiment = config.experiment.replace("secret", "x")
    first = run_in("run", config)
    identity = json.loads(Path("run/mlflow.json").read_text())
    assert "secret" not in json.dumps(identity)
    # As an earlier version left it.
    Path("run/mlflow.json").write_text(json.dumps(identity | {"uri": address}))
    again = run_in("run", config)
    assert again.run_id == first.run_id

    def fail(*arguments, **named):
        raise OSError(f"no answer from {address}, secret")

    monkeypatch.setattr(again.client, "log_batch", fail)
    again.epoch(epoch(1), None)
    monkeypatch.setattr(ours, "_client", fail)
    with pytest.raises(MLflowError) as error:
        Store(config)
    assert "host" in str(error.value)
    assert "secret" not in str(error.value) + caplog.text
    assert "no answer" in caplog.text


def test_a_run_on_other_data_or_whose_own_is_gone_is_a_new_one(config, caplog):
    first = run_in("run", config)
    other = run_in("run", config, data={"name": "mnist", "fingerprint": "other"})
    assert other.run_id != first.run_id
    other.client.delete_run(other.run_id)
    third = run_in("run", config, data={"name": "mnist", "fingerprint": "other"})
    assert third.run_id != other.run_id
    assert f"run {other.run_id} cannot be resumed; a new one is started" in caplog.text


def hydra_config(config, name):
    return OmegaConf.create(
        {
            "tracking": {"mlflow": {"uri": config.uri, "experiment": config.experiment}},
            "hydra": {
                "sweeper": {"study_name": name},
                "sweep": {"dir": "multirun/s"},
                "runtime": {"cwd": str(Path.cwd())},
            },
        }
    )


def test_a_trial_is_below_its_sweep(config):
    written, callback = hydra_config(config, "it's"), SweepRun()
    callback.on_multirun_start(written)
    run_in("3", config, sweep="it's", study="it's", trial=3).finish(RESULT, {})
    results = Path("multirun/s/optimization_results.yaml")
    results.parent.mkdir(parents=True)
    results.write_text("best_value: 0.5\nbest_trial: 3\ntrials: {complete: 1, pruned: 0}\n")
    callback.on_multirun_end(written)
    runs = recorded(config)
    parent, trial = runs["it's"], runs["it's/3 tiny"]
    assert trial.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics == {"best_value": 0.5, "trials_complete": 1, "trials_pruned": 0}
    assert parent.data.tags["best_trial"] == "3"

    SweepRun().on_multirun_start(written)  # resumed
    assert len(recorded(config)) == 2


@pytest.mark.parametrize(
    ("failure", "expected"),
    [(SystemExit(130), "KILLED"), (KeyboardInterrupt(), "KILLED"), (OSError(), "FAILED")],
    ids=repr,
)
def test_a_sweep_that_ends_by_an_exception_says_so(config, failure, expected):
    written, callback = hydra_config(config, "s"), SweepRun()
    callback.on_multirun_start(written)

    def sweep():
        try:
            raise failure
        finally:
            callback.on_multirun_end(written)  # as Hydra does

    with pytest.raises(type(failure)):
        sweep()
    assert recorded(config)["s"].info.status == expected


def test_a_sweeps_callback_leaves_its_store_behind_on_the_way_to_a_worker(config):
    callback = SweepRun()
    callback.on_multirun_start(hydra_config(config, "s"))
    assert pickle.loads(pickle.dumps(callback)).run_id is None


def test_a_store_that_fails_later_does_not_end_the_run(config, caplog, monkeypatch):
    tracker = run_in("run", config)

    def fail(*arguments, **settings):
        raise ConnectionError("no route")

    monkeypatch.setattr(tracker.client, "log_batch", fail)
    monkeypatch.setattr(tracker.client, "log_artifact", fail)
    Path("run/result.json").write_text("{}")
    with caplog.at_level(logging.WARNING):
        tracker.epoch(epoch(1), None)
        tracker.epoch(epoch(2), None)
        tracker.finish(RESULT, {})
    lines = [line for line in caplog.messages if "no route" in line]
    assert [line.partition(" of this run")[0] for line in lines] == [
        "mlflow: metrics",
        "mlflow: artifacts",
    ]
    assert all("they are only in run" in line for line in lines)
    assert recorded(config)["tiny run"].info.status == "FINISHED"


@pytest.mark.parametrize("uri", ["sqlite:////proc/nowhere/mlflow.db", "nonsense://host"])
def test_a_store_that_cannot_be_opened_is_one_line(command, quick, capsys, uri):
    assert command(*quick, "tracking=mlflow", f"tracking.mlflow.uri={uri}") == 1
    error = capsys.readouterr().err
    assert error.splitlines()[-1].startswith(f"error: tracking.mlflow.uri={uri}: ")


def test_a_trial_goes_on_without_a_store_that_has_gone(composed, caplog, tmp_path):
    run = check(composed("tracking=mlflow", "tracking.mlflow.uri=nonsense://host"))
    assert list(trackers(run, tmp_path, FACTS, "s", None)) == []
    assert f"this run is recorded only in {tmp_path}" in caplog.text
    with pytest.raises(MLflowError):
        list(trackers(run, tmp_path, FACTS, None, None))


@pytest.fixture
def sweep(command, config):
    """Return a function that runs a sweep with MLflow, and returns its runs by name."""

    def run_sweep(*words):
        given = [f"tracking.mlflow.{name}={value}" for name, value in asdict(config).items()]
        assert command("-m", *words, "tracking=mlflow", *given) == 0
        return recorded(config)

    return run_sweep


def below(runs, parent):
    """Return the names of the runs below another."""
    run_id = runs[parent].info.run_id
    return {n for n, run in runs.items() if run.data.tags.get("mlflow.parentRunId") == run_id}


@pytest.mark.slow
def test_a_sweep_with_workers_is_a_run_with_its_trials_below_it(sweep):
    words = ["model=mlp", "model.hidden=range(4,8)", "search=command_line", "data=mnist_5k"]
    words += ["epochs=1", "batch_size=256"]
    runs = sweep(*words, "hydra.sweeper.study_name=s", "hydra.sweeper.n_trials=2")
    assert set(runs) == {"s", "s/0 mlp", "s/1 mlp"}
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert below(runs, "s") == {"s/0 mlp", "s/1 mlp"}
    assert runs["s"].data.metrics["trials_complete"] == 2


def test_a_plain_grid_is_a_run_with_its_jobs_below_it(sweep, quick):
    words = [word for word in quick if not word.startswith(("hydra.run", "tracking"))]
    words += ["search=none", "hydra.sweep.dir=grid", "seed=0,1", "tracking.figures=never"]
    runs = sweep(*words)
    assert set(runs) == {"grid", "linear 0", "linear 1"}
    assert below(runs, "grid") == {"linear 0", "linear 1"}


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(ours, "find_spec", lambda name: None)
    with pytest.raises(MLflowError, match="pip install mlflow"):
        Store(MLflowConfig())


def test_the_environment_names_the_store_where_the_config_does_not(monkeypatch, store):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store}")
    assert Store(MLflowConfig()).uri == f"sqlite:///{store}"
    other = f"sqlite:////{store}"
    assert Store(MLflowConfig(uri=other)).uri == other


def test_a_store_beside_the_command_is_the_same_from_every_folder(store, monkeypatch, tmp_path):
    config = MLflowConfig(uri=f"sqlite:///{store.name}")
    assert Store(config, str(store.parent)).uri == f"sqlite:///{store}"


@pytest.mark.slow
def test_a_new_store_has_its_artifacts_beside_the_command_and_not_in_a_run(monkeypatch, tmp_path):
    for name in ("user", "run"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "run")
    made = Store(MLflowConfig(), str(tmp_path / "user"))
    for experiment in made.client.search_experiments():
        assert experiment.artifact_location.startswith(str(tmp_path / "user" / "mlruns"))
    assert Path.cwd() == tmp_path / "run"


@pytest.mark.parametrize(
    ("uri", "seen"),
    [
        ("sqlite:///a.db", "sqlite:////home/u/a.db"),
        ("sqlite:////x/a.db", "sqlite:////x/a.db"),
        ("runs", "/home/u/runs"),
        ("./runs", "/home/u/runs"),
        ("/x/runs", "/x/runs"),
        ("file:runs", "file:///home/u/runs"),
        ("file:///x/runs", "file:///x/runs"),
        ("http://host:5000", "http://host:5000"),
        ("databricks", "databricks"),
    ],
)
def test_a_local_store_is_the_users_from_every_folder(uri, seen):
    assert ours._absolute(uri, Path("/home/u")) == seen


def test_both_trackers_work_together(command, quick, store):
    uri = f"tracking.mlflow.uri=sqlite:///{store}"
    assert command(*quick, "tracking=[tensorboard,mlflow]", uri) == 0
    assert list(Path("run").glob("events*"))
    assert Path("run/mlflow.json").exists()
    result = json.loads(Path("run/result.json").read_text())
    run = recorded(MLflowConfig(uri=f"sqlite:///{store}"))["linear run"]
    assert run.data.metrics["final_val_acc"] == pytest.approx(result["val_acc"])
