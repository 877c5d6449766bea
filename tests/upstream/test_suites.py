"""The upstream projects' own suites on our sweeper and launcher: `make upstream` runs them.

Each suite runs in a process of its own. The plugin's runs twice, with the stock sweeper and with
ours in its place (`shim`), so that what differs is told from what fails anyway.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ElementTree
from importlib.metadata import version
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.upstream]

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PLUGIN = "hydra-optuna-sweeper"

# What the stock sweeper passes and ours does not, and why that is meant so.
DIFFERENCES: dict[str, str] = {}


@pytest.fixture(scope="module")
def distribution(tmp_path_factory):
    """The plugin's source distribution, which has its tests but not the examples that they run."""
    folder = tmp_path_factory.mktemp("distribution")
    wanted = f"{PLUGIN}=={version(PLUGIN)}"
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    download += ["--no-binary", ":all:", "--dest", str(folder), wanted]
    done = subprocess.run(download, capture_output=True, text=True, cwd=folder)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        pytest.skip(f"the source distribution of {wanted} cannot be had here: {reason}")
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    (unpacked,) = (path for path in folder.iterdir() if path.is_dir())
    shutil.rmtree(unpacked / "hydra_plugins")  # the installed one is what is tested
    shutil.copytree(HERE / "plugin", unpacked, dirs_exist_ok=True)
    return unpacked


def run(tests, folder, ours=False):
    """Run a suite; return each test's name with how it failed, or None where it passed."""
    report = folder / ("ours.xml" if ours else "stock.xml")
    path = [str(ROOT), *([str(HERE / "shim")] if ours else []), os.environ.get("PYTHONPATH", "")]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tests)]
    command += [f"--junitxml={report}", f"--rootdir={folder}", "-c", os.devnull]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, path))}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stdout[-2000:] + done.stderr[-2000:]
    return {
        case.get("classname", "").rpartition(".")[2] + "::" + case.get("name", ""): _failure(case)
        for case in ElementTree.parse(report).iter("testcase")
        if case.find("skipped") is None
    }


def _failure(case):
    for kind in ("failure", "error"):
        if (found := case.find(kind)) is not None:
            return found.get("message", kind).splitlines()[0]
    return None


def tell(what, outcomes):
    failed = {name: why for name, why in outcomes.items() if why is not None}
    print(f"\n{what}: {len(outcomes)} run, {len(outcomes) - len(failed)} passed")
    for name, why in failed.items():
        print(f"  {name}: {why}")


def test_the_plugins_own_suite_passes_with_ours_in_its_place(distribution):
    stock, ours = run("tests", distribution), run("tests", distribution, ours=True)
    tell(f"{PLUGIN}, stock", stock)
    tell(f"{PLUGIN}, ours", ours)
    assert stock.keys() == ours.keys()
    assert {name for name in stock if stock[name] is None and ours[name]} == DIFFERENCES.keys()


@pytest.mark.parametrize("suite", ["launchers", "sweepers"])
def test_hydras_own_suites_pass(tmp_path, suite):
    outcomes = run(HERE / "suites" / f"{suite}.py", tmp_path, ours=True)
    tell(f"hydra-core, {suite}", outcomes)
    assert outcomes
    assert not any(outcomes.values())
