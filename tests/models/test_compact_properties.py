"""Over the whole space of model=compact: what is counted is what is built, or it is one line."""

import inspect

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mnist_sweep.errors import UserError
from mnist_sweep.models import Compact
from mnist_sweep.models.compact_layers import ACTIVATIONS
from mnist_sweep.models.compact_plan import HEADS, KERNELS, POOLINGS, RESIDUALS
from mnist_sweep.run.build import build_model, count_model

SEEDED = settings(derandomize=True, deadline=None, max_examples=40, database=None)
DEPTHS = st.integers(1, 4)
RATIOS = st.floats(0.05, 4)
SPACE = {
    "widths": st.none()
    | st.lists(st.lists(st.integers(1, 24), min_size=1, max_size=4), max_size=5),
    "stages": st.integers(0, 5),
    **{f"depth{n}": DEPTHS for n in range(1, 5)},
    "channels": st.integers(1, 24),
    **{f"growth{n}": RATIOS for n in range(2, 5)},
    **{f"entry{n}": RATIOS for n in range(1, 5)},
    "fill": st.none() | st.floats(0.05, 1.5),
    "budget": st.none() | st.integers(1, 30_000),
    "width_step": st.integers(0, 8),
    "bottleneck": st.none() | st.floats(0.1, 2),
    "kernel": st.sampled_from(KERNELS),
    "shared": st.booleans(),
    "pooling": st.sampled_from(POOLINGS),
    "residual": st.sampled_from(RESIDUALS),
    "activation": st.sampled_from(sorted(ACTIVATIONS)),
    "affine": st.booleans(),
    "squeeze_excite": st.booleans(),
    "head": st.sampled_from(HEADS),
    "dropout": st.floats(0, 0.9),
}


def test_the_space_has_every_setting_that_the_network_has():
    assert SPACE.keys() == inspect.signature(Compact).parameters.keys()


def why_not(node):
    """Return why a network cannot be built; None where it can."""
    try:
        count_model(node, "compact")
    except UserError as error:
        return str(error)


@SEEDED
@given(st.fixed_dictionaries(SPACE))
def test_the_counted_parameters_are_those_of_the_built_network(chosen):
    node = {"_target_": "mnist_sweep.models.Compact", **chosen}
    refused = why_not(node)
    if refused is not None:
        assert refused.isprintable()
        return
    _, counted = count_model(node, "compact")
    model = build_model(node).eval()
    assert sum(p.numel() for p in model.parameters()) == counted == model.plan.parameters
    with torch.inference_mode():
        assert model(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


@SEEDED
@given(
    st.fixed_dictionaries({**SPACE, "fill": st.floats(0.05, 1), "budget": st.integers(900, 30_000)})
)
def test_a_network_that_fills_a_budget_is_within_it_unless_it_is_the_narrowest(chosen):
    try:
        plan = Compact(**chosen).plan
    except ValueError:
        return
    narrowest = Compact(**{**chosen, "budget": 1}).plan.parameters
    assert plan.parameters <= max(chosen["fill"] * chosen["budget"], narrowest)
