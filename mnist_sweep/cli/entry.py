"""Around Hydra's start: what a user can cause ends in one line also where Hydra would print more.

Hydra has no public hook for that; see `mnist_sweep.private_names.reporting_through`.
"""

import inspect
import io
import re
import sys
import traceback
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, suppress
from pathlib import Path
from typing import Any, NoReturn

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.core.utils import configure_log
from hydra.errors import (
    CompactHydraException,
    HydraException,
    InstantiationException,
)

from mnist_sweep.allowed_targets import how_to_allow
from mnist_sweep.cli import encoding
from mnist_sweep.cli.encoding import error_line
from mnist_sweep.cli.hydra_errors import said
from mnist_sweep.cli.interruption import exit_interrupted, interruptible
from mnist_sweep.cli.unstarted import leave_nothing
from mnist_sweep.config import ConfigError
from mnist_sweep.errors import UserError, explain, full_errors, shown
from mnist_sweep.hydra_part import config_directory
from mnist_sweep.private_names import options_parser, reporting_through
from mnist_sweep.text import nearest, one_line, visible

UNKNOWN = re.compile(r"got an unexpected keyword argument '(.*?)'.*full_key: (hydra\.\w+)", re.S)
LOGGING = "hydra.job_logging or hydra.hydra_logging"
# A setting that conf/search gives to a sweeper which has none of that name.
FOREIGN = re.compile(r"In 'search/.*Key '(\w+)' not in '(\w+)SweeperConf'", re.S)
TARGET = re.compile(r"[Tt]arget '(.*?)'")


class Refusal(CompactHydraException):
    """What Hydra prints as its one line, without a traceback, before it exits with code 1."""


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Have Hydra end in one line for what a user can cause, and as expected when interrupted."""
    try:
        with interruptible(), reporting_through(_refusing):
            yield
    except KeyboardInterrupt as stop:
        exit_interrupted(stop)
    except ValueError as error:  # Hydra's, of options that do not go together
        if not str(error).startswith(("Only one of --run", "The --resolve flag", "--experimental")):
            raise
        encoding.fail(str(error))
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
        raise Refusal(error_line(error)) from error
    except CompactHydraException as error:
        raise Refusal(_of_hydra(error)) from error
    except OSError as error:
        raise Refusal(error_line(explain(error))) from error
    except TypeError as error:
        message = _unknown_setting(error)
        if message is None:
            raise
        raise Refusal(error_line(message)) from error
    except Exception as error:
        if not is_of_logging(error):
            raise
        _leave_nothing(error)
        raise Refusal(error_line(f"{LOGGING}: {_reason(error)}")) from error


def _of_hydra(error: CompactHydraException) -> str:
    """Return what is printed of an error that Hydra would print as it is.

    Ours among them say "error: " themselves, and may list what failed, a line each.
    """
    text = str(error)
    if text.startswith("error: "):
        return visible(text) if "\n" in text else error_line(text[7:])
    found = FOREIGN.search(text)
    if found is None:
        return error_line(said(error))
    setting, sweeper = found.groups()
    return error_line(
        f"hydra/sweeper={sweeper.lower()} has no {setting}, which the search sets: "
        "add search=none, or leave hydra/sweeper out"
    )


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


def check_words(words: Sequence[str]) -> None:
    """Raise ConfigError for what no command line can mean, which would end in a traceback."""
    for word in words:
        try:
            word.encode("utf-8")
        except UnicodeEncodeError as error:  # the record of a run could not hold it
            raise ConfigError(f"{word!r} is not text in UTF-8: write it in that") from error
        if word.lstrip("+~").startswith("="):
            raise ConfigError(f"{word!r} names no setting before its =; write name=value")
    try:
        with suppress(HydraException):  # which says it itself
            for override in OverridesParser.create().parse_overrides(options(words).overrides):
                _check_option(override)
    except (RecursionError, ValueError) as error:  # the latter of a number of 5,000 digits
        what = "nested too deeply" if isinstance(error, RecursionError) else "no value that is read"
        raise ConfigError(f"{shown(max(words, key=len))!r} is {what}: shorten it") from error


def _check_option(override: Override) -> None:
    """Raise ConfigError for model=null: a group without an option, but for `experiment`."""
    name, value = override.key_or_group, override.value()
    if override.type != OverrideType.CHANGE or not isinstance(value, int | float | None):
        return
    groups = {path.name for path in Path(config_directory()).iterdir() if path.is_dir()}
    if name in groups - {"experiment"}:
        raise ConfigError(f"{override.input_line}: {name} is a group of configs: name an option")


def options(words: Sequence[str]) -> Namespace:
    """Return a command line's options and overrides, as Hydra's own parser has them.

    Raises ConfigError for an option that it does not have. Exits where it prints something.
    """
    printed = io.StringIO()
    try:
        with redirect_stderr(printed):
            return options_parser().parse_intermixed_args(list(words))
    except SystemExit as stop:
        if not stop.code:
            raise
        problem = printed.getvalue().rpartition("error: ")[2]
        raise ConfigError(f"{one_line(problem)}; see --help") from stop


def resumed_run(words: Sequence[str]) -> str | None:
    """Return the run directory that a command line resumes; None where it starts a new run.

    None too for a multirun, and where the command line cannot be read, or only asks for help or a
    config.
    """
    try:
        arguments = options(words)
        parsed = OverridesParser.create().parse_overrides(arguments.overrides)
    except (ConfigError, HydraException):
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
    are left out, as they are where it composes a sweep. Raises ConfigError for an option that Hydra
    does not have.
    """
    arguments = options(words)
    if not (arguments.multirun and (arguments.cfg or arguments.info)):
        return list(words)
    parsed = OverridesParser.create().parse_overrides(arguments.overrides)
    swept = {override.input_line for override in parsed if override.is_sweep_override()}
    left_out = {*swept, "-m", "--multirun", "-i", "--info", arguments.info}
    asked = [f"--info={arguments.info}"] if arguments.info else []
    return ["hydra.mode=MULTIRUN", *(word for word in words if word not in left_out), *asked]
