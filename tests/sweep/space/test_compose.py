import pytest
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import OmegaConf, open_dict

from mnist_sweep import train
from mnist_sweep.sweep.space.compose import Composer

# Without it a job would have another sweeper than its sweep, which Hydra refuses.
SEARCH = "search=command_line"


class Counting:
    """A config loader that counts what it composes."""

    def __init__(self, loader):
        self.loader, self.composed = loader, []

    def load_sweep_config(self, config, overrides):
        self.composed.append(list(overrides))
        return self.loader.load_sweep_config(config, overrides)

    def __getattr__(self, name):
        return getattr(self.loader, name)


@pytest.fixture(scope="module")
def sweep():
    """A sweep's config loader and composed config, as Hydra gives them to a sweeper."""
    GlobalHydra.instance().clear()
    try:
        hydra = Hydra.create_main_hydra2(
            "train", create_config_search_path(train.config_directory())
        )
        config = hydra.compose_config(
            "config",
            [SEARCH, "hydra.sweeper.n_trials=3"],
            RunMode.MULTIRUN,
            activate_config_repository=True,
        )
    finally:
        GlobalHydra.instance().clear()
    return hydra.config_loader, config


@pytest.fixture
def loader(sweep):
    return Counting(sweep[0])


@pytest.fixture
def compose(loader, sweep):
    return Composer(loader, sweep[1])


def plain(config):
    """A config as data in which interpolations stand as they are written."""
    return OmegaConf.to_container(config, resolve=False)


def resolved(config):
    return OmegaConf.to_container(config, resolve=True)


def by_hydra(sweep, overrides):
    """What Hydra composes for a job, without its own settings."""
    loader, master = sweep
    config = loader.load_sweep_config(master, [SEARCH, *overrides])
    with open_dict(config):
        del config["hydra"]
    return config


@pytest.mark.parametrize(
    "value",
    [
        *("0", "7", "-7", "10", "0.5", "-0.5", "1.0", "00.5", "0.50", "1e3", "1e-05", "-2.5e+7"),
        *("1.5e300", "1e400", "007", "1_000", "1_0.5", "+3", "+.5", ".5", "5.", "1.e5", "1E5"),
        *("1e", "0x10", "1.5.2", "-0", "00e3", "nan", "inf", "1,2", "'3'", "12345678901234567890"),
        *(repr(0.1 + 0.2), repr(1 / 3 * 1e-17), str(2**70)),
    ],
)
def test_a_number_is_read_as_hydras_grammar_reads_it(compose, value):
    line = f"optimizer.lr={value}"
    expected = compose.parser.parse_overrides([line])[0]
    for _ in range(2):
        found = compose.parse(line)
        assert (type(found._value), repr(found._value)) == (
            type(expected._value),
            repr(expected._value),
        )
        assert (found.key_or_group, found.type) == (expected.key_or_group, expected.type)
        assert (found.value_type, found.input_line) == (expected.value_type, expected.input_line)


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["optimizer.lr=0.05", "epochs=3"],
        ["model=mlp", "scheduler=cosine"],
        ["model=mlp", "model.hidden=17", "scheduler=cosine", "scheduler.floor=0.25"],
        ["model.hidden=17", "model=mlp"],  # a value stands before the group that has it
        ["optimizer.lr=0.05", "optimizer.lr=0.06"],
        ["+optimizer.amsgrad=true", "+extra.deep.key=[1,2]"],
        ["++optimizer.lr=0.5", "++new=null"],
        ["~optimizer.lr"],
        ["~optimizer.fused=true"],
        ["~tracking"],
        ["~tracking", "epochs=2"],
        ["+data@second=mnist_5k", "second.mean=0.5"],
        ["experiment=first_cnn", "model.hidden=3"],
        ["experiment=published"],
        ["tracking=none"],
        ["data.name='a, b = c'", 'data.folder="it\'s"', "resume='run: {1}'"],
        ["study='sweep of 2024, \\'quoted\\''", "trial=7"],
        ["model.stages=[[1,2],[3,4]]", "budget={max_parameters: 12}"],
        ["model.stages.0.0=7", "model.stages.2.1=44"],  # elements of lists
        ["optimizer={lr: 0.25}"],
        ["optimizer.lr=0.5", "optimizer={lr: 0.25}"],  # a value, though of a group's name
        ["budget.max_parameters=null", "objective=[val_acc,parameters]"],
        ["keep.monitor=val_acc", "early_stopping.mode=max"],
        ["data.root=${data.folder}/${epochs}"],
        ["epochs=1e1", "progress=false", "optimizer.betas=[0.5,0.75]"],
    ],
    ids=" ".join,
)
def test_a_candidate_is_what_hydra_composes(compose, sweep, overrides):
    config, _ = compose([SEARCH, *overrides])
    expected = by_hydra(sweep, overrides)
    assert plain(config) == plain(expected)
    assert list(config) == list(expected)


def test_interpolations_are_resolved_in_the_candidates_own_values(compose, sweep):
    overrides = [SEARCH, "keep.monitor=val_acc", "keep.mode=max"]
    config, _ = compose(overrides)
    assert config.early_stopping.monitor == "val_acc"
    assert resolved(config) == resolved(by_hydra(sweep, overrides))


def test_hydras_own_settings_are_left_out(compose, sweep):
    own = ["hydra.sweep.dir='multirun/s'", "+hydra.job.extra=1", "~hydra.job_logging", "epochs=4"]
    config, _ = compose([SEARCH, *own])
    assert plain(config) == plain(by_hydra(sweep, ["epochs=4"]))
    assert "hydra" not in config


def test_the_choices_are_the_jobs_own(compose):
    _, hydra = compose([SEARCH, "model=mlp", "model.hidden=9"])
    assert hydra.runtime.choices.model == "mlp"
    assert hydra.runtime.choices.scheduler == "four_phase"
    _, hydra = compose([SEARCH])
    assert hydra.runtime.choices.model == "enhanced"


@pytest.mark.parametrize(
    ("overrides", "word"),
    [
        (["optimizer.momentom=0.9"], "momentom"),
        (["nothing=1"], "nothing"),
        (["model=nothing"], "nothing"),
        (["nogroup@model=mlp"], "nogroup"),
        (["~nothing"], "nothing"),
        (["~optimizer.lr=17"], "optimizer.lr"),
        (["+optimizer.lr=1"], "optimizer.lr"),
        (["model=mlp", "model.width=1"], "model.width"),
    ],
)
def test_what_the_config_does_not_have_raises_as_in_hydra(compose, sweep, overrides, word):
    with pytest.raises(HydraException, match=word):
        by_hydra(sweep, overrides)
    with pytest.raises(HydraException, match=word):
        compose([SEARCH, *overrides])


def test_a_line_that_is_no_override_raises(compose):
    with pytest.raises(HydraException, match="epochs=\\["):
        compose([SEARCH, "epochs=[1"])


def test_a_candidate_that_raised_does_not_spoil_the_next(compose, sweep):
    with pytest.raises(HydraException):
        compose([SEARCH, "epochs=3", "nothing=1"])
    assert plain(compose([SEARCH])[0]) == plain(by_hydra(sweep, []))


@pytest.mark.parametrize(
    "overrides",
    [["optimizer.lr=9"], ["+extra=1"], ["~optimizer.lr"], ["data.augmentation.shift=9.0"]],
    ids=" ".join,
)
def test_a_candidates_values_do_not_leak_into_the_next(compose, sweep, overrides):
    compose([SEARCH, *overrides])
    assert plain(compose([SEARCH])[0]) == plain(by_hydra(sweep, []))


def test_what_a_gate_does_to_a_candidate_does_not_leak_into_the_next(compose, sweep):
    config, _ = compose([SEARCH])
    config.optimizer.lr = 9
    config.model.stages.append([1])
    with open_dict(config):
        config.extra = 1
        del config["scheduler"]
    assert plain(compose([SEARCH])[0]) == plain(by_hydra(sweep, []))


def test_a_candidate_is_closed_to_new_settings(compose):
    config, _ = compose([SEARCH])
    assert OmegaConf.is_struct(config)


def test_groups_are_composed_once_whatever_the_values(compose, loader):
    for lr in (0.1, 0.2, 0.3):
        for model in ("mlp", "linear"):
            config, _ = compose([SEARCH, f"optimizer.lr={lr}", f"model={model}", "trial=1"])
            assert config.optimizer.lr == lr
    assert loader.composed == [[SEARCH, "model=mlp"], [SEARCH, "model=linear"]]


def test_the_order_of_groups_is_kept(compose, loader):
    compose(["model=mlp", "epochs=2", SEARCH])
    assert loader.composed == [["model=mlp", SEARCH]]
