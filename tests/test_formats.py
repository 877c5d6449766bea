"""Formats of records: which are read, which are refused, and that what is written has one."""

import json
from pathlib import Path

import optuna
import pytest

from mnist_sweep import formats
from mnist_sweep.confirm.conclusion import read_conclusions, write_conclusion
from mnist_sweep.formats import FormatError, check_format
from mnist_sweep.run.directory import RunDirectory
from mnist_sweep.sweep import study_store
from mnist_sweep.sweep.study_record import read_study
from tests.report.conftest import confirmed
from tests.studies.conftest import SQLITE, swept

__all__ = ["confirmed"]  # a fixture


@pytest.mark.parametrize("found", [None, 0, 1, "1", True, [9]])
def test_what_is_not_later_is_left_to_whoever_reads_the_rest(found):
    check_format("it", found, 1)


def test_a_later_format_is_refused_with_what_to_do():
    with pytest.raises(FormatError) as raised:
        check_format("multirun/s/0", 3, 2)
    assert str(raised.value) == (
        "multirun/s/0 has format 3, of a later version of mnist-sweep; this one reads formats up "
        "to 2: open it with the version that wrote it, or a later one"
    )


def test_a_run_of_a_later_format_is_refused(finished, tmp_path):
    result = json.loads((finished / "result.json").read_text())
    assert result[formats.KEY] == formats.RUN
    run = RunDirectory(tmp_path)
    run.write_result(result)
    assert run.read_result() == result
    run.write_result(result | {formats.KEY: formats.RUN + 1})
    with pytest.raises(FormatError, match=f"{tmp_path} has format {formats.RUN + 1}"):
        run.read_result()


def test_a_confirmation_of_a_later_format_is_refused(confirmed, tmp_path):
    folder = tmp_path / "confirmation"
    folder.mkdir()
    path = write_conclusion(confirmed, folder)
    written = json.loads(path.read_text())
    assert written[formats.KEY] == formats.CONFIRMATION
    assert read_conclusions([tmp_path]) == [confirmed]
    del written[formats.KEY]
    path.write_text(json.dumps(written))
    assert read_conclusions([tmp_path]) == [confirmed], "one of before there were numbers"
    path.write_text(json.dumps(written | {formats.KEY: 2}))
    with pytest.raises(FormatError, match=r"confirmation\.json has format 2"):
        read_conclusions([tmp_path])


def test_a_study_of_a_later_format_is_neither_read_nor_swept(command, capsys):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = swept()
    assert formats.STUDY_KEY not in study.user_attrs
    study_store.record_format(study)
    read_study("s", SQLITE)
    study.set_user_attr(formats.STUDY_KEY, formats.STUDY + 1)
    with pytest.raises(FormatError, match=f"study 's' has format {formats.STUDY + 1}"):
        read_study("s", SQLITE)
    before = sorted(Path("multirun/s").rglob("*"))
    words = ["-m", "search=command_line", "model=linear", "data=mnist_5k", "seed=range(9)"]
    assert command(*words, "hydra.sweeper.study_name=s", "epochs=1") == 1
    assert "has format" in capsys.readouterr().err
    assert sorted(Path("multirun/s").rglob("*")) == before
