"""The page to draw on, in a browser: that it computes what torch and predict do."""

import base64
import functools
import hashlib
import html
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from PIL import Image

from mnist_sweep import train
from mnist_sweep.bundle.bundle import write_bundle
from mnist_sweep.bundle.doubts import doubts
from mnist_sweep.bundle.drawings import read_drawing
from mnist_sweep.bundle.graph import read_graph
from mnist_sweep.bundle.onnx import OnnxError, write_onnx
from mnist_sweep.bundle.page import HERE, page
from mnist_sweep.data import Pipeline
from mnist_sweep.data.sources import read_mnist_5k
from mnist_sweep.run.build import build_model
from mnist_sweep.run.exported import read_bundle
from mnist_sweep.run.load import load_trained
from tests.browser import browse, needs_browser, told

onnx = pytest.importorskip("onnx", reason="ONNX needs the extra [onnx]")

CPU = torch.device("cpu")
COMPACT = "model=compact"
# Baseline with other numbers of channels, and nothing else.
LIKE_BASELINE = ("enhanced", "wide")
NETWORKS = {
    **{
        path.stem: [f"model={path.stem}"]
        for path in sorted((Path(train.config_directory()) / "model").glob("*.yaml"))
        if path.stem not in LIKE_BASELINE
    },
    "compact, separable": [
        COMPACT,
        "model.kernel=separable_5x5",
        "model.pooling=blur",
        "model.activation=silu",
        "model.squeeze_excite=true",
    ],
    "compact, factors": [
        COMPACT,
        "model.kernel=3x1_1x3",
        "model.pooling=stride",
        "model.activation=leaky_relu",
        "model.head=conv",
        "model.residual=all",
    ],
    "compact, shared": [COMPACT, "model.shared=true", "model.affine=false", "model.residual=last"],
}


@pytest.fixture(scope="module")
def digits():
    """Two MNIST images of each digit: uint8 [20, 28, 28]."""
    return read_mnist_5k().images[::250]


def built(overrides):
    """A network of the project's whose norms have seen something, in evaluation mode."""
    with initialize_config_dir(train.config_directory()):
        config = compose("config", overrides=[*overrides, "budget.max_parameters=null"])
    torch.manual_seed(0)
    model = build_model(config.model)
    model(torch.randn(8, 1, 28, 28))
    return model.eval()


def computed(tmp_path, graphs, images):
    """The logits that the page's interpreter has for images, in a browser: [graphs, images, 10]."""
    given = json.dumps({"graphs": graphs, "images": images.flatten(1).tolist()})
    interpreter = (HERE / "interpreter.js").read_text(encoding="utf-8")
    script = """
        const given = JSON.parse(document.getElementById("given").textContent);
        const found = given.graphs.map((graph) => {
          const weights = constants(graph);
          return given.images.map((image) => logits(graph, weights, image));
        });
        document.getElementById("logits").textContent = JSON.stringify(found);
    """
    (tmp_path / "run.html").write_text(
        f'<!doctype html><meta charset="utf-8"><p id="logits"></p>'
        f'<script type="application/json" id="given">{given}</script>'
        f"<script>{interpreter}{script}</script>",
        encoding="utf-8",
    )
    (found,) = re.findall(r'<p id="logits">(.*?)</p>', browse(tmp_path / "run.html", "--dump-dom"))
    return torch.tensor(json.loads(found))


@needs_browser
@pytest.mark.slow
def test_every_network_has_torchs_logits_in_a_browser(tmp_path, digits):
    pipeline, graphs, expected = Pipeline(), [], []
    for overrides in NETWORKS.values():
        model, path = built(overrides), tmp_path / "model.onnx"
        write_onnx(model, pipeline, path)
        graphs.append(read_graph(path))
        with torch.inference_mode():
            expected.append(model(pipeline.prepare(digits)))
    found = computed(tmp_path, graphs, digits)
    for name, logits, torchs in zip(NETWORKS, found, expected, strict=True):
        assert torchs.std() > 0.01, name
        says = functools.partial("{}: {}".format, name)
        torch.testing.assert_close(logits, torchs, rtol=0, atol=1e-4, msg=says)


def graph_of(tmp_path, *nodes, constants=(), shape=(1, 28, 28)):
    """A file that has some nodes, from `images` to `logits`."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    made = helper.make_graph(
        list(nodes),
        "made",
        [helper.make_tensor_value_info("images", kind, shape)],
        [helper.make_tensor_value_info("logits", kind, None)],
        list(constants),
    )
    # Versions that onnxruntime knows too: onnx itself is ahead of it.
    versions = {"ir_version": 10, "opset_imports": [helper.make_opsetid("", 20)]}
    onnx.save(helper.make_model(made, **versions), str(tmp_path / "made.onnx"))
    return tmp_path / "made.onnx"


def constant(name, values):
    return onnx.numpy_helper.from_array(np.asarray(values), name)


@needs_browser
def test_operators_that_no_network_of_ours_has_are_those_of_onnx(tmp_path):
    """Dilated, grouped and padded on one side only; means that keep their axes; broadcasts."""
    runtime = pytest.importorskip("onnxruntime", reason="ONNX needs the extra [onnx]")
    node = onnx.helper.make_node
    draw = np.random.default_rng(0)
    floats = {
        "w": draw.normal(size=(4, 1, 3, 2)),
        "v": draw.normal(size=(6, 2, 3, 3)),
        "b": draw.normal(size=6),
        "m": draw.normal(size=(6, 10)),
        "column": draw.normal(size=(6, 1, 1)),
        **{name: draw.uniform(0.5, 1.5, 6) for name in ("scale", "shift", "mean", "variance")},
    }
    constants = [constant(name, value.astype(np.float32)) for name, value in floats.items()]
    constants += [constant("first", [0]), constant("last", [-1]), constant("flat", [0, -1])]
    path = graph_of(
        tmp_path,
        node("Unsqueeze", ["images", "first"], ["x"]),
        node("Conv", ["x", "w"], ["c"], dilations=[2, 3], pads=[0, 1, 2, 0], strides=[1, 2]),
        node("Conv", ["c", "v", "b"], ["d"], group=2),
        node("MaxPool", ["d"], ["p"], kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 0, 1]),
        node("AveragePool", ["p"], ["a"], kernel_shape=[2, 2]),
        node("BatchNormalization", ["a", "scale", "shift", "mean", "variance"], ["n"], epsilon=0.1),
        node("Mul", ["column", "n"], ["broad"]),
        node("Tanh", ["broad"], ["t"]),
        node("ReduceMean", ["t", "last"], ["r"], keepdims=1),
        node("Sub", ["t", "r"], ["s"]),
        node("ReduceMean", ["s", "last"], ["q"], keepdims=0),
        node("Sigmoid", ["t"], ["g"]),
        node("ReduceMean", ["g", "last"], ["h"], keepdims=0),
        node("Add", ["h", "q"], ["i"]),
        node("ReduceMean", ["i", "last"], ["j"], keepdims=0),
        node("Reshape", ["j", "flat"], ["f"]),
        node("MatMul", ["f", "m"], ["k"]),
        node("Identity", ["k"], ["logits"]),
        constants=constants,
    )
    image = torch.from_numpy(draw.integers(0, 9, (1, 28, 28)).astype(np.float32))
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"images": image.numpy()})
    (found,) = computed(tmp_path, [read_graph(path)], image)
    torch.testing.assert_close(found, torch.from_numpy(expected), rtol=0, atol=1e-4)


def test_an_operator_that_the_page_does_not_run_is_one_line_that_names_it(tmp_path):
    node = onnx.helper.make_node
    cases = {
        "Erf (the page does not know it)": node("Erf", ["images"], ["logits"]),
        "MaxPool (with ceil_mode=1)": node(
            "MaxPool", ["images"], ["logits"], kernel_shape=[2, 2], ceil_mode=1
        ),
        "Reshape (its shape is computed)": node("Reshape", ["images", "images"], ["logits"]),
        "com.other.Relu": node("Relu", ["images"], ["logits"], domain="com.other"),
    }
    for said, each in cases.items():
        with pytest.raises(OnnxError, match=re.escape(f"its operator {said}")) as raised:
            read_graph(graph_of(tmp_path, each))
        assert "\n" not in str(raised.value)
        assert str(raised.value).endswith("leave html=true out")


@pytest.fixture(scope="module")
def bundle(finished, tmp_path_factory):
    pytest.importorskip("onnxruntime", reason="ONNX needs the extra [onnx]")
    folder = tmp_path_factory.mktemp("bundles") / "bundle"
    write_bundle(load_trained(str(finished), CPU), folder, html=True)
    return folder


STROKES = """
    function drag(points) {
      const box = sheet.getBoundingClientRect();
      points.forEach(([x, y], n) => {
        const at = { clientX: box.left + x * box.width, clientY: box.top + y * box.height };
        const kind = n === 0 ? "pointerdown" : "pointermove";
        sheet.dispatchEvent(new PointerEvent(kind, { ...at, bubbles: true, button: 0 }));
      });
      sheet.dispatchEvent(new PointerEvent("pointerup", { bubbles: true }));
    }
    function finish() {
      look();
      const note = document.createElement("p");
      note.className = "told";
      note.hidden = true;
      const found = read();
      note.textContent = JSON.stringify({
        png: sheet.toDataURL(),
        image: found && Array.from(found.image),
        probabilities: found && found.probabilities,
        doubts: found && found.doubts,
        answer: answer.textContent,
        said: said.textContent,
        best: document.querySelectorAll("li.best").length,
      });
      document.body.append(note);
    }
    function clear() {
      document.getElementById("clear").click();
    }
"""


def noted(dom):
    """What the page told of itself after each `finish()`, its sheet as an image."""
    notes = []
    for text in re.findall(r'<p class="told" hidden="">(.*?)</p>', dom):
        found = json.loads(html.unescape(text))
        content = io.BytesIO(base64.b64decode(found.pop("png").split(",")[1]))
        notes.append({**found, "sheet": Image.open(content).convert("L")})
    return notes


def drags(strokes):
    return "".join(f"drag({json.dumps(stroke)});" for stroke in strokes)


DRAWINGS = {
    "seven": [[(0.3, 0.2), (0.7, 0.22), (0.45, 0.8)]],
    "small, in a corner": [[(0.1, 0.1), (0.12, 0.16), (0.1, 0.22)]],
    "wide": [[(0.1, 0.5), (0.5, 0.45), (0.9, 0.5)]],
    "two shapes": [[(0.25, 0.2), (0.25, 0.8)], [(0.7, 0.2), (0.72, 0.8)]],
    "with a speck": [[(0.3, 0.2), (0.7, 0.2), (0.4, 0.9)], [(0.9, 0.9)]],
    "to the border": [[(0.3, 0.2), (0.7, 0.22), (0.45, 1.0)]],
}


@pytest.fixture(scope="module")
def seen(bundle):
    """What the page told of each drawing, one after another on a sheet that is cleared."""
    script = "clear();".join(f"{drags(strokes)}finish();" for strokes in DRAWINGS.values())
    return dict(zip(DRAWINGS, noted(told(bundle / "draw.html", STROKES + script)), strict=True))


@needs_browser
@pytest.mark.parametrize("name", DRAWINGS)
def test_the_page_sees_and_says_what_predict_does(bundle, seen, tmp_path, name):
    found = seen[name]
    found["sheet"].save(tmp_path / "drawn.png")
    drawing = read_drawing(tmp_path / "drawn.png")
    image = np.array(found["image"]).reshape(28, 28)
    assert np.abs(image - drawing.pixels.astype(int)).max() <= 1
    read = read_bundle(str(bundle), CPU)
    expected = read.probabilities(torch.from_numpy(drawing.pixels)[None])[0].tolist()
    assert found["probabilities"] == pytest.approx(expected, abs=2e-3)
    said = [[doubt.kind, doubt.says] for doubt in doubts(drawing, expected, read.labels)]
    assert found["doubts"] == said
    assert found["said"] == ", ".join(says for _, says in said)
    best = int(np.argmax(expected))
    assert found["answer"].startswith(f"{read.labels[best]} (")
    assert found["best"] == 1


@needs_browser
def test_a_sheet_that_is_cleared_or_has_noise_has_no_digit(bundle):
    dots = [[[0.1 + 0.2 * x, 0.1 + 0.2 * y]] for x in range(5) for y in range(5)]
    script = f"drag([[0.3, 0.2], [0.6, 0.8]]); clear(); finish(); {drags(dots)} finish();"
    cleared, noise = noted(told(bundle / "draw.html", STROKES + script))
    assert (cleared["image"], cleared["answer"]) == (None, "Draw a digit")
    assert (noise["answer"], noise["best"]) == ("no digit", 0)


@needs_browser
def test_a_keyboard_draws_too(bundle):
    keys = [" ", *["ArrowDown"] * 15, " ", "ArrowLeft"]
    press = "sheet.dispatchEvent(new KeyboardEvent('keydown', {{ key: '{}' }}));".format
    script = "".join(map(press, keys)) + f"finish(); {press('Delete')} finish();"
    drawn, gone = noted(told(bundle / "draw.html", STROKES + script))
    assert drawn["image"] is not None
    assert gone["image"] is None


TOUCHES = {
    "a tap": "drag([[0.5, 0.5]]);",
    "a tap that does not move": "drag([[0.5, 0.5], [0.5, 0.5]]);",
    "the space bar": "sheet.dispatchEvent(new KeyboardEvent('keydown', { key: ' ' }));",
}


@needs_browser
def test_a_touch_that_does_not_move_is_a_dot_of_the_pen(bundle):
    script = "clear();".join(f"{touch} finish();" for touch in TOUCHES.values())
    notes = noted(told(bundle / "draw.html", STROKES + script))
    for name, found in zip(TOUCHES, notes, strict=True):
        ink = np.array(found["sheet"]) < 128
        width = 0.08 * ink.shape[1]
        for places in np.nonzero(ink):
            assert places.max() - places.min() + 1 == pytest.approx(width, abs=1.5), name
        assert ink.sum() == pytest.approx(np.pi * width**2 / 4, rel=0.05), name


@needs_browser
def test_the_page_opens_without_errors(bundle):
    assert browse(bundle / "draw.html", "--dump-dom").count("<li>") == 10


@needs_browser
@pytest.mark.parametrize("width", [390, 1400])
def test_the_page_fits_a_phone_and_a_desk(bundle, tmp_path, width):
    inside = html.escape((bundle / "draw.html").read_text(encoding="utf-8"))
    (tmp_path / "frame.html").write_text(
        f'<!doctype html><meta charset="utf-8"><title></title>'
        f'<iframe width="{width}" height="900" srcdoc="{inside}"></iframe><script>'
        "document.querySelector('iframe').addEventListener('load', (event) => {"
        " const page = event.target.contentDocument;"
        " const sheet = page.getElementById('sheet').getBoundingClientRect();"
        " document.title = `${page.documentElement.scrollWidth} ${sheet.width} ${sheet.height}`;"
        "});</script>",
        encoding="utf-8",
    )
    dom = browse(tmp_path / "frame.html", "--dump-dom", width=1600)
    (title,) = re.findall("<title>(.*?)</title>", dom, re.DOTALL)
    page_width, *sheet = map(float, title.split())
    assert page_width <= width
    assert sheet[0] == sheet[1] >= 300


def test_the_page_names_nothing_beside_it_and_runs_its_own_script_alone(bundle):
    text = (bundle / "draw.html").read_text(encoding="utf-8")
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    policy = html.unescape(policy)
    for element, directive in (("script", "script-src"), ("style", "style-src")):
        (inside,) = re.findall(rf"<{element}>(.*?)</{element}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.findall(r"""(?:src|href)="(?!data:)""", text)


def test_a_name_that_is_a_script_is_text(bundle, tmp_path):
    pytest.importorskip("onnxruntime")
    hostile = "</script><script>alert(1)</script>"
    description = json.loads((bundle / "bundle.json").read_text()) | {
        "name": hostile,
        "labels": [hostile, *"123456789"],
    }
    model = built(["model=linear"])
    write_onnx(model, Pipeline(), tmp_path / "model.onnx")
    text = page(description, tmp_path / "model.onnx")
    assert "<script>alert" not in text
    assert text.count("</script>") == 2
