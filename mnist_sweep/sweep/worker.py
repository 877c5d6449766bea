"""The inside of a worker process: one job after another, each as Hydra runs a job."""

import faulthandler
import importlib
import os
import queue
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any, Protocol

import cloudpickle
from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from mnist_sweep import console
from mnist_sweep.sweep.dispatch import failed_return
from mnist_sweep.text import one_line


class Task(Protocol):
    """What workers do with a job."""

    def run(self, number: int, overrides: Sequence[str]) -> JobReturn:
        """Do a job; an error is in what it returns, an interrupt is raised."""


@dataclass(frozen=True)
class HydraTask:
    """What all jobs of a launcher have in common."""

    context: HydraContext
    config: DictConfig
    function: TaskFunction
    singletons: Any

    def run(self, number: int, overrides: Sequence[str]) -> JobReturn:
        """Compose and run one job as the joblib launcher does; an error is in what it returns."""
        try:
            setup_globals()
            Singleton.set_state(self.singletons)
            config = self.context.config_loader.load_sweep_config(self.config, list(overrides))
            with open_dict(config):
                config.hydra.job.id = f"{config.hydra.job.name}_{number}"
                config.hydra.job.num = number
            HydraConfig.instance().set_config(config)
            return run_job(
                hydra_context=self.context,
                config=config,
                task_function=self.function,
                job_dir_key="hydra.sweep.dir",
                job_subdir_key="hydra.sweep.subdir",
            )
        except SystemExit as stop:
            return failed_return(RuntimeError(f"the job exited with code {stop.code}"))
        except Exception as error:
            return failed_return(error)


def serve(descriptor: int) -> None:
    """Run the jobs that come through a socket until it closes, which is when the parent dies too.

    SIGTERM interrupts a job as Ctrl-C would; Ctrl-C itself is the parent's to handle.
    """
    console.prepare(log=True)
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _interrupt)
    os.set_inheritable(descriptor, False)
    connection = Connection(descriptor)
    sys.argv, preload = connection.recv()
    task: Task = cloudpickle.loads(connection.recv_bytes())
    jobs: queue.SimpleQueue[tuple[int, Sequence[str]]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, jobs), daemon=True).start()
    try:
        missing = _import(preload)
        while True:
            number, overrides = jobs.get()
            returned = failed_return(missing) if missing else task.run(number, overrides)
            connection.send_bytes(_packed(returned))
    except KeyboardInterrupt:
        os._exit(0)  # the job has recorded it by now


def _import(modules: Sequence[str]) -> Exception | None:
    """Import modules; return what one of them raised, which is for the jobs to say."""
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception as error:
            return RuntimeError(f"hydra.sweeper.preload={name}: {one_line(error)}")
    return None


def _listen(connection: Connection, jobs: "queue.SimpleQueue[tuple[int, Sequence[str]]]") -> None:
    """Take in jobs, and end the process at once, in the midst of a job too, with its parent."""
    while True:
        try:
            jobs.put(connection.recv())
        except (EOFError, OSError):
            os._exit(0)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _packed(returned: JobReturn) -> bytes:
    try:
        packed: bytes = cloudpickle.dumps(returned)
        cloudpickle.loads(packed)  # some exceptions pickle and do not come back
    except Exception as error:
        value = returned._return_value
        reason = f"{type(value).__name__}: {value}" if isinstance(value, Exception) else repr(value)
        packed = cloudpickle.dumps(
            failed_return(RuntimeError(f"{reason} (which cannot be sent back: {error})"))
        )
    return packed
