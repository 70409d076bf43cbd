"""Whether a cell still is what it was when its kernel was made."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

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
