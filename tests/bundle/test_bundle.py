import errno
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mnist_sweep.bundle.bundle import write_bundle
from mnist_sweep.config import ConfigError
from mnist_sweep.data import load_dataset
from mnist_sweep.errors import UserError
from mnist_sweep.export import calibration_text
from mnist_sweep.files import FileError
from mnist_sweep.inspection import predictions
from mnist_sweep.inspection.calibration import fit_temperature
from mnist_sweep.run.directory import RecordError
from mnist_sweep.run.exported import BundleError, read_bundle
from mnist_sweep.run.load import load_trained
from mnist_sweep.training.loop import Precision, evaluate

CPU = torch.device("cpu")


@pytest.fixture
def bundle(finished, tmp_path):
    write_bundle(load_trained(str(finished), CPU), tmp_path / "bundle")
    return tmp_path / "bundle"


def change(bundle, **entries):
    path = bundle / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def test_a_network_whose_outputs_are_no_finite_numbers_is_refused(finished, tmp_path):
    trained = load_trained(str(finished), CPU)
    with torch.no_grad():
        for parameter in trained.model.parameters():
            parameter.fill_(3e38)
    with pytest.raises(
        BundleError, match=r"no finite numbers for \d+ of 500 validation images: tr"
    ):
        write_bundle(trained, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()
    trained.run.data.name, trained.run.data.root = "mnist", "nowhere"  # where none can be looked at
    write_bundle(trained, tmp_path / "bundle")
    bundle = read_bundle(str(tmp_path / "bundle"), CPU)
    with pytest.raises(BundleError, match="mlp puts out what is no finite number: train it again"):
        bundle.probabilities(torch.full((1, 28, 28), 255, dtype=torch.uint8))


def test_a_setting_that_json_cannot_hold_is_refused(finished, tmp_path):
    trained = load_trained(str(finished), CPU)
    run = replace(trained.run, optimizer={**trained.run.optimizer, "bound": float("inf")})
    with pytest.raises(BundleError, match=r"has a setting that is no finite number, which bundle"):
        write_bundle(replace(trained, run=run), tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_what_a_run_did_not_record_of_its_size_is_counted(finished, bundle, tmp_path):
    trained = load_trained(str(finished), CPU)
    counts = {"parameters": None, "multiply_adds": None}
    write_bundle(replace(trained, result=trained.result | counts), tmp_path / "counted")
    texts = [(folder / "README.md").read_text() for folder in (bundle, tmp_path / "counted")]
    assert texts[0] == texts[1]
    read_bundle(str(tmp_path / "counted"), CPU)


@pytest.mark.parametrize(
    ("to", "message"),
    [
        (
            "README.md/b",
            "Not a directory (a part of that path is a file, not a folder: choose another)",
        ),
        ("n" * 300, "File name too long (choose a shorter name)"),
    ],
)
def test_a_place_that_cannot_be_is_one_line(finished, tmp_path, to, message):
    (tmp_path / "README.md").touch()
    with pytest.raises(FileError) as raised:
        write_bundle(load_trained(str(finished), CPU), tmp_path / to)
    assert str(raised.value) == f"to={tmp_path / to} cannot be written: {message}"


@pytest.mark.parametrize("there", [False, True])
def test_a_disk_that_becomes_full_leaves_nothing_of_a_bundle(
    finished, tmp_path, monkeypatch, there
):
    copied = []

    def fill(source, target):
        target.write_bytes(source.read_bytes()[:10])
        copied.append(target)
        if len(copied) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copyfile", fill)
    to = tmp_path / "bundle"
    if there:
        to.mkdir()
    with pytest.raises(FileError, match=r"to=.*bundle cannot be written: No space left"):
        write_bundle(load_trained(str(finished), CPU), to)
    assert to.exists() == there
    assert not there or not list(to.iterdir())
    monkeypatch.undo()
    write_bundle(load_trained(str(finished), CPU), to)
    read_bundle(str(to), CPU)


def test_a_bundle_classifies_as_the_run_did(finished, bundle):
    test = load_dataset("mnist_5k", "").test
    result = json.loads((finished / "result.json").read_text())
    found = read_bundle(str(bundle), CPU)
    assert not found.model.training
    predicted = found.probabilities(test.images)
    assert predicted.shape == (500, 10)
    assert torch.allclose(predicted.sum(1), torch.ones(500))
    assert (predicted.argmax(1) == test.labels).float().mean().item() == pytest.approx(
        result["test_acc"]
    )
    _, accuracy = evaluate(found.model, test, found.pipeline, Precision())
    assert accuracy == pytest.approx(result["test_acc"])


def test_a_bundle_says_what_using_it_needs(finished, bundle):
    assert {path.name for path in bundle.iterdir()} == {
        "README.md",
        "bundle.json",
        "config.yaml",
        "weights.safetensors",
    }
    description = json.loads((bundle / "bundle.json").read_text())
    result = json.loads((finished / "result.json").read_text())
    assert description["architecture"]["_target_"] == "mnist_sweep.models.MLP"
    assert description["architecture"]["hidden"] == 12
    assert description["parameters"] == result["parameters"]
    assert description["input"]["mean"] == 0.1307
    assert description["labels"] == list("0123456789")
    assert description["figures"]["test_acc"] == result["test_acc"]
    assert description["training"]["optimizer"]["lr"] == 0.003
    card = (bundle / "README.md").read_text()
    assert f"{result['test_acc']:.2%}" in card
    assert result["data"]["fingerprint"] in card


def test_a_folder_that_holds_something_is_not_written_to(finished, tmp_path):
    (tmp_path / "precious").write_text("mine")
    with pytest.raises(BundleError, match="exists already"):
        write_bundle(load_trained(str(finished), CPU), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_every_damage_is_one_line_that_says_where(bundle):
    weights = bundle / "weights.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(BundleError, match=r"weights.safetensors is damaged: its SHA-256 is not"):
        read_bundle(str(bundle), CPU)
    weights.unlink()
    with pytest.raises(BundleError, match=r"has no weights.safetensors"):
        read_bundle(str(bundle), CPU)
    for text, message in (
        ("{", r"bundle.json is damaged: JSONDecodeError"),
        ("[]", r"bundle.json is damaged: it holds \[\], not settings"),
        ("[" * 100_000, r"bundle.json is damaged: it is nested too deeply"),
        ("1" * 5_000, r"bundle.json is damaged: ValueError"),
        ("{}", r"bundle.json is damaged: it has no format"),
        ('{"format": 1, "input": {}}', r"it has no name, architecture, parameters, labels"),
    ):
        (bundle / "bundle.json").write_text(text)
        with pytest.raises(BundleError, match=message) as raised:
            read_bundle(str(bundle), CPU)
        assert "\n" not in str(raised.value)
    shutil.rmtree(bundle)
    with pytest.raises(BundleError, match=r"is not a bundle: it has no bundle.json"):
        read_bundle(str(bundle), CPU)


def test_a_bundle_of_a_later_format_says_so(bundle):
    change(bundle, format=2)
    with pytest.raises(BundleError, match="has format 2; this version reads format 1"):
        read_bundle(str(bundle), CPU)


def test_an_architecture_may_only_name_what_a_config_may(bundle, capfd):
    change(bundle, architecture={"_target_": "os.system", "command": "echo executed"})
    with pytest.raises(ConfigError, match=r"model._target_=os.system"):
        read_bundle(str(bundle), CPU)
    change(bundle, architecture=["os.system"])
    with pytest.raises(UserError, match="architecture must be a mapping with a _target_"):
        read_bundle(str(bundle), CPU)
    assert "executed" not in capfd.readouterr().out


def test_an_architecture_that_is_not_that_of_the_weights_is_refused_unbuilt(bundle):
    architecture = {"_target_": "mnist_sweep.models.MLP", "hidden": 10**12}
    change(bundle, architecture=architecture)  # three thousand terabytes
    with pytest.raises(BundleError, match=r"its architecture has 795,000,000,000,010 parameters"):
        read_bundle(str(bundle), CPU)
    change(
        bundle,
        architecture={"_target_": "mnist_sweep.models.Linear"},
        parameters=7850,
    )
    with pytest.raises(RecordError, match=r"weights.safetensors does not fit Linear"):
        read_bundle(str(bundle), CPU)


def test_a_run_that_has_kept_no_weights_cannot_be_taken_away(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    Path(tmp_path / "run/checkpoints/best.safetensors").unlink()
    with pytest.raises(RecordError, match=r"best.safetensors cannot be read"):
        load_trained(str(tmp_path / "run"), CPU)
    with pytest.raises(ConfigError, match=r"run=.* is not a run directory"):
        load_trained(str(tmp_path), CPU)


@pytest.fixture(scope="module")
def with_onnx(finished, tmp_path_factory):
    """A bundle that has the model as ONNX, and what was written."""
    pytest.importorskip("onnxruntime", reason="ONNX needs the extra [onnx]")
    folder = tmp_path_factory.mktemp("onnx") / "bundle"
    return folder, write_bundle(load_trained(str(finished), CPU), folder, onnx=True)


def test_a_bundle_has_the_model_as_onnx_where_that_is_asked_for(bundle, with_onnx):
    folder, written = with_onnx
    assert not (bundle / "model.onnx").exists()
    assert written.difference < 1e-4
    assert (folder / "model.onnx").exists()
    assert "`model.onnx` maps `images`" in (folder / "README.md").read_text()
    assert read_bundle(str(folder), CPU).description["parameters"] > 0


def test_a_bundle_is_calibrated_on_the_runs_validation_images(finished, bundle):
    recorded = json.loads((bundle / "bundle.json").read_text())["calibration"]
    assert (recorded["split"], recorded["images"]) == ("val", 500)
    assert recorded["nll"]["after"] < recorded["nll"]["before"]
    found = read_bundle(str(bundle), CPU)
    assert found.uncalibrated is None
    assert found.temperature == recorded["temperature"] != 1
    data = load_dataset("mnist_5k", "")
    logits = predictions.logits(found.model, data.val, found.pipeline)
    assert found.temperature == pytest.approx(fit_temperature(logits, data.val.labels))
    images = data.test.images[:20]
    expected = torch.softmax(found.model(found.pipeline.prepare(images)) / found.temperature, 1)
    assert torch.allclose(found.probabilities(images), expected)
    card = (bundle / "README.md").read_text()
    assert f"softmax(logits / {found.temperature:.4f})" in card


def test_a_bundle_of_before_is_read_with_its_own_probabilities_and_says_so(bundle):
    change(bundle, calibration=None)
    found = read_bundle(str(bundle), CPU)
    assert found.temperature == 1
    assert found.uncalibrated == "the bundle has no temperature; export the run again"


def test_where_the_runs_images_are_not_here_a_bundle_says_that_it_is_not_calibrated(
    finished, tmp_path
):
    trained = load_trained(str(finished), CPU)
    missing = replace(trained.run, data=replace(trained.run.data, name="mnist", root="none"))
    other = {"data": {"name": "mnist_5k", "fingerprint": "another"}}
    for case, reason in (
        (
            replace(trained, run=missing),
            "the data set mnist could not be read when it was exported",
        ),
        (replace(trained, result=trained.result | other), "is not the data that it was trained on"),
    ):
        folder = tmp_path / reason[:3]
        calibration = write_bundle(case, folder).description["calibration"]
        assert calibration["temperature"] == 1
        assert reason in calibration["reason"]
        assert reason in read_bundle(str(folder), CPU).uncalibrated
        assert "not calibrated: " in (folder / "README.md").read_text()
        assert calibration_text(calibration).startswith("probabilities are not calibrated: ")


@pytest.mark.parametrize("temperature", [0, -1, "1", True, float("inf")])
def test_a_temperature_that_is_none_is_damage(bundle, temperature):
    change(bundle, calibration={"temperature": temperature})
    with pytest.raises(BundleError, match=r"calibration.temperature must be a finite number"):
        read_bundle(str(bundle), CPU)


def test_an_onnx_file_says_its_temperature_and_labels(with_onnx):
    onnx = pytest.importorskip("onnx", reason="ONNX needs the extra [onnx]")
    folder, written = with_onnx
    file = onnx.load(str(folder / "model.onnx"))
    said = {each.key: json.loads(each.value) for each in file.metadata_props}
    assert said["temperature"] == written.description["calibration"]["temperature"]
    assert said["labels"] == list("0123456789")


def test_a_page_to_draw_on_is_for_digits(finished, tmp_path):
    trained = load_trained(str(finished), CPU)
    other = replace(trained, result=trained.result | {"data": {"name": "fashion_mnist"}})
    with pytest.raises(BundleError, match=r"html=true is for networks that read digits.*fashion"):
        write_bundle(other, tmp_path / "a", html=True)
    assert not (tmp_path / "a").exists()
