"""Those who are told what happens in a sweep."""

import inspect

import optuna
import pytest

from mnist_sweep.sweep import callbacks
from mnist_sweep.sweep.callbacks import Callbacks, DataCheck, SweepCallback
from mnist_sweep.sweep.console import Console
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.kept_files import KeptFiles
from mnist_sweep.sweep.summary import SummaryFile

MOMENTS = {name for name, _ in inspect.getmembers(SweepCallback, inspect.isfunction)}


class Notes(SweepCallback):
    def __init__(self, name, notes, fails=False):
        self.name, self.notes, self.fails = name, notes, fails

    def launched(self, number):
        self.notes.append((self.name, number))
        if self.fails:
            raise SweepError("enough")


def test_several_are_told_in_their_order():
    notes = []
    told = Callbacks([Notes("a", notes), SweepCallback(), Notes("b", notes)])
    told.tell(lambda each: each.launched(3))
    told.tell(lambda each: each.ended())
    assert notes == [("a", 3), ("b", 3)]


def test_one_that_raises_ends_the_sweep():
    notes = []
    told = Callbacks([Notes("a", notes, fails=True), Notes("b", notes)])
    with pytest.raises(SweepError, match="enough"):
        told.tell(lambda each: each.launched(3))
    assert notes == [("a", 3)]


@pytest.mark.parametrize("moment", sorted(MOMENTS))
def test_a_callback_that_has_nothing_of_its_own_does_nothing(moment):
    told = getattr(SweepCallback(), moment)
    assert told(*[None] * len(inspect.signature(told).parameters)) is None


@pytest.mark.parametrize("kind", [Console, SummaryFile, DataCheck, KeptFiles])
def test_what_a_callback_is_told_is_what_all_are_told(kind):
    """None has a moment that nobody tells it of, by a name that was changed."""
    public = {
        name: method
        for name, method in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    }
    assert set(public) == {name for name in MOMENTS if not name.startswith("_")}
    for name, method in public.items():
        expected = inspect.signature(getattr(SweepCallback, name))
        assert list(inspect.signature(method).parameters) == list(expected.parameters)


def figures(fingerprint):
    return {callbacks.study_store.DATA: fingerprint, "data": "mnist_5k"}


def test_trials_on_other_data_than_their_studys_end_the_sweep():
    study = optuna.create_study()
    check = DataCheck(study)
    check.recorded({}, {})  # another task's, which says nothing of data
    check.recorded({}, figures("abc"))
    DataCheck(study).recorded({}, figures("abc"))
    with pytest.raises(SweepError, match="mnist_5k") as error:
        check.recorded({}, figures("def"))
    assert "\n" not in str(error.value)
