"""What of a checkpoint's file is refused before anything of it is used."""

import zipfile
from pathlib import Path

import pytest
import torch

from mnist_sweep.run.checkpoint import read_checkpoint

CPU = torch.device("cpu")


def test_a_checkpoint_is_read_as_it_was_written():
    state = {"moments": [torch.arange(3.0)], "seconds": 1.5}
    torch.save(state, "last.pt")
    found = read_checkpoint(Path("last.pt"), CPU)
    assert found["seconds"] == 1.5
    assert torch.equal(found["moments"][0], state["moments"][0])


@pytest.mark.parametrize("inside", [lambda huge: huge, lambda huge: [huge], lambda huge: {0: huge}])
def test_tensors_that_repeat_a_number_to_more_than_the_file_are_refused(inside):
    torch.save({"training": inside(torch.zeros(1).expand(10**12))}, "last.pt")
    assert Path("last.pt").stat().st_size < 10_000
    with pytest.raises(ValueError, match="its tensors are larger than the file"):
        read_checkpoint(Path("last.pt"), CPU)


def test_what_is_no_mapping_is_refused():
    torch.save([1, 2], "last.pt")
    with pytest.raises(ValueError, match=r"it holds \[1, 2\], not a mapping"):
        read_checkpoint(Path("last.pt"), CPU)


def test_a_compressed_file_is_refused_before_it_is_unpacked():
    torch.save({"training": torch.zeros(10**6)}, "plain.pt")
    with (
        zipfile.ZipFile("plain.pt") as plain,
        zipfile.ZipFile("last.pt", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for entry in plain.infolist():
            packed.writestr(entry.filename, plain.read(entry))
    with pytest.raises(ValueError, match="it is compressed"):
        read_checkpoint(Path("last.pt"), CPU)
