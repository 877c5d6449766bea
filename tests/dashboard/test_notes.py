import shlex

import pytest

from mnist_sweep.dashboard.notes import WIDTH, study_note, trial_note
from mnist_sweep.sweep import study_search, study_store
from mnist_sweep.sweep.study_record import read_study
from tests.report.conftest import ADDRESS, add, create, create_usual, ran


def notes(name):
    record = read_study(name, ADDRESS)
    return study_note(record), [trial_note(record, row) for row in record.rows]


def code(note):
    """The first command in a note, as a shell reads it."""
    command = note.split("```bash\n")[1].split("\n```")[0]
    return shlex.split(command.replace("\\\n", ""))  # as a shell continues a line


def test_a_studys_note_has_its_best_what_was_searched_and_what_was_not():
    note, _ = notes(create_usual())
    lines = note.splitlines()
    assert lines[0] == "## Best: trial 2, val_acc 97.00%"
    assert "18,000 parameters of at most 19,999" in lines[2]
    assert "| `optimizer.lr` | 0.001 to 0.1, logarithmic | 0.099 |" in lines
    assert "| `batch_size` | 16, 32 | 32 |" in lines
    assert "| `data` | `mnist_5k` |" in lines
    assert not any("`optimizer.lr` | `" in line for line in lines)
    assert "Trials: 4 complete, 1 failed, 1 pruned, 2 rejected, 1 running, " in note
    assert code(note)[:3] == ["python", "-m", "mnist_sweep.train"]
    assert f"mnist_sweep.report study=usual storage={ADDRESS}" in note


def test_a_study_without_a_best_trial_says_so():
    study = create("s")
    assert notes("s")[0].startswith("No trial has ended yet.")
    add(study, "failed", reason="a [b](c)", **ran(0))
    assert notes("s")[0].startswith(
        r"No trial is complete: 1 failed; the first failure is of trial 0: a \[b](c)."
    )


def test_a_front_is_a_table_of_its_trials():
    study = create("s", ("maximize", "minimize"), ["val_acc", "parameters"])
    for number, (accuracy, size) in enumerate([(0.9, 9000.0), (0.95, 12000.0), (0.8, 15000.0)]):
        add(study, "complete", (accuracy, size), **ran(number))
    note, _ = notes("s")
    assert note.startswith("## Front: 2 trials")
    assert "| 1 | 95.00% | 12,000 | `multirun/usual/1` |" in note


def test_a_trials_note_says_what_came_of_it_and_why():
    _, found = notes(create_usual())
    assert found[0].startswith(
        "**val_acc 90.00%**\n\n15,000 parameters of at most 19,999, 4 of 4 epochs,"
    )
    assert found[1] == "**Rejected before it ran**: 20,399 parameters, ..."
    assert found[3].startswith("**Pruned**: pruned at 0.3\n\n15,000 parameters")
    assert found[5].startswith("**Failed**: diverged, or worse by a line")


def test_a_long_command_is_continued_over_lines_and_means_the_same():
    study = create("s")
    overrides = [f"setting.{n}='it is {n}, or \"more\"'" for n in range(20)] + ["last=1"]
    add(study, "complete", 0.9, **ran(0, overrides=overrides))
    note = notes("s")[1][0]
    assert code(note) == ["python", "-m", "mnist_sweep.train", *overrides]
    assert max(map(len, note.splitlines())) <= WIDTH
    assert len(note.splitlines()) > 8


@pytest.mark.parametrize("words", [["python", "app.py"], ["an-app"]])
def test_another_applications_notes_have_its_own_command_and_no_word_of_ours(words):
    study = create("s", objective=None)
    study.set_user_attr(study_search.DEFINITION, {"search": {"settings": {"kernel": "rbf"}}})
    recorded = {"words": words, "options": [], "environment": {}}
    study.set_user_attr(study_store.COMMAND, recorded)
    add(study, "complete", 0.9, overrides=["svm.C=1"], reason="it is done")
    note, (trial,) = notes("s")
    assert code(note) == code(trial) == [*words, "svm.C=1"]
    assert "| `kernel` | `rbf` |" in note
    assert trial.startswith("**value 0.9**\n\nRun it again:")
    for word in ("parameters", "epoch", "val_acc", "train"):
        assert word not in note + trial


def test_a_separator_of_cells_in_a_setting_stays_in_its_cell():
    study = create("s")
    study.set_user_attr(study_search.DEFINITION, {"search": {"settings": {"a": "x|y"}}})
    assert r"| `a` | `x\|y` |" in notes("s")[0]
