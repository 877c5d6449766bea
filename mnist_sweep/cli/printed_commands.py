"""Command lines that are printed to be given again: quoted for Hydra's grammar and for a shell."""

import io
import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mnist_sweep.allowed_targets import ENVIRONMENT_VARIABLE
from mnist_sweep.study_folder import STORAGE
from mnist_sweep.text import command_folder, relative

TRAIN = ("python", "-m", "mnist_sweep.train")
SCRIPT = "mnist-sweep"  # what an installation calls the same
VENV = ".venv"  # as the Makefile has it
# Options of Hydra's that say what is composed, by the name of what they set.
OPTIONS = {
    "config_path": "--config-path",
    "config_name": "--config-name",
    "config_dir": "--config-dir",
}
# What Hydra's grammar takes for a text: a word or a path, but no number.
PLAIN = re.compile(r"(?:[A-Za-z_]|[\w.-]*/)[\w./:-]*", re.ASCII)
WORDS = ("null", "true", "false", "nan", "inf")  # and what it does not


@dataclass(frozen=True)
class Program:
    """How a Hydra application was started: its words, Hydra's options, what the environment set."""

    words: Sequence[str] = TRAIN
    options: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def ours(self) -> bool:
        """Whether it is this project's training entry."""
        return tuple(self.words) in (TRAIN, (SCRIPT,))

    def command(self, overrides: Sequence[str] = ()) -> str:
        """Return the line that starts it with overrides, which are of Hydra's grammar."""
        return shell([*self.words, *self.options, *overrides], self.environment)

    def entry(self, name: str, **settings: str | None) -> str:
        """Return the line that starts an entry of ours, such as `report`, for its studies."""
        return entry(name, self.environment, **settings)

    def for_study(self, name: str, study: str, address: str | None) -> str:
        """Return the line that starts an entry for a study of this application."""
        if self.ours:
            return for_study(name, study, address, self.environment)
        return self.entry(name, study=study, storage=address)

    def recorded(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "words": list(self.words),
            "options": list(self.options),
            "environment": dict(self.environment),
        }


def from_record(recorded: Any) -> Program:
    """Return what `Program.recorded` wrote down; a study of another kind has the default."""
    if not isinstance(recorded, Mapping):
        return Program()
    words, options = recorded.get("words"), recorded.get("options")
    environment = recorded.get("environment")
    if not (isinstance(words, list) and words and isinstance(options, list)):
        return Program()
    named = environment if isinstance(environment, dict) else {}
    kept = (
        {ENVIRONMENT_VARIABLE: str(named[ENVIRONMENT_VARIABLE])}
        if ENVIRONMENT_VARIABLE in named
        else {}
    )
    return Program([str(word) for word in words], [str(option) for option in options], kept)


def by_make() -> bool:
    """Whether this is our training entry, started by make: whose targets are then known."""
    return "MAKELEVEL" in os.environ and this_program().ours


def has_makefile() -> bool:
    """Whether the command was given in this project's checkout, in the environment of its Makefile.

    In another environment its targets would first install theirs.
    """
    checkout = Path(__file__).resolve().parents[2]
    return (
        command_folder().resolve() == checkout
        and (checkout / "Makefile").is_file()
        and Path(sys.prefix).resolve() == (checkout / VENV).resolve()
        and shutil.which("make") is not None
    )


def for_study(
    name: str,
    study: str,
    address: str | None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Return the line that starts an entry for a study: by make where its targets can be made."""
    if has_makefile():
        return make_target(name, environment, study=study, storage=address)
    return entry(name, environment, study=study, storage=address)


def make_target(
    name: str,
    environment: Mapping[str, str] | None = None,
    *,
    storage: str | None = None,
    **variables: str,
) -> str:
    """Return the line that makes a target of the Makefile with variables, by lower-case names.

    The database is left out where it is the one that the Makefile has itself.
    """
    if storage not in (None, STORAGE):
        variables["storage"] = str(storage)
    words = [f"{key.upper()}={value}" for key, value in variables.items()]
    return shell(["make", name, *words], _environment() if environment is None else environment)


def this_program() -> Program:
    """Return how this process was started, for a command to be given again from the same folder."""
    return Program(_words(), _options(sys.argv[1:]), _environment())


def resuming() -> Program:
    """Return the program that resumes a run, which carries its own config."""
    return Program(TRAIN, (), _environment())


def _words() -> list[str]:
    main = getattr(sys.modules["__main__"], "__spec__", None)
    if main is not None:
        return ["python", "-m", main.name.removesuffix(".__main__")]
    script = Path(sys.argv[0])
    return ["python", relative(script)] if script.suffix == ".py" else [script.name]


def _options(arguments: Sequence[str]) -> list[str]:
    """Return Hydra's options among a command line's words, as Hydra itself reads them.

    There are none where the words are another program's, which has started Hydra by itself.
    """
    from mnist_sweep.private_names import options_parser

    try:
        with redirect_stderr(io.StringIO()):
            given, _ = options_parser().parse_known_args(list(arguments))
    except SystemExit:
        return []
    values = {option: getattr(given, name, None) for name, option in OPTIONS.items()}
    return [word for option, value in values.items() if value for word in (option, str(value))]


def _environment() -> dict[str, str]:
    value = os.environ.get(ENVIRONMENT_VARIABLE)
    return {ENVIRONMENT_VARIABLE: value} if value else {}


def entry(name: str, environment: Mapping[str, str] | None = None, **settings: str | None) -> str:
    """Return the line that starts an entry of ours with settings; None leaves one out.

    Its settings are taken as they are written: they need no quotes but the shell's.
    """
    words = [f"{key}={value}" for key, value in settings.items() if value is not None]
    known = _environment() if environment is None else environment
    return shell(["python", "-m", f"mnist_sweep.{name}", *words], known)


def override(key: str, value: str) -> str:
    """Return an override that sets a key to a text, whatever the text is.

    Hydra's grammar has no quotes for a line break.
    """
    if PLAIN.fullmatch(value) and value.lower() not in WORDS:
        return f"{key}={value}"
    from hydra.core.override_parser.types import Quote, QuotedString

    literal = value.replace("${", r"\${")  # which would stand for another setting
    return f"{key}={QuotedString(literal, Quote.single).with_quotes()}"


def shell(words: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """Return words as a line of a POSIX shell, with what the environment has to have before it."""
    before = [f"{name}={shlex.quote(value)}" for name, value in (environment or {}).items()]
    return " ".join([*before, shlex.join(words)])
