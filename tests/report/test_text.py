import csv
import shlex
from pathlib import Path

import pytest

from mnist_sweep.report import __main__ as entry
from mnist_sweep.report.content import command, sections
from mnist_sweep.report.importance import at_the_ends, importances
from mnist_sweep.report.reading import read_study
from mnist_sweep.report.text import markdown
from tests.report.conftest import ADDRESS, add, create


def report(name):
    """A study's report in Markdown, by its headings."""
    record = read_study(name, ADDRESS)
    parts = markdown(name, sections(record)).split("\n## ")
    return {part.partition("\n")[0]: part.partition("\n")[2] for part in parts}


def test_the_report_answers_in_order(usual):
    found = report(usual)
    assert list(found) == [
        "# usual",
        "What was searched",
        "What it cost",
        "The best configurations",
        "Accuracy against parameters",
        "Which settings matter",
        "Again",
    ]
    searched, cost = found["What was searched"], found["What it cost"]
    assert "objective: val_acc (maximize)" in searched
    assert "at most 19,999 parameters" in searched
    assert "| `optimizer.lr` | 0.001 to 0.1 (log) | searched |" in searched
    assert "| `batch_size` | 16, 32 | searched |" in searched
    assert "| `data` | mnist_5k | fixed |" in searched
    assert "6 trials ran: 4 complete, 1 pruned, 1 failed" in cost
    assert "2 proposals rejected over budget" in cost
    assert "19 epochs trained, 3 saved by pruning (14%)" in cost
    assert "3m00s of training" in cost
    assert "1 running" in cost
    rows = [line for line in found["The best configurations"].splitlines() if line[:1] == "|"]
    assert rows[2].startswith("| 2 | 0.97 | 18,000 | 4 |")
    sizes = [line for line in found["Accuracy against parameters"].splitlines() if line[:1] == "|"]
    assert sizes[2:] == ["| 18,000 | 0.97 | 2 |", "| 9,000 | 0.95 | 4 |"]
    assert "seed=2 'run='\"'\"'a b'\"'\"''" in found["Again"]


def test_a_command_is_quoted_for_a_shell(usual):
    row = read_study(usual, ADDRESS).rows[0]
    assert command(row).startswith("python -m mnist_sweep.train data=mnist_5k seed=0 ")

    assert shlex.split(command(row))[3:] == row.command


def test_few_trials_are_said_to_say_little_and_ends_of_a_range_are_flagged(usual):
    record = read_study(usual, ADDRESS)
    shares, caveat = importances(record)
    assert caveat == "only 4 trials are complete: mostly chance"
    assert set(shares) == {"optimizer.lr", "model.width", "batch_size"}
    assert at_the_ends(record) == [
        "optimizer.lr=0.099 of trial 2 is near the upper end of 0.001 to 0.1: better may lie beyond"
    ]


def test_importance_finds_the_setting_that_decides():
    study = create("decides")
    for number in range(24):
        width = 0.5 + number / 24
        add(study, "complete", width, width=width, lr=0.001 * (1 + number % 5))
    shares, caveat = importances(read_study("decides", ADDRESS))
    assert caveat is None
    assert next(iter(shares)) == "model.width"
    assert shares["model.width"] > 0.7


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
        assert "No trial that fits the budget is complete." in found["The best configurations"]
        assert "Fewer than two trials are complete" in found["Which settings matter"]


def test_the_entry_writes_a_row_for_every_trial(usual, capsys):
    entry.main(entry.Report(usual, ADDRESS))
    folder = Path("multirun/usual/report")
    written = {path.name for path in folder.iterdir()}
    charts = {f"{name}.png" for name in ("history", "parameters", "importance", "slices")}
    assert {
        "index.html",
        "report.md",
        "trials.csv",
        "parallel.png",
        "curves.png",
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
    entry.main(entry.Report(usual, ADDRESS, to="elsewhere"))
    assert Path("elsewhere/report.md").exists()
