"""draw.html: a page to draw a digit on, with the model in it. It needs nothing beside it.

Nothing on it runs but its own script, and nothing is fetched: the page's policy says so.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from mnist_sweep.bundle import doubts, drawings
from mnist_sweep.bundle.graph import read_graph
from mnist_sweep.bundle.strokes import FAINTEST, INK, SPECK
from mnist_sweep.web_pages import as_json, source_of, templates

HERE = Path(__file__).parent
SCRIPTS = ("interpreter.js", "drawing.js", "draw.js")
LIMITS = {
    "box": drawings.BOX,
    "middle": drawings.MIDDLE,
    "ink": INK,
    "faintest": FAINTEST,
    "speck": SPECK,
    "half": doubts.HALF,
    "shape": doubts.SHAPE,
    "shapes": doubts.SHAPES,
    "close": doubts.CLOSE,
}


def page(description: Mapping[str, Any], model: Path) -> str:
    """Return the page of a bundle's description and its model as ONNX. Raises OnnxError."""
    calibration = description.get("calibration") or {}
    given = {
        "graph": read_graph(model),
        "labels": description["labels"],
        "temperature": calibration.get("temperature", 1.0),
        "limits": LIMITS,
    }
    environment = templates(HERE)
    script = script_text()
    style = (HERE / "draw.css").read_text(encoding="utf-8")
    return environment.get_template("draw.html.j2").render(
        title=f"Draw a digit: {description['name']}",
        about=about(description),
        labels=description["labels"],
        style=Markup(style),
        script=Markup(script),
        policy=(
            f"default-src 'none'; script-src {source_of(script)}; style-src {source_of(style)}; "
            "img-src data:; base-uri 'none'; form-action 'none'"
        ),
        given=Markup(as_json(given)),
    )


def script_text() -> str:
    """Return the page's script: its parts, one after the other."""
    return "\n".join((HERE / name).read_text(encoding="utf-8") for name in SCRIPTS)


def about(description: Mapping[str, Any]) -> list[str]:
    """Return what the foot of the page says of the network."""
    figures = description.get("figures") or {}
    lines = [f"{description['name']}: {description['parameters']:,} parameters."]
    data = figures.get("data") or {}
    if "test_acc" in figures and "test" in data.get("sizes", {}):
        images = data["sizes"]["test"]
        lines[0] += f" It reads {figures['test_acc']:.2%} of {images:,} test images right."
    reason = (description.get("calibration") or {}).get("reason")
    if reason:
        lines.append(f"Its probabilities are not calibrated: {reason}.")
    lines.append("It knows digits only: it takes a letter for one too. Nothing leaves this page.")
    return lines
