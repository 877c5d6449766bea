"""Ranges of a study that a later sweep has moved: said, recorded, and read back.

Everything else that makes a study this study must stay, which `study.check_definition` sees to.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution

from mnist_sweep.sweep.space.distributions import contains
from mnist_sweep.sweep.trials.status import was_launched
from mnist_sweep.text import counted

EXTENSIONS = "extensions"  # the study's user attribute: what was moved, and from which trial on
# The ends in the text of a distribution of Optuna's that is a range.
END = re.compile(r"\b(low|high)=([^,)]+)")
RANGES = ("FloatDistribution(", "IntDistribution(")


@dataclass(frozen=True)
class Difference:
    """A part of a definition that is another now. `label` is what a user calls it."""

    label: str
    name: str
    before: Any
    after: Any

    @property
    def is_range(self) -> bool:
        """Whether only the ends of a range were moved, so that its trials can be kept."""
        texts = self.before, self.after
        if not all(isinstance(text, str) and text.startswith(RANGES) for text in texts):
            return False
        one, other = (END.sub("", text) for text in texts)
        return one == other

    def __str__(self) -> str:
        if self.is_range:
            return f"{self.label} was {span(self.before)}, is now {span(self.after)}"
        return f"{self.label} was {self.before}, is now {self.after}"


def span(text: str) -> str:
    """Return the ends of a range, from the text that Optuna writes of it."""
    ends = dict(END.findall(text))
    return f"{ends.get('low')} to {ends.get('high')}"


def extend(
    study: optuna.Study,
    moved: Sequence[Difference],
    searched: Iterable[tuple[str, BaseDistribution]],
) -> str | None:
    """Record ranges that were moved; return what to say of it. None where there are none.

    Call it under the study's lock.
    """
    if not moved:
        return None
    history = list(study.user_attrs.get(EXTENSIONS, []))
    changes = {each.label: [span(each.before), span(each.after)] for each in moved}
    count = len(study.get_trials(deepcopy=False))
    study.set_user_attr(EXTENSIONS, [*history, {"from_trial": count, "changes": changes}])
    return what_moves(study, moved, searched)


def what_moves(
    study: optuna.Study,
    moved: Sequence[Difference],
    searched: Iterable[tuple[str, BaseDistribution]],
) -> str | None:
    """Say what a study's moved ranges mean for its trials; None where none are moved."""
    if not moved:
        return None
    trials = study.get_trials(deepcopy=False)
    names = {each.name for each in moved}
    among = [(name, distribution) for name, distribution in searched if name in names]
    launched = [trial for trial in trials if was_launched(trial)]
    inside = sum(_is_inside(trial.params, among) for trial in launched)
    outside = len(launched) - inside
    kept = f"; the {outside} outside stay in the study, count, and inform the sampler"
    return (
        f"the study's space has changed: {'; '.join(map(str, moved))}; "
        f"{counted(len(launched), 'launched trial')}, {inside} inside{kept if outside else ''}"
    )


def _is_inside(params: dict[str, Any], among: Sequence[tuple[str, BaseDistribution]]) -> bool:
    """Whether each moved setting that a trial has may be drawn, under some condition, now."""
    for name in {name for name, _ in among} & params.keys():
        if not any(contains(each, params[name]) for other, each in among if other == name):
            return False
    return True


def history_of(study: optuna.Study) -> list[str]:
    """Return a study's extensions as lines; none where another program's attribute is no such."""
    lines = []
    recorded = study.user_attrs.get(EXTENSIONS)
    for entry in recorded if isinstance(recorded, list) else []:
        try:
            changes = [
                f"{name} {after}, before {before}"
                for name, (before, after) in entry["changes"].items()
            ]
            lines.append(f"from trial {entry['from_trial']} on: {'; '.join(changes)}")
        except (AttributeError, KeyError, TypeError, ValueError):
            continue
    return lines
