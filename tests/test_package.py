"""The package as people install and run it."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import mnist_sweep

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


def test_the_wheel_ships_what_importing_it_needs(wheel):
    shipped = set(zipfile.ZipFile(wheel).namelist())
    assert {"mnist_sweep/py.typed", "mnist_sweep/conf/__init__.py"} <= shipped


def test_importing_the_package_imports_neither_torch_nor_hydra():
    code = (
        "import sys, mnist_sweep\n"
        "names = dir(mnist_sweep)\n"
        "assert not {'torch', 'hydra', 'optuna'} & set(sys.modules)\n"
        "assert set(mnist_sweep.__all__) <= set(names)\n"
        "from mnist_sweep import compose\n"
        "assert compose('model=mlp').model.hidden == 25\n"
        "assert not {'torch', 'optuna'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_python_offers_is_there_in_any_order():
    from mnist_sweep import compose, load, study, train

    assert all(callable(each) for each in (compose, load, study, train))
    assert mnist_sweep.train is train
    assert callable(train.main)  # the command's module, as before
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = mnist_sweep.nonsense


def test_an_installed_wheel_runs_outside_the_checkout(wheel, tmp_path):
    # Beside this environment's packages, but with the wheel's own mnist_sweep before them.
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = (
        "import sys; sys.path.insert(0, 'site')\n"
        "from mnist_sweep import train\n"
        "assert train.__file__.endswith('site/mnist_sweep/train.py'), train.__file__\n"
        "from hydra import compose, initialize_config_module\n"
        "with initialize_config_module('mnist_sweep.conf'):\n"
        "    print(compose('config', ['model=mlp']).model)\n"
        "sys.argv = ['train', '--cfg', 'job', 'model=baseline']\n"
        "train.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "mnist_sweep.models.MLP" in done.stdout
    assert "StagedCNN" in done.stdout


def test_a_newcomers_make_lists_the_targets():
    done = subprocess.run(["make", "-C", str(ROOT)], capture_output=True, text=True, check=True)
    for target in ("setup", "train", "sweep", "test", "check", "tensorboard", "confirm", "clean"):
        assert f"  {target} " in done.stdout


def test_the_lock_file_names_no_index():
    content = (ROOT / "requirements.lock").read_text()
    assert "://" not in content
    assert "--hash=sha256:" in content
