import torch

from mnist_sweep.data import Augmentation, Images, Pipeline
from mnist_sweep.models import Linear
from mnist_sweep.training.distillation import Teacher


class Counting(Linear):
    """A network that counts the images that it is shown."""

    def __init__(self):
        super().__init__()
        self.seen = 0

    def forward(self, images):
        self.seen += len(images)
        return super().forward(images)


def split(count=40):
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, 28, 28), dtype=torch.uint8, generator=generator)
    return Images(pixels, torch.arange(count) % 10)


def teacher(mean=0.5, std=0.25):
    torch.manual_seed(0)
    return Teacher(Counting().eval(), Pipeline(mean, std))


def epoch(taught, pipeline, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return list(taught.batches(split(), pipeline, 16, generator))


def test_each_image_has_the_logits_that_the_teacher_gives_for_it_as_it_was_trained():
    own, taught = Pipeline(), teacher()
    for images, labels, logits in epoch(taught, own):
        pixels = images * own.std + own.mean
        again = (pixels - 0.5) / 0.25
        assert torch.allclose(logits, taught.logits(again), atol=1e-4)
        assert not logits.requires_grad
        assert len(labels) == len(images)


def test_batches_are_those_without_a_teacher():
    for pipeline in (Pipeline(), Pipeline(augmentation=Augmentation(10, 2, 0.1))):
        plain = pipeline.training_batches(split(), 16, torch.Generator().manual_seed(0))
        for given, alone in zip(epoch(teacher(), pipeline), plain, strict=True):
            assert torch.equal(given[0], alone[0])
            assert torch.equal(given[1], alone[1])


def test_outputs_are_computed_once_without_augmentation_and_anew_with_it():
    plain, changed = Pipeline(), Pipeline(augmentation=Augmentation(shift=2))
    taught = teacher()
    for seed in range(3):
        epoch(taught, plain, seed)
    assert taught.model.seen == 40
    for seed in range(2):
        epoch(taught, changed, seed)
    assert taught.model.seen == 40 + 2 * 40


def test_augmented_images_are_shown_to_the_teacher_as_they_are():
    pipeline = Pipeline(augmentation=Augmentation(20, 3, 0.2, 15))
    alike, taught = teacher(pipeline.mean, pipeline.std), teacher()
    for images, _, logits in epoch(alike, pipeline):
        assert torch.equal(logits, alike.logits(images))
    for images, _, logits in epoch(taught, pipeline):
        pixels = images * pipeline.std + pipeline.mean
        assert torch.allclose(logits, taught.logits((pixels - 0.5) / 0.25), atol=1e-4)
