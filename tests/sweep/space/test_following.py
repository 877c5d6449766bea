"""Searched settings whose values go together."""

from functools import partial

import pytest
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.samplers import GridSampler

from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.sampling import take_grid
from mnist_sweep.sweep.space.following import follow
from mnist_sweep.sweep.space.search_space import SearchSpace


def space_of(**settings):
    return SearchSpace(settings=settings)


def test_the_others_follow_the_first_under_a_condition_on_its_value():
    space = space_of(
        a=CategoricalDistribution((1, 2)),
        b=CategoricalDistribution(("x", "y")),
        c=CategoricalDistribution((0.5, 0.25)),
        d=IntDistribution(1, 9),
    )
    follow(space, [["a", "b", "c"]])
    assert set(space.settings) == {"a", "d"}
    assert space.conditional == {"a": {1: {"b": "x", "c": "0.5"}, 2: {"b": "y", "c": "0.25"}}}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"a": (1, 2)}, "b is not searched; give it a list of values, as in b=a,b"),
        ({"a": (1, 2), "b": (1, 2, 3)}, "as many values of each setting, but a has 2, b has 3"),
        ({"a": (1, 1), "b": (1, 2)}, "a=1,1 has a value twice"),
    ],
)
def test_what_cannot_go_together_is_refused(settings, said):
    space = space_of(**{name: CategoricalDistribution(c) for name, c in settings.items()})
    with pytest.raises(SweepError, match=said):
        follow(space, [["a", "b"]])


def test_a_range_has_no_values_that_others_could_follow():
    space = space_of(a=IntDistribution(1, 9), b=CategoricalDistribution((1, 2)))
    with pytest.raises(SweepError, match=r"zip: a is IntDistribution.*give it a list of values"):
        follow(space, [["a", "b"]])


def take(space):
    return take_grid(partial(GridSampler), space)[1]


def test_a_grid_has_what_follows_with_its_leader_and_searches_nothing_under_a_condition():
    among = CategoricalDistribution((1, 2))
    space = space_of(a=among, b=CategoricalDistribution(("x", "y")), c=among)
    follow(space, [["a", "b"]])
    assert take(space) == 2 * 2
    space.conditional["a"][1]["d"] = among
    with pytest.raises(SweepError, match="a grid cannot search under conditions, as it would d;"):
        take(space)


def test_what_follows_a_list_is_found_by_its_text():
    space = space_of(
        a=CategoricalDistribution(("[8,16]", "[16,32]")), b=CategoricalDistribution((1, 2))
    )
    follow(space, [["a", "b"]])
    assert space.conditional == {"a": {"[8,16]": {"b": "1"}, "[16,32]": {"b": "2"}}}
