"""MLflow: a run each, below one of their sweep's, in a local SQLite store unless told otherwise.

`tracking=mlflow` brings both halves: `MLflow` is a run's, `SweepRun` a Hydra callback that opens
and ends the run of the sweep. They find each other by the sweep's name, from whatever process.
"""

import hashlib
import json
import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf
from torch import nn

from mnist_sweep.config import MLflowConfig, sweep_name, typed
from mnist_sweep.errors import UserError
from mnist_sweep.passwords import said_of, without_password
from mnist_sweep.run.directory import RunDirectory
from mnist_sweep.run.tracking import AsSeen, ComparedSettings
from mnist_sweep.text import one_line
from mnist_sweep.training.loop import Epoch

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow import MlflowClient

log = logging.getLogger("mnist_sweep")

DEFAULT_URI = "sqlite:///mlflow.db"
SQLITE = "sqlite:///"
ELSEWHERE = ("databricks", "uc")  # stores without a scheme that are no folders
IDENTITY = "mlflow.json"  # in the run directory: which run of which store it is
SWEEP = "mnist_sweep.sweep"  # a tag of a sweep's own run, by which its trials find it
PARAMETERS_A_CALL = 100  # the store's limit

# What a run's directory has for others to look at, and the model; absent ones are left out.
ARTIFACTS = (
    ".hydra/config.yaml",
    "metrics.jsonl",
    "result.json",
    "checkpoints/best.safetensors",
)
EPOCH = ("lr", "train_loss", "train_acc", "val_loss", "val_acc", "images_per_second")
FINAL = ("val_loss", "val_acc", "test_loss", "test_acc", "seconds", "best_epoch")


class MLflowError(UserError):
    """A missing package, or a store that cannot be reached or written to."""


class Store:
    """An experiment in a store. Every call raises MLflowError for what the store raises."""

    def __init__(self, config: MLflowConfig, folder: str | None = None) -> None:
        given = config.uri or os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI
        base = Path(folder or Path.cwd())
        self.uri = _absolute(given, base)
        self.shown = without_password(self.uri)  # as it is printed and recorded
        # A new store puts artifacts beside where it was made, for good.
        with self._errors(), _working_in(base):
            self.client = _client(self.uri)
            self.experiment = self._experiment(config.experiment)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except UserError:
            raise
        except Exception as error:  # MLflow's, SQLAlchemy's and requests' kinds
            reason = said_of(self.uri, one_line(error))[:300]
            raise MLflowError(f"tracking.mlflow.uri={self.shown}: {reason}") from error

    def _experiment(self, name: str) -> str:
        found = self.client.get_experiment_by_name(name)
        if found is None:
            return str(self.client.create_experiment(name))
        if found.lifecycle_stage != "active":
            raise MLflowError(
                f"tracking.mlflow.experiment={name} has been deleted in {self.shown}: restore it, "
                "or name another"
            )
        return str(found.experiment_id)

    def create(self, name: str, tags: Mapping[str, str]) -> str:
        """Begin a run; return its id."""
        with self._errors():
            run = self.client.create_run(self.experiment, tags=dict(tags), run_name=name)
            return str(run.info.run_id)

    def resume(self, run_id: str) -> None:
        """Reopen a run that ended."""
        with self._errors():
            self.client.update_run(run_id, status="RUNNING")

    def log_parameters(self, run_id: str, found: Mapping[str, Any]) -> None:
        """Write down a run's settings, which can be set once."""
        from mlflow.entities import Param

        every = [Param(key, str(value)) for key, value in found.items()]
        with self._errors():
            for start in range(0, len(every), PARAMETERS_A_CALL):
                self.client.log_batch(run_id, params=every[start : start + PARAMETERS_A_CALL])

    def sweep(self, name: str) -> str | None:
        """Return the id of a sweep's run; of several, which no lock keeps out, the first."""
        with self._errors():
            found = self.client.search_runs(
                [self.experiment],
                filter_string=f"tags.`{SWEEP}` = '{_key(name)}'",
                order_by=["attributes.start_time ASC"],
                max_results=1,
            )
        return str(found[0].info.run_id) if found else None

    def open_sweep(self, name: str) -> str:
        """Return the id of a sweep's run, started where there is none, and running."""
        if self.sweep(name) is None:
            self.create(name, {SWEEP: _key(name)})
        run_id = self.sweep(name)  # another sweep of the study may have been quicker
        assert run_id is not None
        self.resume(run_id)
        return run_id


def _absolute(uri: str, folder: Path) -> str:
    """Return the URI of a local store as seen from any folder: a job may have one of its own."""
    if uri.startswith(SQLITE):
        return f"{SQLITE}{folder / uri.removeprefix(SQLITE)}"
    if uri.startswith("file:") and not uri.startswith("file:/"):
        return (folder / uri.removeprefix("file:")).as_uri()
    if ":" in uri or uri.startswith(ELSEWHERE):
        return uri
    return str(folder / uri)


@contextmanager
def _working_in(folder: Path) -> Iterator[None]:
    """Have a folder as the process's own, which MLflow takes for its default places."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _key(name: str) -> str:
    """Return a sweep's name as MLflow's filters can hold it, whatever quotes it has."""
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def _client(uri: str) -> "MlflowClient":
    if find_spec("mlflow") is None:
        raise MLflowError("tracking=mlflow needs the package mlflow: pip install mlflow")
    # Nobody's runs are reported to anybody unless they ask for it.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient  # seconds: only where it is wanted

    if uri.startswith(SQLITE) and not os.access(Path(uri.removeprefix(SQLITE)).parent, os.W_OK):
        # Here, since MLflow would try for a minute.
        raise MLflowError(
            f"tracking.mlflow.uri={without_password(uri)}: its folder cannot be written to"
        )
    for chatty in ("mlflow.store.db.utils", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    return MlflowClient(tracking_uri=uri)


class MLflow:
    """A run's settings, its figures each epoch, and at its end its files and pictures.

    A store that fails once the run has begun does not end the run, which says so and continues
    without it. A resumed run is resumed in MLflow too, where its MLflow run still exists. Raises
    MLflowError where the store cannot be opened.
    """

    def __init__(
        self,
        directory: Path,
        config: MLflowConfig,
        settings: ComparedSettings,
        facts: Mapping[str, Any],
        sweep: str | None,
    ) -> None:
        self.directory, self.failed = directory, set[str]()
        folder = HydraConfig.get().runtime.cwd if HydraConfig.initialized() else None
        self.store = Store(config, folder)
        self.client = self.store.client
        identity = {"uri": self.store.shown, "data": facts["data"]["fingerprint"]}
        known = _read_identity(directory, identity)
        self.new = not (known and self._goes_on(known))
        self.run_id = self._begin(settings, facts, sweep) if self.new else str(known)
        (directory / IDENTITY).write_text(
            json.dumps({**identity, "run_id": self.run_id}) + "\n", encoding="utf-8"
        )
        if sweep is None:
            log.info("mlflow: run %s in %s", self.run_id, self.store.shown)

    def _goes_on(self, run_id: str) -> bool:
        try:
            self.store.resume(run_id)
        except MLflowError as error:  # it may have been deleted
            log.warning("mlflow: run %s cannot be resumed; a new one is started: %s", run_id, error)
            return False
        return True

    def _begin(
        self, settings: ComparedSettings, facts: Mapping[str, Any], sweep: str | None
    ) -> str:
        tags = {
            "run_directory": str(self.directory),
            "data": f"{facts['data']['name']} {facts['data']['fingerprint']}",
            "mlflow.source.git.commit": facts.get("git_commit"),
            "study": facts.get("study"),
            "trial": facts.get("trial"),
            "mlflow.note.content": facts.get("notes"),  # which MLflow shows as the description
            "mlflow.parentRunId": self.store.sweep(sweep) if sweep else None,
        }
        last = self.directory.resolve().name
        named, trial = facts.get("name"), f"{facts.get('study')}/{facts.get('trial')}"
        if facts.get("trial") is None:
            name = named or last
        else:
            name = f"{trial} {named}" if named else trial
        run_id = self.store.create(name, {k: str(v) for k, v in tags.items() if v is not None})
        counted = {key: facts[key] for key in ("parameters", "multiply_adds")}
        self.store.log_parameters(run_id, {**settings, **counted})
        return run_id

    def start(self, model: nn.Module, as_seen: AsSeen) -> None:
        """Bring a resumed run up to date: a kill or the store may have lost some of its epochs."""
        if self.new:
            return
        with self._only_warning("metrics"):
            history = self.client.get_metric_history(self.run_id, "lr")
            known = {metric.step for metric in history}
            for line in RunDirectory(self.directory).read_metrics():
                if line["epoch"] not in known:
                    self._log(EPOCH, line, line["epoch"])

    def epoch(self, figures: Epoch, model: nn.Module) -> None:
        """Add an epoch's figures."""
        self._log(EPOCH, asdict(figures), figures.epoch)

    def _log(
        self, names: Sequence[str], found: Mapping[str, Any], step: int, prefix: str = ""
    ) -> None:
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        metrics = [
            Metric(prefix + name, float(found[name]), now, step)
            for name in names
            if found.get(name) is not None
        ]
        with self._only_warning("metrics"):
            self.client.log_batch(self.run_id, metrics=metrics)

    def finish(self, result: Mapping[str, Any], drawn: "Mapping[str, Figure]") -> None:
        """Add the final figures, the files of the run and its pictures, and end it."""
        self._log(FINAL, result, result["epochs"], prefix="final_")
        for name in ARTIFACTS:
            path = self.directory / name
            if path.exists():
                with self._only_warning("artifacts"):
                    self.client.log_artifact(self.run_id, str(path))
        for name, figure in drawn.items():
            with self._only_warning("artifacts"):
                self.client.log_figure(self.run_id, figure, f"{name.replace(' ', '_')}.png")
        self._end("FINISHED", result)

    def abandon(self, result: Mapping[str, Any]) -> None:
        """End a run that was interrupted (KILLED) or has failed (FAILED)."""
        self._end("KILLED" if result["status"] == "interrupted" else "FAILED", result)

    def leave(self) -> None:
        """Leave the run open, which the other process ends."""

    def _end(self, status: str, result: Mapping[str, Any]) -> None:
        with self._only_warning("end"):
            for key in ("status", "reason"):
                self.client.set_tag(self.run_id, key, str(result.get(key)))
            self.client.set_terminated(self.run_id, status)

    @contextmanager
    def _only_warning(self, kind: str) -> Iterator[None]:
        """Warn of what the store raises, once for each kind of thing that is written."""
        try:
            yield
        except Exception as error:
            if kind not in self.failed:
                self.failed.add(kind)
                reason = said_of(self.store.uri, one_line(error))[:200]
                where = f"they are only in {self.directory}"
                log.warning("mlflow: %s of this run cannot be written: %s; %s", kind, reason, where)


def _read_identity(directory: Path, identity: Mapping[str, str]) -> str | None:
    """Return the id of the run that a directory had in this store, trained on these data."""
    try:
        known = json.loads((directory / IDENTITY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(known, dict):
        return None
    # Earlier versions recorded the address as it was.
    known = {key: without_password(str(value)) for key, value in known.items()}
    same = all(known.get(key) == value for key, value in identity.items())
    return str(known["run_id"]) if same and "run_id" in known else None


class SweepRun(Callback):
    """The MLflow run of a sweep, above those of its trials; a resumed sweep keeps its run."""

    def __init__(self) -> None:
        self.run_id: str | None = None

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Open the sweep's run, before any of its trials looks for it."""
        node = OmegaConf.select(config, "tracking.mlflow")
        if node is None:
            return
        try:
            settings: Any = OmegaConf.to_object(typed(MLflowConfig, node, "tracking.mlflow"))
            self.store = Store(settings, config.hydra.runtime.cwd)
            name = sweep_name(config.hydra)
            self.run_id = self.store.open_sweep(name)
        except UserError as error:
            # Hydra turns what callbacks raise into a warning, and continues.
            print(f"error: {error}", file=sys.stderr)
            sys.exit(1)
        log.info("mlflow: %s, run %s of %s", self.store.shown, self.run_id, name)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Add the sweep's results, and end its run.

        Hydra comes here also when the sweep ends by an exception, which is what tells an end from
        an interruption.
        """
        if self.run_id is None:
            return
        failure = sys.exc_info()[1]
        stopped = isinstance(failure, KeyboardInterrupt | SystemExit)
        status = "FINISHED" if failure is None else "KILLED" if stopped else "FAILED"
        results = Path(config.hydra.sweep.dir) / "optimization_results.yaml"
        try:
            _add_results(self.store.client, self.run_id, results)
        finally:
            self.store.client.set_terminated(self.run_id, status)

    def __getstate__(self) -> dict[str, Any]:
        """Return nothing of the store: a job's process, where this goes too, opens its own."""
        return {"run_id": None}


def _add_results(client: "MlflowClient", run_id: str, path: Path) -> None:
    """Add a sweep's results file, and what of it the sweeps in a list are compared by."""
    if not path.exists():
        return
    found = OmegaConf.load(path)
    for key, value in _figures(found).items():
        client.log_metric(run_id, key, value)
    best = OmegaConf.select(found, "best_trial")
    if best is not None:
        client.set_tag(run_id, "best_trial", str(best))
    client.log_artifact(run_id, str(path))


def _figures(results: Any) -> dict[str, float]:
    """Return the numbers of a results file by which a list of sweeps can be sorted."""
    found = {key: results.get(key) for key in ("best_value", "epochs_saved")}
    found |= {f"trials_{status}": n for status, n in (results.get("trials") or {}).items()}
    return {key: float(value) for key, value in found.items() if isinstance(value, int | float)}
