import math
from functools import partial

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from mnist_sweep.data import Augmentation, Images, Pipeline
from mnist_sweep.models import MLP, Linear, StagedCNN
from mnist_sweep.schedules import constant
from mnist_sweep.training.averaging import Averaging
from mnist_sweep.training.distillation import Teacher
from mnist_sweep.training.epochs import BestEpoch, Criterion, EarlyStopping, Epoch
from mnist_sweep.training.loop import (
    Diverged,
    Precision,
    Recipe,
    Training,
    evaluate,
    fit,
    forward_backward,
    train_step,
)
from mnist_sweep.training.losses import Loss

FLOAT = Precision("float32")


def digits(count, seed=0):
    """Images that a linear model can learn: digit d lights up its own rows."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 10, (count,), generator=generator)
    images = torch.randint(0, 60, (count, 28, 28), dtype=torch.uint8, generator=generator)
    for image, label in zip(images, labels, strict=True):
        image[2 * label : 2 * label + 2] += 150
    return Images(images, labels)


def training(model=None, lr=0.01, **settings):
    torch.manual_seed(0)
    model = model or Linear()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    generator = torch.Generator().manual_seed(0)
    return Training(model, optimizer, constant(optimizer, 1, 1), generator, **settings)


def run(
    work, epochs=3, after_epoch=lambda figures, best: None, train=None, batch_size=32, **settings
):
    train = train or digits(100)
    settings |= {"epochs": epochs, "batch_size": batch_size, "precision": FLOAT}
    return fit(work, train, digits(50, 1), Pipeline(), after_epoch=after_epoch, **settings)


def epoch(number=1, **figures):
    defaults = {"lr": 0.1, "train_loss": 1.0, "train_acc": 0.5, "val_loss": 1.0, "val_acc": 0.5}
    return Epoch(number, **{**defaults, **figures}, seconds=1.0, images_per_second=1.0)


def test_one_step_is_the_gradient_step_by_hand():
    work = training(lr=0.1)
    split = digits(8)
    images = Pipeline().prepare(split.images)
    before = work.model.classifier.weight.detach().clone()
    flat = images.flatten(1)
    logits = flat @ before.T + work.model.classifier.bias
    gradient = (logits.softmax(1) - F.one_hot(split.labels, 10)).T @ flat / 8
    loss, hits = train_step(work, (images, split.labels), partial(forward_backward, work, FLOAT))
    assert torch.allclose(work.model.classifier.weight, before - 0.1 * gradient, atol=1e-5)
    expected = -logits.log_softmax(1)[torch.arange(8), split.labels].sum()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert hits.item() == (logits.argmax(1) == split.labels).sum().item()


def test_an_interrupt_leaves_the_process_its_threads(monkeypatch):
    def interrupted(*arguments):
        torch.set_num_threads(1)  # as a layer does during its backward pass
        raise KeyboardInterrupt

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    monkeypatch.setattr("mnist_sweep.training.loop.train_step", interrupted)
    try:
        with pytest.raises(KeyboardInterrupt):
            run(training())
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_evaluation_divides_sums_by_samples_and_so_counts_a_short_last_batch_right(monkeypatch):
    monkeypatch.setattr("mnist_sweep.training.loop.EVALUATION_BATCH", {"cpu": 32})
    split = digits(33)  # the last batch has one sample
    split.labels[-1] = (split.labels[-1] + 1) % 10  # which is hard
    work = training()
    run(work, epochs=5)
    loss, accuracy = evaluate(work.model, split, Pipeline(), FLOAT)
    with torch.no_grad():
        logits = work.model(Pipeline().prepare(split.images))
    assert loss == pytest.approx(F.cross_entropy(logits, split.labels).item(), rel=1e-5)
    assert accuracy == (logits.argmax(1) == split.labels).sum().item() / 33
    mean_of_batch_means = (
        F.cross_entropy(logits[:32], split.labels[:32])
        + F.cross_entropy(logits[32:], split.labels[32:])
    ).item() / 2
    assert abs(mean_of_batch_means - loss) > 0.5  # the formula this guards against


def test_evaluation_is_in_evaluation_mode_and_leaves_no_gradients():
    torch.manual_seed(0)
    model = MLP(hidden=20, dropout=0.9)
    split = digits(40)
    assert evaluate(model, split, Pipeline(), FLOAT) == evaluate(model, split, Pipeline(), FLOAT)
    assert all(p.grad is None for p in model.parameters())


def test_training_learns():
    figures = []
    run(training(), epochs=8, after_epoch=lambda f, best: figures.append(f), train=digits(500))
    assert figures[-1].val_acc > 0.95
    assert figures[-1].val_loss < figures[0].val_loss


def test_training_figures_are_sums_over_samples():
    work = training(lr=1e-12)  # so that the weights do not move
    figures = []
    run(work, epochs=1, after_epoch=lambda f, best: figures.append(f), train=digits(33))
    loss, accuracy = evaluate(work.model, digits(33), Pipeline(), FLOAT)
    assert figures[0].train_loss == pytest.approx(loss, rel=1e-5)
    assert figures[0].train_acc == accuracy


def test_the_same_seed_gives_identical_figures():
    def figures():
        seen = []
        model = StagedCNN([[4, 4], [6]], dropout=0.2)
        run(training(model), after_epoch=lambda f, best: seen.append(f))
        return [(f.train_loss, f.train_acc, f.val_loss, f.val_acc) for f in seen]

    torch.manual_seed(0)
    first = figures()
    torch.manual_seed(0)
    assert figures() == first


@pytest.mark.parametrize(
    ("mode", "new", "old", "by", "better"),
    [
        ("min", 0.9, 1.0, 0.0, True),
        ("min", 1.0, 1.0, 0.0, False),
        ("min", 0.95, 1.0, 0.1, False),
        ("min", 5.0, None, 0.1, True),
        ("max", 0.9, 1.0, 0.0, False),
        ("max", 1.1, 1.0, 0.05, True),
        ("min", math.nan, None, 0.0, False),
        ("min", math.nan, 1.0, 0.0, False),
        ("max", math.nan, 1.0, 0.0, False),
        ("min", math.inf, None, 0.0, True),
    ],
)
def test_what_counts_as_an_improvement(mode, new, old, by, better):
    assert Criterion("val_loss", mode).improves(epoch(val_loss=new), old, by) is better


def test_the_best_epoch_is_kept_and_ties_go_to_the_earlier():
    best = BestEpoch(Criterion("val_acc", "max"))
    improved = [best.update(epoch(i, val_acc=a)) for i, a in enumerate([0.5, 0.7, 0.7, 0.6], 1)]
    assert improved == [True, True, False, False]
    assert (best.best, best.best_epoch, best.stale) == (0.7, 2, 2)


def test_early_stopping_ends_after_patience_epochs_without_improvement():
    stopping = EarlyStopping(BestEpoch(Criterion("train_loss", "max")), patience=2)
    seen = []
    reason = run(
        training(early_stopping=stopping),
        epochs=20,
        after_epoch=lambda f, best: seen.append(f.epoch),
    )
    # The training loss falls from the first epoch on, so "max" never improves again.
    assert seen == [1, 2, 3]
    assert reason == "train_loss has not improved for 2 epochs"


def test_min_delta_is_what_an_improvement_must_exceed():
    losses = [1.0, 0.95, 0.91, 0.85]
    for min_delta, stale in ((0.0, 0), (0.1, 0), (0.2, 3)):
        best = BestEpoch(Criterion("val_loss", "min"), min_delta)
        for number, loss in enumerate(losses, 1):
            best.update(epoch(number, val_loss=loss))
        assert best.stale == stale


def test_a_reason_from_after_epoch_ends_the_run():
    assert (
        run(training(), after_epoch=lambda f, best: "enough" if f.epoch == 2 else None) == "enough"
    )


def test_a_run_that_diverges_says_so_after_recording_the_epoch():
    seen = []
    with pytest.raises(Diverged, match=r"diverged in epoch 1: train_loss is .*; try a lower"):
        run(training(lr=1e38), after_epoch=lambda f, best: seen.append(f.epoch))
    assert seen == [1]


def test_a_restored_state_goes_on_bit_identically(tmp_path):
    def new():
        torch.manual_seed(0)
        stopping = EarlyStopping(BestEpoch(Criterion()), 50)
        return training(StagedCNN([[4, 4], [6]], dropout=0.3), early_stopping=stopping)

    def figures_of(work, epochs):
        seen = []
        run(work, epochs, lambda f, best: seen.append((f.epoch, f.train_loss, f.val_loss, best)))
        return seen

    whole = figures_of(new(), 5)
    work = new()
    figures_of(work, 2)
    torch.save(work.state_dict(), tmp_path / "last.pt")
    torch.rand(7)  # something else draws from the generator in between
    work = new()
    work.load_state_dict(torch.load(tmp_path / "last.pt", weights_only=True))
    assert figures_of(work, 5) == whole[2:]


def test_a_run_stopped_early_is_not_trained_further_when_restored():
    stopping = EarlyStopping(BestEpoch(Criterion(), stale=2, best=1.0, best_epoch=1), patience=2)
    work = training(early_stopping=stopping, epoch=3)
    assert run(work, epochs=10, after_epoch=lambda f, best: pytest.fail("trained")) is not None


def test_bfloat16_computes_in_bfloat16_and_keeps_float32_weights():
    seen = []
    model = Linear()
    model.classifier.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    work = training(model)
    settings = {"epochs": 1, "batch_size": 32, "precision": Precision("bfloat16")}
    fit(work, digits(40), digits(20), Pipeline(), after_epoch=lambda f, best: None, **settings)
    assert set(seen) == {torch.bfloat16}
    assert model.classifier.weight.dtype == torch.float32


def averaged(model=None, **settings):
    work = training(model, **settings)
    work.averaging = Averaging(work.model, 0.9)
    return work


def test_with_averaged_weights_those_are_validated_and_the_last_ones_stay():
    seen = []
    alone, work = training(), averaged()
    run(alone, after_epoch=lambda figures, best: None)
    run(work, after_epoch=lambda figures, best: seen.append(figures))
    assert torch.equal(alone.model.classifier.weight, work.model.classifier.weight)
    assert work.judged is work.averaging.model
    assert (seen[-1].val_loss, seen[-1].val_acc) == evaluate(
        work.averaging.model, digits(50, 1), Pipeline(), FLOAT
    )
    assert seen[-1].val_loss != evaluate(work.model, digits(50, 1), Pipeline(), FLOAT)[0]


def test_a_restored_average_goes_on_bit_identically(tmp_path):
    def new():
        return averaged(StagedCNN([[4, 4], [6]], dropout=0.3))

    def figures_of(work, epochs):
        seen = []
        recipe = Recipe(Loss(label_smoothing=0.1), clip_norm=0.5)
        run(work, epochs, lambda f, best: seen.append((f.train_loss, f.val_loss)), recipe=recipe)
        return seen

    torch.manual_seed(0)
    whole = figures_of(new(), 4)
    torch.manual_seed(0)
    work = new()
    figures_of(work, 2)
    torch.save(work.state_dict(), tmp_path / "last.pt")
    work = new()
    work.load_state_dict(torch.load(tmp_path / "last.pt", weights_only=True))
    assert figures_of(work, 4) == whole[2:]


def test_a_state_without_an_average_has_no_entry_for_one():
    assert "averaging" not in training().state_dict()


def test_gradients_are_scaled_down_to_the_norm_and_never_up():
    split = digits(8)
    batch = (Pipeline().prepare(split.images), split.labels)
    for clip_norm, expected in ((0.01, 0.01), (1e6, None)):
        work = training(lr=1.0)
        before = [p.detach().clone() for p in work.model.parameters()]
        train_step(work, batch, partial(forward_backward, work, FLOAT), clip_norm)
        moved = zip(work.model.parameters(), before, strict=True)
        norm = torch.cat([(p - old).flatten() for p, old in moved]).norm().item()
        if expected is None:
            assert norm > 1
        else:
            assert norm == pytest.approx(expected, rel=1e-2)


def test_a_run_with_clipped_gradients_that_diverges_still_says_so():
    with pytest.raises(Diverged, match="diverged in epoch 1"):
        run(training(lr=1e38), recipe=Recipe(clip_norm=1.0))


@pytest.mark.parametrize("loss", [Loss("mse"), Loss(label_smoothing=0.3)])
def test_validation_losses_are_cross_entropy_whatever_is_minimized(loss):
    figures = []
    work = training(lr=1e-12)  # so that the weights do not move
    expected = evaluate(work.model, digits(50, 1), Pipeline(), FLOAT)[0]
    plain = evaluate(work.model, digits(100), Pipeline(), FLOAT)[0]
    run(work, 1, lambda f, best: figures.append(f), recipe=Recipe(loss))
    assert figures[0].val_loss == pytest.approx(expected, rel=1e-5)
    assert abs(figures[0].train_loss - plain) > 0.01


def test_the_epochs_after_augmentation_see_plain_images():
    seen = []

    class Seeing(Linear):
        def forward(self, images):
            if self.training:
                seen.append(images.detach().clone())
            return super().forward(images)

    split = digits(30)
    pipeline = Pipeline(augmentation=Augmentation(shift=3), augmented_epochs=2)
    settings = {"epochs": 3, "batch_size": 30, "precision": FLOAT}
    fit(training(Seeing()), split, split, pipeline, after_epoch=lambda f, best: None, **settings)
    ordered = [images.flatten(1).sort(0).values for images in seen]
    plain = Pipeline().prepare(split.images).flatten(1).sort(0).values
    assert [torch.equal(images, plain) for images in ordered] == [False, False, True]


def test_a_network_learns_from_a_teacher_what_the_labels_do_not_say():
    expert = training()
    run(expert, epochs=8, train=digits(500))
    teacher = Teacher(expert.model.eval(), Pipeline())
    wrong = digits(500)
    wrong.labels.copy_((wrong.labels + 1) % 10)
    figures = []
    recipe = Recipe(Loss(weight=1.0), teacher=teacher)
    run(training(), 8, lambda f, best: figures.append(f), train=wrong, recipe=recipe)
    assert figures[-1].val_acc > 0.9
