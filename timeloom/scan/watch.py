"""Whether a cell still is what it was when its kernel was made, and whether two cells are alike."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

OURS = ("timeloom.", "torch.nn.")
SIMPLE = {int, float, str, bool, type(None), torch.dtype}
CONTAINERS = {tuple, list, dict}


class Watch:
    """What a step may depend on beside its inputs: the attributes, parts and parameters of the cell, and their shapes.

    `tensors` are its parameters, then its buffers, in the order of a trace. To look again takes a few microseconds;
    the iterators of nn.Module take longer than a small scan.
    """

    def __init__(self, cell: nn.Module):
        parts = list(cell.modules())
        inside = [vars(part) for part in parts]
        tables = [table for part in inside for table in (part, part["_parameters"], part["_buffers"], part["_modules"])]
        self.sizes = [(table, len(table)) for table in tables]
        self.values: list[tuple[dict[str, Any], str, Any]] = []
        self.containers: list[tuple[dict[str, Any], str, str]] = []
        for table in tables:
            for key, value in table.items():
                if type(value) in CONTAINERS and not key.startswith("_"):
                    self.containers.append((table, key, repr(value)))
                elif type(value) in SIMPLE or isinstance(value, Tensor | nn.Module):
                    self.values.append((table, key, value))
        self.tensors: list[Tensor] = [*cell.parameters(), *cell.buffers()]
        self.shapes = [tensor.shape for tensor in self.tensors]

    def holds(self) -> bool:
        """Whether nothing of it has changed, but for the numbers in the parameters."""
        for table, key, value in self.values:
            if table.get(key) is not value:
                return False
        for table, size in self.sizes:
            if len(table) != size:
                return False
        for table, key, text in self.containers:
            if repr(table.get(key)) != text:
                return False
        return [tensor.shape for tensor in self.tensors] == self.shapes


def likeness(cell: nn.Module) -> Any:
    """What two cells with the same step have in common: classes, attributes, shapes; None where it cannot be told.

    It can for cells whose every part is this library's or torch's: their steps read nothing but `self`. Another's may
    read a global variable.
    """
    found: list[Any] = []
    numbers: dict[int, int] = {}  # one tensor in two places is not the same as two tensors
    for name, part in cell.named_modules():
        kind, inside = type(part), vars(part)
        if not kind.__module__.startswith(OURS) or inside["_forward_pre_hooks"] or inside["_forward_hooks"]:
            return None
        found.append((name, kind))
        for key, tensor in (*inside["_parameters"].items(), *inside["_buffers"].items()):
            if tensor is not None:
                number = numbers.setdefault(id(tensor), len(numbers))
                found.append((key, number, tensor.shape, tensor.dtype, tensor.device))
        for key, value in inside.items():
            if type(value) in SIMPLE or type(value) in CONTAINERS:
                if not key.startswith("_"):
                    found.append((key, repr(value)))
            elif isinstance(value, Tensor) or callable(value):
                return None
    return tuple(found)
