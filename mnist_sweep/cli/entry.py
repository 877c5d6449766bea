"""Around Hydra's start: what a user can cause ends in one line also where Hydra would print more.

Hydra has no public hook for that; see `mnist_sweep.private.reporting_through`.
"""

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import CompactHydraException

from mnist_sweep.errors import UserError, explain, shown
from mnist_sweep.private import options_parser, reporting_through
from mnist_sweep.text import nearest

UNKNOWN = re.compile(r"got an unexpected keyword argument '(.*?)'.*full_key: (hydra\.\w+)", re.S)
LOGGING = "Unable to configure"  # how the errors of logging.config begin


class Refusal(CompactHydraException):
    """What Hydra prints as its one line, without a traceback, before it exits with code 1."""


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Have Hydra end in one line for what a user can cause, and with code 130 after Ctrl-C."""
    try:
        with reporting_through(_refusing):
            yield
    except KeyboardInterrupt:
        sys.exit(130)  # what a shell expects
    except ValueError as error:  # Hydra's, of options that do not go together
        if not str(error).startswith(("Only one of --run", "The --resolve flag", "--experimental")):
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


def _refusing(call: Callable[[], Any]) -> Any:
    """Call; turn what a user can cause into a Refusal, and leave Hydra the rest."""
    try:
        return call()
    except UserError as error:
        raise Refusal(f"error: {error}") from error
    except OSError as error:
        raise Refusal(f"error: {explain(error)}") from error
    except TypeError as error:
        message = _unknown_setting(error)
        if message is None:
            raise
        raise Refusal(f"error: {message}") from error
    except ValueError as error:
        if not str(error).startswith(LOGGING):
            raise
        raise Refusal(
            f"error: hydra.job_logging or hydra.hydra_logging: {_reason(error)}"
        ) from error


def _reason(error: BaseException) -> str:
    """Return what is at the bottom of an error of logging.config."""
    cause = error.__cause__ or error.__context__
    if isinstance(cause, OSError):
        return explain(cause)
    return shown(f"{error}: {cause}" if cause else str(error))


def _unknown_setting(error: TypeError) -> str | None:
    """Return what to say of a plugin's setting that there is none of; None for another error."""
    notes: list[str] = getattr(error, "__notes__", [])  # where Hydra says of what it is
    found = UNKNOWN.search("\n".join([str(error), *notes]))
    if found is None:
        return None
    name, group = found.groups()
    return f"{group}.{name}: there is no such setting; {nearest(name, _settings(error))}"


def _settings(error: TypeError) -> list[str]:
    """Return the names of the settings of the class that could not be made."""
    trace = error.__traceback__
    while trace is not None:
        target = trace.tb_frame.f_locals.get("_target_")
        if inspect.isclass(target):
            return list(inspect.signature(target).parameters)
        trace = trace.tb_next
    return []


def inspected(words: Sequence[str]) -> list[str]:
    """Return a command line for Hydra to show the config of: of a sweep, what its jobs share.

    Hydra shows no config together with -m, and refuses to compose settings that are swept. Those
    are left out, as they are where it composes a sweep.
    """
    arguments = options_parser().parse_intermixed_args(list(words))
    if not (arguments.multirun and (arguments.cfg or arguments.info)):
        return list(words)
    parsed = OverridesParser.create().parse_overrides(arguments.overrides)
    swept = {override.input_line for override in parsed if override.is_sweep_override()}
    left_out = {*swept, "-m", "--multirun", "-i", "--info", arguments.info}
    asked = [f"--info={arguments.info}"] if arguments.info else []
    return ["hydra.mode=MULTIRUN", *(word for word in words if word not in left_out), *asked]
