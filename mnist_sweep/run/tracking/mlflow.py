"""MLflow: a run each, below one of their sweep's, in a local SQLite store unless told otherwise.

`tracking=mlflow` brings both halves: `MLflow` is a run's, `SweepRun` a Hydra callback that opens
and ends the run of the sweep. They find each other by the sweep's name, from whatever process.
"""

import json
import logging
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf
from torch import nn

from mnist_sweep.cli import encoding
from mnist_sweep.config import MLflowConfig, typed
from mnist_sweep.errors import UserError
from mnist_sweep.hydra_part import sweep_name
from mnist_sweep.passwords import said_of, without_password
from mnist_sweep.run.directory import COMPLETE, RunDirectory
from mnist_sweep.run.tracking import AsSeen, ComparedSettings
from mnist_sweep.run.tracking.mlflow_store import MLflowError, Store
from mnist_sweep.study_folder import SUMMARY
from mnist_sweep.text import one_line
from mnist_sweep.training.epochs import Epoch

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow import MlflowClient

log = logging.getLogger("mnist_sweep")

IDENTITY = "mlflow.json"  # in the run directory: which run of which store it is

# What a run's directory has for others to look at, and the model; absent ones are left out.
ARTIFACTS = (
    ".hydra/config.yaml",
    "metrics.jsonl",
    "result.json",
    "checkpoints/best.safetensors",
)
# And the files of the model that a complete run has trained.
MODEL = (".hydra/config.yaml", "checkpoints/best.safetensors")
EPOCH = ("lr", "train_loss", "train_acc", "val_loss", "val_acc", "images_per_second")
FINAL = ("val_loss", "val_acc", "test_loss", "test_acc", "seconds", "best_epoch")


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
        self.directory, self.facts, self.failed = directory, facts, set[str]()
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
        named = facts.get("name")
        if facts.get("trial") is None:
            name = named or f"{facts['model']} {last}"
        else:
            name = f"{facts.get('study')}/{facts.get('trial')} {named or facts['model']}"
        run_id = self.store.create(name, {k: str(v) for k, v in tags.items() if v is not None})
        self.store.log_parameters(run_id, {**settings, **self._size()})
        with self._only_warning("data set"):  # which an older server may not know
            self.store.log_dataset(run_id, facts["data"])
        return run_id

    def _size(self) -> dict[str, Any]:
        return {key: self.facts[key] for key in ("parameters", "multiply_adds")}

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
        self,
        names: Sequence[str],
        found: Mapping[str, Any],
        step: int,
        prefix: str = "",
        **of: str | None,
    ) -> None:
        """Add figures; `of` are the model and the data set that they belong to."""
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        metrics = [
            Metric(prefix + name, float(found[name]), now, step, **of)
            for name in names
            if found.get(name) is not None
        ]
        with self._only_warning("metrics"):
            self.client.log_batch(self.run_id, metrics=metrics)

    def finish(self, result: Mapping[str, Any], drawn: "Mapping[str, Figure]") -> None:
        """Add model, final figures, the files of the run and its pictures, and end it."""
        data = self.facts["data"]
        self._log(
            FINAL,
            result,
            result["epochs"],
            prefix="final_",
            model_id=self._add_model(result),
            dataset_name=data["name"],
            dataset_digest=data["fingerprint"],
        )
        for name in ARTIFACTS:
            path = self.directory / name
            if path.exists():
                with self._only_warning("artifacts"):
                    self.client.log_artifact(self.run_id, str(path))
        for name, figure in drawn.items():
            with self._only_warning("artifacts"):
                self.client.log_figure(self.run_id, figure, f"{name.replace(' ', '_')}.png")
        self._end("FINISHED", result)

    def _add_model(self, result: Mapping[str, Any]) -> str | None:
        """Add what a complete run has trained; return its id. Others have only their weights."""
        files = [self.directory / name for name in MODEL]
        if result["status"] != COMPLETE or not all(path.exists() for path in files):
            return None
        with self._only_warning("model"):
            name, size, epoch = self.facts["model"], self._size(), result["best_epoch"]
            return self.store.log_model(self.run_id, name, size, files, epoch)
        return None

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
            encoding.fail(str(error))
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
        results = Path(config.hydra.sweep.dir) / SUMMARY
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
