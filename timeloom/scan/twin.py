"""A second cell of the same tensors, for whoever must put others in their place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

CONTAINERS = (list, dict, set)
_ABSENT = object()
MODULE = {*vars(nn.Module()), "_arguments"}  # what every module has


def twin(module: nn.Module, known: dict[int, nn.Module] | None = None) -> Any:
    """A module of the same parts, which holds the same tensors but may have others put in their place."""
    known = {} if known is None else known
    if id(module) not in known:
        new = known[id(module)] = object.__new__(type(module))
        inside = {key: value.copy() if type(value) in CONTAINERS else value for key, value in vars(module).items()}
        vars(new).update(inside)
        for key in ("_parameters", "_buffers", "_modules"):
            vars(new)[key] = dict(inside[key])
        for name, part in inside["_modules"].items():
            vars(new)["_modules"][name] = None if part is None else twin(part, known)
    return known[id(module)]


def attribute_written(cell: nn.Module, original: nn.Module) -> str:
    """`self.name` of an attribute that tracing changed; "" if there is none."""
    for new, old in zip(cell.modules(), original.modules(), strict=False):
        for key, value in vars(new).items():
            before = vars(old).get(key)
            copied = type(value) in CONTAINERS and type(before) is type(value)
            if key not in MODULE and (differ(value, before) if copied else value is not before):
                return f"self.{key}"
    return ""


def tensor_put(cell: nn.Module, original: nn.Module) -> str:
    """`self.name` of a parameter or buffer in whose place a step has put another; "" if there is none."""
    for new, old in zip(cell.modules(), original.modules(), strict=False):
        for held in ("_parameters", "_buffers"):
            for key, value in vars(new)[held].items():
                if value is not vars(old)[held].get(key, _ABSENT):
                    return f"self.{key}"
    return ""


def differ(one: Any, other: Any) -> bool:
    """Whether two lists, dicts or sets hold other objects."""
    parts = [(*each, *each.values()) if isinstance(each, dict) else tuple(each) for each in (one, other)]
    return [*map(id, parts[0])] != [*map(id, parts[1])]


def name_of_tensor(cell: nn.Module, tensor: Tensor) -> str:
    """The attribute that holds a tensor, in words."""
    for part in cell.modules():
        for key, value in vars(part).items():
            if isinstance(value, Tensor) and value.data_ptr() == tensor.data_ptr():
                return f"the tensor self.{key}"
    return f"a tensor {tuple(tensor.shape)}"


def replaced(module: nn.Module, tensors: Mapping[str, Tensor]) -> Any:
    """A twin of `module` with `tensors` in the place of its parameters of these names."""
    new = twin(module)
    for name, tensor in tensors.items():
        path, _, last = name.rpartition(".")
        new.get_submodule(path)._parameters[last] = tensor
    return new
