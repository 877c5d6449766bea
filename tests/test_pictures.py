import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from mnist_sweep import pictures
from mnist_sweep.cli.arguments import ArgumentError
from mnist_sweep.data import DataError, Images
from mnist_sweep.inspection import plots
from mnist_sweep.pictures import Pictures, choose_image
from mnist_sweep.sweep.best_link import point_to


@pytest.fixture
def run(finished):
    """A finished run of a network without convolutions, which has few pictures."""
    return shutil.copytree(finished, "run")


def test_every_picture_is_drawn_in_the_runs_folder(command, quick, capsys):
    words = [word for word in quick if not word.startswith("model=")]
    assert command(*words, "model=enhanced", "model.stages=[[4,6],[8]]", "epochs=1") == 0
    capsys.readouterr()
    pictures.main(Pictures("run"))
    names = {path.stem for path in Path("run/pictures").iterdir()}
    layers = ["features.0.0", "features.0.1", "features.1.0"]
    assert names == {
        "confusion",
        "failures",
        "maps-image",
        *(f"filters-{layer}.conv" for layer in layers),
        *(f"maps-{layer}.relu" for layer in layers),
    }
    for path in Path("run/pictures").iterdir():
        with Image.open(path) as image:
            assert len(image.convert("L").getcolors()) > 2, path  # not an empty page
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("enhanced, mnist_5k val: ")
    assert second == "9 pictures in run/pictures"


def test_pictures_go_where_they_are_asked_to_and_of_the_split_that_is_asked_for(run, capsys):
    pictures.main(Pictures(run, to="elsewhere", split="test", image="3"))
    assert Path("elsewhere/confusion.png").exists()
    assert not Path("run/pictures").exists()
    assert "mnist_5k test" in capsys.readouterr().out


def test_errors_are_of_the_data_that_a_run_was_trained_on_and_of_no_other(run):
    result = json.loads(Path("run/result.json").read_text())
    result["data"]["fingerprint"] = "0123"
    Path("run/result.json").write_text(json.dumps(result))
    with pytest.raises(DataError, match=r"run: mnist_5k is not the data .* not 0123\); set MNIS"):
        pictures.main(Pictures("run"))


def test_pictures_of_a_studys_best_run_are_in_the_run_itself(run):
    study = Path("multirun/s")
    shutil.copytree(run, study / "3")
    point_to(study / "best", study / "3")
    pictures.main(Pictures(str(study / "best")))
    assert (study / "3/pictures/confusion.png").is_file()
    assert not (study / "best/pictures").exists()


def test_an_image_is_a_number_of_the_split_or_a_file(tmp_path):
    pixels = torch.randint(0, 256, (5, 28, 28), dtype=torch.uint8)
    split = Images(pixels, torch.arange(5))
    assert torch.equal(choose_image("3", split), pixels[3])
    drawn = torch.zeros(60, 60, dtype=torch.uint8)
    drawn[10:50, 20:26] = 255
    Image.fromarray(drawn.numpy()).save(tmp_path / "a.png")
    assert choose_image(str(tmp_path / "a.png"), split).shape == (28, 28)
    for number in ("5", "-1"):
        with pytest.raises(ArgumentError, match=f"image={number}: the split has images 0 to 4"):
            choose_image(number, split)
    with pytest.raises(DataError, match=r"none.png cannot be read"):
        choose_image("none.png", split)


def test_a_split_that_there_is_not_is_refused_before_anything_is_read():
    with pytest.raises(ArgumentError, match="split=train: it must be val or test"):
        pictures.main(Pictures("nowhere", split="train"))


def test_a_matrix_without_errors_and_a_gallery_without_images_are_drawn():
    assert plots.confusion(torch.eye(10, dtype=torch.int64) * 7, "all right").axes
    assert plots.gallery(torch.empty(0, 28, 28), [], "none").axes
