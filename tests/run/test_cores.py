"""Cores by affinity and by cgroups of either version, whose files are written here."""

import os

import pytest
import torch

from mnist_sweep.run import cores as module
from mnist_sweep.run import machine
from mnist_sweep.run.cores import cores, quota, why_fewer

V1 = "4:memory:/\n3:cpu,cpuacct:{}\n0::/\n"


@pytest.fixture(autouse=True)
def _no_job(monkeypatch):
    """These may run in a job of Slurm's."""
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)


@pytest.fixture
def files(tmp_path):
    """Return a function that writes files below a root, by their paths; it returns the root."""

    def write(**contents):
        for path, text in contents.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return tmp_path

    return lambda cgroup, **limits: write(
        **{"proc/self/cgroup": cgroup}, **{f"sys/fs/cgroup/{p}": t for p, t in limits.items()}
    )


@pytest.mark.parametrize(
    ("cgroup", "limits", "expected"),
    [
        # Version 2: a container sees its own cgroup as the root, or the machine's path to it.
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2.0),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "50000\n"}, 0.5),
        ("0::/docker/4f0a\n", {"cpu.max": "300000 100000\n"}, 3.0),
        ("0::/../other\n", {"cpu.max": "300000 100000\n"}, 3.0),
        # The smallest of those around a process holds.
        ("0::/a/b\n", {"a/cpu.max": "100000 100000", "a/b/cpu.max": "400000 100000"}, 1.0),
        ("0::/a/b\n", {"a/cpu.max": "max 100000", "a/b/cpu.max": "400000 100000"}, 4.0),
        # Version 1, under each of the names that distributions give its controller.
        (V1.format("/"), {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        (
            V1.format("/docker/4f0a"),
            {
                "cpu,cpuacct/cpu.cfs_quota_us": "250000",
                "cpu,cpuacct/cpu.cfs_period_us": "100000",
            },
            2.5,
        ),
        (
            V1.format("/slurm/job"),
            {
                "cpu/slurm/job/cpu.cfs_quota_us": "100000",
                "cpu/slurm/job/cpu.cfs_period_us": "50000",
            },
            2.0,
        ),
        # Another controller's path, files that say nothing, and none at all.
        ("4:cpuset:/\n", {"cpu/cpu.cfs_quota_us": "100000"}, None),
        ("0::/\n", {"cpu.max": "much 100000"}, None),
        ("0::/\n", {"cpu.max": "100000 0"}, None),
        ("0::/\n", {"cpu.max": ""}, None),
        ("", {}, None),
    ],
)
def test_a_quota_is_read_from_the_cgroups_around_the_process(files, cgroup, limits, expected):
    assert quota(files(cgroup, **limits)) == expected


def test_where_there_are_no_cgroups_there_is_no_quota(tmp_path):
    assert quota(tmp_path) is None


@pytest.mark.parametrize(
    ("limit", "expected"), [(None, 64), (2.0, 2), (1.5, 2), (0.1, 1), (64.0, 64), (100.0, 64)]
)
def test_cores_are_the_affinitys_or_the_quotas_where_that_is_less(monkeypatch, limit, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)), raising=False)
    monkeypatch.setattr(module, "quota", lambda: limit)
    assert cores() == expected


def test_cores_are_those_of_the_affinity(monkeypatch):
    monkeypatch.setattr(module, "quota", lambda: None)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5, 7}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert cores() == 3


@pytest.mark.parametrize(("count", "expected"), [(6, 6), (None, 1)])
def test_without_affinities_cores_are_the_machines(monkeypatch, count, expected):
    monkeypatch.setattr(module, "quota", lambda: None)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: count)
    assert cores() == expected


@pytest.mark.parametrize(
    ("asked", "variable", "expected"), [(None, None, 2), (None, "8", 8), (5, None, 5), (5, "8", 5)]
)
def test_a_single_runs_threads_are_no_more_than_the_cores(monkeypatch, asked, variable, expected):
    """Torch's own choice, 8 here, is by the machine's cores; the user's own stands."""
    now = [8]
    monkeypatch.setattr(torch, "get_num_threads", lambda: now[0])
    monkeypatch.setattr(torch, "set_num_threads", lambda count: now.__setitem__(0, count))
    monkeypatch.setattr(machine, "cores", lambda: 2)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if variable:
        monkeypatch.setenv("OMP_NUM_THREADS", variable)
    assert machine.set_threads(asked) == expected == now[0]


@pytest.mark.parametrize(
    ("given", "expected"), [("2", 2), ("128", 64), ("0", 64), ("", 64), ("two", 64), ("²", 64)]
)
def test_a_job_of_slurms_has_the_cores_that_slurm_has_given_it(monkeypatch, given, expected):
    """Not every cluster binds its jobs to them."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)), raising=False)
    monkeypatch.setattr(module, "quota", lambda: None)
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", given)
    assert cores() == expected


@pytest.mark.parametrize(
    ("affinity", "limit", "slurm", "said"),
    [
        (64, None, "", None),
        (64, 100.0, "64", None),
        (64, 1.5, "", "its cgroup's quota gives 2 of 64 cores"),
        (3, 8.0, "4", "its affinity gives 3 of 64 cores"),
        (64, 8.0, "4", "SLURM_CPUS_PER_TASK gives 4 of 64 cores"),
    ],
)
def test_what_holds_the_cores_below_the_machines_is_named(
    monkeypatch, affinity, limit, slurm, said
):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(affinity)), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(module, "quota", lambda: limit)
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", slurm)
    assert why_fewer() == said
