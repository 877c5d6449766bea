"""What `--help` says of settings."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from mnist_sweep import conf
from mnist_sweep.cli.settings_help import settings_help
from mnist_sweep.hydra_part import config_directory

SETTING = re.compile(r"  (?! )(\S+?)=")
GROUPS = ("model", "optimizer", "scheduler", "data", "tracking", "search")
CONF = Path(config_directory())
conf.register()


@pytest.fixture
def printed(command, capfd):
    """Return a function from overrides to the lines that --help prints with them."""

    def print_help(*overrides):
        assert command("--help", *overrides) == 0
        return capfd.readouterr().out.splitlines()

    return print_help


def comments(lines):
    """Each setting's comment, empty where it has none."""
    found, last = {}, None
    for line in lines[lines.index("Settings (key=value)") :]:
        if match := SETTING.match(line):
            last = match[1]
            found[last] = line[32:] if len(line) > 32 and line[30:32] == "  " else ""
        elif last and line.startswith(" " * 32):
            found[last] = f"{found[last]} {line.strip()}".strip()
        else:
            last = None
    return found


def test_every_setting_is_there_with_a_comment_in_80_columns(printed):
    lines = printed()
    found = comments(lines)
    assert {"epochs", "model.stages", "data.augmentation.until", "early_stopping.mode"} < set(found)
    assert {"hydra.sweeper.n_trials", "hydra.sweeper.params", "lease"} < set(found)
    assert [name for name, comment in found.items() if not comment] == []
    assert [line for line in lines if len(line) > 80] == []
    assert found["epochs"] == "passes over the training images"


@pytest.mark.parametrize("group", GROUPS)
def test_so_is_every_setting_of_every_option(group):
    for option in sorted(path.stem for path in (CONF / group).glob("*.yaml")):
        with initialize_config_dir(str(CONF)):
            root = compose("config", [f"{group}={option}"], return_hydra_config=True)
        root.hydra.job.config_name = "config"
        lines = ["Settings (key=value)", *settings_help(_root_=root).splitlines()]
        assert [name for name, comment in comments(lines).items() if not comment] == []
        assert [line for line in lines if len(line) > 80] == []
        heading = next(line for line in lines if line.startswith(f"{group}={option}"))
        assert len(heading) > 32, f"{group}={option} does not say what it is"


def test_a_value_is_what_the_command_line_makes_it(printed):
    lines = "\n".join(printed("epochs=7", "model=mlp", "model.hidden=12", "name='a b'"))
    assert "  epochs=7  " in lines
    assert "  model.hidden=12  " in lines
    assert "  early_stopping.monitor=${keep.monitor}" in lines
    assert "  name=a b  " in lines
    assert "model.stages" not in lines


def test_a_users_own_configs_have_their_comments_too(printed, tmp_path):
    (tmp_path / "mine" / "model").mkdir(parents=True)
    (tmp_path / "mine" / "model" / "odd.yaml").write_text(
        "# A network of mine.\n_target_: mine.Net\nsize: 3  # how odd it is\nplain: 1\n"
    )
    lines = printed("--config-dir", str(tmp_path / "mine"), "model=odd")
    assert f"{'model=odd':<32}A network of mine." in lines
    assert f"{'  model.size=3':<32}how odd it is" in lines
    assert "  model.plain=1" in lines


def test_several_trackers_are_described_together(printed):
    lines = printed("tracking=[tensorboard,mlflow]")
    assert any(line.startswith("tracking=[tensorboard, mlflow]") for line in lines)
    found = comments(lines)
    assert found["tracking.mlflow.experiment"]
    assert found["tracking.tensorboard.images"]


def test_hydras_own_help_stays(command, capfd):
    assert command("--hydra-help") == 0
    assert "--multirun" in capfd.readouterr().out


@pytest.mark.parametrize("override", ["model=nope", "sede=1", "hydra/sweeper=basic", "seed=0,1"])
def test_help_of_what_does_not_compose_says_what_a_run_of_it_would(command, capfd, override):
    assert command(override) == 1
    said = capfd.readouterr().err
    assert command("--help", override) == 1
    found = capfd.readouterr().err
    assert found
    assert found.splitlines()[0] == said.splitlines()[0]
    assert "Traceback" not in found


def test_who_reads_only_the_first_lines_of_help_sees_no_traceback():
    code = "import mnist_sweep.train as train; train.command_line()"
    words = [sys.executable, "-c", code, "--help"]
    help_ = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    help_.stdout.close()
    with help_:
        assert help_.stderr.read() == ""
    assert help_.returncode == 141
