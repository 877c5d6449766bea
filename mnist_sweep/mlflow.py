"""Look at runs in MLflow: `python -m mnist_sweep.mlflow [key=value ...]`.

  uri=sqlite:///mlflow.db      where the runs are; if not given, MLFLOW_TRACKING_URI, if that is set
  experiment=mnist_sweep       the experiment that the printed page shows
  host=127.0.0.1 port=5000     where MLflow listens

MLflow is started without what it has for language models: its job consumers, which take 250 MB
each. MLFLOW_SERVER_ENABLE_JOB_EXECUTION=true brings them back. Nothing is reported to anybody.
"""

import os
import socket
import sys
from dataclasses import dataclass

from mnist_sweep.cli import arguments
from mnist_sweep.config import MLflowConfig
from mnist_sweep.errors import UserError
from mnist_sweep.passwords import without_password

# Of MLflow's server; what the user's environment has takes precedence.
ENVIRONMENT = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}


@dataclass
class Server:
    """The command line; see the module."""

    uri: str | None = None
    experiment: str = MLflowConfig.experiment
    host: str = "127.0.0.1"
    port: int = 5000


def main(asked: Server) -> None:
    """Start MLflow's server in this process's place, or say where it runs already.

    Raises MLflowError where there is no such store or experiment.
    """
    from mnist_sweep.run.tracking.mlflow_store import existing  # torch comes with it

    arguments.check_address(asked.host, asked.port)
    uri, experiment = existing(MLflowConfig(asked.uri, asked.experiment))
    page = f"#/experiments/{experiment}/runs?workflowType=machine_learning"
    if uri.startswith(("http://", "https://")):
        print(f"mlflow: {without_password(uri.rstrip('/'))}/{page}")
        return
    _check_free(asked)
    print(f"mlflow: http://{asked.host}:{asked.port}/{page} (Ctrl-C ends it)", flush=True)
    words = ["-m", "mlflow", "server", "--workers", "1"]
    words += ["--host", asked.host, "--port", str(asked.port)]
    # An address may have a password, and other users can read a command line.
    environment = {**ENVIRONMENT, **os.environ, "MLFLOW_BACKEND_STORE_URI": uri}
    os.execve(sys.executable, [sys.executable, *words], environment)


def _check_free(asked: Server) -> None:
    """Raise UserError for a port that is taken, which the server says among other things."""
    try:
        socket.create_server((asked.host, asked.port)).close()
    except (OSError, OverflowError) as error:
        raise UserError(
            f"port={asked.port} of {asked.host} cannot be used ({error}); choose another port"
        ) from error


if __name__ == "__main__":
    arguments.run(Server, __doc__ or "", main)
