"""Printed command lines are what a shell and Hydra read back."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from mnist_sweep.cli import arguments, printed_commands
from mnist_sweep.cli.printed_commands import (
    ENVIRONMENT_VARIABLE,
    Program,
    entry,
    for_study,
    from_record,
    override,
    shell,
)
from mnist_sweep.report.__main__ import Report
from mnist_sweep.run.console import Narrator
from mnist_sweep.study_folder import STORAGE
from mnist_sweep.sweep.study_store import another_name

TEXTS = [
    "plain", "a b", " a ", "it's", 'say "x"', "a=b", "a,b", "f(x)", "a&b", "é", "c$5", "$HOME",
    "${x}", "$(touch made)", "`touch made`", "1.10", "007", "1e5", "null", "True", "nan", "",
    "[a]", "{a: b}", "a:b", "a\\b", "\\", "x\\'y", "a\\", "tag(log,x)", "a;b", "a|b", "a*?b", "!x",
    "~x", "#x", "@x", "%s", "-m", "--x", "a/b c/d.db", "sqlite:///multirun/optuna.db",
    "interval(0,1)", "a'b\"c", "日本",
]  # fmt: skip


def words_of(line):
    """What a shell makes of a line, which runs nothing."""
    done = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {line}"], capture_output=True, text=True, check=True
    )
    return done.stdout.split("\0")[:-1]


def as_hydra_reads(word):
    """A key and its text, as an application's config has them in the end."""
    parsed = OverridesParser.create().parse_override(word)
    assert not parsed.is_sweep_override()
    value = parsed.value()
    config = OmegaConf.create({"value": getattr(value, "text", value), "x": "another"})
    return parsed.key_or_group, config.value


def test_an_override_is_any_text_to_a_shell_and_to_hydra():
    line = shell([override("group.key", text) for text in TEXTS])
    assert shlex.split(line) == words_of(line)
    assert [as_hydra_reads(word) for word in words_of(line)] == [("group.key", t) for t in TEXTS]
    assert not Path("made").exists()


def test_what_needs_no_quotes_has_none():
    address = "sqlite:///multirun/optuna.db"
    assert override("resume", "outputs/2026-11-20/17-25-21") == "resume=outputs/2026-11-20/17-25-21"
    assert entry("report", {}, study="s-1", storage=address) == (
        f"python -m mnist_sweep.report study=s-1 storage={address}"
    )


@pytest.mark.parametrize("text", [text for text in TEXTS if text])
def test_an_entry_of_ours_takes_any_text(text):
    line = entry("report", {}, study=text, to=None)
    assert arguments.parse(Report, shlex.split(line)[3:]) == Report(text)


def test_the_environment_stands_before_a_command():
    program = Program(
        ["python", "my app.py"], ["--config-dir", "my conf"], {ENVIRONMENT_VARIABLE: "a.*,b c"}
    )
    line = program.command(["x='a b'"])
    done = subprocess.run(
        ["bash", "-c", f'python() {{ echo "${ENVIRONMENT_VARIABLE}" "$@"; }}; {line}'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "a.*,b c my app.py --config-dir my conf x='a b'\n"
    assert program.entry("report", study="s").startswith(
        f"{ENVIRONMENT_VARIABLE}='a.*,b c' python -m "
    )


def test_a_program_comes_back_from_its_record():
    program = Program(["python", "app.py"], ["--config-name", "b"], {ENVIRONMENT_VARIABLE: "x.*"})
    assert from_record(program.recorded()) == program
    assert not program.ours


@pytest.mark.parametrize(
    "recorded", [None, "x", {}, {"words": []}, {"words": "rm", "options": []}, {"words": ["a"]}]
)
def test_what_is_no_record_is_our_own_entry(recorded):
    assert from_record(recorded) == Program()
    assert from_record(recorded).ours


def test_a_record_sets_no_other_variable():
    recorded = {
        "words": ["a"],
        "options": [],
        "environment": {"PATH": "/x", ENVIRONMENT_VARIABLE: "y.*"},
    }
    assert from_record(recorded).environment == {ENVIRONMENT_VARIABLE: "y.*"}


@pytest.mark.parametrize(
    ("given", "options"),
    [
        (["-m", "x=1"], []),
        (["-cd", "my_conf", "-m"], ["--config-dir", "my_conf"]),
        (["--config-name=b", "-m"], ["--config-name", "b"]),
        (["-cp", "p", "-cn", "n"], ["--config-path", "p", "--config-name", "n"]),
        (["x=1", "--config-dir", "a b", "y=-cd"], ["--config-dir", "a b"]),
        (["-c", "another/programs.ini"], []),
    ],
)
def test_hydras_options_are_read_as_hydra_reads_them(monkeypatch, given, options):
    monkeypatch.setattr(sys, "argv", ["app.py", *given])
    assert list(printed_commands.this_program().options) == options


def test_an_interrupted_run_says_how_it_goes_on(caplog, monkeypatch):
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "mine.*")
    caplog.set_level("INFO", "mnist_sweep")
    directory = Path("it's, here/a=b (é) $5")
    Narrator(SimpleNamespace(trial=None, epochs=5)).interrupted(3, directory)
    line = caplog.messages[-1].partition("resume with: ")[2]
    variable, *program, resume = shlex.split(line)
    assert (variable, program) == (f"{ENVIRONMENT_VARIABLE}=mine.*", list(printed_commands.TRAIN))
    assert as_hydra_reads(resume) == ("resume", str(directory))


@pytest.fixture
def checkout(monkeypatch, tmp_path):
    """A checkout of this project, in whose environment Python runs."""
    monkeypatch.setattr(printed_commands, "__file__", str(tmp_path / "mnist_sweep/cli/x.py"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    monkeypatch.setattr(printed_commands.shutil, "which", lambda name: f"/bin/{name}")
    (tmp_path / "Makefile").touch()


def test_a_studys_commands_are_makes_in_the_checkout(checkout):
    assert for_study("report", "s", STORAGE) == "make report STUDY=s"
    elsewhere = for_study("confirm", "it's $1", "journal:///a b.log")
    assert shlex.split(elsewhere) == [
        "make",
        "confirm",
        "STUDY=it's $1",
        "STORAGE=journal:///a b.log",
    ]


@pytest.mark.parametrize("change", ["another folder", "another environment", "no make", "no file"])
def test_a_studys_commands_are_pythons_where_make_would_do_something_else(
    checkout, monkeypatch, tmp_path, change
):
    if change == "another folder":
        (tmp_path / "below").mkdir()
        monkeypatch.chdir(tmp_path / "below")
    elif change == "another environment":
        monkeypatch.setattr(sys, "prefix", "/usr")
    elif change == "no make":
        monkeypatch.setattr(printed_commands.shutil, "which", lambda name: None)
    else:
        (tmp_path / "Makefile").unlink()
    expected = f"python -m mnist_sweep.report study=s storage={STORAGE}"
    assert for_study("report", "s", STORAGE) == expected
    assert Program().for_study("report", "s", STORAGE) == expected


def test_another_applications_commands_are_never_makes(checkout):
    other = Program(["python", "app.py"])
    assert other.for_study("report", "s", STORAGE).startswith("python -m mnist_sweep.report")
    assert Program().for_study("report", "s", STORAGE) == "make report STUDY=s"


def test_the_makefile_has_the_targets_the_environment_and_the_database_that_are_printed():
    makefile = (Path(printed_commands.__file__).parents[2] / "Makefile").read_text()
    for name in ("report", "confirm", "reproduce", "dashboard"):
        assert re.search(f"^{name}:", makefile, re.MULTILINE)
    assert f"VENV := {printed_commands.VENV}\n" in makefile
    assert f"STORAGE ?= {STORAGE}\n" in makefile


@pytest.mark.parametrize(
    ("level", "words", "hint"),
    [
        ("1", printed_commands.TRAIN, " (make sweep STUDY=name)"),
        ("1", ("python", "app.py"), ""),  # which has a Makefile of its own
        (None, printed_commands.TRAIN, ""),
    ],
)
def test_only_who_started_our_sweep_by_make_is_told_of_make(monkeypatch, level, words, hint):
    monkeypatch.delenv("MAKELEVEL", raising=False)
    if level:
        monkeypatch.setenv("MAKELEVEL", level)
    monkeypatch.setattr(printed_commands, "this_program", lambda: Program(words))
    assert another_name() == f"choose another hydra.sweeper.study_name{hint}"


APP = """
import hydra
from omegaconf import OmegaConf

@hydra.main(config_path="conf", config_name="other")
def main(config):
    print("composed", OmegaConf.to_yaml(config), "end")
    return config.x

if __name__ == "__main__":
    main()
"""
CONFIG = """
defaults: [{override hydra/sweeper: mnist_sweep}, {override hydra/launcher: basic}]
hydra: {sweeper: {study_name: "it's", storage: "sqlite:///my studies.db", n_trials: 2}}
x: 1.0
text: ""
study: 3
"""


@pytest.fixture
def environment(monkeypatch):
    root = str(Path(printed_commands.__file__).parents[2])
    scripts = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {
        **os.environ,
        "PYTHONPATH": root,
        "PATH": scripts,
        ENVIRONMENT_VARIABLE: "mine.*,yours.*",
    }


@pytest.mark.slow
def test_another_applications_command_trains_its_best_again(environment):
    """From the sweep's last lines, and from its report, which lies beside its trials."""
    Path("my app/conf").mkdir(parents=True)
    Path("my app/it's.py").write_text(APP)
    Path("conf dir").mkdir()
    Path("conf dir/mine, and yours.yaml").write_text(CONFIG)
    text = "a, b=c (d) & $5 it's é {x: y}"
    options = ["--config-dir", "conf dir", "-cn", "mine, and yours"]

    def run(line):
        done = subprocess.run(
            ["bash", "-c", line], capture_output=True, text=True, env=environment, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def composed(said):
        return OmegaConf.create(re.findall(r"composed (.*?) end", said, re.DOTALL)[-1])

    sweep = ["python", "my app/it's.py", "-m", *options, "x=interval(0,1)", override("text", text)]
    said = run(shlex.join([*sweep, "study=4"]))
    assert "make " not in said
    (again,) = re.findall(r"train it again: (.*)", said)
    (report,) = re.findall(r"look next: (.*)", said)
    study = optuna.load_study(study_name="it's", storage="sqlite:///my studies.db")
    expected = {"x": study.best_params["x"], "text": text, "study": 4}
    assert f"{ENVIRONMENT_VARIABLE}='mine.*,yours.*' python 'my app/it'\"'\"'s.py'" in again
    assert composed(run(again)) == expected
    run(report)
    (page,) = Path("multirun").rglob("report.md")
    assert page.parent.parent.resolve() == Path(study.user_attrs["directory"]).resolve()
    written = page.read_text()
    assert f"# trial {study.best_trial.number}\n{again}\n" in written
    for word in ("mnist_sweep.train", "epoch", "parameters", "budget", "network", "validation"):
        assert word not in written
    assert not list(Path().glob("multirun/it's*"))
