"""Completion in a shell."""

import os
import subprocess
import sys

import pytest

from mnist_sweep.cli.completion import check_completion, is_query
from mnist_sweep.config import ConfigError

COMMAND = f"""#!{sys.executable}
from mnist_sweep.train import command_line
command_line()
"""
# As bash calls it when Tab is pressed.
TAB = """
eval "$(mnist-sweep -sc install=bash)"
complete -p mnist-sweep
for line in "$@"; do
  COMP_LINE=$line; COMP_POINT=${#line}; words=($line); COMP_CWORD=$((${#words[@]} - 1))
  hydra_bash_completion
  echo "${COMPREPLY[@]}"
done
"""


def test_a_shell_completes_groups_options_and_settings(tmp_path):
    command = tmp_path / "mnist-sweep"  # as an installation makes it
    command.write_text(COMMAND)
    command.chmod(0o755)
    lines = ["mnist-sweep model=ba", "mnist-sweep -m model=mlp hydra.sweeper.n_"]
    bash = ["bash", "--norc", "-c", TAB, "bash", *lines]
    environment = os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(bash, capture_output=True, text=True, env=environment, check=True)
    rule, *answers = done.stdout.splitlines()
    assert rule.endswith("-F hydra_bash_completion mnist-sweep")
    assert answers == ["model=baseline", "hydra.sweeper.n_jobs= hydra.sweeper.n_trials="]
    assert done.stderr == ""


def test_where_it_could_not_work_it_is_refused_in_one_line(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/train.py"])
    with pytest.raises(ConfigError, match=r'eval "\$\(mnist-sweep -sc install=bash\)"'):
        check_completion(["-sc", "install=bash"])
    check_completion(["model=mlp"])
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/mnist-sweep"])
    check_completion(["-sc", "install=bash"])


def test_a_shells_question_is_told_from_a_run():
    assert is_query(["-sc", "query=bash"])
    assert not is_query(["-sc", "install=bash"])
    assert not is_query(["query=bash"])
