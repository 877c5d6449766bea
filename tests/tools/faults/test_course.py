import json

import pytest

from tools.faults.course import CHECKPOINT, METRICS, course, read_metrics, run


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours runs after it."""


class Killer:
    """A reporter that kills its process at the given look, having seen what was reported."""

    def __init__(self, at):
        self.at, self.looks, self.reported = at, 0, {}

    def check(self):
        self.looks += 1
        if self.looks == self.at:
            raise Killed

    def report(self, value, step, may_stop=True):
        self.check()
        self.reported[step] = value


def test_a_course_is_the_logistic_map():
    assert course(0.5, 2) == [0.975, 3.9 * 0.975 * (1 - 0.975)]


@pytest.mark.parametrize("at", range(1, 7))
def test_a_run_that_is_killed_anywhere_has_the_course_of_one_that_is_not(tmp_path, at):
    with pytest.raises(Killed):
        run(0.3, 4, 0, tmp_path, Killer(at))
    after = Killer(at=None)
    assert run(0.3, 4, 0, tmp_path, after) == course(0.3, 4)[-1]
    assert [line["state"] for line in read_metrics(tmp_path)] == course(0.3, 4)
    assert list(after.reported.values()) == course(0.3, 4)


def test_lines_after_the_checkpoint_and_halves_of_files_are_dropped(tmp_path):
    run(0.3, 2, 0, tmp_path)
    with (tmp_path / METRICS).open("a") as file:
        file.write('{"epoch": 3, "state": 0.1}\n{"epo')
    left = tmp_path / f".{CHECKPOINT}.0123abcd.tmp"
    left.write_text("{")
    run(0.3, 3, 0, tmp_path)
    assert [line["state"] for line in read_metrics(tmp_path)] == course(0.3, 3)
    assert json.loads((tmp_path / CHECKPOINT).read_text())["epoch"] == 3
    assert not left.exists()
