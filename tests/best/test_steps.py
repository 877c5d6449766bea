"""Commands as children of this one."""

import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from mnist_sweep.best import steps
from mnist_sweep.cli.interruption import Terminated, interruptible

CHILD = """
import signal, sys, time
from pathlib import Path
Path("began").touch()
try:
    time.sleep(60)
except KeyboardInterrupt:
    Path("settled").touch()
    sys.exit(130)
"""


@pytest.fixture(autouse=True)
def _modules_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setattr(steps, "TICK", 0.05)


def test_a_step_that_fails_is_named_with_its_exit_code() -> None:
    Path("step.py").write_text("import sys; sys.exit(3)")
    with pytest.raises(steps.StepFailed, match="step ended with exit code 3"):
        steps.run(["step"], lambda: None)


def test_time_is_entered_while_a_step_runs_and_at_its_end() -> None:
    Path("step.py").write_text("import time; time.sleep(0.2)")
    ticks: list[int] = []
    steps.run(["step"], lambda: ticks.append(1))
    assert len(ticks) > 1


def test_what_a_step_prints_can_be_read() -> None:
    Path("step.py").write_text("import sys; print(sys.argv[1])")
    assert steps.read(["step", "a=b"], lambda: None) == "a=b\n"


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_step_is_waited_for_while_it_settles(number: signal.Signals) -> None:
    Path("step.py").write_text(CHILD)

    def interrupt() -> None:
        while not Path("began").exists():
            pass
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=interrupt)
    thread.start()
    kind = Terminated if number == signal.SIGTERM else KeyboardInterrupt
    with interruptible(), pytest.raises(kind):
        steps.run(["step"], lambda: None)
    thread.join()
    assert Path("settled").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_background_job_which_ignores_ctrl_c_can_be_ended_all_the_same() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        test_an_interrupted_step_is_waited_for_while_it_settles(signal.SIGTERM)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_what_is_shown_of_a_step_has_no_password() -> None:
    words = ["mnist_sweep.report", "study=s", "storage=postgresql+psycopg://me:secret@host/db"]
    assert "secret" not in steps.shown(words)
    assert "postgresql+psycopg://me:***@host/db" in steps.shown(words)
