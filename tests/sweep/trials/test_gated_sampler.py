"""Any sampler of Optuna's behind a gate, on Optuna alone: no config is composed here."""

import warnings
from dataclasses import replace

import optuna
import pytest
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.pruners import HyperbandPruner
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    GridSampler,
    NSGAIISampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)
from optuna.storages import InMemoryStorage
from optuna.trial import BaseTrial, TrialState

from mnist_sweep.sweep.gate import Verdict
from mnist_sweep.sweep.space.base_config import BaseConfig
from mnist_sweep.sweep.space.distributions import suggest
from mnist_sweep.sweep.space.parsing import parse_space
from mnist_sweep.sweep.space.resolved import CONFIGURATION
from mnist_sweep.sweep.space.untried import Points, key_of
from mnist_sweep.sweep.trials.draw import Draw
from mnist_sweep.sweep.trials.gated_sampler import GatedSampler, Judged, is_grid
from mnist_sweep.sweep.trials.records import TrialRecords
from mnist_sweep.sweep.trials.tally import Tally

LIMIT = 50  # of x, which passes up to it
X = FloatDistribution(0, 100)
CURRENT = BaseConfig(OmegaConf.create({"hydra": {"runtime": {"choices": {}}}}))


def suggest_x(trial):
    suggest(trial, "x", X)


def suggest_all(trial):
    """Settings of every kind, one of which has two that depend on it."""
    trial.suggest_float("x", 0, 100)
    trial.suggest_float("rate", 1e-4, 1e-1, log=True)
    trial.suggest_int("width", 8, 64, step=4)
    trial.suggest_float("only", 0.5, 0.5)
    if trial.suggest_categorical("kind", ["a", "b", None]) == "a":
        trial.suggest_float("factor", 0.1, 0.9)
    elif trial.params["kind"] == "b":
        trial.suggest_int("floor", 1, 5)


def pass_everything(params):
    return Verdict()


def limit_x(params):
    excess = params["x"] - LIMIT
    return Verdict({"size": excess}, {}, f"{excess:g} over" if excess > 0 else None)


class Judge:
    """Asks a function from parameters, and notes what it was asked."""

    def __init__(self, suggest_settings, verdict):
        self.suggest_settings, self.verdict, self.asked = suggest_settings, verdict, []

    def choose(self, trial):
        self.suggest_settings(trial)
        self.params = trial.params
        return [f"{name}={value}" for name, value in trial.params.items()]

    def judge(self, overrides):
        self.asked.append(self.params)
        verdict = self.verdict(self.params)
        return Judged(overrides, verdict, "no valid run" if verdict is None else None)


class Scripted(BaseSampler):
    """A sampler that draws given values in turn, and notes what else it is called for."""

    def __init__(self, *draws):
        self.draws, self.calls, self.seen = list(map(float, draws)), [], []

    def infer_relative_search_space(self, study, trial):
        self.seen.append([t.number for t in study.get_trials(deepcopy=False)])
        return {}

    def sample_relative(self, study, trial, search_space):
        return {}

    def sample_independent(self, study, trial, name, distribution):
        return self.draws.pop(0)

    def before_trial(self, study, trial):
        self.calls.append(("before", trial.number))

    def after_trial(self, study, trial, state, values):
        self.calls.append(("after", trial.number, state, values))

    def reseed_rng(self):
        self.calls.append(("reseed",))


class Gated:
    """A study with a sampler behind a gate."""

    def __init__(
        self,
        wrapped,
        verdict=limit_x,
        suggest_settings=suggest_x,
        resamples=5,
        storage=None,
        space=None,
        **study,
    ):
        storage = storage or InMemoryStorage()
        self.study = optuna.create_study(storage=storage, **study)
        self.records = TrialRecords(self.study, storage)
        self.judge = Judge(suggest_settings, verdict)
        self.points = None if space is None else Points(Tally(self.study), space, CURRENT)
        self.sampler = GatedSampler(wrapped, self.records.read, self.judge, resamples, self.points)
        self.study.sampler = self.sampler

    def ask(self):
        """A trial, for which the tally is as fresh as the queue would have it."""
        if self.points is not None:
            self.points.tally.renew()
        return self.study.ask()

    def take(self):
        return self.sampler.take(self.ask())

    def propose(self):
        """A trial with what was drawn for it, and what was said of that."""
        trial = self.ask()
        draw, judged = self.sampler.take(trial)
        for name, distribution in draw.distributions.items():
            suggest(trial, name, distribution)
        assert trial.params == draw.params
        return trial, judged


def asked(gated):
    return [params["x"] for params in gated.judge.asked]


def objective(params):
    return params["x"] + params["width"]


def quietly(make):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return make()


SAMPLERS = {
    "TPE": lambda: TPESampler(n_startup_trials=3, seed=1),
    "TPE, multivariate": lambda: TPESampler(n_startup_trials=3, seed=1, multivariate=True),
    "TPE, in groups": lambda: TPESampler(
        n_startup_trials=3, seed=1, multivariate=True, group=True, constant_liar=True
    ),
    "random": lambda: RandomSampler(seed=1),
    "NSGA-II": lambda: NSGAIISampler(population_size=4, seed=1),
    "CMA-ES": lambda: CmaEsSampler(n_startup_trials=2, seed=1, warn_independent_sampling=False),
    "QMC": lambda: QMCSampler(seed=1, warn_independent_sampling=False),
    "GP": lambda: GPSampler(n_startup_trials=3, seed=1),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_behind_a_gate_that_lets_everything_pass_a_sampler_draws_what_it_draws_alone(name):
    plain = optuna.create_study(sampler=quietly(SAMPLERS[name]))
    gated = Gated(quietly(SAMPLERS[name]), pass_everything, suggest_all)
    for _ in range(5 if name == "GP" else 14):
        trial = plain.ask()
        suggest_all(trial)
        plain.tell(trial, objective(trial.params))
        trial, _ = gated.propose()
        gated.study.tell(trial, objective(trial.params))
    assert [t.params for t in gated.study.trials] == [t.params for t in plain.trials]
    assert [t.distributions for t in gated.study.trials] == [t.distributions for t in plain.trials]
    kinds = {t.params["kind"] for t in plain.trials}
    assert len(kinds) > 1, "the condition holds for some trials and not for others"


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_sampler_works_behind_a_gate_that_rejects(name):
    def verdict(params):  # against what the objective would have
        excess = 60 - params["x"]
        return Verdict({"size": excess}, {}, f"{excess:g} under" if excess > 0 else None)

    resamples = 2 if name == "GP" else 20  # each draw of GP's takes half a second
    gated = Gated(quietly(SAMPLERS[name]), verdict, suggest_all, resamples=resamples)
    for _ in range(5):
        trial, judged = gated.propose()
        assert (judged.reason is None) is (trial.params["x"] >= 60)
        if judged.reason is None:
            gated.study.tell(trial, objective(trial.params))
        else:
            trial.set_constraint("size", judged.excess)
            gated.study.tell(trial, state=TrialState.PRUNED)
    assert len(gated.judge.asked) > 5
    assert any(t.state == TrialState.COMPLETE for t in gated.study.trials)


def test_a_grid_is_gone_through_as_it_is():
    grid = {"x": [10.0, 90.0], "y": [1, 2]}

    def suggest_grid(trial):
        trial.suggest_float("x", 0, 100)
        trial.suggest_int("y", 1, 2)

    gated = Gated(GridSampler(grid, seed=0), limit_x, suggest_grid, resamples=0)
    for _ in range(4):
        trial, judged = gated.propose()
        assert (judged.reason is None) is (trial.params["x"] <= LIMIT)
        if gated.sampler.wrapped.is_exhausted(gated.study):
            break
        if len(gated.study.trials) < 4:  # the last one stops a study, for which this is no place
            gated.study.tell(trial, 1.0)
    assert sorted((t.params["x"], t.params["y"]) for t in gated.study.trials) == [
        (10, 1),
        (10, 2),
        (90, 1),
        (90, 2),
    ]


def test_a_grid_is_known_gated_or_not():
    grid = GridSampler({"x": [1.0]})
    assert is_grid(grid)
    assert is_grid(Gated(grid).sampler)
    assert not is_grid(Gated(RandomSampler()).sampler)
    assert str(Gated(grid).sampler) == "GridSampler"


def test_a_study_with_it_is_optimized_as_any_other():
    gated = Gated(RandomSampler(seed=0), resamples=50)

    def run(trial):
        return trial.suggest_float("x", 0, 100) + trial.suggest_float("unknown", 0, 1)

    gated.study.optimize(run, n_trials=10)
    assert all(t.params["x"] <= LIMIT for t in gated.study.trials)
    assert len({t.params["unknown"] for t in gated.study.trials}) == 10


@pytest.mark.parametrize("resamples", [0, 1, 3])
def test_what_is_rejected_is_drawn_again_as_often_as_it_may(resamples):
    gated = Gated(Scripted(90, 80, 70, 60, 10), resamples=resamples)
    _, judged = gated.take()
    assert asked(gated) == [90, 80, 70, 60][: resamples + 1]
    assert judged.reason == f"{asked(gated)[-1] - LIMIT:g} over"


def test_the_first_that_passes_is_kept_and_nothing_more_is_drawn():
    gated = Gated(Scripted(90, 20, 10))
    draw, judged = gated.take()
    assert (draw.params, judged.reason, judged.overrides) == ({"x": 20}, None, ["x=20.0"])
    assert gated.sampler.wrapped.draws == [10]


def test_of_what_is_rejected_the_closest_is_kept():
    gated = Gated(Scripted(90, 60, 80, 55, 70, 99))
    draw, judged = gated.take()
    assert (draw.params, judged.excess, judged.reason) == ({"x": 55}, 5, "5 over")
    assert len(gated.judge.asked) == 6


def invalid_above(most):
    """A gate for which a large x is no valid run at all."""
    return lambda params: None if params["x"] > most else limit_x(params)


def test_no_valid_run_is_preferred_to_one_that_is_over_budget():
    gated = Gated(Scripted(70, 95, 80, 96), invalid_above(90), resamples=3)
    draw, judged = gated.take()
    assert asked(gated) == [70, 95, 80, 96]
    assert (draw.params, judged.reason) == ({"x": 70}, "20 over")


def test_one_that_passes_is_found_behind_one_that_is_no_valid_run():
    gated = Gated(Scripted(70, 95, 30), invalid_above(90))
    assert gated.take()[0].params == {"x": 30}


def test_a_first_draw_that_is_no_valid_run_stands():
    gated = Gated(Scripted(95, 30), invalid_above(90))
    draw, judged = gated.take()
    assert (draw.params, judged.verdict, judged.reason) == ({"x": 95}, None, "no valid run")
    assert judged.excess == 0
    assert gated.sampler.wrapped.draws == [30]


def test_a_sampler_that_draws_the_same_again_is_not_asked_for_ever():
    gated = Gated(Scripted(*[90] * 9))
    assert gated.take()[0].params == {"x": 90}
    assert asked(gated) == [90, 90]


def test_a_failure_of_the_judge_is_the_callers_and_the_next_trial_is_drawn_as_ever():
    failures = [ValueError("no gate")]

    def verdict(params):
        if failures:
            raise failures.pop()
        return limit_x(params)

    gated = Gated(Scripted(10, 20), verdict)
    with pytest.raises(ValueError, match="no gate"):
        gated.take()
    assert gated.take()[0].params == {"x": 20}


def suggest_two(trial):
    suggest_x(trial)
    trial.suggest_float("y", 0, 100)


def test_an_enqueued_trial_is_what_was_enqueued():
    gated = Gated(Scripted(), suggest_settings=suggest_two)  # which can draw nothing
    gated.study.enqueue_trial({"x": 30.0, "y": 4.0})
    trial, judged = gated.propose()
    assert (trial.params, judged.reason) == ({"x": 30, "y": 4}, None)


def test_an_enqueued_trial_that_is_rejected_keeps_what_was_enqueued():
    gated = Gated(Scripted())
    gated.study.enqueue_trial({"x": 90.0})
    trial, judged = gated.propose()
    assert (trial.params, judged.reason) == ({"x": 90}, "40 over")


def test_a_trial_that_is_enqueued_in_part_is_drawn_and_drawn_again_in_the_other():
    gated = Gated(Scripted(90, 80, 20), suggest_settings=suggest_two)
    gated.study.enqueue_trial({"y": 4.0})
    trial, _ = gated.propose()
    assert trial.params == {"x": 20, "y": 4}
    assert [params["y"] for params in gated.judge.asked] == [4, 4, 4]


@pytest.mark.parametrize(
    ("queued", "distribution", "drawn"),
    [
        ({"x": 5.0}, FloatDistribution(0, 10), 5.0),
        ({"x": 5}, FloatDistribution(0, 10), 5.0),
        ({"x": 5.0}, IntDistribution(0, 10), 5),
        ({"x": 50.0}, FloatDistribution(0, 10), 1.0),
        ({"x": "5"}, CategoricalDistribution((1, 2)), 1),
    ],
)
def test_what_was_enqueued_is_drawn_as_the_study_will_have_it(queued, distribution, drawn):
    gated = Gated(Scripted(1), pass_everything, lambda trial: suggest(trial, "x", distribution))
    gated.study.enqueue_trial(queued)
    draw, _ = gated.take()
    assert draw.params == {"x": drawn}
    assert type(draw.params["x"]) is type(drawn)
    assert draw.overrules_queue() is (drawn != queued["x"])


def test_a_resumed_trial_keeps_its_parameters_and_draws_nothing():
    gated = Gated(Scripted(30, 7), suggest_settings=suggest_two)
    trial, _ = gated.propose()
    gated.records.wait(trial.number)
    again, _ = gated.propose()
    assert (again.number, again.params) == (0, {"x": 30, "y": 7})
    assert gated.judge.asked == [{"x": 30, "y": 7}] * 2


def test_a_resumed_trial_draws_only_what_it_lacks():
    gated = Gated(Scripted(30, 7, 8), suggest_settings=suggest_x)
    trial, _ = gated.propose()
    gated.records.wait(trial.number)
    gated.judge.suggest_settings = suggest_two
    assert gated.propose()[0].params == {"x": 30, "y": 7}
    assert gated.sampler.wrapped.draws == [8]


def without_repeats(text, *draws, resamples=2):
    """A study in which no configuration is drawn twice."""
    space = parse_space({}, None, [f"x={text}"])
    return Gated(
        Scripted(*draws),
        suggest_settings=lambda trial: space.walk(
            lambda name, distribution: suggest(trial, name, distribution), CURRENT
        ),
        resamples=resamples,
        space=space,
    )


def test_no_configuration_is_drawn_that_the_study_has_had():
    gated = without_repeats("choice(1.0,2.0,3.0)", *[1] * 50)  # a sampler that has settled
    for _ in range(3):
        gated.study.tell(gated.propose()[0], 1.0)
    assert sorted(t.params["x"] for t in gated.study.trials) == [1, 2, 3]


def test_no_configuration_is_drawn_that_another_trial_is_running():
    gated = without_repeats("choice(1.0,2.0)", *[1] * 50)
    assert [gated.propose()[0].params["x"] for _ in range(2)] == [1, 2]


def test_what_was_enqueued_in_a_space_that_has_been_tried_is_what_it_is():
    gated = without_repeats("choice(60.0,70.0)", *[60] * 50)
    for x in (60.0, 70.0):
        gated.study.enqueue_trial({"x": x})
    gated.propose()
    assert gated.sampler.points.untried(gated.sampler.points.tried(), seed=0) is None
    trial, judged = gated.propose()
    assert (trial.params, judged.reason) == ({"x": 70}, "20 over")


def test_what_the_gate_rejects_is_drawn_once_though_no_trial_has_it():
    gated = without_repeats("choice(60.0,70.0,80.0)", *[60] * 50, resamples=5)
    assert gated.propose()[0].params == {"x": 60}
    assert sorted(asked(gated)) == [60, 70, 80]
    assert gated.points.unfit == {key_of({"x": x}) for x in (60.0, 70.0, 80.0)}


def test_a_continuum_is_drawn_by_its_sampler_as_long_as_that_finds_new_values():
    gated = without_repeats("interval(0,50)", 1, 1, 1, 2, 2)
    assert [gated.propose()[0].params["x"] for _ in range(2)] == [1, 2]


class Noting(InMemoryStorage):
    """A storage that notes what is written about its trials."""

    def __init__(self):
        super().__init__()
        self.written = []

    def set_trial_param(self, trial_id, name, *value):
        self.written.append(name)
        return super().set_trial_param(trial_id, name, *value)

    def set_trial_user_attr(self, trial_id, key, value):
        self.written.append(key)
        return super().set_trial_user_attr(trial_id, key, value)

    def set_trial_system_attr(self, trial_id, key, value):
        self.written.append(key)
        return super().set_trial_system_attr(trial_id, key, value)

    def set_trial_intermediate_value(self, trial_id, step, value):
        self.written.append(step)
        return super().set_trial_intermediate_value(trial_id, step, value)


def test_nothing_is_written_while_it_is_drawn():
    storage = Noting()

    def suggest_and_note(trial):
        suggest_all(trial)
        trial.set_user_attr("note", trial.params["x"])

    sampler = TPESampler(n_startup_trials=0, seed=0)
    gated = Gated(sampler, limit_x, suggest_and_note, resamples=20, storage=storage)
    for _ in range(4):
        trial = gated.study.ask()
        storage.written.clear()
        draw, _ = gated.sampler.take(trial)
        assert storage.written == []
        stored = gated.records.read(trial.number)
        assert stored.params == stored.distributions == stored.user_attrs == {}
        assert trial.params == {}
        assert draw.noted == {"note": draw.params["x"]}
        gated.study.tell(trial, 1.0)
    assert len(gated.judge.asked) > 4


def test_the_wrapped_sampler_is_told_of_a_trials_begin_and_end():
    gated = Gated(Scripted(30, 40))
    for value in (1.0, 2.0):
        gated.study.tell(gated.propose()[0], value)
    gated.sampler.reseed_rng()
    assert gated.sampler.wrapped.calls == [
        ("before", 0),
        ("after", 0, TrialState.COMPLETE, [1.0]),
        ("before", 1),
        ("after", 1, TrialState.COMPLETE, [2.0]),
        ("reseed",),
    ]


def seen_under_hyperband(study, sampler, propose):
    """Which trials a sampler has seen at each of its draws."""
    for _ in range(8):
        trial = propose()
        for step in range(1, 10):
            trial.report(trial.number, step)
            trial.should_prune()
        study.tell(trial, 1.0)
    return sampler.seen


def test_under_hyperband_the_wrapped_sampler_sees_its_brackets_trials_alone():
    def pruner():
        return HyperbandPruner(min_resource=1, max_resource=9, reduction_factor=3)

    alone = Scripted(*range(8))
    study = optuna.create_study(study_name="s", sampler=alone, pruner=pruner())

    def ask():
        trial = study.ask()
        suggest_x(trial)
        return trial

    expected = seen_under_hyperband(study, alone, ask)
    gated = Gated(Scripted(*range(8)), pruner=pruner(), study_name="s")
    wrapped = gated.sampler.wrapped
    assert seen_under_hyperband(gated.study, wrapped, lambda: gated.propose()[0]) == expected
    assert any(seen != list(range(number + 1)) for number, seen in enumerate(expected))


def a_draw(**enqueued):
    study = optuna.create_study(sampler=Scripted(1, 2, 3))
    study.enqueue_trial(enqueued)
    trial = study.ask()
    trial.set_user_attr("mine", 1)
    trial.set_constraint("size", 3.0)
    return Draw(study.sampler, study, study.get_trials()[0])


def test_a_draw_is_a_trial_to_a_custom_search_space():
    draw = a_draw(x=7.0)
    assert isinstance(draw, BaseTrial)
    assert draw.number == 0
    assert draw.datetime_start is not None
    assert draw.suggest_float("x", 0, 10) == 7
    assert draw.suggest_float("y", 0, 10) == draw.suggest_float("y", 0, 10) == 1
    assert draw.suggest_int("z", 0, 10) == 2
    assert draw.suggest_categorical("one", ["a"]) == "a"
    assert draw.params == {"x": 7, "y": 1, "z": 2, "one": "a"}
    assert draw.distributions["z"] == IntDistribution(0, 10)
    draw.set_user_attr("note", 5)
    assert draw.user_attrs == {"mine": 1, "note": 5}
    assert draw.constraints == {"size": 3.0}


def test_a_draw_suggests_as_optunas_users_did_until_version_3():
    draw = a_draw()
    assert draw.suggest_uniform("x", 0, 10) == 1
    assert draw.suggest_loguniform("y", 1, 10) == 2
    assert draw.suggest_discrete_uniform("z", 0, 10, 0.5) == 3
    assert draw.distributions == {
        "x": FloatDistribution(0, 10),
        "y": FloatDistribution(1, 10, log=True),
        "z": FloatDistribution(0, 10, step=0.5),
    }


@pytest.mark.parametrize(
    "call",
    [
        lambda draw: draw.report(1.0, 0),
        lambda draw: draw.should_prune(),
        lambda draw: draw.set_constraint("size", 1.0),
    ],
    ids=["report", "should_prune", "set_constraint"],
)
def test_a_draw_refuses_what_only_a_running_trial_can_do(call):
    with pytest.raises(RuntimeError):
        call(a_draw())


def test_what_is_got_from_a_draw_is_the_callers_to_change():
    draw = a_draw(x=7.0)
    draw.suggest_float("x", 0, 10)
    draw.params.clear()
    draw.distributions.clear()
    assert (draw.params, list(draw.distributions)) == ({"x": 7}, ["x"])


class Digesting(Judge):
    """A judge to whom configurations are the same whose x has the same tens."""

    def judge(self, overrides):
        return replace(super().judge(overrides), digest=str(self.params["x"] // 10))


@pytest.mark.parametrize(
    ("draws", "kept"),
    [
        ((41, 42, 30), (30, None)),
        ((41, 60, 43, 55, 44, 56), (55, "5 over")),
        ((60, 41, 42, 43, 44, 45), (60, "10 over")),
        ((41, 42, 43, 44, 45, 46), (41, "the configuration of trial 0 again")),
    ],
)
def test_a_configuration_over_budget_is_kept_rather_than_one_that_repeats_a_trial(draws, kept):
    space = parse_space({}, None, ["x=interval(0,100)"])
    gated = Gated(Scripted(40, *draws), space=space)
    gated.judge = gated.sampler.judge = Digesting(suggest_x, limit_x)
    _, first = gated.propose()
    gated.records.mark(0, CONFIGURATION, first.digest)
    trial, judged = gated.propose()
    assert (trial.params["x"], judged.reason) == kept
