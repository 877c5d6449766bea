"""docs/settings.md: every setting with its default, what it may be, and what it does.

    python -m tools.settings_page

Written from the schemas, the config files and the texts of `--help`, which have each fact once.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir

from mnist_sweep import conf
from mnist_sweep.cli.config_files import ConfigFiles
from mnist_sweep.cli.settings_help import written
from mnist_sweep.files import replacing
from mnist_sweep.hydra_part import config_directory
from mnist_sweep.text import relative
from tools import command_help
from tools.config_settings import (
    Option,
    composed,
    of_option,
    of_run,
    of_sweeper,
    option,
    options_of,
    searched,
)
from tools.markdown import code, prose, table
from tools.setting import Setting

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"
GROUPS = ("model", "optimizer", "scheduler", "data", "tracking")
SWEEPER = "hydra/sweeper"
COLUMNS = ("setting", "default", "values", "what it does")

HEAD = """\
# Settings

<!-- Written by `make docs` from the schemas, the config files and the texts of --help. -->

Each setting with its default, the values that it takes, and what it does. `--help` prints the same
of one command, with your choices: `python -m mnist_sweep.train model=compact --help`.

- [A run](#a-run): its own settings, and those of its groups [model](#model),
  [optimizer](#optimizer), [scheduler](#scheduler), [data](#data), [tracking](#tracking),
  [experiment](#experiment)
- [A sweep](#a-sweep): [what is searched](#search), the [sweeper](#sweeper), its [sampler](#sampler)
  and [pruner](#pruner), the [launcher](#launcher)
- [The other commands](#the-other-commands)
"""
RUN = """\
## A run

As in `python -m mnist_sweep.train epochs=10 ema.decay=0.99`. These are in no group.
"""
SWEEP = """\
## A sweep

With `-m`. A value fixes a setting; a sweep such as `interval(0,0.3)`, `range(5,60)` or
`choice(16,32)` has it searched. Both take precedence over those of `search`.
"""
SWEEPERS_OWN = """\
### sweeper

`hydra/sweeper=mnist_sweep`, as in `hydra.sweeper.n_trials=40`. [sweeper.md](sweeper.md)
explains it. "Here" is what this project's searches set.
"""
COMBINATIONS = """\
`hydra/sweeper=combinations`, which `search=none` chooses: every combination of the values.
"""
SAMPLER = """\
### sampler

`hydra/sweeper/sampler=gp`, as in `hydra.sweeper.sampler.seed=1`. [samplers.md](samplers.md)
compares them. The default, `multivariate_tpe`:
"""
STOCK_SAMPLERS = """\
Those of Hydra's Optuna sweeper, whose settings
[Optuna explains](https://optuna.readthedocs.io/en/stable/reference/samplers/index.html). `tpe` is
`multivariate_tpe` here:
"""
PRUNER = """\
### pruner

`hydra/sweeper/pruner=median`, as in `hydra.sweeper.pruner.n_startup_trials=3`.
[pruning.md](pruning.md) compares them.
"""
LAUNCHER = """\
### launcher

`hydra/launcher=workers`, as in `hydra.launcher.threads=1`. Hydra's others work too, in batches:
[sweeper.md](sweeper.md#workers).
"""
CLUSTERS = {"ray_tasks": "Ray", "dask_tasks": "Dask"}
COMMANDS = """\
## The other commands

As in `python -m mnist_sweep.confirm study=NAME seeds=10`; `--help` has more of each.
A setting without a default may be left out.
"""


def main() -> None:
    """Write the page."""
    with replacing(PAGE) as temporary:
        temporary.write_text(page(), encoding="utf-8")
    print(f"written: {relative(PAGE)}")


def page() -> str:
    """Return the page's Markdown."""
    conf.register()
    with initialize_config_dir(config_directory()):
        root = composed("search=command_line")
        files = ConfigFiles(root.hydra.runtime.config_sources)
        return "\n".join(_lines(root, files)).rstrip("\n") + "\n"


def _lines(root: Any, files: ConfigFiles) -> Iterator[str]:
    yield f"{HEAD}\n{RUN}"
    yield from _settings(of_run(root, files))
    for group in GROUPS:
        yield f"### {group}\n"
        yield from _group(group, root.hydra.runtime.choices[group], files)
    yield "### experiment\n"
    yield from _headers("experiment", options_of("experiment"), files)
    yield SWEEP
    yield from _searches(files)
    yield SWEEPERS_OWN
    yield from _settings(of_sweeper(root, files))
    yield COMBINATIONS
    yield from _settings(of_option(option(SWEEPER, "combinations", files, "search=none"), SWEEPER))
    yield SAMPLER
    yield from _samplers(files)
    yield PRUNER
    yield from _group(f"{SWEEPER}/pruner", root.hydra.runtime.choices[f"{SWEEPER}/pruner"], files)
    yield LAUNCHER
    yield from _settings(of_option(option("hydra/launcher", "workers", files), "hydra/launcher"))
    for name, engine in CLUSTERS.items():
        yield f"`hydra/launcher={name}`: each trial is a task of [{engine}](ray_dask.md):\n"
        yield from _settings(of_option(option("hydra/launcher", name, files), "hydra/launcher"))
    yield from _commands()


def _settings(found: Iterable[Setting]) -> Iterator[str]:
    return table(
        COLUMNS, ([code(each.name), each.default, each.values, _text(each)] for each in found)
    )


def _text(each: Setting) -> str:
    """Return what a setting does, without what the column of its values says already."""
    words = each.text.split(" | ")
    return "" if sorted(map(code, words)) == sorted(each.values.split(", ")) else prose(each.text)


def _group(group: str, default: str, files: ConfigFiles) -> Iterator[str]:
    """Yield a group's options, then the settings: once for options of which the same is said."""
    options = [option(group, name, files) for name in options_of(group)]
    options.sort(key=lambda each: each.name != default)
    alike: dict[object, list[Option]] = {}
    for each in options:
        alike.setdefault((*each.values, *each.comments.items()), []).append(each)
    rows = [
        [code(f"{group}={each.name}"), prose(each.header), _own_values(each, first)]
        for first, *others in alike.values()
        for each in (first, *others)
    ]
    yield f"{code(f'{group}={default}')} where none is named.\n"
    yield from table(("option", "what it is", "its own defaults"), rows)
    for first, *others in alike.values():
        if first.values:
            names = ", ".join(code(each.name) for each in (first, *others))
            whose = f"{names}; the defaults are those of {code(first.name)}" if others else names
            yield f"Settings of {whose}:\n"
            yield from _settings(of_option(first, group))


def _own_values(each: Option, first: Option) -> str:
    differ = [name for name in each.values if each.values[name] != first.values[name]]
    return ", ".join(code(f"{name}={written(each.values[name])}") for name in differ)


def _headers(group: str, names: Iterable[str], files: ConfigFiles) -> Iterator[str]:
    """Yield what the options of a group are."""
    rows = (
        (code(f"{group}={name}"), prose(files.comments(f"{group}/{name}").header)) for name in names
    )
    return table(("option", "what it is"), rows)


def _searches(files: ConfigFiles) -> Iterator[str]:
    """Yield the searches, and what each of them varies."""
    yield "### search\n"
    names = [*options_of("search"), *(f"ablation/{n}" for n in options_of("search/ablation"))]
    yield from _headers("search", names, files)
    names.remove("ablation/base")  # which the others extend
    for name in names:
        rows = [(code(each.name), code(each.sweep), each.note) for each in searched(name, files)]
        if rows:
            yield f"{code(f'search={name}')} varies:\n"
            yield from table(("setting", "values", "notes"), rows)


def _samplers(files: ConfigFiles) -> Iterator[str]:
    """Yield the sweeper's default sampler in full, and the stock ones, which Optuna documents."""
    group, own = f"{SWEEPER}/sampler", "multivariate_tpe"
    default = option(group, own, files)
    yield from _settings(of_option(default, group))
    yield STOCK_SAMPLERS
    found = (option(group, name, files) for name in options_of(group))
    rows = (
        (
            code(f"{group}={each.name}"),
            code(str(each.target).rpartition(".")[2]),
            ", ".join(code(f"{name}={written(value)}") for name, value in each.values.items()),
        )
        for each in found
        if each.values and each.values != default.values
    )
    yield from table(("option", "class", "settings"), rows)


def _commands() -> Iterator[str]:
    yield COMMANDS
    for name in command_help.COMMANDS:
        yield f"### {name}\n"
        yield f"{prose(command_help.summary(name))}\n"
        yield from _settings(command_help.settings(name))


if __name__ == "__main__":
    main()
