"""The conclusion of a confirmation as data, and its record."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mnist_sweep import formats
from mnist_sweep.confirm.candidates import ConfirmError, key_of
from mnist_sweep.confirm.intervals import LEVEL, Interval
from mnist_sweep.confirm.race import Dropped
from mnist_sweep.confirm.scores import INDICES, NUMBERS
from mnist_sweep.files import replacing
from mnist_sweep.study_folder import CONFIRMATION
from mnist_sweep.text import one_line
from mnist_sweep.untrusted_files import (
    LINE,
    NUMBER,
    SIZES,
    TEXT,
    TEXTS,
    TRUTH,
    WHOLE,
    Check,
    Kinds,
    check_kinds,
    parse_json,
    text_of,
)

FILE = "confirmation.json"

FLOAT = Check(
    "a number", lambda value: isinstance(value, int | float) and not isinstance(value, bool)
)
MAPPINGS = Check(
    "a list of mappings",
    lambda value: isinstance(value, list) and all(isinstance(each, dict) for each in value),
)
INTERVAL: Kinds = dict.fromkeys(("mean", "low", "high"), FLOAT)
DROPPED: Kinds = {"seeds": WHOLE, "leader": TEXT, "difference": INTERVAL, "level": NUMBER}
STANDING: Kinds = {
    "title": TEXT,
    "model": LINE,
    "parameters": WHOLE,
    "epochs": WHOLE,
    "searched": NUMBER,
    "seeds": INDICES,
    "accuracies": NUMBERS,
    "diverged": INDICES,
    "directory": TEXT,
    "key": TEXT,
    "draws": WHOLE,
    "dropped": DROPPED,
    **dict.fromkeys(("val_acc", "val_loss", "test_acc", "optimism"), INTERVAL),
}
COMPARISON: Kinds = {
    "title": TEXT,
    "seeds": WHOLE,
    "difference": INTERVAL,
    "p": NUMBER,
    "equivalence": INTERVAL,
    "equivalent": TRUTH,
    "draws": WHOLE,
}
STEP: Kinds = {
    "changes": TEXTS,
    "val_acc": INTERVAL,
    "test_acc": INTERVAL,
    "comparison": COMPARISON,
}
CONCLUSION: Kinds = {
    "data": TEXT,
    "images": WHOLE,
    "ranked_by": TEXT,
    "level": NUMBER,
    "unsettled": TEXTS,
    "standings": MAPPINGS,
    "comparisons": MAPPINGS,
    "race": TRUTH,
    "margin": NUMBER,
    "default": TEXT,
    "no_default": TEXT,
    "splits": WHOLE,
    "missing": SIZES,
    "power": {"detectable": NUMBER, "more_seeds": WHOLE},
    "ablation": {"first": TEXT, "order_seeds": WHOLE, "steps": MAPPINGS},
}
# What a conclusion had from the first release on; the rest is None in older ones.
ALWAYS = ("data", "images", "ranked_by", "level", "standings", "comparisons", "unsettled")
OF_A_STANDING = (
    *("title", "model", "parameters", "epochs", "seeds", "accuracies", "diverged"),
    *("val_acc", "val_loss"),
)


@dataclass(frozen=True)
class Standing:
    """One configuration: accuracies as fractions, losses in nats, over seeds.

    `searched`: validation accuracy of the run that it is taken from, None where that was another
    data set or number of epochs; `optimism`: by how much that is above the mean of fresh seeds.
    `seeds` are of the runs that are complete with finite figures, `diverged` those of the others.
    `accuracies`: one test accuracy a seed; none, and no `test_acc`, where the race `dropped` it.
    `directory`: of the run that it is taken from, None where it was composed. `key`: of its
    candidate; `draws`: how many independent ones its intervals are over, seeds, or splits where
    there are several; None in older records, both.
    """

    title: str
    model: str
    parameters: int
    epochs: int
    searched: float | None
    seeds: list[int]
    accuracies: list[float]
    diverged: list[int]
    val_acc: Interval
    val_loss: Interval
    test_acc: Interval | None
    optimism: Interval | None = None
    dropped: Dropped | None = None
    directory: str | None = None
    key: str | None = None
    draws: int | None = None

    @property
    def folder(self) -> str:
        """What the folder with its runs is called, in that of the confirmation."""
        return key_of(self.key or self.title)


@dataclass(frozen=True)
class Comparison:
    """The difference of the first configuration's test accuracy from another's.

    `difference` is with the interval that holds with all others at the conclusion's level. `p`:
    adjusted for all comparisons by Holm's procedure; None in older records. `equivalent`: whether
    `equivalence`, the interval that decides, lies within the conclusion's margin. `draws`: as a
    standing's.
    """

    title: str
    seeds: int
    difference: Interval
    p: float | None = None
    equivalence: Interval | None = None
    equivalent: bool = False
    draws: int | None = None

    @property
    def sign(self) -> int:
        """1 where the first is certainly better, -1 where it is certainly worse, else 0.

        Holm's procedure decides, which finds all that the interval does; without it, the interval.
        """
        if self.p is None:
            return self.difference.sign
        mean = self.difference.mean
        return int(mean > 0) - int(mean < 0) if self.p <= 1 - LEVEL else 0


@dataclass(frozen=True)
class Power:
    """What the seeds were enough for, between the first two configurations, on test images.

    `detectable`: the true difference that would have been found 4 times in 5. `more_seeds`: about
    how many more, of several splits more splits, would settle the difference that was found; None
    where no number would, or it is settled.
    """

    detectable: float
    more_seeds: int | None


@dataclass(frozen=True)
class Step:
    """Some changes on the way from the default configuration to the best, and what they brought.

    `comparison` is with the step before; None where too few seeds of one are complete.
    """

    changes: list[str]
    val_acc: Interval
    test_acc: Interval
    comparison: Comparison | None


@dataclass(frozen=True)
class Ablation:
    """The way from `first`, the default configuration, to the best, in steps.

    The order is that of each change alone on the default, by validation over `order_seeds` seeds.
    """

    first: str
    order_seeds: int
    steps: list[Step]


@dataclass(frozen=True)
class Conclusion:
    """Configurations in the order of what `ranked_by` says, on validation images; the first leads.

    Those that the `race` dropped are last. The intervals of all `comparisons` hold together at
    `level`; each standing's holds alone. `margin`: differences below it count as none; a fraction,
    as accuracies are. `default`: which is the default configuration; `no_default`: why none takes
    part, None in older records too. `splits`: how many splits the seeds are on, None for that of
    the search. `missing`: how many seeds a configuration lacks, where there was no time for more.
    """

    data: str
    images: int
    ranked_by: str
    level: float
    standings: list[Standing]
    comparisons: list[Comparison]
    unsettled: list[str]
    race: bool = False
    margin: float | None = None
    default: str | None = None
    no_default: str | None = None
    splits: int | None = None
    missing: Mapping[str, int] = field(default_factory=dict)
    power: Power | None = None
    ablation: Ablation | None = None

    @property
    def against_default(self) -> Comparison | None:
        """How the first compares with the default; None where it is that, or is not compared."""
        found = (each for each in self.comparisons if each.title == self.default)
        return next(found, None)


def write_conclusion(conclusion: Conclusion, folder: Path) -> Path:
    """Write a conclusion as JSON; return where."""
    path = folder / FILE
    with replacing(path) as temporary:
        written = {formats.KEY: formats.CONFIRMATION, **asdict(conclusion)}
        temporary.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")
    return path


def confirmations(folders: Iterable[Path], names: str = f"{CONFIRMATION}*") -> list[Path]:
    """Return the confirmations in a study's folders, in their order and by name.

    `names` is a pattern of their folders' names.
    """
    return [path.parent for folder in folders for path in sorted(folder.glob(f"{names}/{FILE}"))]


def read_conclusions(folders: Iterable[Path], names: str = f"{CONFIRMATION}*") -> list[Conclusion]:
    """Return the conclusions of `confirmations`. Raises ConfirmError for a damaged file."""
    return [read_conclusion(folder) for folder in confirmations(folders, names)]


def read_conclusion(folder: Path) -> Conclusion:
    """Return the conclusion of a confirmation's folder. Raises ConfirmError for a damaged file."""
    path = folder / FILE
    try:
        found = parse_json(text_of(path))
        check_kinds(found, {formats.KEY: WHOLE}, ())
        formats.check_format(str(path), found.pop(formats.KEY, None), formats.CONFIRMATION)
        check_kinds(found, CONCLUSION, ALWAYS)
        found["standings"] = [_standing(each) for each in found["standings"]]
        if not found["standings"]:
            raise ValueError("it has no configuration")
        found["comparisons"] = [_comparison(each) for each in found["comparisons"]]
        found["missing"] = found.get("missing") or {}
        if found.get("power") is not None:
            check_kinds(found["power"], {}, ("detectable",))
            found["power"] = Power(**found["power"])
        if found.get("ablation") is not None:
            check_kinds(found["ablation"], {}, ("first", "order_seeds", "steps"))
            steps = [_step(each) for each in found["ablation"].pop("steps")]
            found["ablation"] = Ablation(**found["ablation"], steps=steps)
        return Conclusion(**found)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfirmError(
            f"{path} is damaged ({one_line(error)}); delete it, and confirm the study again"
        ) from error


def _standing(found: dict[str, Any]) -> Standing:
    check_kinds(found, STANDING, OF_A_STANDING)
    if found.get("dropped") is not None:
        check_kinds(found["dropped"], {}, ("seeds", "leader", "level"))
        found["dropped"] = Dropped(**_intervals(found["dropped"], DROPPED))
    return Standing(**_intervals(found, STANDING))


def _comparison(found: dict[str, Any]) -> Comparison:
    check_kinds(found, COMPARISON, ("title", "seeds", "difference"))
    return Comparison(**_intervals(found, COMPARISON))


def _step(found: dict[str, Any]) -> Step:
    check_kinds(found, STEP, ("changes", "val_acc", "test_acc"))
    if found.get("comparison") is not None:
        found["comparison"] = _comparison(found["comparison"])
    return Step(**_intervals(found, STEP))


def _intervals(found: dict[str, Any], kinds: Kinds) -> dict[str, Any]:
    """Return a mapping with its intervals as such."""
    return {
        name: _interval(value) if kinds.get(name) is INTERVAL and value is not None else value
        for name, value in found.items()
    }


def _interval(found: dict[str, Any]) -> Interval:
    check_kinds(found, {}, tuple(INTERVAL))
    return Interval(**found)
