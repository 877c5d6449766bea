"""Fixtures: configs composed as the command line composes them, and the command line itself."""

import copy
import functools
import gc
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from omegaconf import DictConfig
from optuna.storages import RDBStorage

from mnist_sweep import train
from mnist_sweep.run import console
from mnist_sweep.run.cores import cores
from mnist_sweep.sweep import storage
from tools.faults import postgresql
from tools.faults.scenario import Skipped

# Two tests' worth of threads on few cores wait for each other far longer than they compute.
torch.set_num_threads(1)

# Before a fixture of Hydra's takes a copy of what is registered, and puts that back afterwards:
# its plugins register their configs once, when they are imported.
Plugins.instance()

# A disk in memory, and how much has to be free there for tests. A study's database waits for the
# disk at every write: on a disk in memory most tests of studies take a third of the time.
IN_MEMORY, ROOM = Path("/dev/shm"), 2 * 1024**3
ROOT = "PYTEST_DEBUG_TEMPROOT"  # pytest's variable for where temporary folders are made

QUICK = ["model=linear", "data=mnist_5k", "tracking=none", "epochs=2", "batch_size=256"]

FULL_MNIST = Path(os.environ.get("MNIST_SWEEP_DATA", "data")).resolve()


def pytest_configure() -> None:
    """Heed Ctrl-C, also in a background job of a shell, whose children would ignore it too."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if ROOT not in os.environ and _has_room():
        os.environ[ROOT] = str(IN_MEMORY)


def pytest_report_header() -> str:
    """Say where the tests' files are."""
    return f"temporary folders: in {os.environ.get(ROOT, tempfile.gettempdir())} ({ROOT})"


def _has_room() -> bool:
    return os.access(IN_MEMORY, os.W_OK | os.X_OK) and shutil.disk_usage(IN_MEMORY).free >= ROOM


def pytest_collection_finish() -> None:
    """Collect garbage less often: composed configs are many small objects, torch and others more.

    What is imported by now is never looked through again, the rest a tenth as often as usual.
    """
    gc.freeze()
    gc.set_threshold(7_000, 10, 10)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Say what `pytest -n auto` is: the cores that this process is given, not the machine's.

    One more for the slow tests, which often wait for processes, servers and browsers.
    """
    slow = config.option.markexpr.startswith("slow")
    return cores() + (1 if slow else 0)


@contextmanager
def hydra_alone() -> Iterator[None]:
    """Leave Hydra and logging as a new process finds them."""
    root = logging.getLogger()
    names = [root.name, *root.manager.loggerDict]
    before = [(log := logging.getLogger(name), *_settings_of(log)) for name in names]
    yield
    GlobalHydra.instance().clear()
    HydraConfig.instance().cfg = None
    for log, handlers, level, propagate, disabled in before:
        for handler in log.handlers:
            if handler not in handlers:
                handler.close()
        log.handlers[:] = handlers
        if log.level != level:  # each call of setLevel goes through all loggers
            log.setLevel(level)
        log.propagate, log.disabled = propagate, disabled


def _settings_of(log: logging.Logger) -> tuple[list[logging.Handler], int, bool, bool]:
    return log.handlers[:], log.level, log.propagate, log.disabled


@pytest.fixture(autouse=True)
def _isolated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Each test in a folder of its own, with Hydra and logging as a new process finds them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MNIST_SWEEP_DATA", raising=False)
    console.begin()
    with hydra_alone():
        yield


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a small network, trained once for all tests, which leave it as it is."""
    folder = tmp_path_factory.mktemp("finished")
    words = ["model=mlp", "model.hidden=12", "data=mnist_5k", "tracking=none", "epochs=2"]
    run_alone(*words, f"hydra.run.dir={folder}/run")
    return folder / "run"


def run_alone(*words: str) -> None:
    """Run the command line, for what several tests share: Hydra and logging are as before."""
    with pytest.MonkeyPatch.context() as patch, hydra_alone():
        patch.setattr(sys, "argv", ["train", *words])
        train.main()


@pytest.fixture
def composed() -> Callable[..., DictConfig]:
    """Return a function from overrides to a run's config, which is the test's to change."""
    return lambda *overrides: copy.deepcopy(_composed(*overrides))


@functools.cache
def _composed(*overrides: str) -> DictConfig:
    """Compose a run's config, once in a process: a copy takes a fraction of the time."""
    with initialize_config_dir(train.config_directory()):
        return compose("config", overrides=list(overrides))


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Return a function that runs the command line in this process; it returns the exit code."""

    def run_command(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["train", *arguments])
        GlobalHydra.instance().clear()
        try:
            train.main()
        except SystemExit as stop:
            return int(stop.code or 0)
        return 0

    return run_command


@pytest.fixture
def quick() -> list[str]:
    """Overrides of the quickest run there is: logistic regression on the bundled subset."""
    return [*QUICK, "hydra.run.dir=run"]


@pytest.fixture
def full_mnist() -> str:
    """Return the root of the full MNIST, or skip."""
    if not (FULL_MNIST / "MNIST" / "raw").is_dir():
        pytest.skip("no full MNIST here; set MNIST_SWEEP_DATA to its folder")
    return str(FULL_MNIST)


@pytest.fixture(scope="session")
def databases() -> Iterator[postgresql.Server]:
    """A PostgreSQL server of the tests' own."""
    try:
        with postgresql.server() as running:
            yield running
    except Skipped as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def server(databases: postgresql.Server, request: pytest.FixtureRequest) -> str:
    """Return the address of an empty database."""
    return databases.create(request.module.__name__.replace(".", "_"))


def open_database(address: str) -> RDBStorage:
    """Open an SQLite database of Optuna's, which is a copy of an empty one where there is none."""
    prepare(address)
    return storage.open_database(address)


def prepare(address: str | None) -> None:
    """Put a copy of an empty database at an SQLite address that has none, and nothing at others.

    Optuna goes through its migrations for each that it makes, which takes longer than most tests.
    """
    path = Path((address or "").removeprefix("sqlite:///"))
    if address and address.startswith("sqlite:///") and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_empty_database())


@functools.cache
def _empty_database() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "empty.db")
        RDBStorage(f"sqlite:///{path}").engine.dispose()
        return path.read_bytes()


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
