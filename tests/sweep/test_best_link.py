import errno
import os
from pathlib import Path

import pytest

from mnist_sweep.run.load import real_directory
from mnist_sweep.sweep.best_link import point_to, remove_unfinished

BEST = Path("multirun/s/best")


@pytest.fixture
def runs():
    """Two run directories of a study."""
    found = []
    for number in ("0", "1"):
        run = Path("multirun/s") / number
        (run / ".hydra").mkdir(parents=True)
        (run / "result.json").write_text(number)
        (run / "events.out.tfevents.1").touch()
        found.append(run)
    return found


def entries():
    return {path.name for path in BEST.iterdir()}


def test_it_links_to_one_run_after_another_and_leaves_nothing_beside(runs):
    for run in runs:
        point_to(BEST, run)
        assert entries() == {".hydra", "result.json", "trial"}
        assert (BEST / "result.json").read_text() == run.name
        assert (BEST / "trial").read_text() == f"{run.name}\n"
    assert {path.name for path in Path("multirun/s").iterdir()} == {"0", "1", "best"}


def test_what_somebody_has_put_there_stays(runs):
    point_to(BEST, runs[0])
    (BEST / "notes.txt").write_text("mine")
    (BEST / "pictures").mkdir()
    (BEST / "pictures" / "confusion.png").write_text("mine too")
    (BEST / "elsewhere").symlink_to("/tmp")
    (runs[1] / "notes.txt").write_text("of the run")
    point_to(BEST, runs[1])
    assert entries() == {".hydra", "result.json", "trial", "notes.txt", "pictures", "elsewhere"}
    assert (BEST / "result.json").read_text() == "1"
    assert (BEST / "notes.txt").read_text() == "mine"
    assert (BEST / "pictures" / "confusion.png").read_text() == "mine too"
    assert (BEST / "elsewhere").readlink() == Path("/tmp")


def test_what_is_not_our_directory_is_left_alone(runs):
    BEST.write_text("a file of mine")
    point_to(BEST, runs[0])
    assert BEST.read_text() == "a file of mine"
    BEST.unlink()
    mine = Path("mine")
    mine.mkdir()
    BEST.symlink_to(mine.resolve())
    point_to(BEST, runs[0])
    assert list(mine.iterdir()) == []


def test_links_to_a_run_that_is_no_longer_the_best_are_removed(runs):
    """The best one is another machine's."""
    point_to(BEST, runs[0])
    point_to(BEST, Path("multirun/s/7"))
    assert not BEST.exists()


def test_a_file_system_without_links_has_the_name_of_the_run(runs, monkeypatch):
    def refuse(*arguments):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    assert point_to(BEST, runs[1]) == "Operation not permitted"
    assert entries() == {"trial"}
    assert {path.name for path in Path("multirun/s").iterdir()} == {"0", "1", "best"}
    assert real_directory(str(BEST)) == runs[1]
    (BEST / "trial").write_text("../../elsewhere\n")
    assert real_directory(str(BEST)).resolve() == BEST.resolve()


def test_a_full_disk_is_the_sweeps_to_stop_by(runs, monkeypatch):
    def refuse(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    with pytest.raises(OSError, match="No space left"):
        point_to(BEST, runs[1])


def test_the_files_of_best_are_those_of_its_run(runs):
    point_to(BEST, runs[1])
    assert real_directory(str(BEST)) == runs[1].resolve()
    assert real_directory("multirun/s/0").resolve() == runs[0].resolve()


def test_a_record_that_is_a_link_leads_nowhere_else(tmp_path):
    (tmp_path / "far" / "away" / ".hydra").mkdir(parents=True)
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / ".hydra").symlink_to(tmp_path / "far" / "away" / ".hydra")
    assert real_directory(str(tmp_path / "given")) == tmp_path / "given"


def test_what_a_killed_sweep_was_making_is_removed_and_nobodys_own(tmp_path):
    old, new, own = (tmp_path / f".best.{number}" for number in range(3))
    for folder in (old, new, own):
        folder.mkdir()
        (folder / "result.json").symlink_to("../3/result.json")
    (own / "notes.txt").write_text("mine")
    for folder in (old, own):
        os.utime(folder, (0, 0))
    remove_unfinished(tmp_path / "best", seconds=60)
    assert not old.exists()
    assert (new / "result.json").is_symlink()
    assert (own / "notes.txt").read_text() == "mine"
