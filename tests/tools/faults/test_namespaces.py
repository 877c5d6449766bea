import subprocess

import pytest

from tools.faults import namespaces
from tools.faults.scenario import Skipped

STAT = "cpu 1 2 3\nbtime 1000000\nprocesses 7\n"


def test_a_clock_that_is_set_moves_the_boot_and_nothing_else_in_the_same_file(
    tmp_path, monkeypatch
):
    kernels, stat = tmp_path / "kernels", tmp_path / "stat"
    kernels.write_text(STAT)
    monkeypatch.setattr(namespaces, "STAT", kernels)
    namespaces.set_clock(stat, 0)
    assert stat.read_text() == STAT
    inode = stat.stat().st_ino
    namespaces.set_clock(stat, -3600)
    assert stat.read_text() == STAT.replace("1000000", "996400")
    assert stat.stat().st_ino == inode, "a bind mount would show the old file"


def test_a_command_has_the_values_of_its_script_and_its_own_words(tmp_path):
    try:
        namespaces.need_root()
    except Skipped as reason:
        pytest.skip(str(reason))
    before = namespaces.in_shell('printf "%s;" "$1"', tmp_path)
    done = subprocess.run([*before, "echo", "a b"], capture_output=True, text=True)
    assert done.stdout == f"{tmp_path};a b\n"


def test_another_host_is_this_machine_by_another_name_for_one_command_only(tmp_path):
    try:
        namespaces.need_root()
    except Skipped as reason:
        pytest.skip(str(reason))
    here = subprocess.run(["hostname"], capture_output=True, text=True).stdout
    named = subprocess.run(
        [*namespaces.host("another"), "hostname"], capture_output=True, text=True
    ).stdout
    assert named == "another\n"
    assert subprocess.run(["hostname"], capture_output=True, text=True).stdout == here


def test_a_disk_that_is_filled_has_room_for_not_one_byte_more(tmp_path):
    try:
        with namespaces.small_disk(tmp_path / "disk", 100):
            filler = namespaces.fill(tmp_path / "disk")
            assert filler.stat().st_size > 90_000
            with pytest.raises(OSError, match="No space left"):
                (tmp_path / "disk" / "more").write_bytes(b"x")
    except Skipped as reason:
        pytest.skip(str(reason))
    assert not list((tmp_path / "disk").iterdir())
