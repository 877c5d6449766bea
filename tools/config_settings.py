"""The settings in the config files: those of a run, of each group's options, and of a sweep."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from hydra import compose
from hydra.core.global_hydra import GlobalHydra
from hydra.utils import get_object
from omegaconf import OmegaConf

from mnist_sweep.allowed_values import ALLOWED, POSITIVE, Allowed, at_least
from mnist_sweep.cli.config_files import ConfigFiles
from mnist_sweep.cli.settings_help import as_written, written
from mnist_sweep.config import RunConfig
from mnist_sweep.sweep.settings import Settings
from tools.markdown import code, prose
from tools.setting import Setting, hints, of_value, values

PARTS = ("sampler", "pruner")  # of the sweeper, which are groups of their own


@dataclass(frozen=True)
class Option:
    """An option of a config group; `values`: of its settings, by name below the group's node."""

    name: str
    header: str
    target: str | None
    values: Mapping[str, Any]
    comments: Mapping[str, str]  # of the settings, and of the nodes that hold some


@dataclass(frozen=True)
class Searched:
    """A setting that a search varies; `note`: where it does, or what its file says of it."""

    name: str
    sweep: str
    note: str


def composed(*overrides: str) -> Any:
    """Return the whole config, with Hydra's part."""
    return compose("config", list(overrides), return_hydra_config=True)


def options_of(group: str) -> list[str]:
    """Return the names of a group's options."""
    return list(GlobalHydra.instance().config_loader().get_group_options(group))


def option(group: str, name: str, files: ConfigFiles, *others: str) -> Option:
    """Read an option of a group as Hydra composes it; `others`: overrides that it goes with."""
    at = group.replace("/", ".")
    whole = (
        composed(f"{group}={name}", *others)
        if at.startswith("hydra.")
        else compose(f"{group}/{name}")
    )
    own = as_written(OmegaConf.select(whole, at))
    said = {
        key.removeprefix(f"{at}."): text
        for key, text in files.settings(group, name).items()
        if key.startswith(f"{at}.")
    }
    header = files.comments(f"{group}/{name}").header
    return Option(name, header, own.get("_target_"), dict(_flat(own)), said)


def of_option(option: Option, group: str) -> Iterator[Setting]:
    """Yield the settings of a group's option; those of a run by their full names."""
    types = hints(get_object(option.target)) if option.target else {}
    shown = "" if group.startswith("hydra") else f"{group}."
    return _described(option.values, option.comments, types, f"{group}.", shown)


def of_run(root: Any, files: ConfigFiles) -> Iterator[Setting]:
    """Yield the settings of a run that are in no group."""
    groups = {str(name).partition("/")[0] for name in root.hydra.runtime.choices}
    own = {
        name: value for name, value in as_written(root).items() if name not in {*groups, "hydra"}
    }
    return _described(dict(_flat(own)), files.comments("config").settings, {}, "", "")


def _described(
    given: Mapping[str, Any],
    comments: Mapping[str, str],
    types: Mapping[str, Any],
    prefix: str,
    shown: str,
) -> Iterator[Setting]:
    """Yield settings in words; before those of a node, what is said of the node.

    `types`: those that the schema does not know. `prefix`: what the settings' names have in a run's
    schema, `shown` on the page.
    """
    nodes: set[str] = set()
    for name, value in given.items():
        node = name.rpartition(".")[0]
        if node in comments and node not in nodes:
            nodes.add(node)
            yield Setting(f"{shown}{node}.*", "", "", comments[node])
        full, comment = f"{prefix}{name}", comments.get(name, "")
        kind = types.get(name) or schema_type(full) or of_value(value)
        taken = values(kind, ALLOWED.get(full, ()), comment)
        yield Setting(f"{shown}{name}", code(written(value)), taken, comment)


def schema_type(name: str) -> Any:
    """Return the type that the schema gives a setting of a run; None where it has none."""
    found: Any = RunConfig
    for part in name.split("."):
        schema = next(
            (each for each in (found, *getattr(found, "__args__", ())) if _fields(each)), None
        )
        found = hints(schema).get(part) if schema else None
    return None if found is Any or _fields(found) else found


def of_sweeper(root: Any, files: ConfigFiles) -> Iterator[Setting]:
    """Yield the sweeper's own settings, with what this project's searches set."""
    types, comments = hints(Settings), files.settings("hydra/sweeper", "mnist_sweep")
    given = as_written(root.hydra.sweeper)
    for field in fields(Settings):
        if field.name in PARTS:
            continue
        full = f"hydra.sweeper.{field.name}"
        raw = given[field.name]
        default = files.value("hydra/sweeper", "mnist_sweep", field.name)
        here = "" if raw == default else f"; here {code(written(raw))}"
        comment = comments.get(full, "")
        taken = values(types[field.name], _bounds(field.metadata), comment)
        yield Setting(field.name, code(written(default)), taken, comment + here)


def searched(name: str, files: ConfigFiles) -> list[Searched]:
    """Return what a search varies, each setting once for each sweep of it."""
    said = files.settings("search", name)
    sweeper = as_written(composed(f"search={name}").hydra.sweeper)
    always = [
        Searched(key, written(sweep), prose(said.get(f"hydra.sweeper.params.{key}", "")))
        for key, sweep in (sweeper.get("params") or {}).items()
    ]
    where: dict[tuple[str, str, str], list[str]] = {}
    for outer, branches in (sweeper.get("conditional") or {}).items():
        for value, inner in branches.items():
            for key, sweep in inner.items():
                where.setdefault((key, written(sweep), outer), []).append(written(value))
    return always + [
        Searched(key, sweep, f"only where {code(outer)} is {' or '.join(map(code, found))}")
        for (key, sweep, outer), found in where.items()
    ]


def _bounds(metadata: Mapping[str, Any]) -> list[Allowed]:
    """Return the bounds of a setting of the sweeper."""
    least = metadata.get("least")
    found = [] if least is None else [at_least(least)]
    return [*found, POSITIVE] if metadata.get("positive") else found


def _fields(schema: Any) -> bool:
    return hasattr(schema, "__dataclass_fields__")


def _flat(node: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the settings below a node by their dotted names, without what is called."""
    for name, value in node.items():
        if str(name).startswith("_"):
            continue
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
