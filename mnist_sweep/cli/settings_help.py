"""What `--help` says of settings: each with its value and the comment of its config file.

conf/hydra/help/mnist_sweep.yaml has it in its template, by the resolver `settings_help`.
"""

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from mnist_sweep.cli.config_files import ConfigFiles, all_comments
from mnist_sweep.cli.terminal import USUAL
from mnist_sweep.hydra_part import given_overrides
from mnist_sweep.text import one_line

COLUMN = 32  # where comments begin
SWEEPER, PARTS = "hydra/sweeper", ("sampler", "pruner")
NOT_HERE = "..."  # a value that is longer than a line


def register() -> None:
    """Make the resolver known to conf/."""
    OmegaConf.register_resolver("settings_help", settings_help, replace=True)


def settings_help(*, _root_: DictConfig) -> str:
    """Return the settings of a composed config, in lines of at most 80 columns.

    A "$" is doubled, as Hydra's template of the help wants it.
    """
    return "\n".join(_lines(_root_)).replace("$", "$$")


def _lines(root: DictConfig) -> Iterator[str]:
    files = ConfigFiles(root.hydra.runtime.config_sources)
    choices = as_written(root.hydra.runtime.choices) | _several(root.hydra, files)
    found = all_comments(files, choices, str(root.hydra.job.config_name))
    yield from _of_a_run(root, choices, files, found)
    if choices.get(SWEEPER):
        yield from _of_a_sweep(as_written(root.hydra.sweeper), choices, files, found)


def _several(hydra: DictConfig, files: ConfigFiles) -> dict[str, Any]:
    """Return the groups of which several options are chosen, which Hydra does not list."""
    parsed = OverridesParser.create().parse_overrides(given_overrides(hydra, "task"))
    found = {override.key_or_group: override.value() for override in parsed}
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, list) and all(files.has(f"{name}/{option}") for option in value)
    }


def _of_a_run(
    root: DictConfig, choices: Mapping[str, Any], files: ConfigFiles, found: Mapping[str, str]
) -> Iterator[str]:
    """Yield the settings of no group, then each group's, in the config's order."""
    names = [str(key) for key in root if key != "hydra"]
    settings = as_written(OmegaConf.masked_copy(root, names))
    groups = [group for group in choices if "/" not in group and choices[group] is not None]
    groups.sort(key=lambda group: names.index(group) if group in names else len(names))
    yield from _settings({k: v for k, v in settings.items() if k not in groups}, "", found)
    for group in groups:
        yield ""
        yield from _heading(group, choices[group], files)
        if isinstance(settings.get(group), dict):
            yield from _settings(settings[group], f"{group}.", found)


def _of_a_sweep(
    settings: Mapping[str, Any],
    choices: Mapping[str, Any],
    files: ConfigFiles,
    found: Mapping[str, str],
) -> Iterator[str]:
    """Yield the sweeper, its parts and its own settings, of which some hold many lines."""
    yield ""
    yield from _heading(SWEEPER, choices[SWEEPER], files, "with -m: ")
    for part in PARTS:
        if choices.get(f"{SWEEPER}/{part}"):
            yield from _heading(f"{SWEEPER}/{part}", choices[f"{SWEEPER}/{part}"], files)
    for name, value in settings.items():
        if name not in PARTS and not name.startswith("_"):
            full = f"hydra.sweeper.{name}"
            yield from _line(f"{full}={written(value)}", found.get(full, ""))


def as_written(node: Any) -> dict[str, Any]:
    """Return a node's settings as they are written, interpolations too; nothing of no mapping."""
    found = OmegaConf.to_container(node, resolve=False)
    return {str(name): value for name, value in found.items()} if isinstance(found, dict) else {}


def _heading(group: str, choice: Any, files: ConfigFiles, before: str = "") -> Iterator[str]:
    options = choice if isinstance(choice, list) else [choice]
    said = " ".join(files.comments(f"{group}/{option}").header for option in options)
    yield from _line(f"{group}={written(choice)}", f"{before}{said}".strip(), indent="")


def _settings(node: Mapping[str, Any], prefix: str, found: Mapping[str, str]) -> Iterator[str]:
    for name, value in node.items():
        if str(name).startswith("_"):  # what is called, which a group's option chooses
            continue
        full = f"{prefix}{name}"
        if isinstance(value, Mapping) and value:
            if full in found:
                yield from _line(f"{full}.*", found[full])
            yield from _settings(value, f"{full}.", found)
        else:
            yield from _line(f"{full}={written(value)}", found.get(full, ""))


def written(value: Any) -> str:
    """Return a value as an override has it."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {written(each)}' for key, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    return one_line(value if isinstance(value, str) else json.dumps(value, default=str))


def _line(setting: str, comment: str, indent: str = "  ") -> Iterator[str]:
    """Yield a setting with its comment beside it, or below where it is longer than its column."""
    left = f"{indent}{setting}"
    if len(left) > USUAL:
        left = f"{left.partition('=')[0]}={NOT_HERE}"
    beside = textwrap.wrap(comment, USUAL - COLUMN) or [""]
    if len(left) >= COLUMN - 1 and comment:
        yield left
        left = ""
    for text in beside:
        yield f"{left:<{COLUMN}}{text}".rstrip()
        left = ""
