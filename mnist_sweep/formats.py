"""The formats of what is written for later, by number: a version reads those up to its own.

A number is raised where what an older version would read out of the new is wrong. Adding a setting
or a figure is no new format: what a record lacks has its default. What has no number is of 0.2.0 or
before, whose records are read as they are. Bundles have their number in `run/exported.py`, which
reads one format alone.
"""

from mnist_sweep.errors import UserError

RUN = 1  # a run directory: result.json, metrics.jsonl, checkpoints, .hydra/
STUDY = 1  # the attributes of a study and its trials
CONFIRMATION = 1  # confirmation.json
KEY = "format"  # in a file; an attribute of a study has a longer name, beside other programs'
STUDY_KEY = "mnist_sweep:format"
UNNUMBERED = 0


class FormatError(UserError):
    """A record of a later version, which this one would misread."""


def check_format(what: str, found: object, known: int) -> None:
    """Raise FormatError where `what` has a later format than the one that is known.

    None is a record of before there were numbers. What is no number is not looked at here: the
    reader of the rest says what is damaged.
    """
    number = UNNUMBERED if found is None else found
    if isinstance(number, int) and not isinstance(number, bool) and number > known:
        raise FormatError(
            f"{what} has format {number}, of a later version of mnist-sweep; this one reads formats"
            f" up to {known}: open it with the version that wrote it, or a later one"
        )
