"""Widths around what a budget allows, for the searches in conf/: a resolver of theirs.

torch is imported only when a width is asked for, which is when a search begins.
"""

import math
from typing import Any

from omegaconf import DictConfig, OmegaConf

from mnist_sweep.hydra_part import given_overrides

UNIT = 0.01  # of a width: finer steps change no channel of a network that fits
WIDEST = 100.0  # a budget beyond it limits nothing


def width_interval(low: float, high: float, *, _root_: DictConfig) -> str:
    """Return the sweep of widths from `low` to `high` times the widest that meets the budget.

    Of the composed model, or of all that the command line searches. Without a budget, or for a
    model that cannot be counted, it is of the width that the model has.
    """
    references = [width for node in _models(_root_) if (width := _reference(node, _root_))]
    smallest, largest = min(references, default=1.0), max(references, default=1.0)
    return f"interval({_rounded(low * smallest)}, {_rounded(high * largest)})"


def _rounded(width: float) -> float:
    """Return a width with two digits, as a person would write it."""
    return float(f"{width:.2g}")


def _models(root: DictConfig) -> list[Any]:
    """Return the nodes of the models that a sweep composes."""
    searched = _searched_models(root)
    if not searched:
        return [OmegaConf.select(root, "model")]
    from hydra import compose

    given = given_overrides(root.hydra, "task")
    others = [line for line in given if not _is_sweep(line) and not _is_of_model(line)]
    name = root.hydra.job.config_name
    return [compose(name, [*others, f"model={each}"]).model for each in searched]


def _searched_models(root: DictConfig) -> list[str]:
    found: list[str] = []
    for line in given_overrides(root.hydra, "task"):
        if line.startswith("model="):
            override = _parsed(line)
            is_sweep = override.is_sweep_override()
            found = [str(v) for v in override.sweep_iterator()] if is_sweep else []
    return found


def _is_sweep(line: str) -> bool:
    return bool(_parsed(line).is_sweep_override())


def _parsed(line: str) -> Any:
    """Return an override of Hydra's, whose glob(...) needs to know which options there are."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.override_parser.overrides_parser import OverridesParser

    loader = GlobalHydra.instance().config_loader()
    return OverridesParser.create(config_loader=loader).parse_overrides([line])[0]


def _is_of_model(line: str) -> bool:
    return line.lstrip("+~").startswith("model")


def _reference(node: Any, root: DictConfig) -> float | None:
    """Return the widest width of a model that meets the budget; None for one without a width."""
    width: Any = OmegaConf.select(node, "width") if OmegaConf.is_dict(node) else None
    limit = OmegaConf.select(root, "budget.max_parameters")
    if type(width) not in (int, float) or not 0 < width < math.inf:
        return None
    if type(limit) is not int:
        return float(width)
    from mnist_sweep.errors import UserError
    from mnist_sweep.models.cost import largest_fitting
    from mnist_sweep.run.build import count_model

    def count(units: int) -> int:
        changed = OmegaConf.merge(node, {"width": round(units * UNIT, 2)})
        return count_model(changed, "model")[1]

    try:
        most = max(1, round(width / UNIT))
        while most * UNIT < WIDEST and count(most) <= limit:
            most *= 2
        return round(largest_fitting(range(1, most + 1), count, limit) * UNIT, 2)
    except LookupError:
        return UNIT  # not even the narrowest fits, which the gate says with its count
    except UserError:
        return float(width)


def register() -> None:
    """Make the resolver known to conf/."""
    OmegaConf.register_resolver("width_interval", width_interval, replace=True)
