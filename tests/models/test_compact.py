import random

import pytest
import torch
from torch import nn

from mnist_sweep.config import ConfigError
from mnist_sweep.models import Compact
from mnist_sweep.models.compact_layers import Blur
from mnist_sweep.models.compact_plan import HEADS, KERNELS, POOLINGS, RESIDUALS
from mnist_sweep.models.cost import count_multiply_adds, count_parameters, on_meta
from mnist_sweep.run.build import build_model

TIED = {"kernel": "separable_3x3", "shared": True, "pooling": "blur", "bottleneck": None}
# The published layouts, and the two that were tried by hand below 2,000 parameters.
ANCHORS = [
    (18_534, {"widths": [[12, 16], [20, 24], [24, 26]], "bottleneck": 0.7}),
    (7_894, {"widths": [[8, 12], [12, 16], [16, 16]], "bottleneck": 0.65}),
    (1_586, {"widths": [[8], [24, 24], [24, 24]], **TIED}),
    (1_990, {"widths": [[8], [28, 28], [28, 28, 28]], "residual": "last", **TIED}),
]
# The same as proportions, as a search draws them.
PROPORTIONS = [
    (18_534, {}),
    (
        7_894,
        {
            "channels": 12,
            "growth2": 1.33,
            "growth3": 1.0,
            "entry1": 0.67,
            "entry2": 0.75,
            "entry3": 1.0,
            "bottleneck": 0.65,
        },
    ),
    (1_586, {"channels": 8, "depth1": 1, "growth2": 3.0, "entry2": 1.0, **TIED}),
    (1_990, {"channels": 8, "depth1": 1, "depth3": 3, "growth2": 3.5, "entry2": 1.0, **TIED}),
]


@pytest.mark.parametrize(("parameters", "settings"), ANCHORS + PROPORTIONS)
def test_the_published_layouts_are_points_of_the_space(parameters, settings):
    model = on_meta(lambda: Compact(**settings))
    assert count_parameters(model) == model.plan.parameters == parameters


def test_the_config_is_the_larger_published_layout(composed):
    model = build_model(composed("model=compact").model)
    assert model.plan.outline == "12-16 | 1x1 12, 20-24 | 1x1 16, 24-26"


def drawn(generator):
    """Settings from the whole space, with a fill."""
    choose, uniform = generator.choice, generator.uniform
    return {
        "stages": choose((2, 3, 4)),
        **{f"depth{n}": choose((1, 2, 3, 4)) for n in (1, 2, 3, 4)},
        **{f"growth{n}": uniform(0.7, 4.0) for n in (2, 3, 4)},
        **{f"entry{n}": uniform(0.5, 1.0) for n in (1, 2, 3, 4)},
        "fill": uniform(0.8, 1.0),
        "budget": choose((1_000, 2_000, 8_000, 20_000)),
        "width_step": choose((1, 2, 4)),
        "bottleneck": choose((None, 0.5, 0.7)),
        "kernel": choose(KERNELS),
        "pooling": choose(POOLINGS),
        "residual": choose(RESIDUALS),
        "activation": choose(("relu", "leaky_relu", "silu")),
        "head": choose(HEADS),
        **{name: choose((False, True)) for name in ("shared", "affine", "squeeze_excite")},
    }


@pytest.mark.parametrize("seed", range(40))
def test_the_planned_count_is_the_built_models_and_within_its_share_of_the_budget(seed):
    settings = drawn(random.Random(seed))
    model = on_meta(lambda: Compact(**settings))
    assert count_parameters(model) == model.plan.parameters
    limit = settings["fill"] * settings["budget"]
    narrowest = on_meta(lambda: Compact(**{**settings, "fill": 1e-9}))
    assert model.plan.parameters <= limit or model.plan.outline == narrowest.plan.outline
    assert count_multiply_adds(model) > 0


@pytest.mark.parametrize("seed", range(6))
def test_points_of_the_space_train(seed):
    settings = drawn(random.Random(seed)) | {"dropout": 0.1, "budget": 2_000}
    model = Compact(**settings).train().to(memory_format=torch.channels_last)
    logits = model(torch.randn(4, 1, 28, 28))
    logits.square().sum().backward()
    assert logits.shape == (4, 10)
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


@pytest.mark.parametrize("budget", [1_000, 2_000, 8_000, 20_000])
@pytest.mark.parametrize(("_", "settings"), PROPORTIONS)
def test_a_filled_network_uses_the_budget_and_a_larger_share_makes_it_larger(_, settings, budget):
    filled = on_meta(lambda: Compact(**settings, fill=1.0, budget=budget))
    more = on_meta(lambda: Compact(**settings, fill=1.5, budget=budget))
    assert filled.plan.parameters <= budget
    assert filled.plan.parameters > 0.6 * budget  # small widths grow in large steps
    assert more.plan.parameters > filled.plan.parameters


def test_a_larger_budget_never_gives_a_smaller_network():
    counts = [
        on_meta(lambda b=b: Compact(**TIED, fill=1.0, budget=b)).plan.parameters
        for b in range(500, 4_000, 100)
    ]
    assert counts == sorted(counts)


def test_fill_keeps_explicit_widths_in_proportion():
    model = on_meta(lambda: Compact(widths=[[8, 16], [32]], bottleneck=None, fill=1, budget=9_000))
    (first, second), (third,) = model.plan.stages
    assert second == pytest.approx(2 * first, abs=2)
    assert third == pytest.approx(4 * first, abs=4)


def test_explicit_widths_are_taken_as_they_are_and_computed_ones_in_steps():
    assert Compact(widths=[[3, 5], [7]], bottleneck=None).plan.stages == ((3, 5), (7,))
    for stage in Compact(width_step=8, channels=16).plan.stages:
        assert all(channels % 8 == 0 for channels in stage)


def test_a_shape_that_cannot_be_small_enough_is_built_at_its_narrowest():
    model = Compact(depth1=4, depth2=4, depth3=4, fill=1.0, budget=100)
    assert {c for stage in model.plan.stages for c in stage} == {4}
    assert model.plan.parameters > 100


def test_shared_convolutions_have_one_set_of_weights_and_each_use_its_own_norm():
    model = Compact(**ANCHORS[2][1])
    assert [unit.source for unit in model.plan.units] == [0, 1, 2, 2, 2]
    assert [unit.convolution is None for unit in model.units] == [False, False, False, True, True]
    norms = [unit.norm for unit in model.units]
    assert len({id(norm) for norm in norms}) == 5
    names = model.state_dict().keys()
    assert len([n for n in names if n.endswith("convolution.1.weight")]) == 2


def test_shared_weights_learn_from_every_use():
    torch.manual_seed(0)
    model = Compact(**ANCHORS[2][1])
    images = torch.randn(4, 1, 28, 28)
    weight = model.units[2].convolution[1].weight
    model(images).square().sum().backward()
    whole = weight.grad.clone()
    apart = Compact(**{**ANCHORS[2][1], "shared": False})
    state = model.state_dict()
    for number in (3, 4):
        for part in (0, 1):
            name = f"convolution.{part}.weight"
            state[f"units.{number}.{name}"] = state[f"units.2.{name}"]
    apart.load_state_dict(state)
    apart(images).square().sum().backward()
    uses = sum(apart.units[number].convolution[1].weight.grad for number in (2, 3, 4))
    torch.testing.assert_close(whole, uses, rtol=1e-3, atol=1e-4)


def test_a_skip_adds_the_input_in_the_stages_asked_for():
    widths = [[4, 4], [4, 4, 4]]
    for residual, skips in (
        ("none", [0, 0, 0, 0, 0]),
        ("last", [0, 0, 0, 1, 1]),
        ("all", [0, 1, 0, 1, 1]),
    ):
        model = Compact(widths=widths, bottleneck=None, residual=residual)
        assert [unit.skip for unit in model.units] == [bool(s) for s in skips]
    unit = model.units[4].eval()
    nn.init.zeros_(unit.convolution[0].weight)
    x = torch.rand(1, 4, 7, 7)
    assert torch.equal(unit(x, unit.convolution), x)


@pytest.mark.parametrize(
    ("pooling", "sizes"), [("max", [28, 14, 7, 3]), ("blur", [28, 14, 7, 4]), ("stride", None)]
)
def test_pixels_are_halved_between_stages(pooling, sizes):
    model = Compact(stages=4, depth1=1, depth2=1, depth3=1, depth4=1, pooling=pooling).eval()
    seen = []
    for unit in model.units:
        unit.norm.register_forward_hook(lambda module, inputs, output: seen.append(output.shape[2]))
    model(torch.zeros(1, 1, 28, 28))
    # With a stride the 1x1 convolutions see the larger image, as the 3x3 ones after them stride.
    expected = (
        [28, 28, 14, 14, 7, 7, 4] if sizes is None else [s for s in sizes for _ in (0, 1)][1:]
    )
    assert seen == expected


def test_a_blur_is_the_binomial_filter_and_counts_as_nothing():
    blur = Blur(2)
    x = torch.zeros(1, 2, 8, 8)
    x[0, 1, 4, 4] = 16
    assert blur(x)[0, 1, 2, 2] == 4
    x = torch.zeros(1, 2, 8, 8)
    x[0, 1, 3, 3] = 16
    assert blur(x)[0, 1, 1:3, 1:3].tolist() == [[1, 1], [1, 1]]
    assert blur(x)[0, 0].abs().sum() == 0
    assert list(blur.parameters()) == []
    assert blur.state_dict() == {}


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_pooling_before_a_rising_activation_gives_what_pooling_after_it_gives(activation):
    torch.manual_seed(0)
    model = Compact(activation=activation, bottleneck=None).eval()
    images = torch.randn(2, 1, 28, 28)
    before = model(images)
    for unit in model.units:
        unit.after = nn.Sequential(*reversed(unit.after))
    assert torch.equal(model(images), before)


def test_no_convolution_has_a_bias_and_norms_are_affine_only_where_asked():
    for affine in (True, False):
        model = Compact(affine=affine, squeeze_excite=True)
        convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
        assert all(c.bias is None for c in convolutions)
        norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
        assert all(norm.affine is affine for norm in norms)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kernel": "7x7"}, "kernel must be one of 3x3, .* but got '7x7'"),
        ({"pooling": "mean"}, "pooling must be one of max, blur, stride, but got 'mean'"),
        ({"residual": "yes"}, "residual must be one of none, last, all, but got 'yes'"),
        ({"activation": "gelu"}, "activation must be one of relu, .* but got 'gelu'"),
        ({"head": "mlp"}, "head must be one of linear, conv, but got 'mlp'"),
        ({"stages": 5}, "stages must be 1 to 4, but got 5"),
        ({"stages": 0}, "stages must be 1 to 4, but got 0"),
        ({"stages": -1}, "stages must be 1 to 4, but got -1"),
        ({"depth2": 0}, "a stage must have 1 to 16 convolutions, but got 0"),
        ({"depth2": 10**9}, "a stage must have 1 to 16 convolutions, but got 1000000000"),
        ({"channels": 0}, "channels must be at least 1, but got 0"),
        ({"growth3": 0.0}, "growth3 must be greater than 0 and finite, but got 0.0"),
        ({"entry1": float("nan")}, "entry1 must be greater than 0 and finite, but got nan"),
        ({"bottleneck": -0.5}, "bottleneck must be greater than 0 and finite, but got -0.5"),
        ({"width_step": 0}, "width_step must be at least 1, but got 0"),
        ({"fill": 0.0, "budget": 9}, "fill must be greater than 0 and finite, but got 0.0"),
        ({"fill": 0.9}, "fill=0.9 is a share of budget.max_parameters, which is null"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\), but got 1.0"),
        ({"widths": []}, "stages must be 1 to 4, but got 0"),
        ({"widths": [[8], []]}, "a stage must have 1 to 16 convolutions, but got 0"),
        ({"widths": [[0]]}, "channels must be at least 1, but got 0"),
        ({"widths": [8, 16]}, r"widths must list each stage's channels.* but got \[8, 16\]"),
        ({"widths": 8}, "widths must list each stage's channels.* but got 8"),
        ({"widths": [["a"]]}, "widths must list each stage's channels"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_with_its_value(settings, message):
    with pytest.raises(ValueError, match=message):
        Compact(**settings)


def test_a_fill_without_a_budget_is_one_line_that_says_what_to_do(composed):
    config = composed("model=compact", "model.fill=0.9", "budget.max_parameters=null")
    with pytest.raises(ConfigError, match=r"set a budget, or model.fill=null") as error:
        build_model(config.model)
    assert "\n" not in str(error.value)
