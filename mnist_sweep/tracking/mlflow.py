"""MLflow: a run each, below one of their sweep's, in a local SQLite store unless told otherwise.

`tracking=mlflow` brings both halves: `MLflow` is a run's, `SweepRun` a Hydra callback that opens
and ends the run of the sweep. They find each other by the sweep's name, from whatever process.
"""

import atexit
import hashlib
import logging
import os
import sys
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf
from torch import nn

from mnist_sweep.config import MLflowConfig
from mnist_sweep.errors import UserError
from mnist_sweep.fit import Epoch
from mnist_sweep.text import one_line
from mnist_sweep.tracking import AsSeen, Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow import MlflowClient

log = logging.getLogger("mnist_sweep")

DEFAULT_URI = "sqlite:///mlflow.db"
RUN_ID = "mlflow_run_id"  # a file of the run directory: a resumed run goes on with its MLflow run
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
    """The package is missing, or the store cannot be reached."""


class Store:
    """An experiment in a store. Raises MLflowError where it cannot be opened."""

    def __init__(self, config: MLflowConfig) -> None:
        self.uri = config.uri or os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI
        self.client = _client(self.uri)
        try:
            self.experiment = self._experiment(config.experiment)
        except Exception as error:  # the store's, SQLAlchemy's and requests' kinds
            raise MLflowError(
                f"tracking.mlflow.uri={self.uri} cannot be opened: {one_line(error)[:300]}"
            ) from error

    def _experiment(self, name: str) -> str:
        found = self.client.get_experiment_by_name(name)
        if found is None:
            return str(self.client.create_experiment(name))
        if found.lifecycle_stage != "active":
            raise MLflowError(f"the experiment {name} has been deleted there; restore it")
        return str(found.experiment_id)

    def create(self, name: str, tags: Mapping[str, str]) -> str:
        """Begin a run; return its id."""
        run = self.client.create_run(self.experiment, tags=dict(tags), run_name=name)
        return str(run.info.run_id)

    def sweep(self, name: str) -> str | None:
        """Return the id of a sweep's run; of several, which no lock keeps out, the first."""
        found = self.client.search_runs(
            [self.experiment],
            filter_string=f"tags.`{SWEEP}` = '{_key(name)}'",
            order_by=["attributes.start_time ASC"],
            max_results=1,
        )
        return str(found[0].info.run_id) if found else None


def _key(name: str) -> str:
    """Return a sweep's name as MLflow's filters can hold it, whatever quotes it has."""
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def _client(uri: str) -> "MlflowClient":
    if find_spec("mlflow") is None:
        raise MLflowError("tracking=mlflow needs the package mlflow: pip install mlflow")
    # Nobody's runs are reported to anybody unless they ask for it.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient  # seconds: only where it is wanted

    file = uri.removeprefix("sqlite:///") if uri.startswith("sqlite:///") else None
    if file and not os.access(Path(file).parent, os.W_OK):
        # Here, since MLflow would try for a minute.
        raise MLflowError(f"tracking.mlflow.uri={uri}: {Path(file).parent} cannot be written to")
    for chatty in ("mlflow.store.db.utils", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        return MlflowClient(tracking_uri=uri)
    except Exception as error:
        raise MLflowError(f"tracking.mlflow.uri={uri}: {one_line(error)[:300]}") from error


class MLflow:
    """A run's settings, its figures each epoch, and at its end its files and pictures.

    A store that fails once the run has begun does not end the run: it says so, and goes on alone.
    """

    def __init__(
        self,
        directory: Path,
        config: MLflowConfig,
        settings: Settings,
        facts: Mapping[str, Any],
        sweep: str | None,
    ) -> None:
        self.directory, self.broken = directory, False
        self.store = Store(config)
        self.client = self.store.client
        known = directory / RUN_ID
        try:
            if known.exists():
                self.run_id = known.read_text().strip()
                self.client.update_run(self.run_id, status="RUNNING")
            else:
                self.run_id = self._begin(settings, facts, sweep)
                known.write_text(self.run_id + "\n")
        except Exception as error:
            raise MLflowError(f"MLflow run in {self.store.uri}: {one_line(error)[:300]}") from error
        if sweep is None:
            log.info("mlflow: run %s in %s", self.run_id, self.store.uri)

    def _begin(self, settings: Settings, facts: Mapping[str, Any], sweep: str | None) -> str:
        from mlflow.entities import Param

        single = facts.get("trial") is None
        tags = {
            "run_directory": str(self.directory),
            "data": f"{facts['data']['name']} {facts['data']['fingerprint']}",
            "mlflow.source.git.commit": facts.get("git_commit"),
            "study": facts.get("study"),
            "trial": facts.get("trial"),
            "mlflow.parentRunId": self.store.sweep(sweep) if sweep else None,
        }
        name = self.directory.resolve().name if single else f"{facts['study']}/{facts['trial']}"
        run_id = self.store.create(name, {k: str(v) for k, v in tags.items() if v is not None})
        counted = {key: facts[key] for key in ("parameters", "multiply_adds")}
        every = [Param(key, str(value)) for key, value in {**settings, **counted}.items()]
        for start in range(0, len(every), PARAMETERS_A_CALL):
            self.client.log_batch(run_id, params=every[start : start + PARAMETERS_A_CALL])
        return run_id

    def start(self, model: nn.Module, as_seen: AsSeen) -> None:
        """Nothing: what MLflow shows of a beginning is there already."""

    def epoch(self, figures: Epoch, model: nn.Module) -> None:
        """Add an epoch's figures."""
        self._log({name: getattr(figures, name) for name in EPOCH}, figures.epoch)

    def _log(self, found: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        metrics = [Metric(name, float(value), now, step) for name, value in found.items()]
        self._try(lambda: self.client.log_batch(self.run_id, metrics=metrics))

    def finish(self, result: Mapping[str, Any], drawn: "Mapping[str, Figure]") -> None:
        """Add the final figures, the files of the run and its pictures, and end it."""
        final = {f"final_{key}": result[key] for key in FINAL if result.get(key) is not None}
        self._log(final, result["epochs"])
        for name in ARTIFACTS:
            path = self.directory / name
            if path.exists():
                self._try(lambda path=path: self.client.log_artifact(self.run_id, str(path)))
        for name, figure in drawn.items():
            file = f"{name.replace(' ', '_')}.png"
            self._try(
                lambda figure=figure, file=file: self.client.log_figure(self.run_id, figure, file)
            )
        self._end("FINISHED", result)

    def abandon(self, result: Mapping[str, Any]) -> None:
        """End a run that was interrupted (KILLED) or has failed (FAILED)."""
        self._end("KILLED" if result["status"] == "interrupted" else "FAILED", result)

    def _end(self, status: str, result: Mapping[str, Any]) -> None:
        for key in ("status", "reason"):
            self._try(lambda key=key: self.client.set_tag(self.run_id, key, str(result.get(key))))
        self._try(lambda: self.client.set_terminated(self.run_id, status))

    def _try(self, write: Any) -> None:
        """Write, unless a write has failed before: a store that is gone is not waited for twice."""
        if self.broken:
            return
        try:
            write()
        except Exception as error:
            self.broken = True
            log.warning(
                "mlflow: %s fails (%s); the rest of this run is in %s alone",
                self.store.uri,
                one_line(error)[:200],
                self.directory,
            )


class SweepRun(Callback):
    """The MLflow run of a sweep, above those of its trials; a sweep gone on with has one run."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Open the sweep's run, before any of its trials looks for it."""
        from mnist_sweep.config import typed

        node = OmegaConf.select(config, "tracking.mlflow")
        self.run_id: str | None = None
        if node is None:
            return
        try:
            settings: Any = OmegaConf.to_object(typed(MLflowConfig, node, "tracking.mlflow"))
            self.store = Store(settings)
            name = sweep_name(config)
            self.run_id = self.store.sweep(name) or self.store.create(name, {SWEEP: _key(name)})
            self.store.client.update_run(self.run_id, status="RUNNING")
        except UserError as error:
            # Hydra makes a warning of what callbacks raise, and goes on.
            print(f"error: {error}", file=sys.stderr)
            sys.exit(1)
        log.info("mlflow: %s, run %s of %s", self.store.uri, self.run_id, name)
        atexit.register(self._end, "KILLED")

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Add what the sweep has come to, and end its run."""
        if self.run_id is None:
            return
        atexit.unregister(self._end)
        results = Path(config.hydra.sweep.dir) / "optimization_results.yaml"
        if results.exists():
            self.store.client.log_artifact(self.run_id, str(results))
            found = OmegaConf.load(results)
            for key, value in _figures(found).items():
                self.store.client.log_metric(self.run_id, key, value)
            best = OmegaConf.select(found, "best_trial")
            if best is not None:
                self.store.client.set_tag(self.run_id, "best_trial", str(best))
        self._end("FINISHED")

    def _end(self, status: str) -> None:
        if self.run_id is not None:
            self.store.client.set_terminated(self.run_id, status)


def sweep_name(config: DictConfig) -> str:
    """Return what a sweep is called: its study, or for plain Hydra's its directory."""
    study = OmegaConf.select(config, "hydra.sweeper.study_name", default=None)
    return str(study or config.hydra.sweep.dir)


def _figures(results: Any) -> dict[str, float]:
    """Return the numbers of a results file by which a list of sweeps can be sorted."""
    found = {key: results.get(key) for key in ("best_value", "epochs_saved")}
    found |= {f"trials_{status}": n for status, n in (results.get("trials") or {}).items()}
    return {key: float(value) for key, value in found.items() if value is not None}
