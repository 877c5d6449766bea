import pytest
import torch
from torch import nn

from mnist_sweep.bundle import onnx
from mnist_sweep.bundle.onnx import OnnxError, write_onnx
from mnist_sweep.data import Pipeline
from mnist_sweep.models import MLP, StagedCNN

onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX needs the extra [onnx]")

PIPELINE = Pipeline(0.1307, 0.3081)


def trained(model):
    """A model whose normalizations have seen something."""
    torch.manual_seed(0)
    model(torch.randn(8, 1, 28, 28))
    return model.eval()


@pytest.mark.parametrize(
    "model", [StagedCNN([[4, 6], [8]], residual=True), MLP(8)], ids=["cnn", "mlp"]
)
def test_a_file_gives_torchs_logits_for_images_of_any_number(tmp_path, model):
    path = tmp_path / "model.onnx"
    assert write_onnx(trained(model), PIPELINE, path) < 1e-4
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    images = torch.randint(0, 256, (5, 28, 28), dtype=torch.uint8)
    (logits,) = session.run(None, {"images": images.numpy()})
    expected = model(PIPELINE.prepare(images)).detach()
    torch.testing.assert_close(torch.from_numpy(logits), expected, rtol=1e-4, atol=1e-4)
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]


def test_a_file_whose_logits_differ_is_not_left(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx, "largest_difference", lambda whole, path: float("nan"))
    with pytest.raises(OnnxError, match="logits differ by up to nan"):
        write_onnx(trained(MLP(4)), PIPELINE, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


class Undecided(nn.Module):
    """Decides by values, which no graph can hold."""

    def forward(self, images):
        return images.flatten(1)[:, :10] if images.sum() > 0 else images.flatten(1)[:, 10:20]


def test_a_model_that_cannot_be_written_is_one_line(tmp_path):
    with pytest.raises(OnnxError, match="cannot be written as ONNX: ") as caught:
        write_onnx(Undecided(), PIPELINE, tmp_path / "model.onnx")
    assert "\n" not in str(caught.value)


def test_without_the_packages_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(onnx, "find_spec", lambda name: None if name == "onnxscript" else name)
    with pytest.raises(OnnxError, match=r"pip install onnxscript$"):
        onnx.check_packages()
    with pytest.raises(OnnxError, match=r"^html=true needs onnxscript"):
        onnx.check_packages("html=true")
