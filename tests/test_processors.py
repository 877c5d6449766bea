"""The same on processors without AVX-512, each part in a process of its own, which may crash."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mnist_sweep import train

ROOT = Path(__file__).parent.parent
AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
HERE = torch.backends.cpu.get_cpu_capability()
HAS_AVX2 = HERE == "AVX2" or HERE.startswith("AVX512")
# This processor as it is, and where it has more than AVX2, as one that has not.
PROCESSORS = {HERE: {}} | ({"AVX2": AVX2} if HAS_AVX2 else {})
MODELS = sorted(path.stem for path in (Path(train.config_directory()) / "model").glob("*.yaml"))
WIDTHS = [f"model.width={width}" for width in (0.1, 0.3, 0.45, 0.6, 1.0)]
VARIANTS = {
    "linear": [""],
    "mlp": [""],
    "compact": [
        "",
        "model.channels=4 model.pooling=stride",
        "model.channels=6 model.pooling=stride model.kernel=separable_3x3 model.shared=true",
        "model.channels=6 model.pooling=stride model.kernel=3x1_1x3 model.bottleneck=null",
        "model.channels=7 model.pooling=blur model.kernel=separable_5x5 model.width_step=1",
        "model.affine=false model.squeeze_excite=true model.head=conv model.activation=silu",
    ],
}

# A convolution as ONEDNN_VERBOSE=1 has it: kernel's name, pass, and shape.
EXECUTED = re.compile(r"exec,cpu,convolution,([\w:]+),(\w+),.*,mb\d+_(?:g\d+)?ic(\d+)oc\d+_(\S+?),")


def separately(arguments, environment, **more):
    """Run Python in a process of its own; return its output, or fail with the end of it."""
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment, **more},
        capture_output=True,
        text=True,
        timeout=300,
    )
    end = (done.stdout[-1500:] + done.stderr[-1500:]).strip()
    assert done.returncode == 0, f"exit code {done.returncode}, after:\n{end}"
    return done.stdout


@pytest.mark.parametrize("processor", PROCESSORS.values(), ids=PROCESSORS)
def test_our_convolutions_are_right(processor):
    said = separately(["-m", "tests.every_processor", "convolutions"], processor)
    assert said.endswith("done\n")


@pytest.mark.slow
@pytest.mark.parametrize("processor", PROCESSORS.values(), ids=PROCESSORS)
def test_every_shipped_model_trains_and_meets_no_faulty_kernel(processor):
    """All in one process, whose imports take longer than they do: a crash names the last."""
    models = [
        f"model={name} {variant}".strip()
        for name in MODELS
        for variant in VARIANTS.get(name, WIDTHS)
    ]
    said = separately(
        ["-m", "tests.every_processor", "runs", *models], processor, ONEDNN_VERBOSE="1"
    )
    assert said.endswith("done\n")
    trained = re.split(r"^(model=.*)\n", said, flags=re.M)[1:]
    assert trained[::2] == models
    for model, lines in zip(models, trained[1::2], strict=True):
        kernels = EXECUTED.findall(lines)
        assert kernels or model in ("model=linear", "model=mlp"), model
        if processor:
            assert not [name for name, *_ in kernels if "avx512" in name], model
            assert any("avx2" in name for name, *_ in kernels) or not kernels, model
        for _name, direction, channels, shape in kernels:
            strided = re.search(r"kh1sh[^1]|kw1sw[^1]", shape)
            faulty = strided and "kh1" in shape and "kw1" in shape
            assert not faulty, (model, direction, channels, shape)


@pytest.mark.slow
@pytest.mark.skipif(HERE == "AVX2", reason="this processor has AVX2 and no more: they run as it is")
@pytest.mark.skipif(not HAS_AVX2, reason="this processor has no AVX2")
@pytest.mark.parametrize("tests", ["models", "training/test_loop.py"])
def test_the_tests_of_what_computes_pass_without_avx512(tests):
    pytest_alone = ["-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/{tests}"]
    assert " passed" in separately(pytest_alone, AVX2)
