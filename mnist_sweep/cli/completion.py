"""Shell completion, which is Hydra's own: of an installed command, but not of `python -m`."""

import sys
from collections.abc import Sequence
from pathlib import Path

from mnist_sweep.config import ConfigError

OPTIONS = ("-sc", "--shell-completion")
COMMAND = "mnist-sweep"


def is_query(words: Sequence[str]) -> bool:
    """Whether a shell asks for what can stand next, in the middle of the user's line."""
    return _is_asked(words) and any(word.startswith("query=") for word in words)


def check_completion(words: Sequence[str]) -> None:
    """Raise ConfigError where completion would be installed for `python`, and never complete.

    The function that Hydra gives the shell leaves a line alone that begins with `python -m`.
    """
    program = Path(sys.argv[0])
    if _is_asked(words) and not is_query(words) and program.suffix == ".py":
        given = [word for word in words if word not in OPTIONS]
        shell = " ".join(given) or "install=bash"
        raise ConfigError(
            "a shell completes commands, not `python -m`: install it for the command, "
            f'eval "$({COMMAND} -sc {shell})", and begin lines with {COMMAND}'
        )


def _is_asked(words: Sequence[str]) -> bool:
    return any(option in words for option in OPTIONS)
