import optuna
import pytest
from hydra.errors import HydraException
from omegaconf import OmegaConf
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, GridSampler, RandomSampler
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from mnist_sweep.errors import UserError
from mnist_sweep.sweep.compose import Composer
from mnist_sweep.sweep.current import Current
from mnist_sweep.sweep.draft import Draft
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.gate import Verdict
from mnist_sweep.sweep.parsing import parse_space
from mnist_sweep.sweep.points import Points
from mnist_sweep.sweep.proposals import Proposal, Proposer
from mnist_sweep.sweep.storage import open_storage
from mnist_sweep.sweep.writes import TrialWriter

CONFIG = OmegaConf.create({"hydra": {"runtime": {"choices": {"model": "mlp"}}}})
X = FloatDistribution(0, 100)
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
    """Composes x=5 to {x: 5}, from no groups at all."""

    def get_group_options(self, group, results_filter=None):
        return []

    def load_sweep_config(self, config, overrides):
        composed = OmegaConf.create({"x": None, "trial": None, **config})
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
        return Verdict({"size": excess, "depth": -1.0}, {"parameters": config.x}, reason)


@pytest.fixture(autouse=True)
def _quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


@pytest.fixture
def gate():
    return Gate()


def create(*draws, storage=None):
    """A study whose sampler draws these values."""
    return optuna.create_study(sampler=Scripted(*map(float, draws)), storage=storage)


@pytest.fixture(params=[None, "journal:///studies.log", "sqlite:///studies.db"])
def storage(request):
    """An Optuna storage of each kind: they differ in whether a trial they give is their own."""
    opened = open_storage(request.param)
    yield opened.optuna
    if opened.engine is not None:
        opened.optuna.remove_session()
        opened.engine.dispose()


def proposer(study, gate, extender=None, resamples=RESAMPLES, arguments=("x=interval(0,100)",)):
    space = parse_space({}, None, arguments)
    names = "trial={}".format
    compose = Composer(Loader(), CONFIG)
    current = Current(CONFIG, compose)
    return Proposer(study, space, current, compose, gate, extender, lambda n: [names(n)], resamples)


def stored(study):
    """The first trial, as the study has it."""
    return study.get_trials()[0]


def test_a_draft_writes_nothing_before_it_is_written(storage):
    study = create(30, storage=storage)
    draft = Draft(study.ask())
    assert draft.suggest_float("x", 0, 100) == 30
    assert draft.params == {"x": 30}
    assert stored(study).params == {}
    draft.write(TrialWriter(study._storage))
    assert stored(study).params == {"x": 30}
    assert stored(study).distributions == {"x": X}


def test_a_draft_that_is_dropped_leaves_the_next_one_free(storage):
    study = create(70, 30, storage=storage)
    trial = study.ask()
    assert [Draft(trial).suggest_float("x", 0, 100) for _ in range(2)] == [70, 30]
    assert stored(study).params == {}


class Noting(InMemoryStorage):
    """A storage that notes which parameters are written to it."""

    def __init__(self):
        super().__init__()
        self.written = []

    def set_trial_param(self, trial_id, param_name, *parameter):
        super().set_trial_param(trial_id, param_name, *parameter)
        self.written.append(param_name)


def test_a_draft_that_is_written_twice_is_written_once():
    study = create(30, 4, storage=Noting())
    draft = Draft(study.ask())
    draft.suggest_float("x", 0, 100)
    for _ in range(2):
        draft.write(TrialWriter(study._storage))
    assert study._storage.written == ["x"]
    draft.suggest_float("y", 0, 10)  # straight to the study, as in any trial of Optuna's
    assert stored(study).params == {"x": 30, "y": 4}


def test_a_draft_has_what_the_study_has_and_writes_it_not_again():
    study = create(30, 4, storage=Noting())
    trial = study.ask()
    trial.suggest_float("x", 0, 100)
    draft = Draft(trial)
    assert draft.suggest_float("x", 0, 100) == 30
    assert draft.suggest_float("y", 0, 10) == 4
    draft.write(TrialWriter(study._storage))
    assert study._storage.written == ["x", "y"]
    assert stored(study).params == {"x": 30, "y": 4}


def test_a_draft_keeps_every_kind_of_value():
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    draft = Draft(study.ask())
    drawn = {
        "width": draft.suggest_int("width", 8, 64, log=True),
        "rate": draft.suggest_float("rate", 1e-5, 1e-1, log=True),
        "kind": draft.suggest_categorical("kind", ["a", 2, None, False]),
    }
    draft.write(TrialWriter(study._storage))
    assert stored(study).params == drawn
    assert stored(study).distributions["width"] == IntDistribution(8, 64, log=True)


def test_a_drafts_other_marks_are_written_with_it_and_not_before():
    study = create()
    trial = study.ask()
    for note in ("of a draft that is dropped", "from a search space"):
        draft = Draft(trial)
        draft.set_user_attr("note", note)
        draft.set_constraint("size", 3)
    assert stored(study).user_attrs == stored(study).constraints == {}
    draft.write(TrialWriter(study._storage))
    assert stored(study).user_attrs == {"note": "from a search space"}
    assert stored(study).constraints == {"size": 3}


def test_a_draw_that_passes_is_proposed_and_written(gate):
    study = create(30)
    proposal = proposer(study, gate).propose(study.ask())
    assert (proposal.reason, proposal.error) == (None, None)
    assert proposal.overrides == ["x=30.0", "trial=0"]
    assert proposal.verdict.attributes == {"parameters": 30}
    assert gate.asked == [30]
    assert stored(study).params == {"x": 30}
    assert stored(study).state == TrialState.RUNNING


def test_a_rejected_draw_is_drawn_again_until_one_passes(gate):
    study = create(90, 60, 70, 20, 10)
    proposal = proposer(study, gate).propose(study.ask())
    assert proposal.reason is None
    assert gate.asked == [90, 60, 70, 20]
    assert proposal.overrides[0] == "x=20.0"
    assert stored(study).params == {"x": 20}


@pytest.mark.parametrize("resamples", [0, 1, 3])
def test_a_rejected_draw_is_drawn_again_as_often_as_it_may(gate, resamples):
    study = create(90, 80, 70, 60, 10)
    proposal = proposer(study, gate, resamples=resamples).propose(study.ask())
    assert gate.asked == [90, 80, 70, 60][: resamples + 1]
    assert proposal.reason == f"{gate.asked[-1] - LIMIT:g} over"


def test_of_draws_that_are_all_rejected_the_closest_stands(gate):
    study = create(90, 60, 80, 55, 70, 99)
    proposal = proposer(study, gate).propose(study.ask())
    assert gate.asked == [90, 60, 80, 55, 70, 99]
    assert (proposal.reason, proposal.excess) == ("5 over", 5)
    assert stored(study).params == {"x": 55}
    assert stored(study).constraints == {"size": 5, "depth": -1}
    assert stored(study).user_attrs == {
        "parameters": 55,
        "reason": "5 over",
        "status": "rejected",
    }


def test_the_excess_is_that_of_the_worst_constraint():
    verdict = Verdict({"size": 3.0, "depth": 8.0, "width": -2.0}, {}, "8 too deep")
    assert Proposal(None, [], verdict).excess == 8.0
    assert Proposal(None, [], Verdict(reason="no")).excess == 0.0


def test_a_draw_that_is_fixed_is_not_repeated(gate):
    study = create()  # a sampler that can draw nothing
    study.enqueue_trial({"x": 90.0})
    proposal = proposer(study, gate).propose(study.ask())
    assert proposal.reason == "40 over"
    assert gate.asked in ([90], [90, 90])
    assert stored(study).params == {"x": 90}


def test_a_trial_that_was_queued_in_part_is_drawn_again_in_its_other_part(gate):
    study = create(90, 20)
    study.enqueue_trial({"+y": 7.0})
    arguments = ["x=interval(0,100)", "+y=interval(0,10)"]
    proposal = proposer(study, gate, arguments=arguments).propose(study.ask())
    assert proposal.reason is None
    assert stored(study).params == {"x": 20, "+y": 7}


def test_a_grids_point_is_not_drawn_again(gate):
    study = optuna.create_study(sampler=GridSampler({"x": [90.0, 20.0]}, seed=0))
    made = proposer(study, gate)
    for _ in range(2):
        made.propose(study.ask())
    assert made.resamples == 0
    assert sorted(gate.asked) == [20, 90]


def test_a_trial_that_is_asked_for_again_keeps_its_parameters(gate):
    study = create(90, 60, 80, 70, 75, 65, 20)
    first = proposer(study, gate).propose(study.ask())
    assert first.reason == "10 over"
    study._storage.set_trial_state_values(first.trial._trial_id, TrialState.WAITING)
    again = proposer(study, gate).propose(study.ask())
    assert again.trial.number == first.trial.number
    assert again.overrides == first.overrides
    assert again.reason == first.reason
    assert study.sampler.draws == [20]


def test_constraints_and_attributes_are_recorded_once_over_restarts(gate):
    study = create(30)
    first = proposer(study, gate).propose(study.ask())
    study._storage.set_trial_state_values(first.trial._trial_id, TrialState.WAITING)
    recorded = stored(study)
    # Optuna warns of a constraint that is set again, and warnings are errors here.
    proposer(study, gate).propose(study.ask())
    assert stored(study).constraints == recorded.constraints == {"size": -20, "depth": -1}
    assert stored(study).user_attrs == recorded.user_attrs == {"parameters": 30}


def test_without_a_gate_everything_passes_and_nothing_is_composed():
    study = create(99)
    made = proposer(study, None)
    made.compose = pytest.fail
    proposal = made.propose(study.ask())
    assert proposal.verdict == Verdict()
    assert proposal.reason is None
    assert stored(study).constraints == {}


def test_the_job_is_told_which_trial_it_is(gate):
    study = create(30, 40)
    made = proposer(study, gate)
    assert [made.propose(study.ask()).overrides[-1] for _ in range(2)] == ["trial=0", "trial=1"]


def test_an_error_that_a_user_can_cause_is_the_proposals_and_no_verdict():
    def gate(config, hydra):
        raise UserError("dropout must be in [0, 1), but got 1.5")

    study = create(30)
    proposal = proposer(study, gate).propose(study.ask())
    assert proposal.verdict is None
    assert proposal.error == proposal.reason == "dropout must be in [0, 1), but got 1.5"
    assert stored(study).params == {"x": 30}
    assert stored(study).constraints == {}
    assert stored(study).user_attrs == {}


def test_what_cannot_be_composed_is_the_proposals_error_in_one_line(gate):
    study = create(30)
    proposal = proposer(study, gate, arguments=["x=interval(0,100)", "y=1"]).propose(study.ask())
    assert proposal.verdict is None
    assert "Could not override 'y'." in proposal.error
    assert "\n" not in proposal.error
    assert gate.asked == []


def test_a_proposal_that_is_no_run_is_not_drawn_again():
    def gate(config, hydra):
        raise UserError("no run")

    study = create(30, 40)
    proposer(study, gate).propose(study.ask())
    assert study.sampler.draws == [40]


def test_a_gate_that_does_not_work_ends_the_sweep_in_one_line():
    def gate(config, hydra):
        raise KeyError("budget\nand more")

    study = create(30)
    with pytest.raises(SweepError) as error:
        proposer(study, gate).propose(study.ask())
    assert str(error.value) == r"error: hydra.sweeper.gate raised KeyError: 'budget\nand more'"
    assert isinstance(error.value.__cause__, KeyError)
    assert stored(study).params == {}


def test_hydras_own_errors_in_a_gate_are_the_gates():
    def gate(config, hydra):
        raise HydraException("two\nlines")

    study = create(30)
    with pytest.raises(SweepError, match=r"sweeper\.gate raised HydraException: two lines"):
        proposer(study, gate).propose(study.ask())


def test_an_interrupt_in_the_gate_is_nobodys_error():
    def gate(config, hydra):
        raise KeyboardInterrupt

    study = create(30)
    with pytest.raises(KeyboardInterrupt):
        proposer(study, gate).propose(study.ask())


def test_what_a_custom_search_space_adds_becomes_overrides(gate):
    def extend(config, trial):
        assert config is CONFIG
        trial.suggest_float("+y", 0, 10)
        trial.suggest_categorical("+flag", [True])
        trial.suggest_categorical("+nothing", [None])

    study = create(30, 7)
    proposal = proposer(study, gate, extend).propose(study.ask())
    assert proposal.overrides == ["x=30.0", "+y=7.0", "+flag=true", "+nothing=null", "trial=0"]
    assert stored(study).params == {"x": 30, "+y": 7, "+flag": True, "+nothing": None}


def test_a_custom_search_space_sees_what_is_drawn_and_is_drawn_again_with_it(gate):
    def extend(config, trial):
        if trial.params["x"] <= LIMIT:
            trial.suggest_float("+y", 0, 10)

    study = create(90, 30, 7)
    proposal = proposer(study, gate, extend).propose(study.ask())
    assert proposal.overrides == ["x=30.0", "+y=7.0", "trial=0"]
    assert stored(study).params == {"x": 30, "+y": 7}


def test_what_a_custom_search_space_says_of_a_known_setting_is_no_second_override(gate):
    def extend(config, trial):
        trial.suggest_float("x", 0, 100)

    study = create(30)
    assert proposer(study, gate, extend).propose(study.ask()).overrides == ["x=30.0", "trial=0"]


def test_a_custom_search_space_that_does_not_work_ends_the_sweep_in_one_line(gate):
    def extend(config, trial):
        raise ValueError("two\nlines")

    study = create(30)
    with pytest.raises(SweepError) as error:
        proposer(study, gate, extend).propose(study.ask())
    assert str(error.value) == (
        "error: hydra.sweeper.custom_search_space raised ValueError: two lines"
    )
    assert gate.asked == []


def test_a_custom_search_space_of_changing_choices_ends_the_sweep_in_one_line(gate):
    def extend(config, trial):
        trial.suggest_categorical("y", [7, 8 + trial.number])

    study = create(30, 7, 40, 7)
    sweep = proposer(study, gate, extend)
    sweep.propose(study.ask())
    with pytest.raises(SweepError) as error:
        sweep.propose(study.ask())
    assert str(error.value).startswith(
        f"error: study '{study.study_name}' has drawn one of x, y from other values before: "
    )


def without_repeats(study, gate, text, resamples=2):
    """A proposer that draws no configuration twice."""
    made = proposer(study, gate, resamples=resamples, arguments=[f"x={text}"])
    made.points = Points(study, made.space, made.current)
    return made


def tell(study, proposal):
    study.tell(
        proposal.trial,
        None if proposal.reason else 1.0,
        state=None if not proposal.reason else TrialState.PRUNED,
    )


def test_what_a_study_has_tried_is_not_drawn_again():
    study = create(*[1] * 50)  # a sampler that has settled on one value
    made = without_repeats(study, Gate(), "choice(1.0,2.0,3.0)")
    drawn = []
    while not made.exhausted():
        proposal = made.propose(study.ask())
        drawn.append(proposal.trial.params["x"])
        tell(study, proposal)
    assert sorted(drawn) == [1, 2, 3]
    assert stored(study).params == {"x": 1}
    assert [f"x={t.params['x']}" for t in study.trials] == [f"x={value}" for value in drawn]


def test_configurations_that_the_gate_rejects_are_drawn_once_and_need_no_trial_each():
    gate, study = Gate(), create(*[60] * 50)
    made = without_repeats(study, gate, "choice(60.0,70.0,80.0,90.0)", resamples=5)
    proposal = made.propose(study.ask())
    assert proposal.trial.params == {"x": 60}
    assert sorted(gate.asked) == [60, 70, 80, 90]
    tell(study, proposal)
    assert made.exhausted()
    assert len(study.trials) == 1


def test_a_trial_that_goes_on_is_what_it_was():
    study = create(1, 1, 1, 1)
    made = without_repeats(study, Gate(), "choice(1.0,2.0)")
    first = made.propose(study.ask())
    study._storage.set_trial_state_values(first.trial._trial_id, TrialState.WAITING)
    again = made.propose(study.ask())
    assert (again.trial.number, again.trial.params) == (0, {"x": 1})


@pytest.mark.parametrize(
    ("text", "found"), [("interval(40,2000)", True), ("interval(51,99)", False)]
)
def test_a_look_at_the_space_finds_what_passes_or_what_comes_closest(text, found):
    made = proposer(create(), Gate(), arguments=[f"x={text}"])
    params, verdict = made.probe(300)
    assert (params is not None) is found
    if found:
        assert params["x"] <= LIMIT
    else:
        assert verdict.constraints["size"] == 1  # an end of the interval is among what it tries
