"""The time that a question has taken, over all calls."""

from pathlib import Path

import pytest

from mnist_sweep.best.ledger import Ledger, read_ledger
from mnist_sweep.best.question import QuestionError
from mnist_sweep.study_folder import ANSWER


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_time_adds_up_over_calls_of_the_command() -> None:
    clock = Clock()
    for _ in range(2):
        ledger = read_ledger(Path("home"))
        ledger.clock = clock
        tick = ledger.timer("search")
        clock.now += 3
        tick()
        clock.now += 4
        tick()
    again = read_ledger(Path("home"))
    assert (again.of("search"), again.of("confirm"), again.total) == (14, 0, 14)


def test_a_process_that_is_killed_loses_only_the_time_since_its_last_tick() -> None:
    clock = Clock()
    ledger = Ledger(Path("home", ANSWER), clock=clock)
    tick = ledger.timer("search")
    clock.now = 5
    tick()
    clock.now = 9  # and nothing is written any more
    assert read_ledger(Path("home")).total == 5


@pytest.mark.parametrize("text", ["", "[]", '{"seconds": 3}', '{"seconds": {"search": "long"}}'])
def test_a_damaged_ledger_is_one_line_that_says_what_to_do(text: str) -> None:
    Path("home").mkdir()
    Path("home", ANSWER).write_text(text)
    with pytest.raises(QuestionError, match=f"home/{ANSWER} is damaged .*delete it"):
        read_ledger(Path("home"))
