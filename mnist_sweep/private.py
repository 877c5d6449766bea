"""The names of Optuna, Hydra and torch that are used here and are not public, each with its reason.

Nothing else in the package uses a private name of theirs. `tests/test_private.py` checks that each
is what is expected of it, and fails with a message on the day it changes.
"""

# optuna: the key of a trial's system attributes that has what `Study.enqueue_trial` was given.
# A sampler is not told what is fixed, and `Study.enqueue_trial` is the public way to fix it. Tried:
# `FrozenTrial.params` of a waiting trial, which is empty.
FIXED_PARAMS = "fixed_params"

# optuna: the key of a trial's system attributes that says which point of its grid it is.
# `GridSampler.is_exhausted` is public, and counts a point that is being run as left. Tried: the
# trials' parameters, which are the same for points that a grid has twice.
GRID_ID = "grid_id"
