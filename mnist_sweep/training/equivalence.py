"""What networks have in common beside their weights."""

from torch import Tensor, nn

# What every module keeps for itself, as torch makes it. The rest are a layer's settings.
OWN = vars(nn.Module())
# Of that, what two alike networks may differ in. Hooks they may not have at all.
STATE = {"training", "_parameters", "_buffers", "_modules"}


def alike(model: nn.Module, other: nn.Module) -> bool:
    """Whether two networks do the same with the same weights.

    They do where all their layers have the same names, classes and settings, and their tensors the
    same shapes, memory layouts and types on the same devices. What cannot be compared counts as
    different, and so do hooks, which may do anything.
    """
    try:
        same = bool(_layers(model) == _layers(other)) and _kinds(model) == _kinds(other)
        return same and not _has_hooks(model) and not _has_hooks(other)
    except Exception:  # a setting's own notion of equality, of an array for one
        return False


def tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return a network's parameters and buffers by name, each once."""
    return dict(model.named_parameters()) | dict(model.named_buffers())


def _layers(model: nn.Module) -> dict[str, object]:
    return {
        name: (type(layer), {key: v for key, v in vars(layer).items() if key not in STATE})
        for name, layer in model.named_modules()
    }


def _has_hooks(model: nn.Module) -> bool:
    return any(
        getattr(layer, key)
        for layer in model.modules()
        for key, empty in OWN.items()
        if isinstance(empty, dict) and key not in STATE
    )


def _kinds(model: nn.Module) -> dict[str, object]:
    return {
        name: (tensor.shape, tensor.stride(), tensor.dtype, tensor.device, tensor.requires_grad)
        for name, tensor in tensors(model).items()
    }
