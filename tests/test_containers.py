"""What docs/cluster.md and the Dockerfile say of containers; the image, where it was built."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from mnist_sweep.conf.composed import compose_sweep
from mnist_sweep.config_checks import check
from mnist_sweep.hydra_part import without_hydra

ROOT = Path(__file__).parents[1]
IMAGE = "mnist-sweep-test"  # .ci/run builds it where it can


def test_the_sweep_of_the_kubernetes_job_composes_and_its_storage_has_no_password():
    page = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
    job = yaml.safe_load(re.search(r"```yaml\n(.*?)```", page, re.S).group(1))
    assert (job["kind"], job["spec"]["completionMode"]) == ("Job", "Indexed")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    module, multirun, *overrides = container["args"]
    assert (module, multirun) == ("mnist_sweep.train", "-m")
    config = compose_sweep(overrides, {})
    check(without_hydra(config))
    assert config.hydra.sweeper.n_trials == 200
    assert config.hydra.sweeper.storage == "postgresql+psycopg://sweeper@db.example/optuna"
    (mount,) = container["volumeMounts"]
    assert mount["mountPath"] == "/work", "where the image has its runs"


def test_the_image_is_given_every_file_that_it_copies_and_no_other():
    docker = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    copied = [w for line in re.findall(r"^COPY (.*)$", docker, re.M) for w in line.split()[:-1]]
    assert all((ROOT / name).exists() for name in copied)
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert sorted(line[1:] for line in ignored if line.startswith("!")) == sorted(copied)


def docker(*words):
    done = subprocess.run(["docker", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture
def image():
    """The name of the image, which has been built of this tree."""
    if shutil.which("docker") is None:
        pytest.skip("docker is not installed")
    if subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True).returncode:
        pytest.skip(f"there is no image {IMAGE}: docker build -t {IMAGE} .")
    return IMAGE


@pytest.mark.slow
def test_the_image_trains_and_sweeps(image, tmp_path):
    owner = tmp_path.stat()
    run = ("run", "--rm", "--user", f"{owner.st_uid}:{owner.st_gid}", "-v", f"{tmp_path}:/work")
    words = ("model=linear", "data=mnist_5k", "epochs=1")
    docker(*run, image, "mnist_sweep.train", *words, "hydra.run.dir=run")
    assert json.loads((tmp_path / "run" / "result.json").read_text())["status"] == "complete"
    sweep = ("-m", *words, "hydra.sweeper.n_trials=2", "hydra.sweeper.study_name=s")
    said = docker(*run, "--cpus=1", image, "mnist_sweep.train", *sweep)
    assert "workers: 1 process" in said
    assert "study s: 2 of 2 trials finished" in said
