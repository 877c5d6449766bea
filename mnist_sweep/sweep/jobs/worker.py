"""The inside of a worker process: one job after another, each as Hydra runs a job."""

import faulthandler
import functools
import importlib
import io
import os
import queue
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import cloudpickle
from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from mnist_sweep.cli import encoding
from mnist_sweep.sweep.jobs import process_group
from mnist_sweep.sweep.jobs.backend import ending, error_of, failed_return
from mnist_sweep.text import one_line


class Task(Protocol):
    """What workers do with a job."""

    def run(self, number: int, overrides: Sequence[str]) -> JobReturn:
        """Do a job; whatever it raises is what became of the job."""


@dataclass(frozen=True)
class HydraTask:
    """What all jobs of a launcher have in common."""

    context: HydraContext
    config: DictConfig
    function: TaskFunction
    singletons: Any

    def run(self, number: int, overrides: Sequence[str]) -> JobReturn:
        """Compose and run one job as Hydra's basic launcher does."""
        setup_globals()
        Singleton.set_state(self.singletons)
        config = self.context.config_loader.load_sweep_config(self.config, list(overrides))
        with open_dict(config):
            config.hydra.job.id = str(number)
            config.hydra.job.num = number
        HydraConfig.instance().set_config(config)
        return run_job(
            hydra_context=self.context,
            config=config,
            task_function=self.function,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )


@dataclass(frozen=True)
class Program:
    """The program that workers run jobs of, as they are to look to their jobs.

    `path` is where it imports from, `directory` where it was started.
    """

    arguments: Sequence[str]
    file: str | None
    module: str | None  # its name, where it was started by `python -m`
    path: Sequence[str]
    directory: str

    @classmethod
    def this(cls) -> "Program":
        """Describe this process's program."""
        main = sys.modules["__main__"]
        spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
        return cls(
            sys.argv,
            os.path.abspath(file) if file else None,  # noqa: PTH100
            spec.name if spec else None,
            list(sys.path),
            str(Path.cwd()),
        )

    def assume(self, function: Any) -> None:
        """Have `__main__` hold what `function` refers to, if it was defined in the program's.

        A job may give functions of it to a pool of its own, which finds them by their names: a
        forked one here, a spawned one by importing the program's file.
        """
        main = sys.modules["__main__"]
        if self.file:
            main.__file__ = self.file
        if self.module:
            main.__spec__ = ModuleSpec(self.module, None, origin=self.file)
        for layer in _layers(function):
            names = getattr(layer, "__globals__", {})
            if names.get("__name__") == "__main__":
                own = {n: value for n, value in names.items() if not n.startswith("__")}
                vars(main).update(own)


def _layers(function: Any) -> Iterator[Any]:
    """Yield a function, and those that it wraps."""
    while function is not None:
        if isinstance(function, functools.partial):
            function = function.func
        elif not hasattr(function, "__globals__") and not hasattr(function, "__wrapped__"):
            function = getattr(type(function), "__call__", None)  # noqa: B004
        yield function
        function = getattr(function, "__wrapped__", None)


class Server:
    """A loop that runs the jobs that come through a socket until it closes."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.jobs: queue.SimpleQueue[tuple[int, Sequence[str]] | None] = queue.SimpleQueue()
        self.busy = self.begun = self.interrupted = False
        self.lock = threading.Lock()

    def listen(self) -> None:
        """Take in jobs; when the parent closes the socket, or dies, see to the process's end.

        An idle process ends as any does: its threads are waited for, its exit handlers run. One in
        the middle of a job has lost its parent and is cut off with all that the job has started.
        """
        while True:
            try:
                self.jobs.put(self.connection.recv())
            except (EOFError, OSError):
                break
        with self.lock:
            if self.busy:
                process_group.kill(os.getpid()) if process_group.is_leader() else os._exit(1)
            if not self.begun:  # nothing but imports, which need not be waited for
                os._exit(0)
            self.jobs.put(None)

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """Stop a job as Ctrl-C would, and end the process; the handler of SIGTERM."""
        self.interrupted = True
        if self.busy:
            raise KeyboardInterrupt
        self.jobs.put(None)

    def watch_forks(self) -> None:
        """Have what a job forks be a process like any other, from its first moment on.

        A SIGTERM that comes before the child has its own handler waits until then.
        """
        mask = threading.local()

        def before() -> None:
            mask.old = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

        def after() -> None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask.old)

        def after_in_child() -> None:
            with suppress(OSError):
                self.connection.close()
            if signal.getsignal(signal.SIGTERM) == self.interrupt:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
            after()

        os.register_at_fork(before=before, after_in_parent=after, after_in_child=after_in_child)

    def serve(self, task: Task, missing: Exception | None) -> None:
        """Run jobs and send back what they return, until there are none any more."""
        while not self.interrupted and (job := self.jobs.get()) is not None:
            with self.lock:
                self.busy = self.begun = True
            signal.signal(signal.SIGTERM, self.interrupt)
            returned = self._run(task, *job) if missing is None else failed_return(missing, job[1])
            with self.lock:  # before the result is sent: the parent may close at once
                self.busy = False
            _flush()
            if returned is not None:
                packed = _packed(returned)
                with suppress(OSError):
                    self.connection.send_bytes(packed)

    def _run(self, task: Task, number: int, overrides: Sequence[str]) -> JobReturn | None:
        """Run a job; None where it was interrupted, which it has recorded by now."""
        try:
            return task.run(number, overrides)
        except Exception as error:
            return failed_return(error, overrides)
        except BaseException as error:
            return None if self.interrupted else failed_return(ending(error), overrides)


def serve(descriptor: int) -> None:
    """Be a worker whose parent is at the other end of a socket. SIGTERM interrupts its job."""
    encoding.prepare(log=True)
    faulthandler.enable()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # processes of Ray block it
    os.set_inheritable(descriptor, False)
    connection = Connection(descriptor)
    server = Server(connection)
    signal.signal(signal.SIGTERM, server.interrupt)
    server.watch_forks()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what a job printed is there when it is killed
            stream.reconfigure(line_buffering=True)
    try:
        program, preload = connection.recv()
        sys.argv = list(program.arguments)
        task: Task = cloudpickle.loads(connection.recv_bytes())
    except (EOFError, ConnectionError):
        return
    program.assume(getattr(task, "function", None))
    threading.Thread(target=server.listen, daemon=True, name="jobs").start()
    with suppress(KeyboardInterrupt):  # SIGTERM, when a job was about to begin or had just ended
        server.serve(task, _import(preload))


def _import(modules: Sequence[str]) -> Exception | None:
    """Import modules; return what one of them raised, which is for the jobs to say."""
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception as error:
            return RuntimeError(f"hydra.sweeper.preload={name}: {one_line(error)}")
    return None


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # a job may have closed it, or put something else there
            stream.flush()


def _packed(returned: JobReturn) -> bytes:
    try:
        packed: bytes = cloudpickle.dumps(returned)
        cloudpickle.loads(packed)  # some exceptions pickle and do not come back
    except Exception as error:
        value = error_of(returned) or returned.return_value
        reason = f"{type(value).__name__}: {value}" if isinstance(value, Exception) else repr(value)
        told = RuntimeError(f"{reason} (which cannot be sent back: {error})")
        packed = cloudpickle.dumps(failed_return(told, returned.overrides or []))
    return packed
