"""What ends a sweep."""

from hydra.errors import CompactHydraException


class SweepError(CompactHydraException):
    """An end of a sweep that a user can do something about.

    Hydra prints a compact exception as its one line, without a traceback, and exits with code 1.
    """

    def __init__(self, message: str) -> None:
        super().__init__(f"error: {message}")
