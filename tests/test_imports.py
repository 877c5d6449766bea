"""Imports go one way, as docs/code.md has it."""

import ast
import re
from pathlib import Path

import pytest

import mnist_sweep

PACKAGE = Path(mnist_sweep.__file__).parent
# Each imports from those before it, and from what all share, which lies beside them.
ORDER = (
    "data",
    "models",
    "training",
    "inspection",
    "cli",
    "run",
    "bundle",
    "sweep",
    "conf",
    "confirm",
    "studies",
    "report",
    "results",
    "dashboard",
    "best",
    "slurm",
    "watch",
    "api",
)
COMMANDS = ("train", "predict", "pictures", "export", "reproduce", "tensorboard", "mlflow")


def imported(path):
    """The names that a module imports from the package, without the package's own."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if (
            isinstance(node, ast.ImportFrom)
            and node.module
            and node.module.startswith("mnist_sweep")
        ):
            base = node.module.split(".")[1:]
            yield from ((*base, name.name)[0] for name in node.names)


def test_the_page_on_the_code_has_the_packages_in_this_order():
    page = (PACKAGE.parent / "docs" / "code.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| [")]
    named = [name for row in rows for name in re.findall(r"\[(\w+)/\]", row)]
    assert [name for name in named if name != PACKAGE.name] == list(ORDER)


def test_every_package_has_its_place_in_the_order():
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert packages == set(ORDER)
    modules = {path.stem for path in PACKAGE.glob("*.py")}
    assert set(COMMANDS) < modules


@pytest.mark.parametrize("package", ORDER)
def test_a_package_imports_from_none_above_it_and_from_no_command(package):
    above = {*ORDER[ORDER.index(package) + 1 :], *COMMANDS}
    found = {
        str(path.relative_to(PACKAGE)): sorted(set(imported(path)) & above)
        for path in sorted((PACKAGE / package).rglob("*.py"))
    }
    assert {path: names for path, names in found.items() if names} == {}


def test_what_all_share_imports_from_no_package():
    shared = [path for path in PACKAGE.glob("*.py") if path.stem not in (*COMMANDS, "__init__")]
    found = {path.name: sorted(set(imported(path)) & {*ORDER, *COMMANDS}) for path in shared}
    assert {name: names for name, names in found.items() if names} == {}
