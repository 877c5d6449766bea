"""A trained network as a function of images."""

import numpy as np
import pytest
import torch
from PIL import Image

from mnist_sweep import load
from mnist_sweep.api.trained_model import ImagesError
from mnist_sweep.bundle.bundle import write_bundle
from mnist_sweep.config import ConfigError
from mnist_sweep.data import load_dataset
from mnist_sweep.errors import UserError
from mnist_sweep.files import FileError
from mnist_sweep.run.load import load_trained
from mnist_sweep.training.loop import Precision, evaluate


@pytest.fixture(scope="module")
def test_split():
    return load_dataset("mnist_5k", root="data").test


@pytest.fixture
def model(finished):
    return load(finished, device="cpu")


def test_its_accuracy_is_the_runs(model, finished, test_split):
    trained = load_trained(str(finished), torch.device("cpu"))
    found = model.predict(test_split.images) == test_split.labels
    assert found.float().mean().item() == pytest.approx(trained.result["test_acc"])
    loss, _ = evaluate(trained.model, test_split, trained.pipeline, Precision("float32"))
    rows = model(test_split.images)[torch.arange(len(test_split)), test_split.labels]
    assert -rows.log().mean().item() == pytest.approx(loss, rel=1e-4)


def test_it_says_what_it_is(model, finished):
    assert (model.name, model.path, model.device.type) == ("mlp", finished, "cpu")
    assert model.parameters == sum(p.numel() for p in model.bundle.model.parameters())
    assert model.labels == tuple("0123456789")


def test_all_shapes_and_kinds_of_the_same_images_give_the_same(model, test_split):
    images = test_split.images[:3]
    expected = model(images)
    assert (expected.shape, expected.dtype) == ((3, 10), torch.float32)
    assert torch.allclose(expected.sum(1), torch.ones(3))
    array = images.numpy()
    for same in (
        array,
        array[:, None],
        array.astype("int64"),
        array.astype("uint16"),
        array.astype("uint64"),
        array.tolist(),
        array[::-1][::-1],
        array / 255,
        (array / 255).astype("float32"),
    ):
        found = model(same)
        assert isinstance(found, np.ndarray)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-6)
    one = model(images[0].float() / 255)
    assert torch.allclose(one, expected[:1], atol=1e-6)
    assert model(Image.fromarray(array[0])).argmax() == expected[0].argmax()
    black = model(np.zeros((28, 28), bool))
    np.testing.assert_array_equal(black, model(np.zeros((28, 28), "uint8")))


def test_images_are_left_as_they_are(model, test_split):
    images = test_split.images[:2].float() / 255
    before = images.clone()
    model(images)
    assert torch.equal(images, before)


def test_many_images_and_none_are_answered(model, test_split):
    assert model(test_split.images).shape == (500, 10)
    assert model(np.empty((0, 28, 28), "uint8")).shape == (0, 10)
    assert model.predict(torch.empty(0, 28, 28)).shape == (0,)
    found = model.predict(test_split.images[:4].numpy())
    assert (found.shape, found.dtype) == ((4,), np.int64)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((28, 29)), r"must be of shape \(28, 28\), .* but got \(28, 29\)"),
        (np.zeros((2, 3, 28, 28)), r"but got \(2, 3, 28, 28\)"),
        (torch.zeros(784), r"but got \(784,\)"),
        (np.full((28, 28), 255.0), "fractions must be from 0 to 1, but are from 255 to 255"),
        (np.full((28, 28), np.nan), "but are from nan to nan"),
        (np.full((28, 28), -1), "whole numbers must be from 0 to 255, but are from -1 to -1"),
        (np.full((28, 28), 65535, "uint16"), "but are from 65535 to 65535"),
        (np.full((28, 28), 256), "but are from 256 to 256"),
        ("digit.png", "images must be numbers"),
        ([[1], [2, 3]], "images must be numbers"),
        (np.zeros((28, 28), complex), "images must be real numbers, but are complex"),
        (None, "images must be numbers"),
    ],
)
def test_other_images_are_refused_in_one_line(model, images, message):
    with pytest.raises(ImagesError, match=message) as raised:
        model(images)
    assert "\n" not in str(raised.value)


def test_a_bundle_is_read_too(model, finished, tmp_path, test_split):
    write_bundle(load_trained(str(finished), torch.device("cpu")), tmp_path / "bundle")
    bundle = load(str(tmp_path / "bundle"), device="cpu")
    assert (bundle.name, bundle.parameters) == (model.name, model.parameters)
    assert torch.equal(bundle.predict(test_split.images), model.predict(test_split.images))


def test_what_is_neither_is_one_line(tmp_path, finished):
    with pytest.raises(ConfigError, match=r"is neither a run directory .* nor a bundle"):
        load(tmp_path)
    (tmp_path / ".hydra").mkdir()
    with pytest.raises(UserError, match=r"has no \.hydra/config\.yaml"):
        load(tmp_path)
    (tmp_path / "bundle.json").write_text("{")
    with pytest.raises(UserError, match=r"bundle\.json is damaged"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("given", "said"),
    [("a" * 300, "File name too long"), ("a\0", r"path=a\\x00 cannot be read: embedded null byte")],
)
def test_what_cannot_be_a_path_is_one_line(given, said):
    with pytest.raises(FileError, match=said) as raised:
        load(given)
    assert "\n" not in str(raised.value)
