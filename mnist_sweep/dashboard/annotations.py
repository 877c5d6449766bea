"""Names of objectives and notes, written to a study as optuna-dashboard reads them.

What people have written is theirs: a trial that has a note keeps it, and so does a study whose note
is another than was written here last.
"""

import re
from hashlib import sha256
from typing import Any, cast

from optuna.samplers import RandomSampler
from optuna.storages import BaseStorage
from tqdm import tqdm

from mnist_sweep.dashboard.notes import ENDED, study_note, trial_note
from mnist_sweep.sweep.study_record import StudyRecord
from mnist_sweep.sweep.study_store import name_objectives
from mnist_sweep.sweep.trials.records import TrialRecords
from mnist_sweep.text import printable

WRITTEN = "mnist_sweep:note"  # the study's system attribute: a digest of the note written here
# How the notes of earlier versions begin, which left no digest.
EARLIER = ("Best trial: ", "No complete trial fits the budget.")
# optuna-dashboard's key of a trial's note among the study's system attributes.
NOTED = re.compile(r"dashboard:(\d+):note_ver")


def annotate(record: StudyRecord, storage: BaseStorage) -> int:
    """Name a study's objectives, renew its note, and give each ended trial one that has none.

    Returns how many trials got a note.
    """
    from optuna_dashboard import save_note

    if record.definition.get("objective"):
        name_objectives(record.study, record.objectives)
    records = TrialRecords(record.study, storage)
    attributes = storage.get_study_system_attrs(records.study_id)
    _renew_study_note(record, records, attributes)
    # A note is written through a `Trial`, which tells the study's sampler that it begins.
    record.study.sampler = RandomSampler()
    noted = {int(found[1]) for found in map(NOTED.fullmatch, attributes) if found}
    waiting = [
        row for row in record.rows if row.status in ENDED and records.id_of(row.number) not in noted
    ]
    for row in tqdm(waiting, desc=f"notes of {printable(record.name)}", unit="trial", disable=None):
        trial = records.trial(row.number)
        trial.storage = cast(BaseStorage, _Unnoted(storage))
        save_note(trial, trial_note(record, row))
    return len(waiting)


class _Unnoted:
    """A storage as `save_note` asks it of a trial that has no note, without reading the study.

    It reads all system attributes twice for each note, which grow by two with each: of 400 trials
    the last ones' take ten times as long as the first ones'.
    """

    def __init__(self, storage: BaseStorage) -> None:
        self.set_study_system_attr = storage.set_study_system_attr

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """Return nothing: there is no earlier version of the note, and no longer one to clear."""
        return {}


def _renew_study_note(
    record: StudyRecord, records: TrialRecords, attributes: dict[str, Any]
) -> None:
    from optuna_dashboard import get_note, save_note

    there, now = get_note(record.study), study_note(record)
    ours = not there or there.startswith(EARLIER) or attributes.get(WRITTEN) == _digest(there)
    if ours and there != now:
        save_note(record.study, now)
        records.storage.set_study_system_attr(records.study_id, WRITTEN, _digest(now))


def _digest(note: str) -> str:
    return sha256(note.encode()).hexdigest()[:16]
