import pytest

from mnist_sweep.files import replacing


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
