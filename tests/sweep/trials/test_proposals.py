import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import OmegaConf
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, GridSampler, RandomSampler
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from mnist_sweep.errors import UserError
from mnist_sweep.sweep import study_store
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.gate import Verdict
from mnist_sweep.sweep.space.base_config import BaseConfig
from mnist_sweep.sweep.space.compose import Composer
from mnist_sweep.sweep.space.parsing import parse_space
from mnist_sweep.sweep.space.untried import Points
from mnist_sweep.sweep.space.values import override_value
from mnist_sweep.sweep.storage import open_storage
from mnist_sweep.sweep.trials.gated_sampler import Judged
from mnist_sweep.sweep.trials.proposals import GatedSpace, Proposer
from mnist_sweep.sweep.trials.records import TrialRecords
from mnist_sweep.sweep.trials.status import GATE, TrialStatus, attributes_of
from mnist_sweep.sweep.trials.tally import Tally
from tests.conftest import prepare

CONFIG = OmegaConf.create({"hydra": {"runtime": {"choices": {"model": "mlp"}}}})
LIMIT = 50  # of x, which the gate lets pass
RESAMPLES = 5


class Scripted(BaseSampler):
    """A sampler that draws given values in turn."""

    def __init__(self, *draws):
        self.draws = list(draws)

    def infer_relative_search_space(self, study, trial):
        return {}

    def sample_relative(self, study, trial, search_space):
        return {}

    def sample_independent(self, study, trial, name, distribution):
        return self.draws.pop(0)


class Loader:
    """Composes x=5 and +y=5 to {x: 5, y: 5}, from no groups at all."""

    def get_group_options(self, group, results_filter=None):
        return []

    def load_sweep_config(self, config, overrides):
        composed = OmegaConf.create({"x": None, "trial": None, **config})
        for override in OverridesParser.create().parse_overrides(overrides):
            OmegaConf.update(composed, override.key_or_group, override.value())
        OmegaConf.set_struct(composed, True)
        return composed


class Gate:
    """Lets an x up to LIMIT pass, and notes what it was asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, config, hydra):
        assert hydra.runtime.choices.model == "mlp"
        self.asked.append(config.x)
        excess = config.x - LIMIT
        reason = f"{excess:g} over" if excess > 0 else None
        return Verdict({"size": excess, "depth": -1.0}, {"parameters": int(config.x)}, reason)


@pytest.fixture
def gate():
    return Gate()


@pytest.fixture(params=[None, "journal:///studies.log", "sqlite:///studies.db"])
def storage(request):
    """An Optuna storage of each kind."""
    prepare(request.param)
    opened = open_storage(request.param)
    yield opened.optuna
    opened.close()


class Made:
    """A study with a proposer, and what the storage has of its first trial."""

    def __init__(
        self,
        sampler,
        gate,
        extender=None,
        resamples=RESAMPLES,
        arguments=("x=interval(0,100)",),
        storage=None,
        points=False,
        config=CONFIG,
    ):
        storage = storage or InMemoryStorage()
        self.study = optuna.create_study(sampler=sampler, storage=storage)
        self.sampler, self.records = sampler, TrialRecords(self.study, storage)
        space, compose = parse_space({}, None, arguments), Composer(Loader(), config)
        current = BaseConfig(config, compose)
        names = lambda number: [f"trial={number}"]  # noqa: E731
        immaterial = () if points else None
        self.gated_space = GatedSpace(
            space, current, compose, gate, extender, names, immaterial=immaterial
        )
        self.tally = Tally(self.study)
        untried = Points(self.tally, space, current) if points else None
        self.proposer = Proposer(self.records, self.gated_space, resamples, untried)

    def propose(self):
        self.tally.renew()
        return self.proposer.propose(self.study.ask())

    @property
    def stored(self):
        return self.study.get_trials()[0]


def drawing(*draws, gate=None, **given):
    """A study whose sampler draws these values."""
    return Made(Scripted(*map(float, draws)), gate, **given)


def test_a_draw_that_passes_is_proposed_and_written(gate, storage):
    made = drawing(30, gate=gate, storage=storage)
    proposal = made.propose()
    assert (proposal.reason, proposal.error, proposal.excess) == (None, None, -1)
    assert proposal.overrides == ["x=30.0", "trial=0"]
    assert proposal.verdict.attributes == {"parameters": 30}
    assert gate.asked == [30]
    assert (made.stored.params, made.stored.distributions) == (
        {"x": 30},
        {"x": FloatDistribution(0, 100)},
    )
    assert made.stored.constraints == {"size": -20, "depth": -1}
    assert made.stored.user_attrs == {GATE: {"parameters": 30}}
    assert made.stored.state == TrialState.RUNNING


def test_a_rejected_draw_is_drawn_again_until_one_passes_and_leaves_no_trace(gate, storage):
    made = drawing(90, 60, 70, 20, 10, gate=gate, storage=storage)
    proposal = made.propose()
    assert proposal.reason is None
    assert gate.asked == [90, 60, 70, 20]
    assert proposal.overrides[0] == "x=20.0"
    assert made.stored.params == {"x": 20}
    assert made.stored.constraints == {"size": -30, "depth": -1}


@pytest.mark.parametrize("resamples", [0, 1, 3])
def test_a_rejected_draw_is_drawn_again_as_often_as_it_may(gate, resamples):
    proposal = drawing(90, 80, 70, 60, 10, gate=gate, resamples=resamples).propose()
    assert gate.asked == [90, 80, 70, 60][: resamples + 1]
    assert proposal.reason == f"{gate.asked[-1] - LIMIT:g} over"


def test_of_draws_that_are_all_rejected_the_closest_stands(gate, storage):
    made = drawing(90, 60, 80, 55, 70, 99, gate=gate, storage=storage)
    proposal = made.propose()
    assert gate.asked == [90, 60, 80, 55, 70, 99]
    assert (proposal.reason, proposal.excess) == ("5 over", 5)
    assert made.stored.params == {"x": 55}
    assert made.stored.constraints == {"size": 5, "depth": -1}
    assert attributes_of(made.stored) == {"parameters": 55, "reason": "5 over"}


def test_a_rejected_proposal_is_known_as_one_once_it_has_ended(gate):
    made = drawing(55, gate=gate, resamples=0)
    proposal = made.propose()
    study_store.tell_end(made.study, proposal.trial, TrialStatus.REJECTED, proposal.error)
    assert Tally(made.study).counts == {TrialStatus.REJECTED: 1}


def test_the_excess_is_that_of_the_worst_constraint():
    verdict = Verdict({"size": 3.0, "depth": 8.0, "width": -2.0}, {}, "8 too deep")
    assert Judged([], verdict).excess == 8.0
    assert Judged([], Verdict(reason="no")).excess == 0.0
    assert Judged([], None, "no run").excess == 0.0


def test_what_is_launched_is_what_the_study_has_of_every_kind_of_value(storage):
    arguments = [
        "width=tag(log,range(8,65))",
        "rate=tag(log,interval(0.00001,0.1))",
        "kind=a,2,null,false",
        "step=range(0,1,step=0.1)",
        "one=choice(7)",
    ]
    # No gate is asked: what cannot be composed here is proposed all the same.
    made = Made(RandomSampler(seed=0), None, arguments=arguments, storage=storage)
    for number in range(3):
        proposal = made.propose()
        stored = made.study.get_trials()[number]
        assert proposal.trial.params == stored.params
        assert proposal.overrides[:-1] == [
            f"{name}={override_value(value)}" for name, value in stored.params.items()
        ]
        assert stored.distributions["width"] == IntDistribution(8, 64, log=True)
        assert stored.distributions == dict(made.gated_space.space.distributions())
        made.study.tell(proposal.trial, 1.0)


def test_a_draw_that_is_fixed_is_not_repeated(gate):
    made = drawing(gate=gate)  # a sampler that can draw nothing
    made.study.enqueue_trial({"x": 90.0})
    proposal = made.propose()
    assert proposal.reason == "40 over"
    assert gate.asked in ([90], [90, 90])
    assert made.stored.params == {"x": 90}


def test_a_trial_that_was_queued_in_part_is_drawn_again_in_its_other_part(gate):
    made = drawing(90, 20, gate=gate, arguments=["x=interval(0,100)", "+y=interval(0,10)"])
    made.study.enqueue_trial({"+y": 7.0})
    proposal = made.propose()
    assert proposal.reason is None
    assert made.stored.params == {"x": 20, "+y": 7}


@pytest.mark.parametrize(
    ("argument", "queued", "proposed"),
    [
        ("x=interval(0,10)", {"x": 99.0}, "x=3.0"),  # the range was another when it was queued
        ("x=choice(3.0,4.0)", {"x": 99.0}, "x=3.0"),
        ("x=range(0,10)", {"x": 5.0}, "x=5"),
        ("x=interval(0,10)", {"x": 5}, "x=5.0"),
    ],
)
def test_what_was_queued_is_launched_as_the_study_has_it(gate, argument, queued, proposed):
    made = drawing(3, gate=gate, arguments=[argument])
    made.study.enqueue_trial(queued)
    # Optuna would warn of a value out of range, and warnings are errors here.
    proposal = made.propose()
    assert proposal.overrides[0] == proposed
    assert [f"x={override_value(made.stored.params['x'])}"] == [proposed]
    assert proposal.trial.params == made.stored.params


def test_a_grids_point_is_not_drawn_again(gate):
    made = Made(GridSampler({"x": [90.0, 20.0]}, seed=0), gate)
    for _ in range(2):
        made.propose()
    assert sorted(gate.asked) == [20, 90]


def test_a_trial_that_is_asked_for_again_keeps_its_parameters(gate, storage):
    made = drawing(90, 60, 80, 70, 75, 65, 20, gate=gate, storage=storage)
    first = made.propose()
    assert first.reason == "10 over"
    made.records.wait(first.number)
    again = made.propose()
    assert again.number == first.number
    assert again.overrides == first.overrides
    assert again.reason == first.reason
    assert made.sampler.draws == [20]


def test_constraints_and_attributes_are_recorded_once_over_restarts(gate):
    made = drawing(30, gate=gate)
    made.records.wait(made.propose().number)
    recorded = made.stored
    # Optuna warns of a constraint that is set again, and warnings are errors here.
    made.propose()
    assert made.stored.constraints == recorded.constraints == {"size": -20, "depth": -1}
    assert made.stored.user_attrs == recorded.user_attrs == {GATE: {"parameters": 30}}


def test_without_a_gate_everything_passes_and_nothing_is_composed():
    made = drawing(99)
    made.gated_space.compose = pytest.fail
    proposal = made.propose()
    assert proposal.verdict == Verdict()
    assert proposal.reason is None
    assert made.stored.constraints == made.stored.user_attrs == {}


def test_the_job_is_told_which_trial_it_is(gate):
    made = drawing(30, 40, gate=gate)
    assert [made.propose().overrides[-1] for _ in range(2)] == ["trial=0", "trial=1"]


def test_an_error_that_a_user_can_cause_is_the_proposals_and_no_verdict():
    def gate(config, hydra):
        raise UserError("dropout must be in [0, 1), but got 1.5")

    made = drawing(30, gate=gate)
    proposal = made.propose()
    assert proposal.verdict is None
    assert proposal.error == proposal.reason == "dropout must be in [0, 1), but got 1.5"
    assert made.stored.params == {"x": 30}
    assert made.stored.constraints == made.stored.user_attrs == {}


def test_what_cannot_be_composed_is_the_proposals_error_in_one_line(gate):
    proposal = drawing(30, gate=gate, arguments=["x=interval(0,100)", "y=1"]).propose()
    assert proposal.verdict is None
    assert "Could not override 'y'." in proposal.error
    assert "\n" not in proposal.error
    assert gate.asked == []


def test_a_proposal_that_is_no_run_is_not_drawn_again():
    def gate(config, hydra):
        raise UserError("no run")

    made = drawing(30, 40, gate=gate)
    made.propose()
    assert made.sampler.draws == [40]


def test_a_gate_that_does_not_work_ends_the_sweep_in_one_line():
    def gate(config, hydra):
        raise KeyError("budget\nand more")

    made = drawing(30, gate=gate)
    with pytest.raises(SweepError) as error:
        made.propose()
    assert str(error.value) == r"error: hydra.sweeper.gate raised KeyError: 'budget\nand more'"
    assert isinstance(error.value.__cause__, KeyError)
    assert made.stored.params == {}


def test_hydras_own_errors_in_a_gate_are_the_gates():
    def gate(config, hydra):
        raise HydraException("two\nlines")

    with pytest.raises(SweepError, match=r"sweeper\.gate raised HydraException: two lines"):
        drawing(30, gate=gate).propose()


def test_a_gate_that_gives_no_verdict_is_named():
    with pytest.raises(SweepError, match=r"must return a .*Verdict, but returned a bool"):
        drawing(30, gate=lambda config, hydra: True).propose()


def test_an_interrupt_in_the_gate_is_nobodys_error():
    def gate(config, hydra):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        drawing(30, gate=gate).propose()


def test_a_proposal_that_failed_to_be_judged_can_be_made_again(gate):
    broken, asked = [True], []

    def at_first_broken(config, hydra):
        asked.append(config.x)
        if broken:
            raise KeyError(broken.pop())
        return gate(config, hydra)

    made = drawing(30, 40, gate=at_first_broken)
    with pytest.raises(SweepError):
        made.propose()
    made.records.wait(0)
    assert (made.propose().number, asked) == (0, [30, 40])


def test_what_a_custom_search_space_adds_becomes_overrides(gate):
    def extend(config, trial):
        assert config is CONFIG
        trial.suggest_float("+y", 0, 10)
        trial.suggest_categorical("+flag", [True])
        trial.suggest_categorical("+nothing", [None])

    made = drawing(30, 7, gate=gate, extender=extend)
    proposal = made.propose()
    assert proposal.overrides == ["x=30.0", "+y=7.0", "+flag=true", "+nothing=null", "trial=0"]
    assert made.stored.params == {"x": 30, "+y": 7, "+flag": True, "+nothing": None}


def test_a_custom_search_space_sees_what_is_drawn_and_is_drawn_again_with_it(gate):
    def extend(config, trial):
        if trial.params["x"] <= LIMIT:
            trial.suggest_float("+y", 0, 10)

    made = drawing(90, 30, 7, gate=gate, extender=extend)
    proposal = made.propose()
    assert proposal.overrides == ["x=30.0", "+y=7.0", "trial=0"]
    assert made.stored.params == {"x": 30, "+y": 7}


def test_a_custom_search_spaces_notes_are_those_of_the_draw_that_is_kept(gate, storage):
    seen = []

    def extend(config, trial):
        seen.append(trial.user_attrs)
        trial.set_user_attr(f"note{trial.params['x']:g}", trial.params["x"])

    made = drawing(90, 30, gate=gate, extender=extend, storage=storage)
    made.propose()
    assert seen == [{}, {}]
    assert made.stored.user_attrs == {"note30": 30, GATE: {"parameters": 30}}


def test_a_custom_search_space_sees_what_is_fixed_and_only_what_is_no_result_is_recorded():
    seen = {}

    def extend(config, trial):
        seen.update(trial.user_attrs)

    arguments = ["x=interval(0,100)", "epochs=5", "model=mlp"]
    made = drawing(30, extender=extend, arguments=arguments)
    made.propose()
    assert seen == {"epochs": "5", "model": "mlp"}
    assert made.stored.user_attrs == {"model": "mlp"}  # a trial's epochs are what it ran


def test_a_custom_search_space_that_suggests_what_is_fixed_is_told_so():
    def extend(config, trial):
        trial.suggest_float("+y", 0, 1)

    with pytest.raises(SweepError, match=r"suggests \+y, which is fixed to y=1: remove one of the"):
        drawing(30, 0.5, extender=extend, arguments=["x=interval(0,100)", "y=1"]).propose()


def test_what_a_custom_search_space_says_of_a_known_setting_is_no_second_override(gate):
    def extend(config, trial):
        trial.suggest_float("x", 0, 100)

    assert drawing(30, gate=gate, extender=extend).propose().overrides == ["x=30.0", "trial=0"]


def test_a_custom_search_space_that_does_not_work_ends_the_sweep_in_one_line(gate):
    def extend(config, trial):
        raise ValueError("two\nlines")

    with pytest.raises(SweepError) as error:
        drawing(30, gate=gate, extender=extend).propose()
    assert str(error.value) == (
        "error: hydra.sweeper.custom_search_space raised ValueError: two lines"
    )
    assert gate.asked == []


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda trial: trial.report(1.0, 0), "RuntimeError: a trial that is being proposed has"),
        (lambda trial: trial.should_prune(), "RuntimeError: a trial that is being proposed can"),
        (lambda trial: trial.set_constraint("c", 1.0), "RuntimeError: a search space sets no"),
    ],
)
def test_a_custom_search_space_that_runs_a_trial_is_named(call, said):
    made = drawing(30, extender=lambda config, trial: call(trial))
    with pytest.raises(SweepError, match=f"custom_search_space raised {said}"):
        made.propose()
    assert made.stored.constraints == made.stored.intermediate_values == {}


def test_a_custom_search_space_of_changing_choices_ends_the_sweep_in_one_line(gate, storage):
    def extend(config, trial):
        trial.suggest_categorical("y", [7, 8 + trial.number])

    made = drawing(30, 7, 40, 7, gate=gate, extender=extend, storage=storage)
    made.propose()
    with pytest.raises(SweepError) as error:
        made.propose()
    assert str(error.value).startswith(
        f"error: study '{made.study.study_name}' drew one of x, y from other values before: "
    )


def without_repeats(text, *draws, resamples=2):
    """A study of which no configuration is drawn twice, with its gate."""
    gate = Gate()
    return drawing(*draws, gate=gate, resamples=resamples, arguments=[f"x={text}"], points=True)


def tell(study, proposal):
    study.tell(
        proposal.trial,
        None if proposal.reason else 1.0,
        state=None if not proposal.reason else TrialState.PRUNED,
    )


def test_what_a_study_has_tried_is_not_drawn_again():
    made = without_repeats("choice(1.0,2.0,3.0)", *[1] * 50)  # a sampler that has settled
    drawn = []
    while not made.proposer.exhausted():
        proposal = made.propose()
        drawn.append(proposal.trial.params["x"])
        assert proposal.overrides[0] == f"x={drawn[-1]}"
        tell(made.study, proposal)
        made.tally.renew()
    assert sorted(drawn) == [1, 2, 3]
    assert made.stored.params == {"x": 1}
    assert [t.params["x"] for t in made.study.trials] == drawn


def test_what_was_queued_and_has_been_tried_meanwhile_is_another_configuration():
    made = without_repeats("choice(1.0,2.0)", *[1] * 50)
    tell(made.study, made.propose())
    made.study.enqueue_trial({"x": 1.0})
    proposal = made.propose()
    assert proposal.overrides[0] == "x=2.0"
    assert made.study.trials[1].params == {"x": 2}


def test_configurations_that_the_gate_rejects_are_drawn_once_and_need_no_trial_each():
    made = without_repeats("choice(60.0,70.0,80.0,90.0)", *[60] * 50, resamples=5)
    proposal = made.propose()
    assert proposal.trial.params == {"x": 60}
    assert sorted(made.gated_space.gate.asked) == [60, 70, 80, 90]
    tell(made.study, proposal)
    assert made.proposer.exhausted()
    assert len(made.study.trials) == 1


def test_a_trial_that_is_resumed_is_what_it_was():
    made = without_repeats("choice(1.0,2.0)", 1, 1, 1, 1)
    first = made.propose()
    made.records.wait(first.number)
    again = made.propose()
    assert (again.number, again.trial.params) == (0, {"x": 1})


def test_a_space_that_may_repeat_is_never_exhausted():
    made = drawing(1, arguments=["x=choice(1.0)"])
    made.propose()
    assert not made.proposer.exhausted()


@pytest.mark.parametrize(
    ("text", "found"), [("interval(40,2000)", True), ("interval(51,99)", False)]
)
def test_a_look_at_the_space_finds_what_passes_or_what_comes_closest(text, found):
    made = drawing(gate=Gate(), arguments=[f"x={text}"])
    params, verdict = made.gated_space.find_feasible(300)
    assert (params is not None) is found
    if found:
        assert params["x"] <= LIMIT
    else:
        assert verdict.constraints["size"] == 1  # an end of the interval is among what it tries


def test_a_space_that_is_extended_is_not_looked_at(gate):
    made = drawing(gate=gate, extender=lambda config, trial: None)
    assert made.gated_space.find_feasible(300) == (None, None)
    assert gate.asked == []


def test_a_look_at_a_space_without_a_valid_run_finds_nothing():
    def gate(config, hydra):
        raise UserError("no run")

    assert drawing(gate=gate).gated_space.find_feasible(5) == (None, None)


def repeating(*draws, resamples=2, storage=None):
    """A study in whose space 1.0 and ${one} are the same configuration."""
    config = OmegaConf.merge(CONFIG, {"one": 1.0})
    arguments = ["x=choice(1.0,'${one}',2.0)"]
    return Made(
        ScriptedChoices(*draws),
        Gate(),
        resamples=resamples,
        arguments=arguments,
        storage=storage,
        points=True,
        config=config,
    )


class ScriptedChoices(Scripted):
    """A sampler that draws given choices in turn, and the last one from then on."""

    def sample_independent(self, study, trial, name, distribution):
        return self.draws.pop(0) if len(self.draws) > 1 else self.draws[0]


def test_what_resolves_to_the_configuration_of_another_trial_is_drawn_again(storage):
    made = repeating(1.0, "${one}", 2.0, storage=storage)
    first, second = made.propose(), made.propose()
    assert [p.trial.params["x"] for p in (first, second)] == [1.0, 2.0]
    assert second.reason is None
    assert made.gated_space.gate.asked == [1, 1, 2]


def test_the_configurations_of_a_space_run_once_each_and_then_it_is_exhausted(storage):
    made, ran = repeating(1.0, storage=storage), []
    while not made.proposer.exhausted():
        proposal = made.propose()
        tell(made.study, proposal)
        if proposal.reason is None:
            ran.append({"${one}": 1.0}.get(proposal.trial.params["x"], proposal.trial.params["x"]))
        else:
            assert proposal.reason in [f"the configuration of trial {n} again" for n in range(3)]
            assert made.proposer.exhausted()  # recorded as rejected where nothing else was left
    assert sorted(ran) == [1.0, 2.0]


def test_another_sweep_of_the_study_knows_what_this_one_has_launched(tmp_path):
    address = f"sqlite:///{tmp_path / 'optuna.db'}"
    opened = open_storage(address)
    made = repeating(1.0, storage=opened.optuna)
    made.propose()
    other = open_storage(address)
    again = repeating("${one}", 2.0, storage=other.optuna)
    again.study = optuna.load_study(study_name=made.study.study_name, storage=other.optuna)
    records = TrialRecords(again.study, other.optuna)
    again.study.sampler = again.sampler
    points = Points(Tally(again.study), again.gated_space.space, again.gated_space.current)
    proposal = Proposer(records, again.gated_space, RESAMPLES, points).propose(again.study.ask())
    assert proposal.trial.params == {"x": 2.0}
    assert (proposal.reason, again.gated_space.gate.asked) == (None, [1, 2])
    opened.close()
    other.close()


def test_a_trial_that_is_requeued_does_not_repeat_itself():
    made = repeating(1.0)
    made.propose()
    made.records.wait(0)
    proposal = made.propose()
    assert (proposal.number, proposal.reason) == (0, None)
    assert proposal.trial.params == {"x": 1.0}


def test_a_repeated_configuration_is_recorded_only_where_every_draw_was_one():
    made = repeating(1.0, "${one}", resamples=0)
    tell(made.study, made.propose())
    proposal = made.propose()
    assert proposal.reason == "the configuration of trial 0 again"
    study_store.tell_end(made.study, proposal.trial, TrialStatus.REJECTED, proposal.error)
    assert Tally(made.study).counts == {TrialStatus.COMPLETE: 1, TrialStatus.REJECTED: 1}
    assert made.propose().trial.params == {"x": 2.0}
