import pytest
import torch
from omegaconf import OmegaConf

from mnist_sweep.allowed_targets import hydra_whitelist
from mnist_sweep.config import ConfigError
from mnist_sweep.run.targets import build, check_node


def node(target, **settings):
    return OmegaConf.create({"_target_": target, **settings})


def test_a_target_is_called_with_its_settings_and_the_given_arguments():
    parameters = [torch.nn.Parameter(torch.zeros(1))]
    optimizer = build("optimizer", node("torch.optim.SGD", lr=0.5), params=parameters)
    assert optimizer.param_groups[0]["lr"] == 0.5


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (node("mnist_sweep.models.MLP", hiden=3), "model.hiden=3: MLP takes no such setting; it"),
        (node("mnist_sweep.models.MLP", hidden="many"), "model.hidden: Value 'many'"),
        (node("mnist_sweep.models.MLP", hidden=2.5), "model.hidden: Value '2.5'"),
        (node("mnist_sweep.models.MLP", hidden=0), "model: hidden must be at least 1, but got 0"),
        (node("mnist_sweep.models.StagedCNN"), "model: StagedCNN needs a value for stages"),
        (node("mnist_sweep.models.StagedCNN", stages=[["a"]]), "model.stages"),
        (node("mnist_sweep.models.Missing"), "model._target_=mnist_sweep.models.Missing"),
        (node("os.system", command="true"), "model._target_=os.system"),
        (node("somebody.Net"), "MNIST_SWEEP_TARGETS=somebody.Net"),
        (OmegaConf.create({"hidden": 3}), "model must be a config with a _target_"),
        (None, "model must be a config with a _target_"),
    ],
)
def test_what_cannot_be_built_is_refused_in_one_line(config, message):
    with pytest.raises(ConfigError) as error:
        build("model", config)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lr": "fast"}, "optimizer.lr: Value 'fast'"),
        ({"lr": -1.0}, "optimizer: Invalid learning rate: -1.0"),
        ({"lr": 0.1, "momentum": -1.0}, "optimizer: Invalid momentum value: -1.0"),
        ({"lr": 0.1, "nesterov": 7.5}, "optimizer.nesterov: Value '7.5'"),
    ],
)
def test_settings_of_torch_optimizers_are_checked_by_their_annotations(settings, message):
    with pytest.raises(ConfigError) as error:
        build("optimizer", node("torch.optim.SGD", **settings), params=[torch.nn.Parameter()])
    assert message in str(error.value)


def test_an_integer_serves_where_a_float_is_asked_for():
    _, settings = check_node(
        "model", node("mnist_sweep.models.StagedCNN", stages=[[4]], width=2), ()
    )
    assert settings == {"stages": [[4]], "width": 2.0}


def test_the_environment_variable_adds_patterns(monkeypatch):
    monkeypatch.setenv("MNIST_SWEEP_TARGETS", "mine.*, yours.Net ,")
    assert hydra_whitelist()[-2:] == ["mine.*", "yours.Net"]
    monkeypatch.delenv("MNIST_SWEEP_TARGETS")
    assert "mine.*" not in hydra_whitelist()
