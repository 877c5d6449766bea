"""Settings of a sweep, and what it searches."""

from tests.inputs.case import case, written

SWEEP = (
    "train -m model=linear data=mnist_5k tracking=none epochs=1 batch_size=500 "
    "search=command_line hydra.sweeper.study_name=s hydra.sweeper.n_trials=1"
)


LR = "optimizer.lr=interval(0.001,0.1)"


def sweep(words, says, spoil=None):
    """Return a case of a sweep of the learning rate, unless its words search that otherwise."""
    own = [words] if isinstance(words, str) else words
    searched = [] if any(word.startswith("optimizer.lr=") for word in own) else [LR]
    return case([*own, *searched], says, spoil=spoil, usual=SWEEP)


CASES = [
    sweep("hydra.sweeper.n_trials=0", "hydra.sweeper.n_trials must be at least 1"),
    sweep("hydra.sweeper.n_trials=nan", "hydra.sweeper.n_trials"),
    sweep("hydra.sweeper.timeout=nan", "hydra.sweeper.timeout must be greater than 0"),
    sweep("hydra.sweeper.direction=up", "hydra.sweeper.direction"),
    sweep("hydra.sweeper.study_name='../up'", "hydra.sweeper.study_name"),
    sweep("hydra.sweeper.study_name=[a]", "hydra.sweeper.study_name"),
    sweep("hydra.sweeper.enqueue=[{optimizer.lr: 5}]", "hydra.sweeper.enqueue[0]"),
    sweep("hydra.sweeper.sampler._target_=os.system", "os.system"),
    sweep("+hydra.sweeper.sampler.nonsense=1", "nonsense"),
    sweep("hydra.sweeper.custom_search_space=os.system", "custom_search_space"),
    sweep("hydra.sweeper.storage={_target_: os.system}", "hydra.sweeper.storage"),
    sweep("hydra/sweeper/pruner=nonsense", "pruner"),
    sweep("optimizer.lr=interval(0.1,0.001)", "optimizer.lr"),
    sweep("optimizer.lr=interval(0.001,nan)", "optimizer.lr"),
    sweep("optimizer.lr=interval(1)", "interval"),
    sweep("epochs=range(5,1)", "epochs"),
    sweep("hydra.sweep.dir=taken", "taken", written("taken", "")),
    sweep("resume=s", "resume"),
    sweep(
        ["hydra/launcher=basic", "hydra.sweeper.worker_memory=2"],
        "hydra.sweeper.worker_memory=2 has an effect with hydra/launcher=workers only",
    ),
    sweep(
        ["hydra.sweeper.n_jobs=2", "hydra.sweeper.worker_memory=2"],
        "hydra.sweeper.worker_memory=2 has no effect, since n_jobs=2",
    ),
    sweep(
        ["hydra.launcher.n_jobs=2", "hydra.sweeper.worker_memory=2"],
        "hydra.sweeper.worker_memory=2 has no effect, since n_jobs=2",
    ),
    sweep(
        ["hydra/launcher=basic", "hydra.sweeper.n_jobs=4"],
        "hydra.sweeper.n_jobs=4 has no effect with hydra/launcher=basic",
    ),
    sweep("hydra.sweeper.storage='sqlite:///file:u.db?uri=true'", "and not a file: URI"),
    sweep(
        ["hydra/launcher=basic", "hydra.sweeper.preload=[json]"], "hydra.sweeper.preload=[json] has"
    ),
    sweep("search=nonsense", "search/nonsense"),
]
