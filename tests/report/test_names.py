"""How settings are called where there is little room."""

import pytest

from mnist_sweep.report.names import short_names


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["optimizer.lr", "batch_size"], ["lr", "batch_size"]),
        (["model.width", "teacher.width"], ["model.width", "teacher.width"]),
        (["a.b.width", "c.b.width", "width"], ["a.b.width", "c.b.width", "width"]),
        (["model.stages.0.0", "model.stages.0.1"], ["stages.0.0", "stages.0.1"]),
        (["model.stages.0", "other.stages.0"], ["model.stages.0", "other.stages.0"]),
        (["scheduler", "scheduler.peak"], ["scheduler", "peak"]),
        ([".", "a.", ""], [".", "a.", ""]),
    ],
)
def test_a_setting_is_called_by_the_end_that_no_other_has(names, short):
    assert list(short_names(names).values()) == short
    assert list(short_names(names)) == names
