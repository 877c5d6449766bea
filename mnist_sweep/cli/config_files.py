"""The config files that Hydra composes from, and what they say in their comments."""

from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module, resources
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from mnist_sweep.cli.comments import Comments, read_comments


class ConfigFiles:
    """The config files on Hydra's search path, given its `hydra.runtime.config_sources`."""

    def __init__(self, sources: Any) -> None:
        self.sources = [(str(source.schema), str(source.path)) for source in sources]
        self.comments = lru_cache(maxsize=None)(self._comments)

    def settings(self, group: str, option: str) -> dict[str, str]:
        """Return what an option, and those that it extends, say of settings, by their full keys."""
        comments = self.comments(f"{group}/{option}")
        found: dict[str, str] = {}
        for base in comments.bases:
            if base != option:
                found |= self.settings(group, base)
        package = comments.package or group.replace("/", ".")
        prefix = "" if package == "_global_" else f"{package}."
        return found | {f"{prefix}{name}": said for name, said in comments.settings.items()}

    def value(self, group: str, option: str, name: str) -> Any:
        """Return what an option's own file gives a setting, as it is written there."""
        given = OmegaConf.create(self._text(f"{group}/{option}") or "{}")
        plain = OmegaConf.to_container(given, resolve=False)
        return plain.get(name) if isinstance(plain, dict) else None

    def has(self, name: str) -> bool:
        """Whether there is a file of that name."""
        return self._text(name) is not None

    def _comments(self, name: str) -> Comments:
        return read_comments(self._text(name) or "")

    def _text(self, name: str) -> str | None:
        file = f"{name.removesuffix('.yaml')}.yaml"
        found = (_read(schema, path, file) for schema, path in self.sources)
        return next((text for text in found if text is not None), None)


def _read(schema: str, path: str, name: str) -> str | None:
    """Return a file of a source; None where that has none, or is of another kind."""
    try:
        if schema == "pkg":
            return resources.files(import_module(path)).joinpath(name).read_text(encoding="utf-8")
        return Path(path, name).read_text(encoding="utf-8") if schema == "file" else None
    except (OSError, ImportError, ValueError):
        return None


def all_comments(files: ConfigFiles, choices: Mapping[str, Any], name: str) -> dict[str, str]:
    """Return what is said of each setting, by its full key, in all files that are chosen."""
    found = dict(files.comments(name).settings)
    for group, choice in choices.items():
        at = group.partition("@")[0]
        for option in choice if isinstance(choice, list) else [choice]:
            if option is not None:
                found |= files.settings(at, str(option))
    return found
