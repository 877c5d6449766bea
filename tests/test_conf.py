"""The configs as a package, for other applications."""

from hydra import compose, initialize_config_dir, initialize_config_module

from mnist_sweep.config_checks import check

APPLICATION = """
defaults:
  - model: baseline
  - optimizer: sgd
  - override hydra/sweeper: mnist_sweep
  - _self_
width: 3
hydra:
  searchpath: ["pkg://mnist_sweep.conf"]
"""


def test_another_project_composes_from_it():
    with initialize_config_module("mnist_sweep.conf"):
        config = compose("config", ["model=mlp", "data=mnist_5k"])
    assert check(config).model["hidden"] == 25


def test_another_application_takes_single_groups_from_it(tmp_path):
    (tmp_path / "theirs.yaml").write_text(APPLICATION)
    with initialize_config_dir(str(tmp_path)):
        config = compose("theirs", ["optimizer.lr=0.5"])
    assert config.model.stages[0] == [8, 16, 16]
    assert (config.optimizer.lr, config.width) == (0.5, 3)
