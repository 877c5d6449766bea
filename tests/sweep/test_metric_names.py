import optuna

from mnist_sweep.sweep.study_store import name_objectives


def test_objectives_are_named_once():
    study = optuna.create_study()
    name_objectives(study, ["val_loss"])
    assert study.metric_names == ["val_loss"]
    name_objectives(study, ["other"])
    assert study.metric_names == ["val_loss"]


def test_nothing_is_named_where_names_and_directions_differ_in_number():
    study = optuna.create_study(directions=["minimize", "maximize"])
    name_objectives(study, [])
    name_objectives(study, ["val_loss"])
    assert study.metric_names is None
