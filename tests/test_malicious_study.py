"""A study that somebody else has written: it runs nothing, escapes no folder, injects nothing."""

import io
import re
import sys
from pathlib import Path

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

from mnist_sweep.dashboard.figures import Drawing
from mnist_sweep.report.live.pages import list_page, study_page
from mnist_sweep.report.live.source import Source
from mnist_sweep.studies.opening import Owners
from mnist_sweep.sweep.storage import open_storage
from mnist_sweep.sweep.trials.leases import SWEEP
from mnist_sweep.sweep.trials.records import TrialRecords
from tests.inputs.case import contents
from tests.inputs.commands import call

SCRIPT = "<script>document.title='run'</script><img src=x onerror=alert(1)>"
ESCAPE = "\x1b]0;title\x07\x1b[2J\r"
UP = "../../../outside"
TEXT = f"{SCRIPT}{ESCAPE}`$(touch executed)`{UP}"
SQLITE, JOURNAL = "sqlite:///inside/study.db", "journal:///inside/study.log"

# What a trial or a study of ours has, and what else could be in its place.
VALUES = {
    "text": TEXT,
    "number": 2**70,
    "negative": -5,
    "list": [TEXT, 1, None],
    "mapping": {TEXT: {"a": TEXT}},
    "nothing": None,
    "nul": "\x00",
    "long": "x" * 5000,
}
OF_A_TRIAL = (
    "status",
    "reason",
    "run_directory",
    "parameters",
    "multiply_adds",
    "epochs",
    "max_epochs",
    "best_epoch",
    "val_acc",
    "val_loss",
    "seconds",
    "overrides",
    "data",
    "data_fingerprint",
    "name",
    "notes",
    "widths",
    "gate",
    TEXT,
)
OF_A_STUDY = (
    *("definition", "command", "directory", "id", "total", "extensions", "sweeps"),
    *("pruner_settings", TEXT),
)


@pytest.fixture(autouse=True)
def _starts_nothing(monkeypatch):
    monkeypatch.setattr("optuna_dashboard.run_server", lambda *given: None)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    Path("inside").mkdir()


def written(name, of_trials, of_study, setting="x", address=JOURNAL):
    """Write a study with a complete trial for each of some attributes."""
    study = optuna.create_study(study_name=name, storage=open_storage(address).optuna)
    space = {
        setting: FloatDistribution(0, 1),
        "activation": CategoricalDistribution([TEXT, "relu"]),
    }
    for number, attributes in enumerate(of_trials):
        value = number / len(of_trials)
        study.add_trial(
            create_trial(
                state=TrialState.COMPLETE,
                value=value,
                params={setting: value, "activation": TEXT},
                distributions=space,
                user_attrs=attributes,
                intermediate_values={1: value, 2: value},
            )
        )
    for key, value in of_study.items():
        study.set_user_attr(key, value)


def check_printed(capfd):
    """What a terminal gets moves no cursor and sets no title."""
    printed = capfd.readouterr()
    for text in (printed.out, printed.err):
        assert "Traceback" not in text
        assert all(line.isprintable() for line in text.split("\n")), text


def check_pages(folder):
    """No page has an element, or a handler, that is the study's."""
    pages = [path.read_text(encoding="utf-8") for path in Path(folder).rglob("*.html")]
    assert pages
    for page in pages:
        check_page(page)


def check_page(page):
    # What the page's own data has in JSON is no markup: only its end could be.
    data = re.compile(r'<script type="application/json"[^>]*>.*?</script>', re.DOTALL)
    markup = data.sub("", page)
    assert "<script>document" not in page
    assert "<img src=x" not in markup
    assert "\x1b" not in page
    assert "Content-Security-Policy" in page


DEFINITION = {
    "search": {"settings": {TEXT: TEXT, "model": TEXT}, "conditional": {}, "deletions": [TEXT]},
    "budget": {"max_parameters": 19_999},
    "objective": TEXT,
}
COMMAND = {"words": [TEXT, "rm"], "options": [TEXT], "environment": {"MNIST_SWEEP_TARGETS": TEXT}}
FORGED = {
    "status": "complete",
    "reason": TEXT,
    "run_directory": UP,
    "parameters": 100,
    "epochs": 1,
    "max_epochs": 2,
    "val_acc": 0.5,
    "overrides": [TEXT, "--config-dir=/", f"hydra.run.dir={UP}"],
    "data": TEXT,
    "name": TEXT,
    "notes": TEXT,
}


@pytest.mark.parametrize("name", [TEXT, UP])
def test_a_forged_study_injects_nothing_and_stays_inside(name, capfd):
    of_study = {"definition": DEFINITION, "command": COMMAND, "directory": UP}
    written(name, 2 * [FORGED], of_study, TEXT, SQLITE)
    storage = f"storage={SQLITE}"
    before = contents()
    outside = sorted(Path("..").resolve().iterdir())
    assert call(["report", f"study={name}", storage, "to=inside/report"]) == 0
    assert call(["studies", storage]) == 0
    assert call(["studies", storage, f"export={name}", "to=inside/study.zip"]) in (0, 1)
    assert call(["dashboard", storage, "artifacts=inside/artifacts"]) == 0
    for command in ("confirm", "reproduce", "results"):
        assert call([command, f"study={name}", storage]) == 1
    check_printed(capfd)
    check_pages("inside/report")
    new = contents().keys() - before.keys()
    assert all(Path(path).parts[0] == "inside" for path in new), new
    assert sorted(Path("..").resolve().iterdir()) == outside
    assert not Path("executed").exists()


@pytest.mark.parametrize("of_study", ["text", "number", "mapping"])
def test_values_of_any_kind_are_read_as_another_programs(of_study, capfd):
    trials = [dict.fromkeys(OF_A_TRIAL, value) for value in VALUES.values()]
    written("s", trials, dict.fromkeys(OF_A_STUDY, VALUES[of_study]))
    storage = f"storage={JOURNAL}"
    assert call(["report", "study=s", storage, "to=inside/report"]) == 0
    assert call(["studies", storage]) == 0
    assert call(["dashboard", storage, "artifacts=inside/artifacts"]) == 0
    for command in ("confirm", "reproduce", "results"):
        assert call([command, "study=s", storage]) == 1
    check_printed(capfd)
    check_pages("inside/report")


@pytest.mark.parametrize("name", [None, TEXT])
def test_the_live_page_of_a_forged_study_injects_nothing(name):
    written(TEXT, 2 * [FORGED], {"definition": DEFINITION, "command": COMMAND}, TEXT)
    source = Source(JOURNAL)
    made = list_page(source, {}) if name is None else study_page(name, source, {}, None, None)
    check_page(made.sent)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def test_the_dashboards_bars_show_a_forged_name_without_its_escapes(monkeypatch):
    written(TEXT, [{**FORGED, "run_directory": str(Path.cwd())}], {"definition": DEFINITION})
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert call(["dashboard", f"storage={JOURNAL}", "artifacts=inside/artifacts"]) == 0
    shown = terminal.getvalue()
    assert "notes of <script>" in shown
    assert "figures of <script>" in shown
    assert "\x1b" not in shown


def test_an_error_that_ends_the_dashboards_drawing_is_said_without_its_escapes(monkeypatch, capfd):
    def refuse(*given):
        raise OSError(TEXT)

    monkeypatch.setattr("mnist_sweep.dashboard.figures.add_figures", refuse)
    with Drawing([None], None, None):
        pass
    check_printed(capfd)


def test_a_wait_for_another_machines_trial_says_a_forged_name_without_its_escapes(capfd):
    written(TEXT, [], {})
    storage = open_storage(JOURNAL).optuna
    study = optuna.load_study(study_name=TEXT, storage=storage)
    other = {"host": "x", "pid": 1, "started": 0.0, "token": "t"}
    TrialRecords(study, storage).mark(study.ask().number, SWEEP, other)
    clock = [0.0]
    owners = Owners(study, 60, sleep=lambda seconds: clock.append(clock[-1] + seconds))
    owners.monitor.clock = lambda: clock[-1]
    owners.check()
    check_printed(capfd)
