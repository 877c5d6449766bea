import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from mnist_sweep import export
from mnist_sweep.bundle.bundle import BundleError, write_bundle
from mnist_sweep.bundle.doubts import Doubt, Reading
from mnist_sweep.bundle.drawings import Drawing
from mnist_sweep.cli.arguments import ArgumentError
from mnist_sweep.data import DataError
from mnist_sweep.predict import Predict, Read, find_pictures, line, main
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


@pytest.mark.slow
def test_an_exported_model_reads_pictures_in_another_process(finished, capsys):
    Path("pictures").mkdir()
    one("pictures/dark.png")
    one("pictures/light.png", "black", "white")
    export.main(export.Export(str(finished), "bundle"))
    assert "predict bundle=bundle" in capsys.readouterr().out
    code, out, err = program(
        "mnist_sweep.predict", "bundle=bundle", "images=pictures", "csv=read.csv"
    )
    assert (code, err) == (0, "")
    first, dark, light = out.splitlines()
    assert first == "model: mlp, 9,550 parameters, on cpu; pictures: 2"
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
    with pytest.raises(SystemExit) as stop:
        main(Predict("bundle", "pictures", csv="absent/read.csv", device="cpu"))
    assert stop.value.code == 1
    out, err = capsys.readouterr()
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
    with pytest.raises(BundleError) as raised:
        export.main(export.Export(str(finished), "bundle"))
    assert str(raised.value) == "to=bundle exists already; name a new or an empty folder"


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


@pytest.fixture
def bundle(finished, tmp_path):
    write_bundle(load_trained(str(finished), torch.device("cpu")), tmp_path / "bundle")
    return str(tmp_path / "bundle")


def two_ones(path):
    image = Image.new("L", (200, 200), 255)
    for x in (60, 140):
        ImageDraw.Draw(image).line([(x, 40), (x, 160)], fill=0, width=14)
    image.save(path)
    return str(path)


def test_a_doubt_stands_beside_its_reading_everywhere(bundle, capsys):
    files = f"{one('a.png')},{two_ones('b.png')}"
    main(Predict(bundle, files, device="cpu", csv="read.csv"))
    _, first, second = capsys.readouterr().out.splitlines()
    assert "doubtful" not in first
    assert "   doubtful: several shapes" in second
    with Path("read.csv").open(encoding="utf-8") as file:
        assert [row["doubts"].split(", ")[0] for row in csv.DictReader(file)] == [
            "",
            "several shapes",
        ]


def test_json_has_all_that_is_known_of_each_picture_and_nothing_else_is_printed(bundle, capsys):
    Path("bad.png").write_text("no picture")
    with pytest.raises(SystemExit):
        main(Predict(bundle, f"{two_ones('a.png')},bad.png", device="cpu", json=True))
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert found["calibrated"]
    assert found["temperature"] != 1
    (picture,) = found["pictures"]
    assert picture["file"] == "a.png"
    assert picture["doubts"][0] == {"kind": "shapes", "says": "several shapes"}
    assert picture["probabilities"][picture["label"]] == picture["probability"]
    assert sum(picture["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert found["errors"] == [printed.err.strip().removeprefix("error: ")]


def test_noise_has_no_label(bundle, capsys):
    dots = np.random.default_rng(0).random((200, 200)) < 0.05
    Image.fromarray(np.where(dots, 0, 255).astype(np.uint8)).save("a.png")
    main(Predict(bundle, "a.png", device="cpu", csv="read.csv"))
    assert "a.png: no digit   doubtful: noise" in capsys.readouterr().out
    with Path("read.csv").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row["label"] == ""
    main(Predict(bundle, "a.png", device="cpu", json=True))
    assert json.loads(capsys.readouterr().out)["pictures"][0]["label"] is None


def test_a_bundle_without_a_temperature_says_so(bundle, capsys):
    change(Path(bundle), calibration=None)
    main(Predict(bundle, str(one("a.png")), device="cpu"))
    assert capsys.readouterr().out.splitlines()[1] == (
        "probabilities are not calibrated: the bundle has no temperature; export the run again"
    )


def test_what_the_network_saw_is_drawn_beside_the_pictures(bundle, capsys):
    one("a.png")
    Image.new("RGBA", (3, 90), (0, 0, 0, 0)).save("odd $ \n.png")
    with Image.open("a.png") as image:
        image.convert("LA").resize((30, 200)).save("odd $ \n.png")
    main(Predict(bundle, "a.png,odd $ \n.png", device="cpu", show=True))
    assert capsys.readouterr().out.splitlines()[-1] == (
        "what the network saw: outputs/predictions.png"
    )
    with Image.open("outputs/predictions.png") as image:
        sheet = np.asarray(image.convert("L"))
    assert (sheet == 0).mean() > 0.2  # the two that the network saw are mostly black
    assert sheet.shape[1] > 1.5 * sheet.shape[0]


def test_the_sheet_is_drawn_although_the_table_cannot_be_written(bundle, capsys):
    one("a.png")
    with pytest.raises(SystemExit):
        main(Predict(bundle, "a.png", device="cpu", csv="absent/read.csv", show=True))
    assert "csv=absent/read.csv cannot be written" in capsys.readouterr().err
    assert Path("outputs/predictions.png").is_file()


def test_many_pictures_take_several_sheets(bundle, capsys, monkeypatch):
    monkeypatch.setattr("mnist_sweep.bundle.sheet.MOST", 2)
    Path("in").mkdir()
    for number in range(3):
        one(f"in/{number}.png")
    main(Predict(bundle, "in", device="cpu", show=True, to="made/seen.png"))
    assert capsys.readouterr().out.splitlines()[-1] == (
        "what the network saw: made/seen.png, made/seen-2.png"
    )
    assert sorted(path.name for path in Path("made").iterdir()) == ["seen-2.png", "seen.png"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"to": "a.png"}, "to=a.png has no effect without show=true"),
        ({"to": "a.jpg", "show": True}, "to=a.jpg must name a PNG file"),
    ],
)
def test_a_place_that_cannot_be_drawn_to_is_refused(settings, message):
    with pytest.raises(ArgumentError, match=message):
        main(Predict("bundle", "a.png", **settings))


@pytest.mark.parametrize("width", [60, 80, 140])
@pytest.mark.parametrize("length", [1, 40, 200])
@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_line_fits_its_terminal_and_keeps_the_answer(width, length, count):
    said = ("several shapes", "covers half", "touches the border", "low contrast", "perhaps 9")
    doubts = tuple(Doubt("kind", words) for words in said[:count])
    reading = Reading("8", 0.5, (0.5,), doubts)
    drawing = Drawing(np.zeros((28, 28), np.uint8), "3000x2000, dark on light")
    found = line(Read(Path("f" * length + ".png"), drawing, reading), width)
    assert len(found) <= width
    assert ".png: 8 (50.0%)" in found


def test_a_files_name_neither_forges_a_line_nor_reaches_the_terminal(finished, capsys):
    write_bundle(load_trained(str(finished), torch.device("cpu")), Path("bundle"))
    folder = Path("pictures")
    folder.mkdir()
    for name in ("a\nb: 9 (100.0%).png", "\x1b[31mred.png", "two  blanks.png"):
        one(folder / name)
    (folder / "no\x1b[2J.png").touch()
    with pytest.raises(SystemExit):
        main(Predict("bundle", "pictures", show=True, to="s\x1b[2J.png"))
    said = capsys.readouterr()
    assert "\x1b" not in said.out + said.err
    lines = said.out.splitlines()
    assert [line.partition(".png")[0] for line in lines[1:]] == [
        r"pictures/\x1b[31mred",
        "pictures/a b: 9 (100.0%)",
        "pictures/two  blanks",
        r"what the network saw: s\x1b[2J",
    ]
