"""Files that somebody else may have written: what they are and how large, before they are read."""

import os

import pytest

from mnist_sweep.sweep.trials.outcomes import recorded
from mnist_sweep.untrusted_files import MOST_CONFIG, parse_config, text_of


def test_a_file_is_text_whoever_ended_its_lines(tmp_path):
    (tmp_path / "a").write_bytes("é\r\nb\n".encode())
    assert text_of(tmp_path / "a") == "é\nb\n"


def test_a_file_of_more_than_the_most_is_not_read_to_its_end(tmp_path):
    with (tmp_path / "a").open("wb") as file:
        file.truncate(10**12)  # more than any memory
    with pytest.raises(ValueError, match="it has more than 200,000,000 bytes"):
        text_of(tmp_path / "a")
    with pytest.raises(ValueError, match=f"it has more than {4 * MOST_CONFIG:,} bytes"):
        parse_config(tmp_path / "a")


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_no_result_and_is_not_waited_for(tmp_path, make):
    make(tmp_path / "result.json")
    assert recorded(tmp_path) == {}


def test_a_result_that_is_nested_too_deeply_is_none(tmp_path):
    (tmp_path / "result.json").write_text("[" * 100_000)
    assert recorded(tmp_path) == {}
