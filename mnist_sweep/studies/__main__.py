"""The studies of a storage.

    python -m mnist_sweep.studies                          a line a study
    python -m mnist_sweep.studies json=true                the same for programs
    python -m mnist_sweep.studies delete=NAME yes=true     remove a study and its folder
    python -m mnist_sweep.studies rename=OLD to=NEW        rename a study and its folder
    python -m mnist_sweep.studies export=NAME to=FILE.zip  both as one file, for another machine

storage  where they are; sqlite:///multirun/optuna.db where that is left out
json     true: the list as JSON
delete   the study to remove
yes      without it, delete= says what would be removed and how large it is
rename   the study that gets another name
export   the study that goes into a file
to       the new name of rename=, or the file of export=

A study that is being swept, or confirmed, is neither deleted nor renamed. docs/studies.md has what
the list and its JSON say, and how an exported study is opened.
"""

import json
import sys
from dataclasses import dataclass
from datetime import datetime

import optuna

from mnist_sweep.cli import arguments
from mnist_sweep.cli.arguments import ArgumentError
from mnist_sweep.cli.terminal import USUAL, columns
from mnist_sweep.passwords import without_password
from mnist_sweep.studies.deletion import delete
from mnist_sweep.studies.export import export
from mnist_sweep.studies.listing import Entry, as_data, read_entries
from mnist_sweep.studies.opening import open_to_change
from mnist_sweep.studies.table import studies_counted, table
from mnist_sweep.study_folder import STORAGE
from mnist_sweep.sweep.read_only import answering, open_to_read
from mnist_sweep.text import printable


@dataclass
class Studies:
    """The command line; see the module."""

    storage: str = STORAGE
    json: bool = False
    delete: str | None = None
    yes: bool = False
    rename: str | None = None
    export: str | None = None
    to: str | None = None


def main(asked: Studies) -> None:
    """List the studies, or change the one that is named."""
    _check(asked)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with answering(asked.storage):
        if asked.export is not None:
            export(asked.export, asked.storage, open_to_read(asked.storage), str(asked.to))
        elif asked.delete is not None or asked.rename is not None:
            _change(asked)
        else:
            entries = read_entries(open_to_read(asked.storage), asked.storage)
            _print(entries, asked)


def _check(asked: Studies) -> None:
    actions = {
        f"{name}={getattr(asked, name)}": name
        for name in ("delete", "rename", "export")
        if getattr(asked, name) is not None
    }
    if len(actions) > 1:
        raise ArgumentError(f"{' and '.join(actions)}: give one of them")
    given, action = next(iter(actions.items()), ("the list", ""))
    if asked.json and action:
        raise ArgumentError(
            f"json=true is of the list, and has no effect with {given}: leave it out"
        )
    if asked.yes and action != "delete":
        raise ArgumentError(f"yes=true has an effect with delete= only, not with {given}")
    if (asked.to is not None) != (action in ("rename", "export")):
        what = {"rename": "its new name", "export": "a file.zip"}
        raise ArgumentError(
            f"{given} needs to=, {what[action]}"
            if action in what
            else f"to={asked.to} has an effect with rename= and export= only, not with {given}"
        )


def _change(asked: Studies) -> None:
    storage = open_to_change(asked.storage)
    try:
        if asked.delete is not None:
            delete(asked.delete, storage, asked.yes)
        else:
            from mnist_sweep.studies.renaming import rename  # torch comes with it

            rename(str(asked.rename), str(asked.to), storage)
    finally:
        storage.close()


def _print(entries: list[Entry], asked: Studies) -> None:
    where = without_password(asked.storage)
    if asked.json:
        print(json.dumps({"storage": where, "studies": as_data(entries)}, indent=2))
        return
    print(f"{studies_counted(len(entries))} in {where}")
    width = min(columns(sys.stdout) or USUAL, 2 * USUAL)
    for line in table(entries, width, datetime.now()) if entries else ():
        print(line)
    for entry in entries:
        if entry.reason:
            print(f"{printable(entry.name)} cannot be read: {printable(entry.reason)}")


if __name__ == "__main__":
    arguments.run(Studies, __doc__ or "", main, wait="reading the studies")
