from pathlib import Path

import pytest
from omegaconf import OmegaConf

from mnist_sweep import conf
from mnist_sweep.study_folder import STORAGE, is_taken


def test_the_shipped_searches_have_the_storage_that_other_commands_look_in():
    search = OmegaConf.load(Path(conf.__file__).parent / "search" / "command_line.yaml")
    assert search.hydra.sweeper.storage == STORAGE


@pytest.mark.parametrize("name", ["0", "17", "best", "confirmation-mnist", ".best.12", "bundles"])
def test_names_that_commands_use_in_a_studys_folder_are_taken(name):
    assert is_taken(name)


@pytest.mark.parametrize("name", ["best-lr", "confirm", "a0", "notes.txt", "bundle"])
def test_other_names_are_the_users(name):
    assert not is_taken(name)
