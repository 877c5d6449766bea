import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw

from mnist_sweep.bundle.bundle import write_bundle
from mnist_sweep.data import DataError
from mnist_sweep.predict import Predict, find_pictures, main
from mnist_sweep.run.load import load_trained
from tests.bundle.test_bundle import change

ROOT = Path(__file__).parent.parent


def program(*words):
    """Run an entry in a process of its own; return exit code, output, errors."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *words], env=environment, capture_output=True, text=True
    )
    return done.returncode, done.stdout, done.stderr


def one(path, paper="white", ink="black"):
    """A one as a paint program draws it: thin, and not in the middle."""
    image = Image.new("RGB", (200, 200), paper)
    ImageDraw.Draw(image).line([(140, 40), (132, 150)], fill=ink, width=8)
    image.save(path)
    return path


def test_files_and_folders_are_found_and_other_files_of_a_folder_left(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("b.png", "a.JPG"):
        one(folder / name)
    (folder / "notes.txt").write_text("no picture")
    single = one(tmp_path / "c.bmp")
    assert find_pictures(f"{single}, {folder}") == [single, folder / "a.JPG", folder / "b.png"]


@pytest.mark.parametrize(
    ("images", "message"),
    [("none.png", "images=none.png: no such file"), (".", "no picture in that"), (",", "names no")],
)
def test_what_is_not_there_is_one_line(images, message):
    with pytest.raises(DataError, match=message):
        find_pictures(images)


def test_names_with_commas_and_other_marks_are_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["seven, two.png", "it's.png", "a=b.png", "é ü.png", "[1].png"]
    for name in names:
        one(Path(name))
    for name in names:
        assert find_pictures(name) == [Path(name)]
    assert find_pictures(",".join(names)) == [Path(name) for name in names]
    assert find_pictures("['seven, two.png', a=b.png]") == [Path(names[0]), Path(names[2])]


def test_a_folder_is_searched_for_what_can_be_read_only(tmp_path, monkeypatch):
    for name in ("a.png", "b.pdf", "c.txt"):
        (tmp_path / name).touch()
    assert find_pictures(str(tmp_path)) == [tmp_path / "a.png"]

    def refuse(self):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(DataError) as raised:
        find_pictures(str(tmp_path))
    assert str(raised.value) == (
        f"images={tmp_path} cannot be read: Permission denied "
        "(change its permissions, or choose another place)"
    )


def test_an_exported_model_reads_pictures_in_another_process(command, quick):
    Path("pictures").mkdir()
    one("pictures/dark.png")
    one("pictures/light.png", "black", "white")
    assert command(*quick, "epochs=4", "optimizer.lr=0.01") == 0
    code, out, err = program("mnist_sweep.export", "run=run", "to=bundle")
    assert (code, err) == (0, "")
    assert "predict bundle=bundle" in out
    code, out, err = program(
        "mnist_sweep.predict", "bundle=bundle", "images=pictures", "csv=read.csv"
    )
    assert (code, err) == (0, "")
    first, dark, light = out.splitlines()
    assert first == "model: linear, 7,850 parameters, on cpu; pictures: 2"
    assert dark.startswith("pictures/dark.png: 1 (")
    assert dark.endswith("200x200, dark on light")
    assert light.startswith("pictures/light.png: 1 (")
    with Path("read.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == ["1", "1"]
    assert float(rows[0]["probability"]) == pytest.approx(float(rows[0]["p_1"]))
    assert sum(float(rows[0][f"p_{label}"]) for label in range(10)) == pytest.approx(1, abs=1e-5)

    Path("pictures/bad.png").write_text("no picture")
    Path("pictures/empty.png").touch()
    Path("pictures/folder.png").mkdir()
    code, out, err = program(
        "mnist_sweep.predict", "bundle=bundle", "images=pictures", "csv=absent/read.csv"
    )
    assert code == 1
    assert len(out.splitlines()) == 3
    bad, empty, folder, table = err.splitlines()
    assert bad.startswith(
        "error: pictures/bad.png cannot be read as a picture: Pillow does not know"
    )
    assert empty.startswith("error: pictures/empty.png cannot be read as a picture")
    assert folder == "error: pictures/folder.png cannot be read as a picture: it is not a file"
    assert table == (
        "error: csv=absent/read.csv cannot be written: No such file or directory "
        "(check the path, and that its folders exist)"
    )
    assert program("mnist_sweep.export", "run=run", "to=bundle")[::2] == (
        1,
        "error: to=bundle exists already; name a new or an empty folder\n",
    )


@pytest.mark.parametrize(
    ("data", "moved"),
    [("mnist", True), ("mnist_5k", True), (None, True), ("fashion_mnist", False)],
)
def test_pictures_are_moved_for_a_bundle_of_digits_alone(finished, tmp_path, capsys, data, moved):
    write_bundle(load_trained(str(finished), torch.device("cpu")), tmp_path / "bundle")
    change(tmp_path / "bundle", figures={} if data is None else {"data": {"name": data}})
    image = Image.new("L", (28, 28))
    ImageDraw.Draw(image).rectangle((4, 0, 15, 27), fill=150)
    image.save(tmp_path / "a.png")
    main(Predict(str(tmp_path / "bundle"), str(tmp_path / "a.png"), device="cpu"))
    assert ("moved to where MNIST's digits are" in capsys.readouterr().out) == moved
