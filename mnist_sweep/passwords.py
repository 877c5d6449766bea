"""Addresses of stores as they may be printed and recorded: without what opens them."""

import re
from collections.abc import Iterator
from urllib.parse import unquote, unquote_plus

HIDDEN = "***"

# Names of parameters that hold a secret, or a whole connection string that may have one.
SECRET = re.compile(
    r"pass|pwd|token|secret|credential|signature|^sig$|auth|(api|access|account|private).?key"
    r"|odbc_connect|dsn",
    re.IGNORECASE,
)
# A user and a password, which may hold what ends a host elsewhere: to the last @.
USER = re.compile(r"//([^\s/?#]*)@|//([^\s:/@?#]*:[^\s@]*)@")
# A parameter's name, to its equals sign; its value may be an address with parameters of its own.
NAME = re.compile(r"(?:[?&;]|^|(?<=[\s'\"]))([^\s=&;?#'\"]+)=")
VALUE = re.compile(r"[^\s&;#'\"]*")


def without_password(address: str | None) -> str | None:
    """Return an address, or a text with addresses in it, without passwords, tokens and the like."""
    if address is None:
        return None
    hidden = str(address)
    for start, end in sorted(_secrets(hidden), reverse=True):
        hidden = f"{hidden[:start]}{HIDDEN}{hidden[end:]}"
    return hidden


def said_of(address: str | None, text: str) -> str:
    """Return what a driver says, without the secrets of the address that it was given."""
    given = str(address or "")
    for start, end in _secrets(given):
        for secret in {given[start:end], unquote(given[start:end]), unquote_plus(given[start:end])}:
            text = text.replace(secret, HIDDEN) if secret else text
    return str(without_password(text))


def _secrets(address: str) -> Iterator[tuple[int, int]]:
    """Yield where a text has secrets; none lies within another."""
    found: list[tuple[int, int]] = []
    for match in USER.finditer(address):
        group = 1 if match[1] is not None else 2
        begin, end = match.span(group)
        user, colon, _ = match[group].partition(":")
        on_the_web = address[: match.start()].endswith(("http:", "https:"))
        if colon or on_the_web:  # a name alone is a token there, and a name in a database's address
            begin += 0 if on_the_web and not colon else len(user) + 1
            found.append((begin, end))
    for match in NAME.finditer(address):
        value = VALUE.match(address, match.end())
        if value and value[0] and SECRET.search(unquote_plus(match[1])):
            begin, end = value.span()
            if not any(first < end and begin < last for first, last in found):
                found.append((begin, end))
    yield from found
