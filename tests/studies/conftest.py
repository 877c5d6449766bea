"""Studies as a sweep leaves them: in a storage, with a folder of runs beside it."""

import json
from pathlib import Path

import optuna
import pytest

from mnist_sweep.sweep import study_store, summary
from mnist_sweep.sweep.storage import open_storage
from mnist_sweep.sweep.trials.outcomes import RESULT_OF_OURS
from mnist_sweep.sweep.trials.tally import Tally
from tests.conftest import prepare
from tests.report.conftest import add, confirmed, create, ran

SQLITE, JOURNAL = "sqlite:///multirun/optuna.db", "journal:///multirun/studies.log"
__all__ = ["confirmed"]  # a fixture
OURS = dict.fromkeys(RESULT_OF_OURS)


@pytest.fixture(autouse=True)
def _quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def swept(name="s", address=SQLITE, folder=None, trials=2, storage=None):
    """A study of some complete trials, each with a run in the study's folder."""
    prepare(address)
    study = create(name, storage=storage or open_storage(address).optuna)
    study_store.identity(study)
    folder = Path(folder or f"multirun/{name}")
    study_store.record_start(study, str(folder), {"words": ["python", "-m", "mnist_sweep.train"]})
    study_store.record_total(study, trials)
    for number in range(trials):
        run = folder / str(number)
        (run / ".hydra").mkdir(parents=True)
        (run / ".hydra" / "config.yaml").write_text(f"study: {name}\ntrial: {number}\nseed: 0\n")
        data = {"name": "mnist_5k", "sizes": {"val": 500}}
        result = {**OURS, "study": name, "trial": number, "status": "complete", "data": data}
        (run / "result.json").write_text(json.dumps(result))
        known = ran(
            number, run_directory=str(run), val_acc=0.9 + number / 100, data_fingerprint="a"
        )
        add(study, "complete", 0.9 + number / 100, **known)
    summary.SummaryFile(Tally(study), address, folder).told()
    return study


def names(address=SQLITE):
    return sorted(optuna.get_all_study_names(open_storage(address).optuna))
