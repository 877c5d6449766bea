"""The package as people install and run it."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder), str(ROOT)]
    subprocess.run([*pip, *build], check=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_ships_every_config_file(wheel):
    shipped = {name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".yaml")}
    sources = {str(p.relative_to(ROOT)) for p in ROOT.glob("mnist_sweep/**/*.yaml")}
    assert shipped == sources
    assert len(sources) > 20


def test_an_installed_wheel_runs_outside_the_checkout(wheel, tmp_path):
    # Beside this environment's packages, but with the wheel's own mnist_sweep before them.
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = (
        "import sys; sys.path.insert(0, 'site')\n"
        "from mnist_sweep import train\n"
        "assert train.__file__.endswith('site/mnist_sweep/train.py'), train.__file__\n"
        "sys.argv = ['train', '--cfg', 'job', 'model=baseline']\n"
        "train.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "StagedCNN" in done.stdout


def test_a_newcomers_make_lists_the_targets():
    done = subprocess.run(["make", "-C", str(ROOT)], capture_output=True, text=True, check=True)
    for target in ("setup", "train", "sweep", "test", "check", "tensorboard", "confirm", "clean"):
        assert f"  {target} " in done.stdout


def test_the_lock_file_names_no_index():
    content = (ROOT / "requirements.lock").read_text()
    assert "://" not in content
    assert "--hash=sha256:" in content
