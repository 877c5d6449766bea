"""Memory by the machine, by cgroups of either version, and by Slurm."""

import psutil
import pytest

from mnist_sweep.run import memory as module
from mnist_sweep.run.memory import WORKER_GB, memory

GIB = 1024**3
V1_UNLIMITED = "9223372036854771712\n"


@pytest.fixture(autouse=True)
def _machine(monkeypatch):
    """A machine of 64 GiB, and no job of Slurm's."""

    class Total:
        total = 64 * GIB

    monkeypatch.setattr(psutil, "virtual_memory", lambda: Total)
    for name in (module.PER_NODE, module.PER_CORE, module.CORES):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def files(tmp_path):
    """Return a function that writes files of cgroups below a root, which it returns."""

    def write(cgroup, **limits):
        contents = {"proc/self/cgroup": cgroup}
        contents |= {f"sys/fs/cgroup/{path}": text for path, text in limits.items()}
        for path, text in contents.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("cgroup", "limits", "expected"),
    [
        ("0::/\n", {"memory.max": f"{2 * GIB}\n"}, 2),
        ("0::/a/b\n", {"a/memory.max": f"{3 * GIB}", "a/b/memory.max": "max"}, 3),
        ("4:memory:/\n0::/\n", {"memory/memory.limit_in_bytes": f"{4 * GIB}\n"}, 4),
        ("4:memory:/job\n", {"memory/job/memory.limit_in_bytes": f"{5 * GIB}"}, 5),
    ],
)
def test_a_containers_limit_is_read_from_the_cgroups_around_the_process(
    files, cgroup, limits, expected
):
    assert memory(files(cgroup, **limits)) == (expected * GIB, "its cgroup's limit")


@pytest.mark.parametrize(
    ("cgroup", "limits"),
    [
        ("0::/\n", {"memory.max": "max\n"}),
        ("4:memory:/\n", {"memory/memory.limit_in_bytes": V1_UNLIMITED}),
        ("4:cpu:/\n", {"memory/memory.limit_in_bytes": "1"}),
        ("0::/\n", {"memory.max": "much"}),
        ("", {}),
    ],
)
def test_without_a_limit_it_is_the_machines(files, cgroup, limits):
    assert memory(files(cgroup, **limits)) == (64 * GIB, None)


def test_a_job_of_slurms_has_what_slurm_says(monkeypatch, tmp_path):
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "3000")
    assert memory(tmp_path) == (3000 * module.MIB, "SLURM_MEM_PER_NODE")
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "0")  # all of the node's
    assert memory(tmp_path) == (64 * GIB, None)
    monkeypatch.setenv("SLURM_MEM_PER_CPU", "1000")
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "4")
    assert memory(tmp_path) == (4000 * module.MIB, "SLURM_MEM_PER_CPU")


def test_the_searches_have_what_a_run_needs_as_it_was_measured(composed):
    from mnist_sweep.conf.composed import compose_sweep

    assert compose_sweep([], {}).hydra.sweeper.worker_memory == WORKER_GB
