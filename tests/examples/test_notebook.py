"""The notebook, as one that opens it would run it."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[2] / "examples" / "notebook.ipynb"


def cells():
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def as_shown(source):
    """A cell's code that also prints its last expression, as a notebook shows it."""
    tree = ast.parse(source)
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        last = tree.body.pop()
        if not ast.unparse(last).startswith("print("):
            tree.body.append(ast.parse(f"print({ast.unparse(last)})").body[0])
        else:
            tree.body.append(last)
    return ast.unparse(ast.fix_missing_locations(tree))


def test_it_is_kept_without_outputs():
    assert [(cell["outputs"], cell["execution_count"]) for cell in cells()] == [
        ([], None) for _ in cells()
    ]
    assert str(Path.home()) not in NOTEBOOK.read_text(encoding="utf-8")


@pytest.mark.slow
def test_all_its_cells_run_and_show_what_they_say(tmp_path):
    code = "\n\n".join(as_shown("".join(cell["source"])) for cell in cells())
    (tmp_path / "notebook.py").write_text(code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-W", "error", "notebook.py"],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "19,885 parameters" in done.stdout
    assert "model=resnet has 77,754 parameters" in done.stdout
    assert "torch.Size([5, 10])" in done.stdout
    assert "study notebook: 6 of 6 trials finished" in done.stdout
    assert "of the test images" in done.stdout
