import pytest
import torch
from torch import nn

from mnist_sweep.models import layers
from mnist_sweep.models.layers import BatchNorm2d, Conv2d, normalized


@pytest.fixture(params=[1, 2])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.fixture(params=["products", "convolutions"])
def products(request, monkeypatch):
    """Train as on a processor with AVX-512, where products are faster, and as on others."""
    monkeypatch.setattr(layers, "PRODUCTS", request.param == "products")
    return layers.PRODUCTS


def images(channels, **settings):
    torch.manual_seed(0)
    made = torch.randn(8, channels, 14, 14).to(memory_format=torch.channels_last)
    return made.requires_grad_(**settings)


def same_weights(mine, theirs):
    mine.load_state_dict(theirs.state_dict())
    return mine.to(memory_format=torch.channels_last), theirs.to(memory_format=torch.channels_last)


def trained(module, x):
    """Return output, and gradients of input and parameters, of a step with fixed weights."""
    x = x.detach().clone().requires_grad_()
    y = module(x)
    (y * torch.linspace(-1, 1, y.numel()).view_as(y)).sum().backward()
    return [y.detach(), x.grad, *(p.grad for p in module.parameters())]


def fastest(y):
    """Return the operation that computed a tensor."""
    return type(y.grad_fn).__name__


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format], ids=str)
@pytest.mark.parametrize(
    "settings",
    [
        {"kernel_size": 1},
        {"kernel_size": 1, "bias": False},
        {"kernel_size": 1, "stride": 2},
        {"kernel_size": 1, "stride": (1, 2)},
        {"kernel_size": 1, "stride": (3, 2), "bias": False},
        {"kernel_size": 1, "stride": 2, "padding": (0, 1)},
        {"kernel_size": 1, "stride": 2, "padding": 1, "padding_mode": "reflect"},
        {"kernel_size": 1, "stride": 2, "padding": "valid"},
        {"kernel_size": 1, "stride": 2, "groups": 2},
        {"kernel_size": 1, "stride": 2, "dilation": 2},
        {"kernel_size": 1, "padding": "same"},
        {"kernel_size": 1, "padding": 1},
        {"kernel_size": 1, "groups": 2},
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": 3, "padding": "same"},
    ],
    ids=str,
)
@pytest.mark.usefixtures("threads", "products")
def test_a_convolution_gives_what_torchs_gives(settings, layout):
    theirs = nn.Conv2d(6, 10, **settings)  # contiguous, which no kernel of torch's gets wrong
    mine = Conv2d(6, 10, **settings).to(memory_format=layout)
    mine.load_state_dict(theirs.state_dict())
    x, contiguous = images(6).contiguous(memory_format=layout), images(6).contiguous()
    for one, other in zip(trained(mine, x), trained(theirs, contiguous), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    mine, theirs = mine.eval(), theirs.eval()
    torch.testing.assert_close(mine(x), theirs(contiguous), rtol=1e-4, atol=1e-4)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(mine.train()(x), theirs(contiguous), rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("stride", [2, (1, 2), (3, 3)])
def test_no_strided_1x1_convolution_is_left_to_torch(
    monkeypatch, products, stride, training, autocast
):
    original, strides = torch.nn.functional.conv2d, []

    def conv2d(x, weight, bias=None, stride=1, *others, **settings):
        strides.append(stride)
        return original(x, weight, bias, stride, *others, **settings)

    monkeypatch.setattr(torch.nn.functional, "conv2d", conv2d)
    conv = Conv2d(6, 10, 1, stride=stride).train(training).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        y = conv(images(6))
    assert set(strides) <= {1}
    assert y.is_contiguous(memory_format=torch.channels_last)
    product = products and training and not autocast
    assert fastest(y) == ("PermuteBackward0" if product else "ConvolutionBackward0")


def test_a_1x1_kernel_trains_as_a_product_only_where_torch_uses_avx512():
    capability = torch.backends.cpu.get_cpu_capability()
    y = Conv2d(6, 10, 1)(images(6))
    assert (fastest(y) == "PermuteBackward0") == ("AVX512" in capability)


def test_only_a_1x1_kernel_over_channels_last_trains_as_a_matrix_product(monkeypatch):
    monkeypatch.setattr(layers, "PRODUCTS", True)
    product = fastest(Conv2d(6, 10, 1)(images(6)))
    assert product == "PermuteBackward0"
    assert fastest(Conv2d(6, 10, 3)(images(6))) == "ConvolutionBackward0"
    assert fastest(Conv2d(6, 10, 1)(images(6).contiguous())) == "ConvolutionBackward0"
    with torch.autocast("cpu", torch.bfloat16):
        assert fastest(Conv2d(6, 10, 1)(images(6))) == "ConvolutionBackward0"


@pytest.mark.usefixtures("products")
def test_a_1x1_kernel_keeps_the_channels_last():
    y = Conv2d(6, 10, 1)(images(6))
    assert y.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("channels", [6, 16])
def test_batch_normalization_is_torchs_own_on_one_thread_to_the_bit(channels, threads):
    mine, theirs = same_weights(BatchNorm2d(channels), nn.BatchNorm2d(channels))
    found = trained(mine, images(channels))
    assert torch.get_num_threads() == threads
    if channels % 16:  # full cache lines are left to all threads
        torch.set_num_threads(1)
    expected = trained(theirs, images(channels))
    torch.set_num_threads(threads)
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)
    assert torch.equal(mine.running_var, theirs.running_var)
    assert mine.num_batches_tracked == theirs.num_batches_tracked == 1


def test_batch_normalization_takes_one_thread_forward_and_backward(monkeypatch):
    calls = []
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr(torch, "set_num_threads", calls.append)
    y = BatchNorm2d(6)(images(6))
    assert calls == [1, 2]
    y.sum().backward()
    assert calls == [1, 2, 1, 2]


def test_threads_come_back_when_batch_normalization_raises(threads):
    with pytest.raises(ValueError, match="expected 4D input"):
        BatchNorm2d(6)(torch.zeros(2, 6))
    assert torch.get_num_threads() == threads


def test_evaluation_is_torchs_own(monkeypatch):
    monkeypatch.setattr(torch, "set_num_threads", lambda n: pytest.fail("threads were changed"))
    mine, theirs = same_weights(BatchNorm2d(6).eval(), nn.BatchNorm2d(6).eval())
    with torch.inference_mode():
        assert torch.equal(mine(images(6)), theirs(images(6)))
        one, other = same_weights(Conv2d(6, 10, 1).eval(), nn.Conv2d(6, 10, 1).eval())
        assert torch.equal(one(images(6)), other(images(6)))


class Unit(nn.Module):
    """A convolution and its normalization, as `normalized` passes through them or one by one."""

    def __init__(self, kernel_size, short):
        super().__init__()
        self.conv = Conv2d(6, 10, kernel_size, padding=kernel_size // 2)
        self.norm = BatchNorm2d(10)
        self.short = short

    def forward(self, x):
        return normalized(self.conv, self.norm, x) if self.short else self.norm(self.conv(x))


@pytest.mark.parametrize("kernel_size", [1, 3])
@pytest.mark.usefixtures("threads")
def test_a_bias_that_normalization_cancels_is_left_out_of_training_alone(kernel_size):
    short, whole = same_weights(Unit(kernel_size, short=True), Unit(kernel_size, short=False))
    with torch.no_grad():
        short.conv.bias.fill_(3.0)
        whole.conv.bias.fill_(3.0)
    for _ in range(2):
        found, expected = trained(short, images(6)), trained(whole, images(6))
        names = ["output", "input", *(name for name, _ in short.named_parameters())]
        for name, one, other in zip(names, found, expected, strict=True):
            if name == "conv.bias":
                assert one is None
                torch.testing.assert_close(other, torch.zeros(10), rtol=0, atol=1e-2)
            else:
                torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(short.norm.running_mean, whole.norm.running_mean)
    torch.testing.assert_close(short.norm.running_var, whole.norm.running_var)
    torch.testing.assert_close(short.eval()(images(6)), whole.eval()(images(6)))


@pytest.mark.parametrize(
    "change",
    [
        lambda unit: setattr(unit.norm, "momentum", None),
        lambda unit: setattr(unit.norm, "momentum", 1),
        lambda unit: unit.norm._buffers.update(running_mean=None, running_var=None),
    ],
    ids=["an average of all batches", "the last batch alone", "no running mean"],
)
def test_the_bias_is_trained_where_the_running_mean_cannot_take_it_up(change):
    unit = Unit(1, short=True)
    change(unit)
    unit(images(6)).sum().backward()
    assert unit.conv.bias.grad is not None


def test_two_passes_may_go_forward_before_one_goes_back():
    unit = Unit(1, short=True)
    (unit(images(6)).square().sum() + unit(2 * images(6)).square().sum()).backward()
    assert unit.conv.weight.grad is not None
