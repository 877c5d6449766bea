"""Which commands an answer calls, with what time."""

import json
from dataclasses import asdict

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from mnist_sweep.best import steps, work
from mnist_sweep.best.allowance import Costs
from mnist_sweep.best.ledger import read_ledger
from mnist_sweep.best.planning import plan_words
from mnist_sweep.best.question import QuestionError, read_question
from mnist_sweep.best.steps import StepFailed
from mnist_sweep.best.work import Terms, Work
from tests.best.test_answer import standing

ASKED = ["search=command_line", "model=mlp", "data=mnist_5k", "model.hidden=range(5,30)"]
COSTS = Costs(trial=60.0, workers=2)


@pytest.fixture
def question():
    return read_question(ASKED)


@pytest.fixture
def called(monkeypatch, question):
    """Return a function that works within some hours, and returns the commands of its steps.

    They train nothing: the search takes its time by a clock of its own. `confirms`: whether
    confirm concludes, call by call.
    """

    def answer(hours, confirms=(True,), question=question):
        commands, left, now = [], list(confirms), [0.0]

        def run(words, tick):
            commands.append(words)
            if words[0] == "mnist_sweep.train":
                now[0] += float(settings(words)["hydra.sweeper.timeout"])
                tick()
            if words[0] != "mnist_sweep.confirm":
                return
            if not left.pop(0):
                raise StepFailed("mnist_sweep.confirm ended with exit code 1")
            conclude(question.home / "confirmation")

        monkeypatch.setattr(work, "read_costs", lambda question, storage, tick: COSTS)
        monkeypatch.setattr(work, "find", lambda question, storage: None)
        monkeypatch.setattr(Work, "_export", lambda self, found: None)
        monkeypatch.setattr(steps, "run", run)
        ledger = read_ledger(question.home)
        ledger.clock = lambda: now[0]
        Work(question, Terms(hours), ledger).answer()
        return commands

    return answer


def conclude(folder):
    folder.mkdir(parents=True, exist_ok=True)
    found = {"data": "mnist_5k", "images": 500, "ranked_by": "val_acc", "level": 0.95}
    listed = {"standings": [asdict(standing("trial 1", 0.9))], "comparisons": [], "unsettled": []}
    (folder / "confirmation.json").write_text(json.dumps(found | listed))


def settings(words):
    return dict(word.split("=", 1) for word in words if "=" in word)


def of_confirm(commands):
    return [settings(words) for words in commands if words[0] == "mnist_sweep.confirm"]


def test_confirm_races_the_best_and_the_default_in_the_time_that_is_left(called):
    (asked,) = of_confirm(called(hours=2))
    assert (asked["top"], asked["seeds"]) == ("4", "10")
    assert float(asked["hours"]) == pytest.approx(50 * 60 / 2 / 3600, abs=0.02)  # for 50 runs


def test_few_hours_confirm_fewer_configurations(called):
    (asked,) = of_confirm(called(hours=0.3))
    assert asked["top"] == "3"  # and the default: 14 runs are three seeds of four, not of five


def test_a_time_that_was_too_short_for_a_conclusion_still_ends_with_one(called, capsys):
    first, second = of_confirm(called(hours=1, confirms=(False, True)))
    assert "hours" in first
    assert "hours" not in second
    assert (second["top"], second["seeds"]) == ("2", "2")
    assert "nothing can be concluded yet: 2 seeds of the best" in capsys.readouterr().out


def test_a_confirm_that_fails_although_there_is_a_conclusion_ends_the_answer(called, question):
    conclude(question.home / "confirmation")
    with pytest.raises(StepFailed):
        called(hours=1, confirms=(False,))


def test_hours_that_are_too_few_for_the_configs_epochs_get_fewer(called, question, capsys):
    commands = called(hours=0.05)
    train = next(settings(words) for words in commands if words[0] == "mnist_sweep.train")
    assert question.epochs == 20
    assert train["epochs"] == "6"
    said = "epochs=6 instead of 20, which hours=0.05 is too short for; more hours find better"
    assert said in capsys.readouterr().out


def test_a_resumed_question_keeps_its_epochs_also_with_more_hours(called, question):
    called(hours=0.05)
    commands = called(hours=3)
    train = next(settings(words) for words in commands if words[0] == "mnist_sweep.train")
    assert train["epochs"] == "6"


def test_epochs_that_are_given_are_not_made_fewer(called):
    with pytest.raises(QuestionError, match=r"hours=0\.05 is too short"):
        called(hours=0.05, question=read_question([*ASKED, "epochs=20"]))


@pytest.mark.parametrize(
    "storage",
    [
        "postgresql+psycopg://me@host/db?sslmode=require",
        "sqlite:///multirun/a,b.db",
        "journal:///multirun/[x]#1.log",
        "sqlite:///multirun/${x}.db",
    ],
)
def test_the_plan_is_of_the_storage_whatever_its_address_has_in_it(storage):
    *_, line = plan_words(read_question(["data=mnist_5k"]), storage, "json")
    parsed = OverridesParser.create().parse_override(line)
    assert parsed.key_or_group == "hydra.sweeper.storage"
    assert not parsed.is_sweep_override()
    assert OmegaConf.create({"a": str(parsed.value())})["a"] == storage


def test_the_usual_storage_is_left_out_of_the_plan():
    words = plan_words(read_question(["data=mnist_5k"]), Terms(1.0).storage, "true")
    assert words[-1] == "dry_run=true"
