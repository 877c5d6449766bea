import shutil

import pytest
import torch
from omegaconf import OmegaConf

from mnist_sweep.sweep.jobs import resources
from mnist_sweep.sweep.jobs.resources import THREADS, divide, gpus

AUTO, CPU = OmegaConf.create({"device": "auto"}), OmegaConf.create({"device": "cpu"})


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine of eight cores without a GPU, whose user has set nothing; returns what sets it."""
    monkeypatch.setattr(resources, "cores", lambda: 8)
    monkeypatch.setattr(resources, "why_fewer", lambda: None)
    monkeypatch.setattr(resources, "memory", lambda: (int(64e9), None))
    for name in THREADS:
        monkeypatch.delenv(name, raising=False)

    def has(visible=None, devices=0, **environment):
        if visible is None:
            monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        else:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: devices)
        # A driver brings its own command along, and torch is asked only where there is a driver.
        monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}" if devices else None)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

    has()
    return has


def threads(environments):
    """The threads of each worker, by any library."""
    return [{environment.get(name) for name in THREADS} for environment in environments]


def devices(environments):
    return [environment.get("CUDA_VISIBLE_DEVICES") for environment in environments]


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, ["0", "1", "2"]),
        ("", []),
        ("-1", []),
        ("1", ["1"]),
        ("2,0", ["2", "0"]),
        (" 0 , 1 ", ["0", "1"]),
        ("GPU-8932f937,MIG-5c6f", ["GPU-8932f937", "MIG-5c6f"]),
        ("NoDevFiles", []),
        ("0,-1,1", ["0"]),
    ],
)
def test_gpus_are_those_that_the_user_lets_be_seen(machine, visible, expected):
    machine(visible, devices=3)
    assert gpus(AUTO) == expected


@pytest.mark.parametrize("visible", [None, "0,1"])
def test_jobs_of_the_cpu_have_no_gpu(machine, visible):
    machine(visible, devices=2)
    assert gpus(CPU) == []
    assert gpus(AUTO) == ["0", "1"]


@pytest.mark.parametrize(
    "device",
    [
        "${oc.env:ONLY_IN_JOBS}",
        "${nowhere}",
        "${no_such_resolver:1}",
        "${.device}",
        "${fails:}",
        "???",
        None,
        {"kind": "gpu"},
    ],
    ids=str,
)
def test_a_device_that_only_jobs_can_resolve_stops_nothing(machine, device):
    """Theirs may be any GPU."""

    def fails():
        raise RuntimeError("no job runs")

    OmegaConf.register_resolver("fails", fails, replace=True)
    machine(devices=2)
    assert gpus(OmegaConf.create({"device": device})) == ["0", "1"]


def test_a_task_that_knows_no_device_may_use_every_gpu(machine):
    machine(devices=2)
    assert gpus(OmegaConf.create({})) == ["0", "1"]


@pytest.mark.parametrize(
    ("n_jobs", "asked", "count", "share"),
    [
        (None, None, 8, "1"),
        (1, None, 1, "8"),
        (2, None, 2, "4"),
        (3, None, 3, "2"),  # two cores are left over
        (20, None, 20, "1"),
        (2, 3, 2, "3"),
        (None, 2, 8, "2"),
    ],
)
def test_workers_share_the_cores_threads(n_jobs, asked, count, share):
    environments = divide(CPU, n_jobs, asked).environments
    assert threads(environments) == [{share}] * count
    assert devices(environments) == [None] * count


@pytest.mark.parametrize(
    ("n_jobs", "expected", "share"),
    [
        (None, ["0", "1"], "4"),
        (1, ["0"], "8"),
        (2, ["0", "1"], "4"),
        (5, ["0", "1", "0", "1", "0"], "1"),
    ],
)
def test_workers_have_one_gpu_each_and_share_them_in_turn(machine, n_jobs, expected, share):
    machine(devices=2)
    environments = divide(AUTO, n_jobs, None).environments
    assert devices(environments) == expected
    assert threads(environments) == [{share}] * len(expected)


def test_workers_have_the_gpus_that_the_user_lets_be_seen(machine):
    machine("3,GPU-8932f937", devices=8)
    assert devices(divide(AUTO, 3, None).environments) == ["3", "GPU-8932f937", "3"]


def test_workers_of_jobs_of_the_cpu_are_not_counted_by_gpus(machine):
    machine(devices=2)
    assert devices(divide(CPU, None, None).environments) == [None] * 8


def test_the_users_own_thread_count_stands(machine):
    machine(OMP_NUM_THREADS="6")
    environments = divide(CPU, 2, None).environments
    others = {name: "4" for name in THREADS if name != "OMP_NUM_THREADS"}
    assert environments == [others] * 2


def test_a_thread_count_of_the_launchers_stands_before_the_environments(machine):
    machine(OMP_NUM_THREADS="6")
    assert divide(CPU, 1, 3).environments == [dict.fromkeys(THREADS, "3")]


LIMIT, EIGHT = "its cgroup's limit", "there are 8 cores"


@pytest.mark.parametrize(
    ("size", "limit", "needed", "count", "said"),
    [
        (64e9, None, 1.0, 8, None),
        (64e9, None, None, 8, None),
        (9e9, None, 1.0, 8, None),
        (3.9e9, LIMIT, 1.0, 2, f"with the sweep 3 of 1 GB each, in 3.9 GB, {LIMIT}; {EIGHT}"),
        (6e9, None, 1.5, 3, f"with the sweep 4 of 1.5 GB each, in 6.0 GB of memory; {EIGHT}"),
        (1e9, None, 0.8, 1, "which with the sweep needs 1.6 GB, and there are 1.0 GB of memory"),
        (0.5e9, LIMIT, 1.0, 1, f"which with the sweep needs 2 GB, and there are 0.5 GB, {LIMIT}"),
    ],
)
def test_workers_are_no_more_than_the_memory_holds(monkeypatch, size, limit, needed, count, said):
    monkeypatch.setattr(resources, "memory", lambda: (int(size), limit))
    workers = divide(CPU, None, None, needed)
    assert threads(workers.environments) == [{str(8 // count)}] * count
    assert workers.why == said


def test_the_users_own_number_of_workers_stands_whatever_the_memory(monkeypatch):
    monkeypatch.setattr(resources, "memory", lambda: (int(1e9), None))
    assert len(divide(CPU, 5, None, 1.0).environments) == 5
    assert divide(CPU, 5, None, 1.0).why is None


def test_what_holds_the_cores_below_the_machines_is_said(monkeypatch):
    monkeypatch.setattr(resources, "why_fewer", lambda: "its affinity gives 8 of 64 cores")
    assert divide(CPU, None, None).why == "its affinity gives 8 of 64 cores"
