"""Swept settings that advance together."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.zipped import combinations, groups_of

SWEPT = {
    "model": ["model=linear", "model=mlp"],
    "seed": ["seed=0", "seed=1"],
    "optimizer.lr": ["optimizer.lr=0.1", "optimizer.lr=0.2"],
    "epochs": ["epochs=1"],
}


def test_a_group_advances_as_one_and_the_others_are_combined_with_it():
    found = combinations(SWEPT, [["optimizer.lr", "model"]])
    assert [" ".join(each) for each in found] == [
        "model=linear optimizer.lr=0.1 seed=0 epochs=1",
        "model=linear optimizer.lr=0.1 seed=1 epochs=1",
        "model=mlp optimizer.lr=0.2 seed=0 epochs=1",
        "model=mlp optimizer.lr=0.2 seed=1 epochs=1",
    ]


def test_without_groups_every_combination_is_there_in_hydras_order():
    found = [" ".join(each) for each in combinations(SWEPT, [])]
    assert len(found) == 8
    assert found[1] == "model=linear seed=0 optimizer.lr=0.2 epochs=1"


def test_one_list_is_one_group_and_several_are_several():
    assert groups_of(None) == groups_of([]) == []
    assert groups_of(OmegaConf.create(["a", "b"])) == [["a", "b"]]
    assert groups_of([["a", "b"], ["c", "d"]]) == [["a", "b"], ["c", "d"]]


@pytest.mark.parametrize("given", ["a", ["a", ["b", "c"]], [["a"]], [[1, 2]], {"a": "b"}], ids=str)
def test_what_lists_no_settings_is_refused(given):
    with pytest.raises(SweepError, match=r"zip must list two or more settings.*but got"):
        groups_of(given)


def test_a_setting_has_one_place():
    with pytest.raises(SweepError, match="names a twice"):
        groups_of([["a", "b"], ["a", "c"]])


@pytest.mark.parametrize(
    ("group", "said"),
    [
        (["model", "data"], "data has no value on the command line"),
        (["model", "epochs"], r"epochs has one value \(epochs=1\)"),
        (["model", "three"], "as many values of each setting, but model has 2, three has 3"),
    ],
)
def test_settings_that_cannot_advance_together_are_refused_in_one_line(group, said):
    swept = {**SWEPT, "three": ["three=1", "three=2", "three=3"]}
    with pytest.raises(SweepError, match=said) as raised:
        combinations(swept, [group])
    assert "\n" not in str(raised.value)


def test_a_multirun_runs_the_pairs(command, capsys):
    words = ["-m", "search=none", "data=mnist_5k", "tracking=none", "epochs=1", "model=linear"]
    pairs = ["batch_size=128,256", "seed=3,4", "hydra.sweeper.zip=[batch_size,seed]"]
    assert command(*words, *pairs, "hydra.sweep.dir=pairs") == 0
    recorded = [OmegaConf.load(f"pairs/{n}/.hydra/config.yaml") for n in (0, 1)]
    assert [(each.batch_size, each.seed) for each in recorded] == [(128, 3), (256, 4)]
    assert not Path("pairs/2").exists()
    assert command(*words, "batch_size=128,256", "seed=3,4,5", pairs[2]) == 1
    said = capsys.readouterr().err
    assert "as many values of each setting, but batch_size has 2, seed has 3" in said


def test_a_multirun_over_nothing_is_refused_in_one_line(command, capsys):
    assert command("-m", "search=none", "data=mnist_5k", "model=glob(zzz*)") == 1
    said = capsys.readouterr().err
    assert said.startswith("error: model=glob(zzz*): it has no value to run")
    assert said.count("\n") == 1
