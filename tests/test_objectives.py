import pytest

from mnist_sweep.objectives import METRICS, OBJECTIVES, direction_of, known_before


def test_what_may_be_monitored_and_what_may_be_searched_for():
    assert METRICS == ("train_loss", "train_acc", "val_loss", "val_acc")
    assert OBJECTIVES == ("val_loss", "val_acc", "parameters", "multiply_adds")


@pytest.mark.parametrize(
    ("figure", "direction"),
    [
        ("val_acc", "maximize"),
        ("train_acc", "maximize"),
        ("val_loss", "minimize"),
        ("parameters", "minimize"),
        ("multiply_adds", "minimize"),
        ("another application's", "minimize"),
        (["val_acc", "parameters"], ["maximize", "minimize"]),
    ],
)
def test_every_figure_has_a_direction(figure, direction):
    assert direction_of(figure) == direction


def test_what_costs_are_is_known_before_the_first_epoch():
    assert [name for name in OBJECTIVES if known_before(name)] == ["parameters", "multiply_adds"]
    assert not known_before("another application's")
    assert not known_before(None)
