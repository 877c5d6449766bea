"""A sweep whose storage fails to answer one call, whichever that is: it asks again, and goes on."""

import optuna
import pytest
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from mnist_sweep.sweep import storage as module
from tests.sweep.test_storage_calls import CountingStorage, calls_of_a_sweep

TRIALS = 3


class FailingStorage(CountingStorage):
    """Does not answer its call of a number, once: `lost` is what it did nevertheless."""

    def __init__(self, fails_at=None, lost=False):
        super().__init__()
        self.fails_at, self.lost, self.failed = fails_at, lost, None


def failing(name):
    """A method of the storage's interface that may not answer."""
    inner = getattr(CountingStorage, name)

    def method(self, *arguments, **named):
        number = len(self.calls)
        fails = self.failed is None and number == self.fails_at
        if fails:
            self.failed = name
        if fails and not self.lost:
            self.calls.append(name)
            raise StorageInternalError("no answer")
        answer = inner(self, *arguments, **named)
        if fails:
            raise StorageInternalError("the answer was lost")
        return answer

    return method


for name in vars(BaseStorage):
    if not name.startswith("_"):
        setattr(FailingStorage, name, failing(name))


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)


def eventful():
    """A trial whose process dies once, one whose job fails, and one that is not a number."""
    return {0: ["killed", 0.9], 1: [ValueError("no")], 2: [float("nan")]}


@pytest.mark.parametrize("lost", [False, True], ids=["not done", "done, and the answer lost"])
@pytest.mark.parametrize("script", [dict, eventful])
def test_a_call_that_is_not_answered_once_is_made_again(tmp_path, lost, script):
    """Every call of a sweep after its start, from its first trial to its last line."""
    calls = calls_of_a_sweep(TRIALS, 1, tmp_path / "whole", script=script())
    begun = calls.index("create_new_trial")
    found = {}
    for number in range(begun, len(calls)):
        storage = FailingStorage(number, lost)
        try:
            calls_of_a_sweep(TRIALS, 1, tmp_path / str(number), storage, script())
        except Exception as error:  # which call it was is what there is to know
            found[number, storage.failed] = repr(error)
            continue
        states = [trial.state for trial in storage.get_all_trials(0)]
        # A trial that was made, and never given out, may be left for the next sweep.
        ended = sum(state.is_finished() for state in states)
        if ended != TRIALS or TrialState.RUNNING in states:
            found[number, storage.failed] = states
    assert found == {}
