"""One GPU shared by several processes: images a second of all together, by how many they are.

    make bench-gpu-workers [REPETITIONS=3]

Each process trains the enhanced network in batches of 32 on the full MNIST (MNIST_SWEEP_DATA) with
a CUDA graph, without evaluation, as a worker of a sweep does. All processes exist the whole time
and have their graph; the first few of them train in a window of time, the others wait. Whether the
processes run side by side on the GPU or in turns is up to NVIDIA's multi-process service, which the
caller starts beforehand or does not (`nvidia-cuda-mps-control -d`); what is found says so.
"""

import multiprocessing
import shutil
import subprocess
import sys
import time
from functools import partial
from multiprocessing.connection import Connection

import torch
from hydra import compose, initialize_config_dir

from benchmarks.common import alternate, need_gpu, ratios, save, spread, title
from mnist_sweep import train
from mnist_sweep.config_checks import check
from mnist_sweep.run.build import build_dataset, build_pipeline, build_training
from mnist_sweep.run.cores import cores
from mnist_sweep.run.machine import set_seeds
from mnist_sweep.training.loop import Precision, fit

PROCESSES = (1, 2, 4, 8, 16)
SECONDS = 3.0  # of a window


def worker(pipe: Connection) -> None:
    """Train in each window that is asked for; say how many images a second that was."""
    torch.set_num_threads(1)
    with initialize_config_dir(train.config_directory()):
        run = check(compose("config", ["data=mnist", "scheduler=constant"]))
    set_seeds(0, deterministic=False)
    images = build_dataset(run).to(torch.device("cuda")).train
    part = images[torch.arange(6_400, device="cuda")]
    training = build_training(run, len(part) // run.batch_size, part.labels.device)

    def until(end: float) -> float:
        """Train to the first pass that ends after `end`; return the images a second."""
        start, first = time.perf_counter(), training.epoch
        fit(
            training,
            part,
            part[torch.arange(100, device="cuda")],
            build_pipeline(run),
            epochs=10**6,
            batch_size=run.batch_size,
            precision=Precision(),
            after_epoch=lambda figures, best: "over" if time.perf_counter() > end else None,
            cuda_graph=True,
        )
        return (training.epoch - first) * len(part) / (time.perf_counter() - start)

    until(0.0)  # chooses kernels, records the graph
    pipe.send("ready")
    while (seconds := pipe.recv()) is not None:
        pipe.send(until(time.perf_counter() + seconds))


def window(pipes: list[Connection]) -> float:
    """Have some processes train at the same time; return the images a second of all together."""
    for pipe in pipes:
        pipe.send(SECONDS)
    return sum(pipe.recv() for pipe in pipes)


def service() -> bool:
    """Whether NVIDIA's multi-process service answers here."""
    if shutil.which("nvidia-cuda-mps-control") is None:
        return False
    asked = ["nvidia-cuda-mps-control"]
    try:
        done = subprocess.run(
            asked, input="get_server_list\n", capture_output=True, text=True, timeout=10
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def main(repetitions: int) -> None:
    """Measure windows with ever more processes, forwards and backwards."""
    need_gpu()
    counts = [count for count in PROCESSES if count <= cores()]
    spawn = multiprocessing.get_context("spawn")
    pipes = []
    for _ in range(counts[-1]):
        here, there = spawn.Pipe()
        spawn.Process(target=worker, args=(there,), daemon=True).start()
        pipes.append(here)
    for pipe in pipes:
        pipe.recv()
    found = alternate({str(n): partial(window, pipes[:n]) for n in counts}, repetitions)
    for pipe in pipes:
        pipe.send(None)
    title(
        f"images a second in batches of 32, all processes together; {torch.cuda.get_device_name()}"
        f"; multi-process service {'on' if service() else 'off'}"
    )
    for name, values in found.items():
        gain = spread(ratios(values, found["1"]), ".1f")
        print(f"  {name:>2} processes {spread(values, ',.0f')}, {gain} times one")
    save("gpu_workers", {"images_per_second": found, "service": service()})


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
