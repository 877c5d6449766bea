"""Ray as an engine: each job is a task, which Ray itself never retries."""

import importlib
import logging
import math
import os
import re
import socket
import sys
from collections.abc import Mapping
from typing import Any

from mnist_sweep.run.cores import cores
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.jobs import node
from mnist_sweep.sweep.jobs.executor_backend import Future
from mnist_sweep.text import one_line, shortened

log = logging.getLogger("mnist_sweep")

ANSWER = 10.0  # seconds for a cluster's head to take a connection
STORE = 100 * 1024**2  # bytes of Ray's object store on this machine: little more than its least
SAYS_NOTHING = "RAY_USAGE_STATS_ENABLED"  # docs.ray.io/en/latest/cluster/usage-stats.html


class RayExecutor:
    """A Ray cluster, by its address, or one of this machine's where there is none.

    The latter has room for `count` jobs, also where there are fewer cores. A program that has
    connected itself is left as it is. `needs` are a job's resources under Ray's names (CPU, GPU,
    and those that a cluster defines). Raises SweepError.
    """

    name = "Ray"

    def __init__(
        self, address: str | None, needs: Mapping[str, float], count: int | None = None
    ) -> None:
        ray: Any = importlib.import_module("ray")  # without types
        self.ray, self.needs = ray, {name: need for name, need in needs.items() if need}
        self.path = node.own_path(sys.path)
        self.ours = not ray.is_initialized()
        given = address or os.environ.get("RAY_ADDRESS")
        if self.ours:
            each = math.ceil(needs.get("CPU", 0))
            if given is None and each > cores():  # Ray would start a process for each at once
                raise SweepError(
                    f"hydra.launcher.cores={each}: this machine has {cores()}; ask for fewer, or "
                    "name a cluster by hydra.launcher.address"
                )
            _connect(ray, given, max(cores(), (count or 1) * each))
        others = {name: need for name, need in self.needs.items() if name not in ("CPU", "GPU")}
        self.task = ray.remote(
            num_cpus=needs.get("CPU", 0),
            num_gpus=needs.get("GPU", 0),
            resources=others,
            max_retries=0,
            max_calls=0,  # with GPUs it is 1 by default: the worker process would end with each job
        )(node.entrance())
        self.references: dict[Future, Any] = {}
        self._check_room(may_grow=given is not None or not self.ours)

    def _check_room(self, may_grow: bool) -> None:
        """Refuse what no node has; where the cluster may have others later, say that it waits."""
        offered = self.ray.cluster_resources()
        for name, need in self.needs.items():
            if offered.get(name, 0) >= need:
                continue
            lack = f"a trial needs {need:g} {name}, and Ray has {offered.get(name, 0):g}"
            if not may_grow:
                self.close()
                raise SweepError(f"{lack}; see hydra.launcher")
            log.warning("%s: trials wait until it has more", lack)

    def places(self) -> int:
        """Return how many jobs the cluster's resources hold."""
        offered = self.ray.cluster_resources()
        return min(int(offered.get(name, 0) / need) for name, need in self.needs.items())

    def machines(self) -> set[str]:
        """Return the host names of the cluster's nodes."""
        return {each["NodeManagerHostname"] for each in self.ray.nodes() if each["Alive"]}

    def submit(self, packed: bytes) -> Future:
        """Start a task."""
        self.references = {f: ref for f, ref in self.references.items() if not f.done()}
        reference = self.task.remote(self.path, __name__, packed)
        future: Future = reference.future()
        self.references[future] = reference
        return future

    def gone(self, error: BaseException) -> bool:
        """Whether this program's own node of the cluster is dead: no task would ever answer."""
        return isinstance(error, self.ray.exceptions.LocalRayletDiedError)

    def cancel(self) -> None:
        """Interrupt all tasks by KeyboardInterrupt; those that wait do not begin."""
        for reference in self.references.values():
            self.ray.cancel(reference, force=False)

    def close(self) -> None:
        """Leave the cluster; Ray ends the processes of tasks that still run."""
        self.references = {}
        if self.ours:
            self.ray.shutdown()


def _connect(ray: Any, address: str | None, count: int) -> None:
    """Connect to a cluster, or start one of so many cores."""
    settings: dict[str, Any] = {"address": address}
    if address is None:
        os.environ.setdefault(SAYS_NOTHING, "0")  # it would tell its makers of the use
        settings = {
            "address": "local",  # no other cluster of this machine, to which None would connect
            "num_cpus": count,
            "include_dashboard": False,
            "object_store_memory": STORE,
        }
    try:
        _reach(address)
        ray.init(logging_level="error", **settings)
    except Exception as error:  # what it raises differs with what is wrong
        where = f"Ray at {address}" if address else "Ray on this machine"
        said = shortened(one_line(error))
        raise SweepError(f"{where} does not answer: {said}; see hydra.launcher.address") from error


def _reach(address: str | None) -> None:
    """Raise OSError where nothing answers at an address, which Ray would try for minutes."""
    if address and (found := re.fullmatch(r"\[?([^/]+?)\]?:(\d+)", address)):
        socket.create_connection((found[1], int(found[2])), timeout=ANSWER).close()


def run(packed: bytes) -> bytes:
    """Run a job in a task of Ray, which raises KeyboardInterrupt in it to cancel it."""
    return node.run(packed, lambda: False)
