"""Several studies in one report, of trials made by hand."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from optuna.trial import TrialState, create_trial

from mnist_sweep.cli.arguments import ArgumentError
from mnist_sweep.report import __main__ as entry
from mnist_sweep.report import comparison_page
from mnist_sweep.report.side_by_side import (
    Group,
    band,
    busy_seconds,
    by_time,
    by_trials,
    cautions,
    read_groups,
)
from mnist_sweep.sweep.study_record import StudyReadError, read_study
from tests.report.conftest import ADDRESS, create, stored

START = datetime(2026, 11, 26, 9)


@pytest.fixture
def record():
    """Return a function from (value, start, end) to a study's record."""

    def made(name, *trials):
        study = create(name)
        for value, began, ended in trials:
            state = TrialState.PRUNED if value is None else TrialState.COMPLETE
            trial = create_trial(state=state, value=value)
            trial.datetime_start = START + timedelta(seconds=began)
            trial.datetime_complete = START + timedelta(seconds=ended)
            study.add_trial(trial)
        return read_study(name, ADDRESS)

    return made


def test_the_best_so_far_is_in_the_order_in_which_trials_ended(record):
    found = record("a", (0.7, 0, 30), (0.9, 0, 10), (None, 10, 12), (0.8, 12, 40))
    assert by_trials(found) == [(1, 0.9), (2, 0.9), (3, 0.9), (4, 0.9)]
    assert by_time(found) == [(10, 0.9), (12, 0.9), (30, 0.9), (40, 0.9)]


def test_a_curve_begins_with_the_first_value_and_a_lower_loss_is_better():
    study = create("loss", ["minimize"], "val_loss")
    for value in (None, 0.5, 0.3, 0.4):
        trial = study.ask()
        study.tell(trial, value, TrialState.PRUNED if value is None else TrialState.COMPLETE)
    assert by_trials(read_study("loss", ADDRESS)) == [(2, 0.5), (3, 0.3), (4, 0.3)]
    create("empty")
    assert by_trials(read_study("empty", ADDRESS)) == []


def test_time_in_which_nothing_ran_is_not_counted(record):
    found = record("a", (0.7, 0, 10), (0.8, 5, 20), (0.9, 1000, 1010))
    assert busy_seconds(found) == {0: 10, 1: 20, 2: 30}


def test_replicates_have_a_median_and_a_range_where_all_have_values(record):
    group = Group(
        "a-*",
        [
            record("a-1", (0.5, 0, 1), (0.9, 1, 2), (0.9, 2, 3)),
            record("a-2", (None, 0, 1), (0.6, 1, 2), (0.7, 2, 3), (0.99, 3, 4)),
            record("a-3", (0.8, 0, 1), (0.8, 1, 2), (0.8, 2, 3), (0.8, 3, 4)),
        ],
    )
    found = band(group, by_trials)
    assert found.label == "a-* (median and range of 3 studies)"
    assert found.places == [2, 3]
    assert (found.middle, found.low, found.high) == ([0.8, 0.8], [0.6, 0.7], [0.9, 0.9])


def test_a_group_with_a_study_without_a_value_has_no_line(record):
    assert band(Group("a", [record("a", (None, 0, 1))]), by_trials) is None


def test_a_name_is_a_study_and_a_pattern_all_that_it_fits(record):
    for name in ("tpe-1", "tpe-2", "tpe-*", "random"):
        record(name, (0.5, 0, 1))
    literal, random = read_groups(["tpe-*", "random"], ADDRESS)
    assert [r.name for r in literal.records] == ["tpe-*"]
    assert [r.name for r in random.records] == ["random"]
    two, _ = read_groups(["tpe-[12]", "random"], ADDRESS)
    assert [r.name for r in two.records] == ["tpe-1", "tpe-2"]


def test_what_cannot_be_compared_is_refused_in_one_line(record):
    record("a", (0.5, 0, 1))
    create("loss", ["minimize"], "val_loss")
    create("front", ["maximize", "minimize"], ["val_acc", "parameters"])
    for names, said in (
        (["a", "nowhere"], "nowhere is not in journal:///studies.log; it has a, front, loss"),
        (["a", "a"], "studies=a,a is one line of a chart"),
        (["a", "loss"], r"a has the objective val_acc \(maximize\), but loss has val_loss"),
        (["a", "front"], "front has 2 objectives"),
    ):
        with pytest.raises(StudyReadError, match=said):
            read_groups(names, ADDRESS)


def test_other_data_budgets_and_lengths_are_said(record):
    record("a", (0.5, 0, 1)), record("b", (0.5, 0, 1))
    assert cautions(read_groups(["a", "b"], ADDRESS)) == []
    study = stored("b")
    study.set_user_attr("data_fingerprint", "abc")
    (said,) = cautions(read_groups(["a", "b"], ADDRESS))
    assert said == "They differ in data (a: unknown, b: abc)."


def test_the_command_writes_a_page_a_text_and_two_charts(record, capsys):
    record("a-1", (0.5, 0, 60), (0.9, 60, 120)), record("a-2", (0.6, 0, 60), (0.7, 60, 120))
    record("b", (0.4, 0, 30), (0.8, 30, 90))
    entry.main(entry.Report(studies="a-*, b", storage=ADDRESS))
    folder = Path("outputs/studies/a-%2A+b")
    assert "2 lines of 3 studies" in capsys.readouterr().out
    written = {path.name for path in folder.iterdir()}
    assert written == {"index.html", "report.md", "by-trials.png", "by-time.png"}
    text = (folder / "report.md").read_text()
    assert "| b | 2 | 0 | 0.8 | 1 |" in text
    page = (folder / "index.html").read_text()
    assert "a-* (median and range of 2 studies)" in page
    with pytest.raises(ArgumentError, match="give either study=, or studies="):
        entry.main(entry.Report(study="a", studies="a,b"))


def test_studies_whose_names_are_alike_have_reports_of_their_own(record):
    for name in ("a/b", "a_b", "a%2Fb", "c"):
        record(name, (0.5, 0, 60))
    for name in ("a/b", "a_b", "a%2Fb"):
        entry.main(entry.Report(studies=f"{name},c", storage=ADDRESS))
    written = {path.name for path in Path("outputs/studies").iterdir()}
    assert written == {"a%2Fb+c", "a_b+c", "a%252Fb+c"}


def test_a_study_named_with_dollar_signs_is_drawn_by_its_name(record):
    record(r"a$\foo$", (0.5, 0, 60), (0.9, 60, 120)), record("b", (0.4, 0, 30))
    entry.main(entry.Report(studies=r"a$\foo$,b", storage=ADDRESS, to="out"))
    assert r">a$\foo$</text>" in Path("out/index.html").read_text()


def test_a_study_without_a_best_has_a_row(record):
    record("a", (None, 0, 1)), record("b", (0.4, 0, 30))
    groups = read_groups(["a", "b"], ADDRESS)
    (found,) = comparison_page.sections(groups, [])
    assert found.blocks[0].rows[0][:4] == ("a", "1", "1", "none")


def test_a_study_whose_name_begins_with_an_underscore_is_in_the_legend_too(record):
    for name in ("_x", "y"):
        record(name, (0.9, 0, 1), (0.95, 1, 2))
    drawn = comparison_page.charts(read_groups(["_x", "y"], ADDRESS))
    for _, figure in drawn.values():
        texts = [text.get_text().strip() for text in figure.axes[0].get_legend().get_texts()]
        assert texts == ["_x", "y"]
