"""The harness as a command; its short form, with real kills, is slow."""

import subprocess
import sys
from pathlib import Path

import pytest

import tools
from mnist_sweep.cli.arguments import parse
from mnist_sweep.errors import UserError
from tools.faults import __main__ as faults
from tools.faults.scenario import Outcome, Scenario, Skipped

ROOT = Path(tools.__file__).parent.parent


def harness(*words):
    return subprocess.run(
        [sys.executable, "-m", "tools.faults", *words], cwd=ROOT, capture_output=True, text=True
    )


@pytest.fixture
def play(monkeypatch, capsys):
    """Return a function that plays scenarios of the test's; it returns exit code and lines."""

    def play_all(*scenarios, **settings):
        monkeypatch.setattr(faults, "SCENARIOS", scenarios)
        monkeypatch.setattr("signal.signal", lambda *arguments: None)
        try:
            faults.main(faults.Faults(**settings))
        except SystemExit as stop:
            return stop.code, capsys.readouterr().out.splitlines()
        return 0, capsys.readouterr().out.splitlines()

    return play_all


def test_nothing_lost_is_exit_code_0_with_a_line_a_scenario(play):
    code, lines = play(Scenario("a", lambda lab: Outcome(2)), Scenario("b", lambda lab: Outcome(1)))
    assert code == 0
    assert lines[0].startswith("a: 2 injected, 2 survived, 0 lost")
    assert lines[-1] == "faults: 3 injected, 3 survived, 0 lost"


def test_a_loss_is_exit_code_1_and_a_line_of_its_own(play):
    code, lines = play(Scenario("a", lambda lab: Outcome(2, ["trial 1 is gone"])))
    assert code == 1
    assert lines[1] == "  lost: trial 1 is gone"


def test_what_cannot_be_played_here_is_skipped_with_its_reason(play):
    def cannot(lab):
        raise Skipped("no server here")

    code, lines = play(Scenario("a", cannot), Scenario("b", lambda lab: Outcome(1)))
    assert code == 0
    assert lines[0] == "a: skipped, no server here"
    assert lines[-1] == "faults: 1 injected, 1 survived, 0 lost; 1 scenario skipped"


def test_a_seed_gives_a_scenario_the_same_numbers_whatever_else_is_played(play):
    seen = []

    def note(lab):
        seen.append(lab.random.random())
        return Outcome(1)

    other = Scenario("other", lambda lab: Outcome(1))
    play(other, Scenario("note", note), seed=3)
    play(Scenario("note", note), seed=3)
    play(Scenario("note", note), seed=4)
    assert seen[0] == seen[1] != seen[2]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("only=nonsense", "only=nonsense names no scenario; there are kill one sweep, sqlite,"),
        ("kills=0", "kills=0 injects nothing"),
        ("keep=tools", "keep=tools is not empty"),
        ("sede=1", "there is no sede"),
    ],
)
def test_wrong_input_is_one_line(monkeypatch, word, said):
    monkeypatch.chdir(ROOT)
    with pytest.raises(UserError, match=said) as raised:
        faults.main(parse(faults.Faults, [word]))
    assert "\n" not in str(raised.value)


def test_the_command_says_wrong_input_in_one_line():
    done = harness("kills=0")
    assert done.returncode == 1
    assert "kills=0 injects nothing" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "injected"),
    [
        (["only=kill one sweep, sqlite", "kills=18"], 3),
        (["only=kill two sweeps, journal", "kills=18"], 3),
        (["only=full disk, journal"], 1),
        (["only=clock set"], 2),
    ],
)
def test_the_short_form_of_the_harness_loses_nothing(words, injected):
    done = harness(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.splitlines()[-1]
    skipped = "; 1 scenario skipped" in last
    assert skipped or last == f"faults: {injected} injected, {injected} survived, 0 lost"
