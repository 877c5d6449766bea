"""Hydra's override grammar, read as what a search knows: distributions and fixed values."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import (
    IntervalSweep,
    Override,
    OverrideType,
    QuotedString,
    RangeSweep,
    Sweep,
    Transformer,
    ValueType,
)
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from mnist_sweep.private_names import stock_distribution
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.space.distributions import contains
from mnist_sweep.sweep.space.values import read, same, value_of, written
from mnist_sweep.text import one_line

Setting = BaseDistribution | str  # searched, or fixed to an override's text

TAGS = {"int", "float", "log"}


def parse_line(
    line: str, loader: ConfigLoader | None = None
) -> tuple[dict[str, Setting], list[str]]:
    """Return an override's setting by its name, or the deletion that it is.

    `loader` knows the options of config groups, for `glob`. Raises SweepError.
    """
    try:
        override = OverridesParser.create(loader).parse_overrides([line])[0]
        if override.is_delete():
            return {}, [line]
        return {override.get_key_element(): _setting(override)}, []
    except (HydraException, ValueError, NotImplementedError, AssertionError, TypeError) as error:
        reason = one_line(error) or type(error).__name__
        raise SweepError(f"the search space's {line} cannot be read: {reason}") from error


def lines_of(params: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the settings of a config's mapping as overrides, one below another as a.b=...

    A text is an override's text, so that it can be a sweep; any other value is the value itself.
    """
    for name, value in params.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict | DictConfig) and value:
            yield from lines_of(value, f"{key}.")
        elif isinstance(value, str):
            yield f"{key}={value}"
        else:
            yield f"{key}={written(value)}"


def _setting(override: Override) -> Setting:
    if not override.is_sweep_override():
        if override.type == OverrideType.EXTEND_LIST:
            return override.get_value_string()  # a list itself would replace what is there
        return override.get_value_element_as_str()
    sweep = override.value()
    tags = set(sweep.tags) if isinstance(sweep, Sweep) else set()
    if tags - TAGS:
        raise ValueError(f"unknown tag {', '.join(sorted(tags - TAGS))}; known are int, float, log")
    if isinstance(sweep, IntervalSweep):
        return _interval(sweep, tags)
    if isinstance(sweep, RangeSweep):
        return _range(override, sweep, tags)
    return _choices(override, tags)


def _choices(override: Override, tags: set[str]) -> CategoricalDistribution:
    if tags:
        raise ValueError(f"a choice takes no tag, but got {', '.join(sorted(tags))}")
    sweep = override.value()
    if override.value_type != ValueType.GLOB_CHOICE_SWEEP:
        assert not isinstance(sweep, IntervalSweep | RangeSweep)
        # An order means nothing to a sampler, and a random one could not be resumed.
        values = [_choice(each) for each in getattr(sweep, "list", [])]
    else:
        values = [] if override.config_loader is None else list(override.sweep_iterator())
    if not values:
        raise ValueError(
            f"glob finds nothing: {override.key_or_group} is not a config group, or has no "
            "such option"
        )
    return CategoricalDistribution(_told_apart(values))


def _choice(element: Any) -> Any:
    """Return an element of a choice as Optuna keeps it: numbers as they are, else text."""
    if isinstance(element, bool | int | float):
        return element
    if isinstance(element, str):
        return written(element)
    if isinstance(element, QuotedString):
        return element.with_quotes()  # of a,b: Hydra keeps its quotes, and choice() does not
    return Transformer.str(element)


def _told_apart(choices: list[Any]) -> list[Any]:
    """Write booleans as text beside numbers that Python takes for equal to them."""
    numbers = [c for c in choices if isinstance(c, int | float) and not isinstance(c, bool)]
    return [written(c) if isinstance(c, bool) and int(c) in numbers else c for c in choices]


def _interval(sweep: IntervalSweep, tags: set[str]) -> BaseDistribution:
    assert sweep.start is not None
    assert sweep.end is not None
    low, high, log = sweep.start, sweep.end, "log" in tags
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError("an interval's ends must be finite")
    whole = type(low) is int and type(high) is int
    if "int" in tags and "float" in tags:
        raise ValueError("int and float exclude each other; leave one out")
    if "int" in tags and not (low == int(low) and high == int(high)):
        raise ValueError("an interval of whole numbers must have whole ends")
    if "int" in tags or (whole and "float" not in tags):
        return IntDistribution(int(low), int(high), log=log)
    return FloatDistribution(float(low), float(high), log=log)


def _range(override: Override, sweep: RangeSweep, tags: set[str]) -> BaseDistribution:
    if "int" in tags and "float" in tags:
        raise ValueError("int and float exclude each other; leave one out")
    plain = replace(sweep, shuffle=False)  # an order means nothing to a sampler
    found = stock_distribution(override, plain)
    if "int" in tags and not isinstance(found, IntDistribution):
        raise ValueError("a range of whole numbers must have whole ends and steps")
    if "float" in tags and isinstance(found, IntDistribution):
        found = FloatDistribution(found.low, found.high, step=found.step)
    if "log" not in tags:
        assert isinstance(found, BaseDistribution)
        return found
    if not isinstance(found, IntDistribution) or found.step != 1:
        raise ValueError(
            "log needs a range of whole numbers with step 1, or an interval: Optuna has no steps "
            "on a logarithmic scale"
        )
    return IntDistribution(found.low, found.high, log=True)


def member(distribution: BaseDistribution, value: Any) -> Any:
    """Return a config's value as the distribution has it, or None where it does not."""
    if isinstance(distribution, CategoricalDistribution):
        return next((c for c in distribution.choices if same(value_of(c), value)), None)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    if isinstance(distribution, IntDistribution) and value != int(value):
        return None
    if not contains(distribution, value):
        return None
    return distribution.to_external_repr(distribution.to_internal_repr(value))


def plain_name(name: str) -> str:
    """Return a setting's name as the config has it: without + and without a package."""
    return name.lstrip("+~").partition("@")[0]


def interpolates(text: str) -> bool:
    """Whether a fixed setting's text takes its value from elsewhere."""
    return OmegaConf.is_interpolation(OmegaConf.create({"x": read(text)}), "x")
