import optuna
import pytest
from optuna_dashboard import get_note, save_note

from mnist_sweep.dashboard.annotations import annotate
from mnist_sweep.sweep.read_only import open_to_annotate
from mnist_sweep.sweep.study_record import of_storage
from tests.report.conftest import ADDRESS, add, create, ran


@pytest.fixture(autouse=True)
def _quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


@pytest.fixture(autouse=True)
def _another():
    """Another study's trial comes first, so that no trial's number is its id in the storage."""
    create("another").ask()


def annotated(name="s"):
    """How many trials got a note."""
    storage = open_to_annotate(ADDRESS)
    return annotate(of_storage(name, ADDRESS, storage), storage)


def note_of(study, number):
    """A trial's note as optuna-dashboard reads it, whatever its state."""
    return get_note(optuna.Trial(study, number + 1))


def test_every_ended_trial_gets_a_note_once_and_the_studys_is_renewed():
    study = create("s")
    add(study, "complete", 0.9, **ran(0))
    add(study, "rejected", excess=5.0, parameters=20_004, reason="too large")
    running = study.ask()
    assert annotated() == 2
    assert note_of(study, 0).startswith("**val_acc 90.00%**")
    assert note_of(study, 1) == "**Rejected before it ran**: too large"
    assert note_of(study, 2) == ""
    assert get_note(study).startswith("## Best: trial 0")
    study.tell(running, 0.95)
    assert annotated() == 1
    assert get_note(study).startswith("## Best: trial 2")
    assert annotated() == 0


def test_the_objectives_are_named_and_names_that_are_there_are_kept():
    create("s", ("maximize", "minimize"), ["val_acc", "parameters"])
    annotated()
    storage = open_to_annotate(ADDRESS)
    assert optuna.load_study(study_name="s", storage=storage).metric_names == [
        "val_acc",
        "parameters",
    ]
    create("unknown", objective=None)
    annotated("unknown")
    assert optuna.load_study(study_name="unknown", storage=storage).metric_names is None


def test_notes_that_people_have_written_are_left_as_they_are():
    study = create("s")
    add(study, "complete", 0.9, **ran(0))
    save_note(optuna.Trial(study, 1), "look at this one")
    annotated()
    assert note_of(study, 0) == "look at this one"
    save_note(study, get_note(study) + "\n\nmine")
    add(study, "complete", 0.95, **ran(1))
    annotated()
    assert get_note(study).endswith("mine")
    assert get_note(study).startswith("## Best: trial 0")


def test_a_note_of_an_earlier_version_is_renewed():
    study = create("s")
    add(study, "complete", 0.9, **ran(0))
    save_note(study, "Best trial: 0 (val_acc 0.9), in `run`")
    annotated()
    assert get_note(study).startswith("## Best: trial 0")
