"""What Hydra says of a command line or a config that it refuses, as one line."""

import re

from hydra.errors import HydraException, OverrideParseException

from mnist_sweep.text import one_line

# Lines of Hydra's that say where inside it something happened, or what its installation has.
INSIDE = re.compile(
    r"^\s*(full_key: |object_type=|reference_type=|See https?://|Error parsing override "
    r"|Config search path:|provider=|\^).*$",
    re.MULTILINE,
)
# How it says which word of the command line it is about, with all of them.
WHICH = re.compile(r"Error when parsing index: \d+, string: .*? out of \[.*?\]\.\n", re.DOTALL)
# How the reasons begin that Hydra's parser gives, and none of its functions.
OF_THE_GRAMMAR = re.compile(
    r"(?!missing EQUAL)missing|mismatched input|extraneous input|no viable|Lexer|token"
)
# What could have been there instead: names of the grammar's.
EXPECTED = re.compile(r" expecting (\{.*\}|\w+)$")


def said(error: HydraException) -> str:
    """Return an error of Hydra's as one line, without what is of its inside.

    An override that its grammar does not take is repeated: it may be an empty one, or have
    characters that cannot be seen.
    """
    text = INSIDE.sub("", WHICH.sub("", str(error)))
    if not isinstance(error, OverrideParseException):
        return one_line(text)
    reason = one_line(text)
    hint = "; a value with special characters needs quotes, \"name='a b'\""
    return (
        f"{error.override!r} is no override such as 'epochs=5': {_in_words(reason)}"
        f"{hint if OF_THE_GRAMMAR.match(reason) else ''}"
    )


def _in_words(reason: str) -> str:
    """Return why the grammar does not take an override, without the grammar's own names."""
    if reason.startswith("missing EQUAL"):
        return "it has no ="
    if "'<EOF>'" in reason:
        return "it ends too early"
    if reason.startswith(("Lexer", "token")):  # with the override, and a mark below its character
        return "a character in it is none of the grammar's"
    return EXPECTED.sub("", reason)
