"""What earlier versions have written is read, and resumed, by this one.

0.2.0/ was made by that version, of its commit 9f52027, in an empty folder:

    W="search=command_line model=mlp model.hidden=range(2,6) data=mnist_5k tracking=none threads=1
       hydra/sweeper/pruner=none hydra.sweeper.study_name=old hydra.sweeper.n_jobs=1 epochs=2
       hydra.sweeper.storage=journal:///multirun/studies.log"
    python -m mnist_sweep.train -m $W hydra.sweeper.n_trials=2
    python -m mnist_sweep.confirm study=old storage=... seeds=2 epochs=1 top=1 default=false
    python -m mnist_sweep.export run=multirun/old/1 to=bundle
    python -m mnist_sweep.train -m $W hydra.sweeper.n_trials=3    # kill -9 after an epoch

Left out: logs, Hydra's own record, the runs of the confirmation. The machine's name is changed.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mnist_sweep import formats
from mnist_sweep.confirm.conclusion import read_conclusions
from mnist_sweep.report.study_report import study_report
from mnist_sweep.run.directory import RunDirectory
from mnist_sweep.run.exported import read_bundle
from mnist_sweep.run.load import load_trained
from mnist_sweep.studies.listing import read_entries
from mnist_sweep.sweep.read_only import open_to_read
from mnist_sweep.sweep.study_record import read_study

STORAGE = "journal:///multirun/studies.log"
OLD = Path("multirun/old")
SWEEP = ["search=command_line", "model=mlp", "model.hidden=range(2,6)", "data=mnist_5k"]
SWEEP += ["tracking=none", "threads=1", "hydra/sweeper/pruner=none", "hydra.sweeper.n_jobs=1"]
SWEEP += ["hydra.sweeper.study_name=old", f"hydra.sweeper.storage={STORAGE}", "epochs=2"]


@pytest.fixture(autouse=True)
def _as_it_was_left(_isolated):
    shutil.copytree(Path(__file__).parent / "0.2.0", ".", dirs_exist_ok=True)


def test_a_study_is_read_listed_and_reported_on():
    record = read_study("old", STORAGE)
    assert [row.status for row in record.rows] == ["complete", "complete", "running"]
    assert [row.values for row in record.best] == [(0.746,), (0.182,)]
    assert record.folder == OLD
    assert study_report(record).sections
    (entry,) = read_entries(open_to_read(STORAGE), STORAGE)
    assert entry.progress == "2/3"


def test_a_run_is_loaded_with_its_weights_and_its_checkpoint_read():
    result = RunDirectory(OLD / "0").read_result()
    assert result["status"] == "complete"
    assert formats.KEY not in result
    assert load_trained(str(OLD / "0"), torch.device("cpu")).result["parameters"] == 3_190
    assert RunDirectory(OLD / "2").load_last(torch.device("cpu")).keys() >= {"training", "seconds"}


def test_a_confirmation_is_read():
    (conclusion,) = read_conclusions([OLD])
    (standing,) = conclusion.standings
    assert (standing.title, standing.seeds) == ("trial 0", [1000, 1001])


def test_a_bundle_is_read_and_reads_digits():
    bundle = read_bundle("bundle", torch.device("cpu"))
    found = bundle.probabilities(torch.zeros(1, 28, 28, dtype=torch.uint8))
    assert found.shape == (1, 10)
    assert bundle.temperature != 1


@pytest.mark.slow
def test_a_study_is_resumed_and_its_interrupted_trial_from_the_checkpoint():
    before = (OLD / "2" / "metrics.jsonl").read_text()
    command = [sys.executable, "-m", "mnist_sweep.train", "-m", *SWEEP]
    # Its sweep was on another machine, as far as this one can tell.
    command += ["hydra.sweeper.n_trials=4", "hydra.sweeper.grace_period=1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "trial 2: its process is gone; it is requeued and will be resumed" in done.stdout
    record = read_study("old", STORAGE)
    assert [row.status for row in record.rows] == ["complete"] * 4
    assert record.study.user_attrs[formats.STUDY_KEY] == formats.STUDY
    after = (OLD / "2" / "metrics.jsonl").read_text()
    assert after.startswith(before), "the epoch that was done is not done again"
    assert [json.loads(line)["epoch"] for line in after.splitlines()] == [1, 2]
