"""Composing candidates for the gate, many times a second: the groups once, the values each time."""

import pickle
import re
from collections.abc import Sequence
from functools import lru_cache

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import ConfigCompositionException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from mnist_sweep.private_names import with_value

# Compositions kept, one for each combination of groups that is being searched.
KEPT = 64

# What most candidates differ by: a setting and a number, as Hydra's grammar and Python write it.
WHOLE = r"(?:0|[1-9]\d*)"
INTEGER = re.compile(rf"([^=]+=)(-?{WHOLE})")
FLOAT = re.compile(rf"([^=]+=)(-?{WHOLE}(?:\.\d+(?:e[+-]?\d+)?|e[+-]?\d+))")


class Composer:
    """A faster `ConfigLoader.load_sweep_config`, which does not compose groups anew.

    Hydra applies an override of a value to the composed config, last; only overrides of groups
    decide what is composed. So a candidate that differs in values alone needs a copy of the config
    that its groups gave before, and its values written into that: 2 ms instead of 35.
    """

    def __init__(self, loader: ConfigLoader, config: DictConfig) -> None:
        self.loader, self.config = loader, config
        self.parser = OverridesParser.create()
        self.parse_kept = lru_cache(maxsize=1024)(self._parse)
        self.composed = lru_cache(maxsize=KEPT)(self._compose)
        self.is_group = lru_cache(maxsize=None)(self._is_group)

    def __call__(self, overrides: Sequence[str]) -> tuple[DictConfig, DictConfig]:
        """Return the job's config and its Hydra config, whose `runtime.choices` are the job's.

        Overrides of Hydra's own settings are left out. Raises what composing raises.
        """
        lines = [line for line in overrides if not line.lstrip("+~").startswith("hydra.")]
        parsed = [self.parse(line) for line in lines]
        # Hydra takes {key: value} for a value, also under a group's name.
        is_group = [
            self.is_group(override.key_or_group) and not isinstance(override.value(), dict)
            for override in parsed
        ]
        groups = tuple(line for line, group in zip(lines, is_group, strict=True) if group)
        values = [override for override, group in zip(parsed, is_group, strict=True) if not group]
        if not all(_is_set(override) for override in values):
            return self._whole(lines)
        config, hydra = self.base(groups)
        for override in values:
            _set(config, override)
        return config, hydra

    def base(self, groups: Sequence[str]) -> tuple[DictConfig, DictConfig]:
        """Return the config, and its Hydra config, that these choices of groups compose to."""
        base, hydra = self.composed(tuple(groups))
        return pickle.loads(base), hydra

    def options(self, group: str) -> list[str]:
        """Return the options of a config group; none where it is no group."""
        options: list[str] = self.loader.get_group_options(group)
        return options

    def parse(self, line: str) -> Override:
        """Parse an override; one of a number without the grammar, which takes 0.2 ms over it."""
        for pattern, kind in ((FLOAT, float), (INTEGER, int)):
            if match := pattern.fullmatch(line):
                alike = self.parse_kept(f"{match[1]}1")
                return with_value(alike, kind(match[2]), line)
        return self.parse_kept(line)

    def _parse(self, line: str) -> Override:
        return self.parser.parse_overrides([line])[0]

    def _is_group(self, name: str) -> bool:
        return bool(self.loader.get_group_options(name, results_filter=None))

    def _compose(self, groups: tuple[str, ...]) -> tuple[bytes, DictConfig]:
        config, hydra = self._whole(groups)
        # Seven times as quick to copy as the config itself.
        return pickle.dumps(config), hydra

    def _whole(self, overrides: Sequence[str]) -> tuple[DictConfig, DictConfig]:
        """Compose as Hydra does."""
        config: DictConfig = self.loader.load_sweep_config(self.config, list(overrides))
        hydra = config.hydra
        with open_dict(config):
            del config["hydra"]
        return config, hydra


def _is_set(override: Override) -> bool:
    """Whether an override gives a setting another value, and does no more."""
    return override.type == OverrideType.CHANGE and override.package is None


def _set(config: DictConfig, override: Override) -> None:
    """Apply an override. Raises ConfigCompositionException where there is no such setting."""
    try:
        OmegaConf.update(config, override.key_or_group, override.value(), merge=True)
    except (ConfigAttributeError, ConfigKeyError) as error:
        raise ConfigCompositionException(
            f"Could not override '{override.key_or_group}'."
            f"\nTo append to your config use +{override.input_line}"
        ) from error
    except OmegaConfBaseException as error:
        raise ConfigCompositionException(f"Error merging override {override.input_line}") from error
