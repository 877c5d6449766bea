"""What a setting is where a trial does not choose it: the composed config's own value."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mnist_sweep.sweep.space.compose import Composer
from mnist_sweep.sweep.space.grammar import plain_name
from mnist_sweep.sweep.space.values import read

NOTHING = object()


class BaseConfig:
    """The config that a sweep starts from, and what it becomes with other choices of groups.

    `groups` are overrides of groups, as a trial has them. Without a composer, the config is the
    only one there is.
    """

    def __init__(self, config: DictConfig, composer: Composer | None = None) -> None:
        self.config, self.composer = config, composer
        self.choices = config.hydra.runtime.choices
        self.composed = lru_cache(maxsize=64)(self._composed)
        self.has = lru_cache(maxsize=None)(self._has)
        self.is_group = lru_cache(maxsize=None)(self._is_group)

    def options(self, group: str) -> list[str]:
        """Return a group's options; none where they are not known."""
        return [] if self.composer is None else self.composer.options(plain_name(group))

    def is_setting(self, name: str) -> bool:
        """Whether the config that the sweep starts from has a setting or a group of that name."""
        return self.is_group(name) or has(self.config, plain_name(name))

    def _is_group(self, name: str) -> bool:
        """Whether a name is a config group's."""
        plain = plain_name(name)
        return plain in self.choices or bool(self.composer and self.composer.is_group(plain))

    def _has(self, name: str, groups: tuple[str, ...]) -> bool:
        """Whether the config with these groups has a setting; also where it cannot be composed."""
        composed = self.composed(groups)
        return composed is None or has(composed, plain_name(name))

    def value(self, name: str, groups: Sequence[str] = ()) -> Any:
        """Return a setting's value, or a group's choice; NOTHING where there is none."""
        plain = plain_name(name)
        if self.choices.get(plain) is not None:
            choice = self.choices[plain]
            return read(choice) if isinstance(choice, str) else choice  # as an override has it
        config = self.composed(tuple(groups)) if groups else self.config
        if config is None:
            return NOTHING
        try:
            return OmegaConf.select(config, plain, default=NOTHING)
        except OmegaConfBaseException:  # it has no value of its own, say one from the environment
            return NOTHING

    def _composed(self, groups: tuple[str, ...]) -> DictConfig | None:
        if self.composer is None:
            return self.config
        try:
            return self.composer.base(groups)[0]
        except Exception:  # composing raises many kinds, and the proposal itself says which
            return None


def has(config: DictConfig, name: str) -> bool:
    """Whether a config has a setting of that name, be it null, missing or an interpolation."""
    if OmegaConf.select(config, name, default=NOTHING, throw_on_resolution_failure=False) not in (
        NOTHING,
        None,
    ):
        return True
    above, _, last = name.rpartition(".")
    parent = OmegaConf.select(config, above, throw_on_resolution_failure=False) if above else config
    return isinstance(parent, DictConfig) and last in parent.keys()  # noqa: SIM118 - "in" skips ???
