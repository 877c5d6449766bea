import pytest

from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.settings import check_study_name

WRONG = [
    "",
    ".",
    "..",
    "./",
    "/",
    "/tmp/s",
    "../s",
    "a/..",
    "a/../..",
    "a/../../b",
    "a/./b",
    "a//b",
    "a/",
    "a\\b",
    "a\nb",
    "a\x1b[2J",
    "a\x00",
    "optuna.db",
    "optuna.db-wal",
    "artifacts",
    "a/best",
    "a/0",
    "a/12",
    "a/report",
    "a/workers",
    "a/confirmation-mnist",
    "a/optimization_results.yaml",
    "a/.best.1234",
]


@pytest.mark.parametrize("name", [*WRONG, None])
def test_a_name_that_leads_out_of_its_own_directory_is_refused(name):
    with pytest.raises(SweepError, match="must name a directory below multirun/: ") as error:
        check_study_name(name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "name",
    ["s", "my study", "it's", "a/b", "best", "0", "a/best-lr", "artifacts-2", "a.b", "é", "..a"],
)
def test_any_other_name_will_do(name):
    check_study_name(name)
