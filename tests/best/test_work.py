"""Which commands an answer calls, with what time."""

import json
from dataclasses import asdict

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from mnist_sweep.best import steps, work
from mnist_sweep.best.allowance import Costs
from mnist_sweep.best.ledger import read_ledger
from mnist_sweep.best.planning import Planned, plan_words, planned_of
from mnist_sweep.best.question import QuestionError, read_question
from mnist_sweep.best.steps import StepFailed
from mnist_sweep.best.work import Terms, Work
from mnist_sweep.text import duration
from tests.best.test_answer import standing

ASKED = ["search=command_line", "model=mlp", "data=mnist_5k", "model.hidden=range(5,30)"]
COSTS = Costs(trial=60.0, workers=2)
PLANS = [Planned(left=20, ended=0, costs=COSTS)]


@pytest.fixture
def question():
    return read_question(ASKED)


@pytest.fixture
def called(monkeypatch, question):
    """Return a function that works within some hours, and returns the commands of its steps.

    They train nothing: the search takes its time by a clock of its own. `confirms`: whether
    confirm concludes, call by call; None: it is interrupted. `plans`: what is planned, in turn.
    """

    def answer(hours, confirms=(True,), question=question, plans=PLANS, **terms):
        commands, left, now, plans = [], list(confirms), [0.0], list(plans)

        def plan(question, storage, n_trials, tick):
            commands.append(plan_words(question, storage, "json", n_trials))
            return plans.pop(0)

        def read(words, tick):
            commands.append(words)
            return "{}"

        def run(words, tick):
            commands.append(words)
            if words[0] == "mnist_sweep.confirm" and "hours" in settings(words):
                now[0] += 3600 * float(settings(words)["hours"])
                tick()
            if words[0] == "mnist_sweep.train":
                now[0] += float(settings(words)["hydra.sweeper.timeout"])
                tick()
            if words[0] != "mnist_sweep.confirm":
                return
            concludes = left.pop(0)
            if concludes is None:
                raise KeyboardInterrupt
            if not concludes:
                raise StepFailed("mnist_sweep.confirm ended with exit code 1")
            conclude(question.home / "confirmation")

        monkeypatch.setattr(work, "read_plan", plan)
        monkeypatch.setattr(steps, "read", read)
        monkeypatch.setattr(work, "find", lambda question, storage: None)
        monkeypatch.setattr(Work, "_export", lambda self, found: None)
        monkeypatch.setattr(steps, "run", run)
        ledger = read_ledger(question.home)
        ledger.clock = lambda: now[0]
        Work(question, Terms(hours, **terms), ledger).answer()
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


def of_search(commands):
    found = [settings(words) for words in commands if words[0] == "mnist_sweep.train"]
    return [each for each in found if "dry_run" not in each]


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
    (train,) = of_search(commands)
    assert question.epochs == 20
    assert train["epochs"] == "6"
    said = "epochs=6 instead of 20, which hours=0.05 is too short for; more hours find better"
    assert said in capsys.readouterr().out


def test_a_resumed_question_keeps_its_epochs_also_with_more_hours(called, question):
    called(hours=0.05)
    commands = called(hours=3)
    (train,) = of_search(commands)
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


def test_a_study_with_as_many_trials_as_the_config_names_is_searched_further(called):
    done = Planned(left=0, ended=25, costs=None)
    commands = called(hours=2, plans=[done, Planned(left=20, ended=25, costs=COSTS)])
    assert settings(commands[1])["hydra.sweeper.n_trials"] == "45"
    (train,) = of_search(commands)
    assert int(train["hydra.sweeper.n_trials"]) > 45


@pytest.mark.parametrize("costs", [None, COSTS])
def test_a_search_that_has_all_its_trials_goes_on_to_confirm(called, capsys, costs):
    question = read_question([*ASKED, "hydra.sweeper.n_trials=25"])
    commands = called(hours=2, question=question, plans=[Planned(0, 25, costs)])
    assert not of_search(commands)
    (asked,) = of_confirm(commands)
    assert float(asked["hours"]) > 1.9
    assert "nothing is left to search" in capsys.readouterr().out


def test_a_resumed_search_says_what_it_has_left(called, capsys):
    with pytest.raises(KeyboardInterrupt):
        called(hours=2, confirms=(None,))
    capsys.readouterr()
    (train,) = of_search(called(hours=4))
    seconds = float(train["hydra.sweeper.timeout"]) + COSTS.trial / 2
    assert seconds < 2 * 3600  # of four hours; the first two are used up
    assert f"{duration(seconds)} to search" in capsys.readouterr().out


def test_a_conclusion_that_was_interrupted_after_the_hours_is_made_by_the_same_command(called):
    with pytest.raises(KeyboardInterrupt):
        called(hours=1, confirms=(False, None))
    (asked,) = of_confirm(called(hours=1))
    assert (asked["top"], asked["seeds"]) == ("2", "2")


def test_an_answered_question_is_compared_with_the_studys_and_not_worked_on(called):
    called(hours=1)
    commands = called(hours=1)
    assert settings(commands[0])["hydra.sweeper.n_trials"] == "1"  # a plan, which times nothing
    assert not of_search(commands)
    assert not of_confirm(commands)


def test_more_seeds_than_were_confirmed_are_trained_in_the_hours_or_said_to_be_left_out(
    called, capsys
):
    called(hours=1)
    assert not of_confirm(called(hours=1, seeds=20))
    assert "confirmed with top=4 seeds=10, and the hours are used up: give more hours= for top=4 "
    assert "seeds=20" in capsys.readouterr().out
    (asked,) = of_confirm(called(hours=2, seeds=20))
    assert asked["seeds"] == "20"


def test_confirm_has_as_many_processes_as_the_search(called):
    question = read_question([*ASKED, "hydra.sweeper.n_jobs=1"])
    (asked,) = of_confirm(called(hours=2, question=question))
    assert asked["n_jobs"] == "1"


PLAN = {
    "study": {"left": 20, "ended": 0, "trial_seconds": None},
    "gate": {"share": 0.5, "passed": 5, "draws": 10, "counts": {"parameters": {"smallest": 7850}}},
    "workers": 2,
    "seconds": None,
    "pruning": None,
}


def test_a_search_without_a_probe_is_refused_for_that():
    with pytest.raises(QuestionError, match=r"has no hydra\.sweeper\.probe"):
        planned_of(PLAN)


def test_a_budget_that_nothing_fits_is_refused_with_the_smallest_that_was_drawn():
    nothing = PLAN | {"gate": PLAN["gate"] | {"passed": 0, "share": 0.0}}
    said = r"nothing of 10 draws passes the gate \(the smallest: parameters 7,850\): raise the"
    with pytest.raises(QuestionError, match=said):
        planned_of(nothing)


def test_where_nothing_is_left_to_time_the_studys_own_trials_say_what_one_takes():
    study = {"left": 0, "ended": 20, "trial_seconds": 30.0}
    assert planned_of(PLAN | {"study": study}).costs == Costs(30.0, 2, ended=20, feasible=0.5)
    assert planned_of(PLAN | {"study": study | {"trial_seconds": None}}).costs is None
