"""A store of MLflow's: which one a config names, its experiment, and the runs in it."""

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_sweep.config import MLflowConfig
from mnist_sweep.errors import UserError
from mnist_sweep.passwords import said_of, without_password
from mnist_sweep.text import nearest, one_line

if TYPE_CHECKING:
    from mlflow import MlflowClient

DEFAULT_URI = "sqlite:///mlflow.db"
SQLITE = "sqlite:///"
ELSEWHERE = ("databricks", "uc")  # stores without a scheme that are no folders
SWEEP = "mnist_sweep.sweep"  # a tag of a sweep's own run, by which its trials find it
PARAMETERS_A_CALL = 100  # the store's limit
# What the name of a model may not have in it.
NO_NAME = str.maketrans(dict.fromkeys("/:.%\"'", "_"))
CONTEXT = "mlflow.data.context"  # the tag of a data set that says what a run used it for


class MLflowError(UserError):
    """A missing package, or a store that cannot be reached or written to."""


class Store:
    """An experiment in a store. Every call raises MLflowError for what the store raises."""

    def __init__(self, config: MLflowConfig, folder: str | None = None) -> None:
        base = Path(folder or Path.cwd())
        self.uri = _absolute(_given(config), base)
        self.shown = without_password(self.uri)  # as it is printed and recorded
        # A new store puts artifacts beside where it was made, for good.
        with _errors(self.uri), _working_in(base):
            self.client = _client(self.uri)
            self.experiment = self._experiment(config.experiment)

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
        with _errors(self.uri):
            run = self.client.create_run(self.experiment, tags=dict(tags), run_name=name)
            return str(run.info.run_id)

    def resume(self, run_id: str) -> None:
        """Reopen a run that ended."""
        with _errors(self.uri):
            self.client.update_run(run_id, status="RUNNING")

    def log_parameters(self, run_id: str, found: Mapping[str, Any]) -> None:
        """Write down a run's settings, which can be set once."""
        from mlflow.entities import Param

        every = [Param(key, str(value)) for key, value in found.items()]
        with _errors(self.uri):
            for start in range(0, len(every), PARAMETERS_A_CALL):
                self.client.log_batch(run_id, params=every[start : start + PARAMETERS_A_CALL])

    def log_dataset(self, run_id: str, data: Mapping[str, Any]) -> None:
        """Write down what a run trains on, as a data set of MLflow's."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        dataset = Dataset(
            str(data["name"]),
            str(data["fingerprint"]),
            source_type="local",
            source=json.dumps({"source": data.get("reason")}),
            profile=json.dumps(data.get("sizes")),
        )
        with _errors(self.uri):
            tags = [InputTag(CONTEXT, "training")]
            self.client.log_inputs(run_id, [DatasetInput(dataset, tags)])

    def log_model(
        self, run_id: str, name: str, facts: Mapping[str, Any], files: Sequence[Path], epoch: int
    ) -> str:
        """Write down what a run has trained, as a model of MLflow's; return its id.

        `facts` become its parameters. `epoch` is the one that its weights are of.
        """
        from mlflow.entities import LoggedModelOutput

        with _errors(self.uri):
            model = self.client.create_logged_model(
                self.experiment,
                name.translate(NO_NAME),
                source_run_id=run_id,
                params={key: str(value) for key, value in facts.items()},
            )
            for path in files:
                self.client.log_model_artifact(model.model_id, str(path))
            self.client.finalize_logged_model(model.model_id, "READY")
            self.client.log_outputs(run_id, [LoggedModelOutput(model.model_id, epoch)])
        return str(model.model_id)

    def sweep(self, name: str) -> str | None:
        """Return the id of a sweep's run; of several, which no lock keeps out, the first."""
        with _errors(self.uri):
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


def existing(config: MLflowConfig) -> tuple[str, str]:
    """Return the address of a store that there is, and the id of its experiment; makes neither.

    Raises MLflowError where there is none, or none of that name.
    """
    uri = _absolute(_given(config), Path.cwd())
    shown = without_password(uri)
    file = Path(uri.removeprefix(SQLITE))
    if uri.startswith(SQLITE) and not file.is_file():
        raise MLflowError(
            f"uri={shown}: there is no file {file}; train with tracking=mlflow, or name another"
        )
    with _errors(uri, "uri"):
        client = _client(uri)
        found = client.get_experiment_by_name(config.experiment)
        known = [] if found else [each.name for each in client.search_experiments()]
    if found is None:
        raise MLflowError(
            f"experiment={config.experiment} is not in {shown}: {nearest(config.experiment, known)}"
        )
    return uri, str(found.experiment_id)


def _given(config: MLflowConfig) -> str:
    return config.uri or os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI


@contextmanager
def _errors(uri: str, setting: str = "tracking.mlflow.uri") -> Iterator[None]:
    """Raise what a store raises as an MLflowError that names the setting that names it."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # MLflow's, SQLAlchemy's and requests' kinds
        reason = said_of(uri, one_line(error))[:300]
        raise MLflowError(f"{setting}={without_password(uri)}: {reason}") from error


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
