"""An ONNX file as a list of layers that the page's interpreter (interpreter.js) runs.

Weights become one string; what a layer is told by constants of whole numbers becomes settings.
"""

import base64
from pathlib import Path
from typing import Any

import numpy as np

from mnist_sweep.bundle.onnx import OnnxError

# What interpreter.js computes, with the settings that it takes as they are given here. Another
# value of one that is listed is refused.
FIXED: dict[str, dict[str, Any]] = {
    "Add": {},
    "AveragePool": {"auto_pad": "NOTSET", "ceil_mode": 0, "dilations": [1, 1], "pads": [0] * 4},
    "BatchNormalization": {"training_mode": 0},
    "Cast": {"to": 1},  # to float32
    "Conv": {"auto_pad": "NOTSET"},
    "Div": {},
    "Flatten": {"axis": 1},
    "Gemm": {"transA": 0},
    "Identity": {},
    "LeakyRelu": {},
    "MatMul": {},
    "MaxPool": {"auto_pad": "NOTSET", "ceil_mode": 0, "dilations": [1, 1], "storage_order": 0},
    "Mul": {},
    "ReduceMean": {"noop_with_empty_axes": 0},
    "Relu": {},
    "Reshape": {},
    "Sigmoid": {},
    "Sub": {},
    "Tanh": {},
    "Unsqueeze": {},
}
# Inputs that are settings: the operator's second one.
SETTINGS = {"Reshape": "shape", "ReduceMean": "axes", "Unsqueeze": "axes"}


def read_graph(path: Path) -> dict[str, Any]:
    """Return a file's graph: `input`, `output`, `nodes`, `constants`, `weights`.

    `weights`: all float constants one after the other, little-endian float32 in base64; each of
    `constants` has its `shape` and at which number it begins. Raises OnnxError, naming the
    operator, for one that the page does not run.
    """
    import onnx
    from onnx import helper, numpy_helper

    graph = onnx.load(str(path)).graph
    values = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    nodes: list[dict[str, Any]] = []
    used: list[str] = []
    for node in graph.node:
        given = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        if node.op_type == "Constant":
            values[node.output[0]] = numpy_helper.to_array(given["value"])
            continue
        settings = {name: _plain(value) for name, value in given.items()}
        _check(node.op_type, node.domain, settings)
        inputs = list(node.input)
        if node.op_type in SETTINGS and len(inputs) > 1:
            name = inputs.pop()
            if name not in values:
                raise _refused(node.op_type, f"its {SETTINGS[node.op_type]} is computed")
            settings[SETTINGS[node.op_type]] = values[name].ravel().tolist()
        used += [name for name in inputs if name in values and name not in used]
        nodes.append(
            {"op": node.op_type, "inputs": inputs, "output": node.output[0], "settings": settings}
        )
    constants, parts, at = {}, [], 0
    for name in used:
        array = np.ascontiguousarray(values[name], "<f4")
        constants[name] = {"shape": list(array.shape), "at": at}
        parts.append(array.tobytes())
        at += array.size
    return {
        "input": graph.input[0].name,
        "output": graph.output[0].name,
        "nodes": nodes,
        "constants": constants,
        "weights": base64.b64encode(b"".join(parts)).decode(),
    }


def _plain(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def _check(operator: str, domain: str, settings: dict[str, Any]) -> None:
    if domain or operator not in FIXED:
        raise _refused(f"{domain}.{operator}" if domain else operator, "the page does not know it")
    for name, value in FIXED[operator].items():
        if settings.get(name, value) != value:
            raise _refused(operator, f"with {name}={settings[name]}")


def _refused(operator: str, why: str) -> OnnxError:
    return OnnxError(
        f"html=true cannot show this model: its operator {operator} ({why}) is not one that the "
        "page runs; leave html=true out"
    )
