import csv
import errno
import os
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from optuna.distributions import CategoricalDistribution

from mnist_sweep.confirm.conclusion import write_conclusion
from mnist_sweep.report import __main__ as entry
from mnist_sweep.report.blocks import Points
from mnist_sweep.report.content import sections
from mnist_sweep.report.importance import at_the_ends, importances
from mnist_sweep.report.study_report import study_report
from mnist_sweep.report.text import markdown
from mnist_sweep.sweep.study_record import read_study
from mnist_sweep.sweep.trials.status import TrialStatus
from tests.report.conftest import ADDRESS, add, create, ran


def report(name, confirmed=()):
    """A study's report in Markdown, by its headings."""
    record = read_study(name, ADDRESS)
    parts = markdown(name, sections(record, (), confirmed)).split("\n## ")
    return {part.partition("\n")[0]: part.partition("\n")[2] for part in parts}


def test_the_report_answers_in_order(usual):
    found = report(usual)
    assert list(found) == [
        "# usual",
        "The answer",
        "The best configurations",
        "val_acc against parameters",
        "Which settings matter",
        "What was searched",
        "What it cost",
        "All trials",
        "Command lines",
    ]
    searched, cost = found["What was searched"], found["What it cost"]
    assert "objective: val_acc (maximize)" in searched
    assert "at most 19,999 parameters" in searched
    assert "| `optimizer.lr` | 0.001 to 0.1 (log) |" in searched
    assert "| `batch_size` | 16, 32 |" in searched
    assert "- fixed: data=mnist_5k" in searched.splitlines()
    assert "6 trials ran: 4 complete, 1 pruned, 1 failed" in cost
    assert "2 proposals rejected over budget" in cost
    assert "19 epochs trained, 3 saved by pruning (14%)" in cost
    assert "3m00s of training" in cost
    assert "1 running" in cost
    rows = [line for line in found["The best configurations"].splitlines() if line[:1] == "|"]
    assert rows[2].startswith("| 2 | 97.00% | 18,000 | 4 |")
    sizes = [line for line in found["val_acc against parameters"].splitlines() if line[:1] == "|"]
    assert sizes[2:] == ["| 18,000 | 97.00% | 2 |", "| 9,000 | 95.00% | 4 |"]
    assert "seed=2 'run='\"'\"'a b'\"'\"''" in found["Command lines"]


def test_the_disk_that_a_study_uses_is_said_where_its_folder_is_here(usual):
    record = read_study(usual, ADDRESS)
    assert "disk:" not in markdown("usual", sections(record))
    folder = Path("multirun/usual")
    folder.mkdir(parents=True)
    (folder / "file").write_bytes(bytes(340_000))
    written = markdown("usual", sections(replace(record, folder=folder)))
    assert "- disk: 0.3 MB in multirun/usual" in written.splitlines()


def test_names_and_notes_of_trials_are_in_the_table_where_there_are_any(usual):
    assert "| trial | val_acc |" in report(usual)["The best configurations"]
    study = create("named")
    add(study, "complete", 0.9, name="low | rate", notes="why,\nand how", **ran(0))
    add(study, "complete", 0.8, notes="why, and how", **ran(1))
    add(study, "complete", 0.7, **ran(2))
    best = report("named")["The best configurations"]
    assert "| trial | name | val_acc |" in best
    assert r"| 0 | low \| rate | 90.00% |" in best
    assert "- trials 0, 1: why, and how" in best.splitlines()


def test_a_line_break_in_a_choice_or_a_name_ends_no_table_and_begins_no_heading(usual):
    choices = CategoricalDistribution(["a\n\n# Heading\n- b", "c|d"])
    study = create("lines", objective="score\n# of it", budget=False)
    for number in range(3):
        study.tell(study.ask({"p\n# q": choices}), 0.1 * number)
    record = read_study("lines", ADDRESS)
    lines = markdown("lines\n# more", sections(record)).splitlines()
    assert lines[0] == "# lines # more"
    assert [line for line in lines[1:] if line.startswith("# ")] == []
    assert r"| `p # q` | a # Heading - b, c\|d |" in lines


def test_a_best_that_is_one_run_is_to_be_trained_with_fresh_seeds(usual):
    study = create("ours")
    add(study, "complete", 0.9, val_acc=0.9, **ran(0))
    caution = "python -m mnist_sweep.confirm study=ours storage=journal:///studies.log"
    assert caution in report("ours")["The answer"]
    assert "Train the best with fresh seeds" in report("ours")["The best configurations"]
    # Another application's runs cannot be.
    assert not any("fresh seeds" in section for section in report(usual).values())


def test_what_fresh_seeds_have_shown_is_in_the_report(usual, confirmed):
    found = report(usual, [confirmed])
    assert list(found)[1:4] == ["The answer", "With fresh seeds", "The best configurations"]
    section = found["With fresh seeds"]
    assert "| trial 2 | 18,000 | 4 | 97.00 ± 1.00% | 97.00 ± 1.00% | 99.50% | 3 |" in section
    assert "- trial 2 is better than trial 6: +3.00 points of test accuracy" in section
    assert "- Optimism of the search, its validation accuracy less" in section
    assert "in points: trial 2 +2.50 (+1.50 to +3.50); trial 6 +5.50 (+4.50 to +6.50)." in section


def test_the_confirmation_of_most_test_images_answers_and_of_as_many_the_newest(usual, confirmed):
    home = Path("multirun/usual")
    for name, images, time in (
        ("confirmation", 500, 3),
        ("confirmation-a", 10_000, 1),
        ("confirmation-b", 10_000, 2),
    ):
        (home / name).mkdir(parents=True)
        told = replace(confirmed, images=images, data=name)
        os.utime(write_conclusion(told, home / name), (time, time))
    (answer, fresh, *_) = study_report(read_study(usual, ADDRESS)).sections
    assert answer.blocks[0].text.startswith("Trial 2: ")
    assert "10,000 test images of confirmation-b" in answer.blocks[0].text
    said = [block.lines[0] for block in fresh.blocks if isinstance(block, Points)]
    assert [line.split(",")[0] for line in said] == [
        f"Fresh seeds on {name}" for name in ("confirmation-b", "confirmation-a", "confirmation")
    ]


def test_a_best_that_was_not_confirmed_yet_is_still_to_be(usual, confirmed):
    study = create("ours")
    for number, value in enumerate((0.8, 0.85, 0.9)):
        add(study, "complete", value, val_acc=value, **ran(number))
    to_do = "Train the best with fresh seeds"
    assert to_do not in report("ours", [confirmed])["The best configurations"]
    assert "confirm again" not in report("ours", [confirmed])["The answer"]
    add(study, "complete", 0.95, val_acc=0.95, **ran(3))  # the sweep has gone on
    found = report("ours", [confirmed])
    assert to_do in found["The best configurations"]
    assert (
        "trial 3, which leads the study by now, is not in the confirmation" in found["The answer"]
    )


def test_a_command_is_quoted_for_a_shell(usual):
    record = read_study(usual, ADDRESS)
    command = record.command(record.rows[0])
    assert command.startswith("python -m mnist_sweep.train data=mnist_5k seed=0 ")
    assert shlex.split(command)[3:] == record.rows[0].command


def test_few_trials_are_said_to_say_little_and_ends_of_a_range_are_flagged(usual):
    record = read_study(usual, ADDRESS)
    (found,) = importances(record)
    assert (found.at, found.shares) == ("after epoch 1", {})
    assert found.why_not == "at least 10 trials that can be compared are needed"
    assert at_the_ends(record) == [
        "optimizer.lr=0.099 of trial 2 is near the upper end of 0.001 to 0.1: "
        "better values may lie beyond"
    ]


def test_the_smallest_rejected_trial_is_named_with_its_reason_where_one_is_known(usual):
    study = create("rejected")
    add(study, "rejected", excess=1.0)  # by another program's gate
    found = report("rejected")["The best configurations"].strip()
    assert found == "No trial is complete: 1 rejected."
    add(study, "rejected", excess=400.0, parameters=20_399, reason="20,399 parameters, 400 over")
    found = report("rejected")["The best configurations"].strip()
    assert found == (
        "No trial is complete: 2 rejected. The smallest rejected one, trial 1, has 20,399 "
        "parameters, 400 over."
    )
    add(study, "rejected", excess=300.0, parameters=20_299)
    found = report("rejected")["The best configurations"].strip()
    assert found == "No trial is complete: 3 rejected."


@pytest.mark.parametrize("kind", ["empty", "infeasible", "pareto"])
def test_every_kind_of_study_has_a_report(kind):
    several = kind == "pareto"
    study = create(
        kind,
        ["maximize", "minimize"] if several else ["maximize"],
        ["val_acc", "parameters"] if several else "val_acc",
    )
    if kind == "infeasible":
        for excess in (5.0, 3.0):
            add(study, "rejected", excess=excess, parameters=20_000)
    if several:
        add(study, "complete", (0.9, 100.0))
    found = report(kind)
    if several:
        assert "| 0 | 0.9 | 100 |" in found["The front"]
    else:
        why = "No trial is complete: 2 rejected." if kind == "infeasible" else "has ended yet."
        assert why in found["The best configurations"]
        assert (
            "at least 10 trials that can be compared are needed" in found["Which settings matter"]
        )


def test_the_entry_writes_a_row_for_every_trial(usual, confirmed, capsys):
    for name in ("confirmation", "confirmation-mnist"):
        Path(f"multirun/usual/{name}").mkdir(parents=True)
        write_conclusion(confirmed, Path(f"multirun/usual/{name}"))
    entry.main(entry.Report(usual, ADDRESS))
    folder = Path("multirun/usual/report")
    written = {path.name for path in folder.iterdir()}
    charts = {f"{name}.png" for name in ("history", "parameters", "slices")}
    assert {
        "index.html",
        "report.md",
        "trials.csv",
        "parallel.png",
        "curves.png",
        "confirmed-1.png",
        "confirmed-2.png",
        *charts,
    } == written
    said = capsys.readouterr().out
    assert "study usual: 9 trials, 4 of them ranked" in said
    assert "no pictures of the best network: run=multirun/usual/2 is not a run directory" in said
    text = (folder / "report.md").read_text()
    assert all(f"({chart})" in text for chart in charts)
    with (folder / "trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["trial"]) for row in rows] == list(range(9))
    assert rows[2]["objective val_acc"] == "0.97"
    assert (rows[1]["status"], rows[1]["parameters"], rows[1]["epochs"]) == (
        "rejected",
        "20399",
        "",
    )
    assert rows[5]["reason"] == "diverged, or worse\nby a line"
    assert rows[2]["optimizer.lr"] == "0.099"
    assert rows[8]["ended"] == ""
    assert "![test accuracy of each fresh seed on mnist_5k" in text


def test_a_run_of_another_users_costs_its_pictures_and_not_the_report(monkeypatch, capsys):
    study = create("theirs")
    run = Path("multirun/theirs/0")
    run.mkdir(parents=True)
    add(study, TrialStatus.COMPLETE, 0.98, [0.98], **ran(0) | {"run_directory": str(run)})
    is_file = Path.is_file

    def refuses(self):
        if run in self.parents:
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return is_file(self)

    monkeypatch.setattr(Path, "is_file", refuses)
    entry.main(entry.Report("theirs", ADDRESS, to="out"))
    said = capsys.readouterr().out
    assert "no pictures of the best network: multirun/theirs/0/.hydra/config.yaml: " in said
    assert "cannot be written" not in said
    assert Path("out/index.html").read_text(encoding="utf-8")
