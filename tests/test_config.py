import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from mnist_sweep.config import ConfigError, seen_from
from mnist_sweep.config_checks import advice, augmented_epochs, check, check_command
from mnist_sweep.hydra_part import config_directory
from mnist_sweep.objectives import direction_of
from mnist_sweep.recorded_config import load_recorded

CONF = Path(config_directory())


@pytest.fixture(scope="module")
def defaults():
    """The config without overrides, composed once for all tests, which leave it as it is."""
    with initialize_config_dir(config_directory()):
        return compose("config")


@pytest.fixture
def changed(defaults):
    """Return a function from key=value words to the config with these settings."""

    def change(*words):
        config = OmegaConf.create(OmegaConf.to_container(defaults))
        return OmegaConf.merge(config, OmegaConf.from_dotlist(list(words)))

    return change


def test_the_defaults_are_the_published_setting(composed):
    run = check(composed())
    assert run.model["stages"] == [[8, 16, 16], [22, 30, 30], [36, 46, 36]]
    assert run.model["dropout"] == 0.05
    assert (run.optimizer["_target_"], run.optimizer["lr"]) == ("torch.optim.Adam", 0.003)
    assert run.scheduler["phases"] == [0.2, 0.55, 0.85]
    assert (run.epochs, run.batch_size, run.seed) == (20, 32, 0)
    assert run.budget.max_parameters == 19_999
    assert run.early_stopping.patience is None


@pytest.mark.parametrize("group", ["model", "optimizer", "scheduler", "data", "tracking"])
def test_every_option_of_every_group_composes_and_passes_the_checks(composed, group):
    options = sorted(file.stem for file in (CONF / group).glob("*.yaml"))
    assert options
    for option in options:
        check(composed(f"{group}={option}"))


@pytest.mark.parametrize("experiment", [file.stem for file in (CONF / "experiment").glob("*.yaml")])
def test_every_experiment_composes_and_passes_the_checks(composed, experiment):
    check(composed(f"experiment={experiment}"))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("epochs=2.5", "epochs: Value '2.5'"),
        ("epochs=many", "epochs: Value 'many'"),
        ("epochs=0", "epochs must be at least 1, but got 0"),
        ("batch_size=-1", "batch_size must be at least 1, but got -1"),
        ("seed=-1", "seed must be at least 0, but got -1"),
        ("seed=4294967296", "seed must be below 2**32, but got 4294967296"),
        ("threads=0", "threads must be at least 1, but got 0"),
        ("device=tpu", "device must be one of auto, cpu, cuda, but got 'tpu'"),
        ("layout=last", "layout must be one of auto, channels_last, contiguous, but got 'last'"),
        ("precision=float16", "precision must be one of float32, bfloat16, but got 'float16'"),
        ("deterministic=perhaps", "deterministic: Value 'perhaps'"),
        ("budget.max_parameters=0", "budget.max_parameters must be at least 1, but got 0"),
        ("budget.max_parameters=lots", "budget.max_parameters: Value 'lots'"),
        ("early_stopping.patience=-1", "early_stopping.patience must be at least 1, but got -1"),
        ("early_stopping.patience=20", "patience=20 can never stop a run of epochs=20"),
        ("early_stopping.min_delta=-0.1", "early_stopping.min_delta must be at least 0"),
        ("early_stopping.monitor=test_acc", "early_stopping.monitor must be one of train_loss"),
        ("keep.monitor=test_loss", "keep.monitor must be one of train_loss"),
        ("keep.mode=max", "keep.mode=max makes no sense for keep.monitor=val_loss"),
        ("keep.mode=best", "keep.mode must be one of min, max, but got 'best'"),
        ("objective=test_acc", "objective must be one of val_loss, val_acc"),
        ("objective=[]", "objective must be one of val_loss"),
        ("objective=[val_acc,test_acc]", "but got 'test_acc'"),
        ("data.validation=0", "data.validation must be at least 1, but got 0"),
        ("data.std=0", "data.std must be greater than 0, but got 0"),
        ("data.timeout=-1", "data.timeout must be greater than 0"),
        ("data.sise=3", "data.sise: there is no such setting; known are name, root"),
        ("bacth_size=3", "bacth_size: there is no such setting; the nearest is batch_size"),
        ("loss=hinge", "loss must be one of cross_entropy, mse, but got 'hinge'"),
        ("label_smoothing=1", "label_smoothing must be in [0, 1), but got 1.0"),
        ("ema.decay=1", "ema.decay must be in (0, 1), but got 1.0"),
        ("ema.every=0", "ema.every must be at least 1, but got 0"),
        ("clip_norm=0", "clip_norm must be in (0, inf), but got 0.0"),
        ("clip_norm=nan", "clip_norm must be in (0, inf), but got nan"),
        ("distill.temperature=0", "distill.temperature must be in (0, inf), but got 0.0"),
        ("distill.weight=1.5", "distill.weight must be in (0, 1], but got 1.5"),
        ("data.augmentation.until=0", "data.augmentation.until must be in (0, 1], but got 0.0"),
        ("trial=3", "study=None and trial=3: the sweep sets both or neither"),
        ("tracking.tensorboard.images=-1", "images cannot be negative, but got -1"),
    ],
)
def test_settings_that_make_no_sense_are_refused_in_one_line(changed, override, message):
    with pytest.raises(ConfigError) as error:
        check(changed(override))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("objective", "direction"),
    [
        ("val_acc", "maximize"),
        ("val_loss", "minimize"),
        ("parameters", "minimize"),
        (["val_acc", "parameters"], ["maximize", "minimize"]),
        (None, "minimize"),
    ],
)
def test_the_direction_is_the_objectives(objective, direction):
    assert direction_of(objective) == direction


def test_a_missing_value_is_named(composed):
    with pytest.raises(ConfigError, match=r"^epochs: a value must be given, epochs=VALUE$"):
        check(composed("epochs=???"))
    with pytest.raises(ConfigError, match=r"^model: a .*, model=VALUE; leave ~model out$"):
        check(composed("~model"))


def test_null_lifts_the_budget(changed):
    assert check(changed("budget.max_parameters=null")).budget.max_parameters is None


def test_early_stopping_watches_what_decides_the_kept_weights(changed):
    run = check(changed("keep.monitor=val_acc", "keep.mode=max", "early_stopping.patience=3"))
    assert (run.early_stopping.monitor, run.early_stopping.mode) == ("val_acc", "max")


def test_a_directory_without_a_record_cannot_be_loaded(tmp_path):
    with pytest.raises(ConfigError, match="is not a run directory"):
        load_recorded(str(tmp_path))
    with pytest.raises(ConfigError, match="resume must be a run directory, but got ''"):
        load_recorded("")


@pytest.mark.parametrize("content", ["a: [", "- a\n- b"])
def test_a_damaged_record_is_a_clear_error(tmp_path, content):
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "config.yaml").write_text(content)
    with pytest.raises(ConfigError, match=r"config\.yaml is damaged"):
        load_recorded(str(tmp_path))


@pytest.mark.parametrize("argument", ["--help", "--cfg job"])
def test_printing_help_or_config_imports_no_torch(argument):
    code = (
        "import sys, atexit\n"
        "from mnist_sweep import train\n"
        "atexit.register(lambda: print('torch' in sys.modules, 'optuna' in sys.modules))\n"
        f"sys.argv = ['train', *{argument.split()!r}]\n"
        "train.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False False"
    assert "enhanced" in done.stdout or "StagedCNN" in done.stdout


def test_help_lists_the_choices_and_examples(command, capfd):
    command("--help")
    printed = capfd.readouterr().out
    assert (
        "model: baseline, compact, enhanced, linear, mlp, residual, resnet, simple, wide" in printed
    )
    assert "python -m mnist_sweep.train model=baseline seed=1" in printed


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["loss=mse", "label_smoothing=0.1"], "label_smoothing=0.1 has no effect with loss=mse"),
        (["ema.every=5"], "ema.every=5 has no effect without ema.decay"),
        (["distill.temperature=2"], "distill.temperature=2.0 has no effect without distill.teach"),
        (["distill.weight=0.5"], "distill.weight=0.5 has no effect without distill.teacher"),
        (
            ["distill.teacher=run", "distill.weight=1", "loss=mse"],
            "loss=mse has no effect with distill.weight=1",
        ),
        (
            ["distill.teacher=run", "distill.weight=1", "label_smoothing=0.1"],
            "label_smoothing=0.1 has no effect with distill.weight=1",
        ),
        (["data.augmentation.until=0.5"], "until=0.5 has no effect without augmentation"),
        (
            ["data.augmentation.shear=5", "data.augmentation.until=0.1", "epochs=9"],
            "until=0.1 ends augmentation before the first of epochs=9",
        ),
    ],
)
def test_a_recipe_with_a_setting_that_has_no_effect_is_refused(changed, overrides, message):
    with pytest.raises(ConfigError) as raised:
        check(changed(*overrides))
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("until", "epochs", "augmented"),
    [(1.0, 7, 7), (0.9, 40, 36), (0.9, 5, 4), (0.7, 30, 21), (0.29, 100, 29), (0.99, 3, 2)],
)
def test_the_share_of_epochs_that_is_augmented_leaves_a_plain_one_where_it_is_below_1(
    changed, until, epochs, augmented
):
    words = ["data.augmentation.shift=1", f"data.augmentation.until={until}", f"epochs={epochs}"]
    assert augmented_epochs(check(changed(*words))) == augmented


def test_a_run_that_was_recorded_without_a_recipe_has_the_usual_one(changed):
    config = changed()
    for name in ("loss", "label_smoothing", "clip_norm", "ema", "distill"):
        del config[name]
    for name in ("shear", "elastic", "until"):
        del config.data.augmentation[name]
    assert check(config) == check(changed())
    assert check(config).recipe == {}


def test_the_recipe_is_what_is_not_as_usual(changed):
    run = check(changed("loss=mse", "ema.decay=0.99"))
    assert run.recipe == {"loss": "mse", "ema": {"decay": 0.99, "every": 1}}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["early_stopping.min_delta=0.5"],
            "min_delta=0.5 has no effect without early_stopping.pat",
        ),
        (
            ["early_stopping.monitor=val_acc", "early_stopping.mode=max"],
            "monitor=val_acc has no effect without early_stopping.patience",
        ),
        (["early_stopping.patience=19"], "patience=19 has no effect with epochs=20, which end fir"),
        (["data=mnist_5k", "data.validation=100"], "validation=100 has no effect with data=mnist"),
        (["data=mnist_5k", "data.folder=KMNIST"], "folder=KMNIST has no effect with data=mnist_5k"),
        (["data=mnist_5k", "data.timeout=77"], "timeout=77.0 has no effect with data=mnist_5k"),
    ],
)
def test_what_a_command_asks_for_in_vain_is_refused_and_recorded_runs_are_left_alone(
    composed, overrides, message
):
    run = check(composed(*overrides))
    with pytest.raises(ConfigError, match=message):
        check_command(run)


def test_early_stopping_that_can_stop_a_run_is_no_vain_one(composed):
    stopping = ["early_stopping.patience=18", "early_stopping.min_delta=0.1"]
    check_command(check(composed(*stopping, "data=mnist", "data.validation=100")))


def test_the_data_is_found_from_the_folder_of_the_command_as_without_leaving_it(
    changed, tmp_path, monkeypatch
):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    left = tmp_path / "else"
    for given, found in (
        ("sets", left / "sets"),
        ("", left / "data"),
        ("~/sets", tmp_path / "home/sets"),
        ("/sets", Path("/sets")),
    ):
        run = check(changed(f"data.root='{given}'"))
        assert Path(seen_from(left, run).data.root) == found


def test_a_teacher_is_found_from_the_folder_of_the_command(changed, tmp_path):
    run = check(changed("distill.teacher=runs/big"))
    assert seen_from(tmp_path / "else", run).distill.teacher == str(tmp_path / "else/runs/big")
    assert seen_from(Path.cwd(), run).distill.teacher == "runs/big"
    assert seen_from(tmp_path / "else", check(changed())).distill.teacher is None


def test_label_smoothing_beside_a_loss_of_plain_labels_is_advised_against(composed):
    def said(*overrides):
        return advice(check(composed(*overrides)))

    assert said() is None
    assert said("label_smoothing=0.1", "keep.monitor=val_acc", "keep.mode=max") is None
    assert said("label_smoothing=0.1").startswith(
        "label_smoothing with keep.monitor=val_loss keeps an early epoch"
    )
    assert said("label_smoothing=0.1") == said("label_smoothing=0.2")
