import os
import socket

import pytest

from mnist_sweep import mlflow
from mnist_sweep.errors import UserError
from mnist_sweep.mlflow import Server
from mnist_sweep.run.tracking import mlflow_store

CREATE_SERVER = socket.create_server


@pytest.fixture
def started(monkeypatch):
    """What was started, with which environment; a store is there."""
    found = []
    monkeypatch.setattr(socket, "create_server", lambda address: socket.socket())
    monkeypatch.setattr(os, "execve", lambda program, words, names: found.append((words, names)))
    monkeypatch.setattr(mlflow_store, "existing", lambda config: (config.uri, "7"))
    return found


def test_the_server_starts_without_job_consumers_and_the_runs_page_is_printed(started, capsys):
    mlflow.main(Server("postgresql://u:secret@host/runs"))
    ((words, environment),) = started
    assert words[1:4] == ["-m", "mlflow", "server"]
    assert environment["MLFLOW_BACKEND_STORE_URI"] == "postgresql://u:secret@host/runs"
    assert "secret" not in " ".join(words)
    assert environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    assert environment["MLFLOW_DISABLE_TELEMETRY"] == "true"
    page = "http://127.0.0.1:5000/#/experiments/7/runs?workflowType=machine_learning"
    assert page in capsys.readouterr().out


def test_what_the_environment_says_of_job_consumers_takes_precedence(started, monkeypatch):
    monkeypatch.setenv("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "true")
    mlflow.main(Server("sqlite:////x/mlflow.db"))
    ((_, environment),) = started
    assert environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "true"


def test_a_server_that_runs_elsewhere_is_named_and_not_started(started, capsys):
    mlflow.main(Server("http://u:secret@host:5000/"))
    assert started == []
    said = capsys.readouterr().out
    assert "host:5000/#/experiments/7/runs" in said
    assert "secret" not in said


def test_a_port_that_is_taken_is_one_line_and_nothing_is_started(started, monkeypatch):
    monkeypatch.setattr(socket, "create_server", CREATE_SERVER)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"port={port} of 127.0.0.1 cannot be used"):
            mlflow.main(Server("sqlite:////x/mlflow.db", port=port))
    assert started == []
