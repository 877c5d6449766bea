"""Command lines of key=value beside the training entry's: Hydra's manner without its start."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields
from typing import Any, TypeVar

from omegaconf import OmegaConf

from mnist_sweep.config import typed
from mnist_sweep.errors import UserError

Arguments = TypeVar("Arguments")


class ArgumentError(UserError):
    """A command line that the entry does not take."""


def parse(schema: type[Arguments], words: Sequence[str]) -> Arguments:
    """Return words of the form key=value as an instance of a dataclass.

    Raises ArgumentError for a word of another form, an unknown or a repeated key, and a key without
    a default that is not given; ConfigError for a value of another type.
    """
    names = [field.name for field in fields(schema)]  # type: ignore[arg-type]
    given: dict[str, str] = {}
    for word in words:
        name, separator, value = word.partition("=")
        if not separator:
            raise ArgumentError(f"{word!r} is not of the form key=value; {_known(names)}")
        if name not in names:
            raise ArgumentError(f"{word}: there is no {name}; {_known(names)}")
        if name in given:
            raise ArgumentError(f"{word}: {name}={given[name]} is given already")
        given[name] = value
    for field in fields(schema):  # type: ignore[arg-type]
        if (
            field.default is MISSING
            and field.default_factory is MISSING
            and not given.get(field.name)
        ):
            raise ArgumentError(f"{field.name}= must be given; {_known(names)}")
    # What would stand for another setting is taken as it is written, as everything here is.
    literal = {name: value.replace("${", r"\${") for name, value in given.items()}
    settings = OmegaConf.to_container(typed(schema, OmegaConf.create(literal)), resolve=False)
    assert isinstance(settings, dict)
    return schema(**{str(name): value for name, value in settings.items()})


def _known(names: Sequence[str]) -> str:
    return f"known are {', '.join(f'{name}=' for name in names)}"


def run(schema: type[Arguments], usage: str, entry: Callable[[Arguments], Any]) -> None:
    """Parse the command line and call the entry; end the process as a user expects.

    An error that a user can cause is one line and exit code 1; `--help` prints the usage.
    """
    words = sys.argv[1:]
    if any(word in ("-h", "--help") for word in words):
        print(usage.strip())
        return
    try:
        entry(parse(schema, words))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
