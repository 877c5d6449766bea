"""Command lines of key=value beside the training entry's: Hydra's manner without its start."""

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar

from omegaconf import OmegaConf

from mnist_sweep.cli import encoding
from mnist_sweep.cli.interruption import exit_interrupted, interruptible
from mnist_sweep.cli.waiting import waiting
from mnist_sweep.config import typed
from mnist_sweep.errors import UserError
from mnist_sweep.files import reason_and_place

Arguments = TypeVar("Arguments")

MOST_PORT = 65_535
GIVEN = "_given"  # the attribute of what was parsed with the names that the command line has
LITERAL = "$\0{"  # stands for "${": no command line can have it


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
            raise ArgumentError(f"{word}: {name}={given[name]} is given already; leave one out")
        given[name] = value
    for field in fields(schema):  # type: ignore[arg-type]
        if (
            field.default is MISSING
            and field.default_factory is MISSING
            and not given.get(field.name)
        ):
            raise ArgumentError(f"{field.name}= must be given; {_known(names)}")
    # A "${" in a path is no interpolation, and a "~" after the "=" is one that no shell expands.
    literal = {name: home(value).replace("${", LITERAL) for name, value in given.items()}
    parsed = OmegaConf.to_object(typed(schema, OmegaConf.create(literal)))
    assert isinstance(parsed, schema)
    for name in names:
        value = getattr(parsed, name)
        if isinstance(value, str):
            setattr(parsed, name, value.replace(LITERAL, "${"))
    setattr(parsed, GIVEN, frozenset(given))
    return parsed


def check_effect(parsed: object, names: Sequence[str], has_effect: bool, when: str) -> None:
    """Refuse settings that the command line gives in vain, by ArgumentError.

    `when` says in which case they have no effect, as in "without study=".
    """
    idle = [name for name in names if name in getattr(parsed, GIVEN, ())]
    if idle and not has_effect:
        raise ArgumentError(
            f"{idle[0]}={getattr(parsed, idle[0])} has no effect {when}: leave it out"
        )


def _known(names: Sequence[str]) -> str:
    return f"known are {', '.join(f'{name}=' for name in names)}"


def check_address(host: str, port: int) -> None:
    """Refuse where no server can listen, and the empty name, which is every address of the machine.

    Raises ArgumentError.
    """
    if not host.strip():
        raise ArgumentError("host= names no address: 127.0.0.1 is this machine alone, 0.0.0.0 all")
    if not 0 <= port <= MOST_PORT:
        raise ArgumentError(f"port must be from 0 to {MOST_PORT}, but got {port}")


def home(path: str) -> str:
    """Return a path whose "~" is expanded, unless something here has that name."""
    return path if not path.startswith("~") or _is_there(path) else os.path.expanduser(path)  # noqa: PTH111


def paths(text: str) -> list[str]:
    """Return the paths that a setting names, separated by commas.

    A path may have commas in it: what is there by a longer name takes precedence over what is by
    its parts. One in quotes, '...' or "...", is taken as it is. Brackets around all of them, as of
    Hydra's lists, are taken off.
    """
    if not text.strip() or _is_there(text):
        return [text] if text.strip() else []
    inside = text.strip()
    if inside.startswith("[") and inside.endswith("]") and not _is_there(inside):
        inside = inside[1:-1]
    words = list(_words(inside))
    found: list[str] = []
    while words:
        count = next((n for n in range(len(words), 1, -1) if _is_one(words[:n])), 1)
        name = ",".join(raw for raw, _ in words[:count])
        _, quoted = words[0]
        name = name if quoted else name.strip()
        if name:
            found.append(home(name))
        words = words[count:]
    return found


def _words(text: str) -> Iterator[tuple[str, bool]]:
    """Yield what lies between commas, and whether it is in quotes."""
    position = 0
    while position <= len(text):
        quoted = _QUOTED.match(text, position)
        if quoted:
            yield quoted["inside"], True
            position = quoted.end() + 1
            continue
        end = text.find(",", position)
        end = len(text) if end < 0 else end
        yield text[position:end], False
        position = end + 1


# A whole word only: a quote in the middle of a name is part of it.
_QUOTED = re.compile(r"""\s*(?P<quote>['"])(?P<inside>.*?)(?P=quote)\s*(?=,|$)""")


def _is_one(words: Sequence[tuple[str, bool]]) -> bool:
    """Whether words that commas part are one path that is there."""
    return not any(quoted for _, quoted in words) and _is_there(
        home(",".join(raw for raw, _ in words).strip())
    )


def _is_there(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # a name that no file system takes
        return False


def run(
    schema: type[Arguments], usage: str, entry: Callable[[Arguments], Any], wait: str | None = None
) -> None:
    """Parse the command line and call the entry; see `run_words` for the rest."""
    run_words(usage, lambda words: entry(parse(schema, words)), wait)


def run_words(usage: str, entry: Callable[[list[str]], Any], wait: str | None = None) -> None:
    """Call the entry with the command line's words; end the process as a user expects.

    `wait` says what it does until it prints something, for a terminal to show.

    An error that a user can cause, one of the system's included, is one line and exit code 1;
    `--help` prints the usage. SIGTERM is taken as Ctrl-C is. Where the reader of the output has
    gone, as `head` does, the process ends as one that SIGPIPE ends.
    """
    encoding.prepare()
    words = sys.argv[1:]
    try:
        if any(word in ("-h", "--help") for word in words):
            print(usage.strip())
        else:
            with interruptible(), waiting(wait) if wait else nullcontext():
                entry(words)
        print(end="", flush=True)
    except UserError as error:
        encoding.fail(str(error))
    except KeyboardInterrupt as stop:
        encoding.settle()
        exit_interrupted(stop)
    except BrokenPipeError:
        encoding.discard()
        sys.exit(141)
    except OSError as error:
        encoding.fail(reason_and_place(error))
