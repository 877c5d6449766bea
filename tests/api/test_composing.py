"""A run's config, composed from Python."""

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import JobRuntime
from omegaconf import OmegaConf

from mnist_sweep import compose
from mnist_sweep.config import ConfigError
from mnist_sweep.config_checks import check


def test_it_is_what_the_command_line_composes(command, capfd):
    words = ["model=mlp", "optimizer.lr=0.01", "+optimizer.amsgrad=true", "data=mnist_5k"]
    assert command("--cfg", "job", *words) == 0
    printed = OmegaConf.create(capfd.readouterr().out)
    assert OmegaConf.to_container(compose(*words)) == OmegaConf.to_container(printed)


def test_it_can_be_changed_and_checked():
    config = compose("model=linear")
    config.epochs = 3
    assert check(config).epochs == 3
    assert "hydra" not in config


def test_a_run_without_the_group_of_trackers_has_none():
    tracking = check(compose("~tracking")).tracking
    assert (tracking.tensorboard, tracking.mlflow) == (None, None)
    assert check(compose("tracking=none")).tracking == tracking


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed=0,1", r"seed=0,1 names several runs, and this composes one"),
        ("optimizer.lr=interval(0.1,1)", "names several runs"),
        ("sede=1", "Could not override 'sede'"),
        ("model=nope", r"Could not find 'model/nope' Available options in 'model': baseline"),
        ("x y", "'x y' is no override such as 'epochs=5': a character in it is none of the"),
        ("resume=a b ä", "needs quotes"),
        ("epochs", "'epochs' is no override such as 'epochs=5': it has no =$"),
        ("", "'' is no override such as 'epochs=5': it ends too early"),
        ("epochs=(", r"extraneous input '\('; a value"),
        ("-m", "'-m' is an option of the command line: leave it out"),
        ("=3", "'=3' names no setting before its ="),
        ("model=null", "model is a group of configs: name an option"),
        ("notes=\udc80", "is not text in UTF-8"),
        ("hydra.run.dir=x", "hydra.run.dir=x has no effect from Python: leave it out"),
        ("+hydra.job.env_set.A=1", "has no effect from Python"),
        ("hydra/launcher=joblib", "has no effect from Python"),
        (5, "an override is a text such as 'epochs=5', but got 5"),
    ],
)
def test_what_does_not_compose_is_one_line(override, message):
    with pytest.raises(ConfigError, match=message) as raised:
        compose(override)
    assert "\n" not in str(raised.value)


def test_another_application_keeps_its_own_hydra(tmp_path):
    (tmp_path / "theirs.yaml").write_text("x: 1\n")
    with initialize_config_dir(str(tmp_path), job_name="theirs"):
        assert compose("model=linear").epochs == 20
        assert hydra_compose("theirs").x == 1
        assert JobRuntime.instance().get("name") == "theirs"
        with pytest.raises(ConfigError):
            compose("model=nope")
        assert hydra_compose("theirs").x == 1
    assert not GlobalHydra.instance().is_initialized()
