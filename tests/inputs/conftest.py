"""What wrong inputs are made of, and the line that sums them up."""

import json
import shutil
from pathlib import Path

import optuna
import pytest
import torch

from mnist_sweep.bundle.bundle import write_bundle
from mnist_sweep.run.load import load_trained
from tests.inputs.material import make_idx, make_pictures, make_studies
from tests.inputs.records import FILE, conclusion


@pytest.fixture(scope="session")
def material(finished, tmp_path_factory):
    """A run, its bundle, studies of all states, pictures and a small set in MNIST's format."""
    folder = tmp_path_factory.mktemp("material")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    shutil.copytree(finished, folder / "run")
    write_bundle(load_trained(str(finished), torch.device("cpu")), folder / "bundle")
    make_pictures(folder)
    make_idx(folder / "idx/MNIST/raw")
    make_studies(folder)
    (folder / "c").mkdir()
    (folder / FILE).write_text(json.dumps(conclusion()))
    return folder


@pytest.fixture
def beside(material):
    """Return a function that puts some of the material into the current folder."""

    def put(names):
        for name in names:
            source = material / name
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, Path(name))

    return put


def pytest_terminal_summary(terminalreporter):
    """Say how many inputs were tried, and what became of them."""
    found = [
        dict(report.user_properties)["input"]
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", None) == "call" and "input" in dict(report.user_properties)
    ]
    if found:
        kinds = ("refused in one line", "crashed", "passed", "unclear")
        said = ", ".join(f"{found.count(kind)} {kind}" for kind in kinds)
        terminalreporter.write_line(f"wrong inputs: {len(found)} tried, {said}")
