import pytest
from omegaconf import OmegaConf

from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.settings import check_study_name, take_study_name

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


def config(name, *overrides):
    """What Hydra has of a study's name, and of the command line."""
    hydra = {
        "sweeper": {"study_name": name},
        "overrides": {"hydra": list(overrides)},
        "sweep": {"dir": "multirun/${hydra.sweeper.study_name}"},
    }
    made = OmegaConf.create({"hydra": hydra, "batch_size": 32})
    OmegaConf.set_readonly(made.hydra, True)
    return made


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("1.1", 1.1),
        ("1.10", 1.1),
        ("2026_11_25", 20261125),
        ("1e3", 1000.0),
        ("true", True),
        ("TRUE", True),
        ("nan", float("nan")),
    ],
)
@pytest.mark.parametrize("plus", ["", "++"])
def test_a_study_is_called_what_was_typed(typed, read, plus):
    made = config(read, "hydra.verbose=true", f"{plus}hydra.sweeper.study_name={typed}")
    assert take_study_name(made) == typed
    assert made.hydra.sweep.dir == f"multirun/{typed}"
    # What jobs are composed from says so too.
    assert made.hydra.overrides.hydra[1] == f"{plus}hydra.sweeper.study_name='{typed}'"


@pytest.mark.parametrize(
    ("name", "overrides", "called"),
    [
        ("s", ["hydra.sweeper.study_name=s"], "s"),
        ("1.10", ["hydra.sweeper.study_name='1.10'"], "1.10"),
        ("from a file", [], "from a file"),
        (None, [], None),
        (None, ["hydra.sweeper.study_name=null"], None),
        ("${batch_size}", [], "32"),
        ("0007", ["hydra.sweeper.study_name=0007"], "0007"),
    ],
)
def test_a_name_that_is_a_text_stays_what_it_is(name, overrides, called):
    made = config(name, *overrides)
    assert take_study_name(made) == called
    assert list(made.hydra.overrides.hydra) == overrides


@pytest.mark.parametrize("name", [1.1, 20261125, True])
def test_a_number_in_a_file_is_refused_since_its_text_is_lost(name):
    with pytest.raises(SweepError, match="as YAML reads it: write it in quotes"):
        take_study_name(config(name))


def test_overrides_that_name_other_settings_are_not_resolved():
    made = config(1.1, "hydra.sweeper.study_name=1.10", "hydra.sweep.subdir=d_${hydra.job.num}")
    assert take_study_name(made) == "1.10"
