"""Two sweeps at once on one real PostgreSQL server, which is started and stopped here."""

import json
import os
import subprocess
import sys

import optuna
import pytest
import sqlalchemy
from sqlalchemy.pool import NullPool

from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.read_only import is_there
from mnist_sweep.sweep.storage import open_storage
from mnist_sweep.sweep.trials.status import FINISHED, status_of

pytestmark = pytest.mark.slow


def test_a_database_without_tables_has_no_study_and_gets_none_by_looking(server):
    assert not is_there(server)
    assert not is_there(server)
    open_storage(server).close()
    assert is_there(server)


def test_a_database_may_hold_another_programs_tables_of_other_names_only(databases):
    address = databases.create("shared_with_others")
    engine = sqlalchemy.create_engine(address, poolclass=NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE bookmarks (place text)")
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num text)")
    with pytest.raises(SweepError, match="another program's table 'alembic_version' is in it"):
        open_storage(address)
    assert not is_there(address)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE alembic_version")
    open_storage(address).close()
    assert is_there(address)


def test_what_was_done_under_the_lock_counts_although_its_connection_was_lost(server):
    storage = open_storage(server)
    done = []
    with storage.lock("s"):
        with storage.engine.connect() as connection:
            others = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
            connection.exec_driver_sql(others)
        done.append("proposed")
    with storage.lock("s"):  # which is free
        done.append("proposed")
    assert done == ["proposed"] * 2
    storage.close()


def test_two_sweeps_at_once_reach_the_total_exactly_and_run_no_trial_twice(server, tmp_path):
    command = [sys.executable, "-m", "mnist_sweep.train", "-m", "search=command_line"]
    command += ["model=mlp", "data=mnist_5k", "tracking=none", "epochs=2", "batch_size=64"]
    command += ["model.hidden=range(10, 40)", "optimizer.lr=tag(log, interval(0.001, 0.1))"]
    command += ["hydra.sweeper.study_name=shared", "hydra.sweeper.n_trials=8", "threads=1"]
    command += [f"hydra.sweeper.storage={server}", "hydra.sweeper.n_jobs=1"]
    # Each in a folder of its own, as on two machines.
    folders = [tmp_path / "one", tmp_path / "two"]
    sweeps = []
    for folder in folders:
        folder.mkdir()
        sweeps.append(subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True))
    printed = [sweep.communicate(timeout=300)[0] for sweep in sweeps]
    assert [sweep.returncode for sweep in sweeps] == [0, 0], printed

    storage = open_storage(server)
    trials = optuna.load_study(study_name="shared", storage=storage.optuna).trials
    storage.close()
    finished = [t for t in trials if status_of(t) in FINISHED]
    assert len(finished) == 8
    assert {t.state.name for t in trials} <= {"COMPLETE", "PRUNED"}
    runs = [
        (int(path.parent.name), folder.name)
        for folder in folders
        for path in folder.glob("multirun/shared/[0-9]*/result.json")
    ]
    assert sorted(number for number, _ in runs) == sorted(t.number for t in finished)
    assert {folder for _, folder in runs} == {"one", "two"}, "both sweeps must have had work"
    assert len({tuple(t.params.values()) for t in trials}) == len(trials)
    # Trial 0, and it alone, is the default configuration.
    defaults = [t.number for t in trials if t.params["optimizer.lr"] == 0.003]
    assert defaults == [0]
    for number, folder in runs:
        result = json.loads(
            (tmp_path / folder / f"multirun/shared/{number}/result.json").read_text()
        )
        assert (result["trial"], result["status"]) == (
            number,
            status_of(trials[number]),
        )


def test_the_lock_of_a_study_excludes_another_connection_and_falls_with_its_holder(server):
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time\n"
            "from mnist_sweep.sweep.storage import open_storage\n"
            "with open_storage(sys.argv[1]).lock('s'):\n"
            "    print('held', flush=True)\n"
            "    time.sleep(60)\n",
            server,
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout.readline() == "held\n"
    waiting = open_storage(server)
    with waiting.engine.connect() as connection:
        key = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
        assert connection.exec_driver_sql(key).scalar() == 1
    with waiting.lock("another study"):
        pass
    os.kill(holder.pid, 9)
    holder.communicate()
    with waiting.lock("s"):  # would wait for ever if the dead held it still
        pass
    waiting.close()
