import os
import subprocess
from pathlib import Path

import pytest

from mnist_sweep.run.machine import commit_of


def git(folder, *words):
    return subprocess.run(
        ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *words],
        capture_output=True,
        encoding="utf-8",
        check=True,
    ).stdout.strip()


def package(root):
    """A package in a folder, as this one is in its checkout."""
    (root / "package").mkdir(parents=True)
    (root / "package" / "module.py").write_text("a = 1\n")
    (root / "README.md").write_text("read\n")
    return root / "package" / "module.py"


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    root = tmp_path / "checkout"
    package(root)
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "first")
    return root


def test_what_a_run_leaves_beside_the_code_is_no_change_of_it(checkout):
    module = checkout / "package" / "module.py"
    commit = git(checkout, "rev-parse", "HEAD")
    assert commit_of(module) == commit
    for name in ("multirun/s/0/result.json", "my_model/bundle.json", "read.csv", "package/new.py"):
        path = checkout / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    assert commit_of(module) == commit


@pytest.mark.parametrize("change", ["edited", "staged", "deleted", "elsewhere"])
def test_a_change_of_a_tracked_file_is_said(checkout, change):
    module = checkout / "package" / "module.py"
    changed = checkout / "README.md" if change in ("deleted", "elsewhere") else module
    if change == "deleted":
        changed.unlink()
    else:
        changed.write_text("b = 2\n")
    if change == "staged":
        git(checkout, "add", ".")
    assert commit_of(module) == git(checkout, "rev-parse", "HEAD") + "-dirty"


def test_a_touched_file_is_no_change_and_the_index_is_left_as_it_is(checkout):
    module = checkout / "package" / "module.py"
    os.utime(module, (1, 1))
    index = checkout / ".git" / "index"
    before = index.read_bytes()
    (checkout / ".git" / "index.lock").touch()  # a commit is under way
    assert commit_of(module) == git(checkout, "rev-parse", "HEAD")
    assert index.read_bytes() == before


def test_a_package_installed_in_the_midst_of_another_checkout_is_not_of_its_commit(checkout):
    assert commit_of(package(checkout / ".venv" / "site-packages")) is None


def test_a_package_that_another_repository_holds_is_of_its_commit(checkout):
    module = package(checkout / "third_party" / "ours")
    git(checkout, "add", ".")
    git(checkout, "commit", "-q", "-m", "second")
    (checkout / "README.md").write_text("not of the package\n")
    assert commit_of(module) == git(checkout, "rev-parse", "HEAD")
    module.write_text("b = 2\n")
    assert commit_of(module) == git(checkout, "rev-parse", "HEAD") + "-dirty"


def test_the_environment_of_a_git_hook_is_not_taken_for_the_packages(checkout, monkeypatch):
    other = checkout.parent / "other"
    package(other)
    git(other, "init", "-q")
    commit = git(checkout, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    assert commit_of(checkout / "package" / "module.py") == commit


def test_a_worktree_has_a_commit(checkout):
    git(checkout, "worktree", "add", "-q", "../tree", "-b", "branch")
    tree = checkout.parent / "tree"
    assert (tree / ".git").is_file()
    assert commit_of(tree / "package" / "module.py") == git(tree, "rev-parse", "HEAD")


def test_without_a_commit_a_repository_or_git_there_is_none(tmp_path, checkout, monkeypatch):
    assert commit_of(package(tmp_path / "plain")) is None
    module = package(tmp_path / "empty")
    git(tmp_path / "empty", "init", "-q")
    git(tmp_path / "empty", "add", ".")
    assert commit_of(module) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit_of(checkout / "package" / "module.py") is None


def test_a_checkout_of_another_user_is_not_asked(checkout, monkeypatch):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # git's own switch for its tests
    assert commit_of(Path(checkout / "package" / "module.py")) is None
