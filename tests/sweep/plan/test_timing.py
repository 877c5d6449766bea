import pytest

from mnist_sweep.errors import UserError
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.plan.timing import ask
from mnist_sweep.sweep.probe import RunCost


def test_a_probe_is_told_for_how_long_to_time():
    def probe(config, hydra, seconds):
        return RunCost(1, epoch_seconds=(seconds,))

    assert ask(probe, {}, {}, 7.0).epoch_seconds == (7.0,)


def test_what_a_user_can_cause_is_said_as_it_is():
    def probe(config, hydra, seconds):
        raise UserError("no such data")

    with pytest.raises(UserError, match=r"^no such data$"):
        ask(probe, {}, {}, 0.0)


@pytest.mark.parametrize(
    ("probe", "message"),
    [
        (lambda c, h, s: 1 / 0, "hydra.sweeper.probe raised ZeroDivisionError: division by zero"),
        (lambda c, h, s: 3.0, "hydra.sweeper.probe must return a .*RunCost, but returned a float"),
        (lambda c, h, s: RunCost(3), "hydra.sweeper.probe was given 2 seconds and timed nothing"),
    ],
)
def test_a_probe_that_does_not_work_is_one_line(probe, message):
    with pytest.raises(SweepError, match=message):
        ask(probe, {}, {}, 2.0)
