"""What docs/cluster.md and the Dockerfile say of containers, where no container can be made."""

import re
from pathlib import Path

import yaml

from mnist_sweep.conf.composed import compose_sweep
from mnist_sweep.config import check, without_hydra

ROOT = Path(__file__).parents[1]


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
