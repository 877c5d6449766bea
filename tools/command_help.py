"""The settings of the commands beside training: their dataclasses, and their texts of `--help`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields
from importlib import import_module
from typing import Any

from mnist_sweep.cli.settings_help import written
from tools.markdown import code
from tools.setting import Setting, hints, values

# The module of each command, and its dataclass; `best` has its own beside the overrides.
COMMANDS = {
    "best": ("mnist_sweep.best.__main__", "Terms"),
    "confirm": ("mnist_sweep.confirm.__main__", "Confirm"),
    "report": ("mnist_sweep.report.__main__", "Report"),
    "slurm": ("mnist_sweep.slurm.__main__", "Array"),
    "watch": ("mnist_sweep.watch.__main__", "Watch"),
    "studies": ("mnist_sweep.studies.__main__", "Studies"),
    "results": ("mnist_sweep.results.__main__", "Results"),
    "reproduce": ("mnist_sweep.reproduce", "Reproduce"),
    "pictures": ("mnist_sweep.pictures", "Pictures"),
    "export": ("mnist_sweep.export", "Export"),
    "predict": ("mnist_sweep.predict", "Predict"),
    "tensorboard": ("mnist_sweep.tensorboard", "Board"),
    "dashboard": ("mnist_sweep.dashboard.__main__", "Dashboard"),
    "mlflow": ("mnist_sweep.mlflow", "Server"),
}
REQUIRED = "must be given"
# "seeds  how many", "host=127.0.0.1 port=6006  where it listens"
LINE = re.compile(r" *(?P<names>\w+(?:=\S+)?(?: \w+=\S+)*)  +(?P<text>\S.*)")


def summary(name: str) -> str:
    """Return the first sentence of a command's help."""
    first = (import_module(COMMANDS[name][0]).__doc__ or "").strip().splitlines()[0]
    return first.partition(": `python")[0].rstrip(".") + "."


def settings(name: str) -> list[Setting]:
    """Return the settings of a command, in the order of its dataclass."""
    module = import_module(COMMANDS[name][0])
    schema: Any = getattr(module, COMMANDS[name][1])
    types = hints(schema)
    names = [field.name for field in fields(schema)]
    texts = described(module.__doc__ or "", names)
    return [
        Setting(
            field.name,
            _default(field),
            values(types[field.name], ()).removesuffix(" or `null`"),
            _without_default(texts.get(field.name, ""), field.default),
        )
        for field in fields(schema)
    ]


def described(usage: str, names: Sequence[str]) -> Mapping[str, str]:
    """Return what a usage says of settings: beside each, and in indented lines below it."""
    found: dict[str, str] = {}
    current: list[str] = []
    for line in usage.splitlines():
        match = LINE.fullmatch(line)
        heads = [word.partition("=")[0] for word in match["names"].split()] if match else []
        if match and set(heads) <= set(names):
            current = heads
            found |= dict.fromkeys(heads, match["text"])
        elif current and line.startswith("  "):
            found |= {name: f"{found[name]} {line.strip()}" for name in current}
        else:
            current = []
    return found


def _default(field: "Field[Any]") -> str:
    if field.default is MISSING:
        return REQUIRED
    return "" if field.default is None else code(written(field.default))


def _without_default(text: str, default: Any) -> str:
    """Return a text without the default that ends one of its sentences, which a column has."""
    number = isinstance(default, float) and default.is_integer()
    shown = re.escape(str(int(default)) if number else written(default))
    return re.sub(rf"; {shown}( where (that|it) is left out)?(?=\.|$)", "", text)
