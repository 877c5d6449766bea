"""Around Hydra's start: what a user can cause ends in one line also where Hydra would print more.

Hydra has no public hook for that; see `mnist_sweep.private_names.reporting_through`.
"""

import inspect
import io
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any, NoReturn

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import configure_log
from hydra.errors import (
    CompactHydraException,
    ConfigCompositionException,
    HydraException,
    InstantiationException,
)

from mnist_sweep.allowed_targets import how_to_allow
from mnist_sweep.cli.unstarted import leave_nothing
from mnist_sweep.errors import UserError, explain, full_errors, shown
from mnist_sweep.private_names import options_parser, reporting_through
from mnist_sweep.text import nearest, one_line

UNKNOWN = re.compile(r"got an unexpected keyword argument '(.*?)'.*full_key: (hydra\.\w+)", re.S)
LOGGING = "hydra.job_logging or hydra.hydra_logging"
# A setting that conf/search gives to a sweeper which has none of that name.
FOREIGN = re.compile(r"In 'search/.*Key '(\w+)' not in '(\w+)SweeperConf'", re.S)
TARGET = re.compile(r"[Tt]arget '(.*?)'")


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
    except CompactHydraException as error:
        if full_errors():
            raise
        _end_as_reported(error)


def _end_as_reported(error: CompactHydraException) -> NoReturn:
    """Say what Hydra's report would: it composes the config of --help outside of that."""

    def again() -> NoReturn:
        raise error

    try:
        _refusing(again)
    except CompactHydraException as said:
        print(said, file=sys.stderr)
    sys.exit(1)


def _refusing(call: Callable[[], Any]) -> Any:
    """Call; turn what a user can cause into a Refusal, and leave Hydra the rest."""
    try:
        return call()
    except UserError as error:
        raise Refusal(f"error: {error}") from error
    except OSError as error:
        raise Refusal(f"error: {explain(error)}") from error
    except ConfigCompositionException as error:
        found = FOREIGN.search(str(error))
        if found is None:
            raise
        setting, sweeper = found.groups()
        raise Refusal(
            f"error: hydra/sweeper={sweeper.lower()} has no {setting}, which the search sets: "
            "add search=none, or leave hydra/sweeper out"
        ) from error
    except TypeError as error:
        message = _unknown_setting(error)
        if message is None:
            raise
        raise Refusal(f"error: {message}") from error
    except Exception as error:
        if not is_of_logging(error):
            raise
        _leave_nothing(error)
        raise Refusal(f"error: {LOGGING}: {_reason(error)}") from error


def is_of_logging(error: Exception) -> bool:
    """Whether an error was raised while Hydra set up logging."""
    raised_in = [frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)]
    return configure_log.__code__ in raised_in


def _leave_nothing(error: Exception) -> None:
    """Remove the folder that Hydra made for a run whose logging it could not set up."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        config = frame.f_locals.get("hydra_cfg")
        if frame.f_code.co_name == "_run_job" and config is not None:
            runtime = config.hydra.runtime
            leave_nothing(Path(runtime.output_dir), config.hydra.job.name, Path(runtime.cwd))


def _reason(error: Exception) -> str:
    """Return what Hydra could not set up of logging, and the error at the bottom of that."""
    if isinstance(error, KeyError):
        return f"it has no {one_line(error.args[0])}"
    what = str(error).partition("\n")[0]  # the handler, formatter or filter; the cause says more
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, OSError):
            return explain(cause)
        if isinstance(cause, InstantiationException):
            return f"{what}: {_refused_target(str(cause))}"
    return shown(f"{what}: {causes[0]}" if causes else what)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield what an error was raised from, from the nearest to the first."""
    cause = error.__cause__ or error.__context__
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _refused_target(message: str) -> str:
    """Return what to say of a class or function that Hydra does not take from a config."""
    found = TARGET.search(message)
    if found is None:
        return shown(message)
    name = found.group(1)
    if "is not in the" not in message:
        return f"{name} can never be allowed in a config; name another"
    return f"{name}: {how_to_allow(name)}"


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


def resumed_run(words: Sequence[str]) -> str | None:
    """Return the run directory that a command line resumes; None where it starts a new run.

    None too for a multirun, and where the command line cannot be read, or only asks for help or a
    config.
    """
    try:
        with redirect_stderr(io.StringIO()):
            arguments = options_parser().parse_intermixed_args(list(words))
        parsed = OverridesParser.create().parse_overrides(arguments.overrides)
    except (SystemExit, HydraException):
        return None
    if (
        arguments.multirun
        or arguments.help
        or arguments.hydra_help
        or arguments.cfg
        or arguments.info
    ):
        return None
    given = [each.value() for each in parsed if each.key_or_group.lstrip("+") == "resume"]
    return None if not given or given[-1] is None else str(given[-1])


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
