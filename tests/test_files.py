import errno
import os
from pathlib import Path

import pytest

from mnist_sweep.files import (
    LEFTOVER,
    FileError,
    reason,
    remove_leftovers,
    replacing,
    size_of,
    writing,
)


def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path):
    left = [tmp_path / f".last.pt.{number:08x}.tmp" for number in range(2)]
    others = [tmp_path / name for name in ("last.pt", ".tmp", ".mine.tmp", ".last.pt.0000000z.tmp")]
    for path in [*left, *others]:
        path.write_text("half")
    os.utime(left[0], (0, 0))
    remove_leftovers(tmp_path, seconds=60)
    assert not left[0].exists()
    assert left[1].exists(), "somebody may be writing it"
    remove_leftovers(tmp_path)
    assert not left[1].exists()
    assert all(path.exists() for path in others)
    remove_leftovers(tmp_path / "missing")


def test_a_file_that_cannot_be_replaced_is_named_as_the_user_knows_it(tmp_path):
    path = Path("missing/result.json")
    with pytest.raises(FileNotFoundError) as raised, replacing(path) as temporary:
        temporary.write_text("{}")
    assert raised.value.filename == str(path)
    with pytest.raises(FileNotFoundError) as raised, replacing(path) as temporary:
        Path(os.path.abspath(temporary)).write_text("{}")  # noqa: PTH100
    assert raised.value.filename == str(path)
    other = tmp_path / "other"
    with pytest.raises(FileNotFoundError) as raised, replacing(tmp_path / "a"):
        other.read_text()
    assert raised.value.filename == str(other)


def test_what_is_said_is_why_it_was_not_written_and_not_why_nothing_was_removed(
    tmp_path, monkeypatch
):
    def refuse(path, missing_ok=False):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(OSError, match="No space left"), replacing(tmp_path / "a"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_name_that_replacing_writes_to_is_a_leftover_where_it_stays(tmp_path):
    with replacing(tmp_path / "result.json") as temporary:
        assert LEFTOVER.fullmatch(temporary.name)
        temporary.touch()


def test_the_file_is_replaced_when_the_block_ends_and_not_before(tmp_path):
    path = tmp_path / "result.json"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "result.json"
    path.write_text("old")

    def fail():
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert path.read_text() == "old"


def test_two_may_replace_a_file_at_once_and_nothing_is_left_of_either(tmp_path):
    path = tmp_path / "results.yaml"
    with replacing(path) as first, replacing(path) as second:
        assert first != second
        first.write_text("one")
        second.write_text("two")
    assert path.read_text() == "one"
    assert [p.name for p in tmp_path.iterdir()] == ["results.yaml"]


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "make room there, or choose another place"),
        (errno.EACCES, "change its permissions, or choose another place"),
        (errno.EROFS, "choose a place that can be written to"),
    ],
)
def test_what_an_operation_failed_by_comes_with_what_can_be_done(number, advice):
    assert reason(OSError(number, os.strerror(number))) == f"{os.strerror(number)} ({advice})"


def test_what_the_system_has_no_number_for_is_told_as_it_is():
    assert reason(OSError("broken\ndata stream")) == "broken data stream"
    assert reason(OSError()) == "OSError"


def test_what_cannot_be_written_names_the_setting_and_the_path(tmp_path):
    (tmp_path / "file").touch()
    to = tmp_path / "file" / "b"
    with pytest.raises(FileError) as raised, writing("to", to):
        to.mkdir()
    assert str(raised.value) == (
        f"to={to} cannot be written: Not a directory "
        "(a part of that path is a file, not a folder: choose another)"
    )
    message = r"to=here cannot be written: .*absent/a: No such file"
    with pytest.raises(FileError, match=message), writing("to", Path("here")):
        (tmp_path / "absent" / "a").touch()


def test_a_folders_size_is_that_of_its_files_and_not_of_what_links_lead_to(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "big").write_bytes(b"x" * 1000)
    (tmp_path / "a" / "b" / "file").write_bytes(b"x" * 30)
    (tmp_path / "a" / "folder").symlink_to(tmp_path)
    assert size_of(tmp_path / "a") == 30
    assert size_of(tmp_path / "nowhere") == 0


def test_what_is_there_and_no_file_is_written_to_itself(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with replacing(pipe) as path:
        assert path == pipe
        path.write_text("said")
    assert os.read(reader, 10) == b"said"
    os.close(reader)
    assert pipe.is_fifo()
