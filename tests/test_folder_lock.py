from pathlib import Path

import pytest

from mnist_sweep.errors import UserError
from mnist_sweep.files import FileError
from mnist_sweep.folder_lock import alone_in, holding

BUSY = UserError("another is at work here")


def test_a_second_program_is_kept_out_until_the_first_has_ended(tmp_path):
    folder = tmp_path / "new" / "folder"
    with (
        alone_in(folder, "to", BUSY),
        pytest.raises(UserError, match="another is at work"),
        alone_in(folder, "to", BUSY),
    ):
        pytest.fail("both are in")
    with alone_in(folder, "to", BUSY):
        assert (folder / ".lock").exists()


def test_a_folder_that_cannot_be_made_names_the_setting():
    Path("file").touch()
    with (
        pytest.raises(FileError, match=r"^to=file cannot be written"),
        alone_in(Path("file"), "to", BUSY),
    ):
        pytest.fail("it is no folder")


def test_a_folder_is_held_without_a_file_in_it(tmp_path):
    with (
        holding(tmp_path, BUSY),
        pytest.raises(UserError, match="another is at work"),
        holding(tmp_path, BUSY),
    ):
        pytest.fail("both hold it")
    with holding(tmp_path, BUSY):
        assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_yet_is_held_by_nobody(tmp_path):
    with holding(tmp_path / "new", BUSY), holding(tmp_path / "new", BUSY):
        assert not (tmp_path / "new").exists()
