"""Whether a cell still is what it was when its kernel was made, and whether two cells are alike."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from itertools import zip_longest
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn

from timeloom.scan.twin import MODULE

OURS = ("timeloom.", "torch.nn.")
SIMPLE = {int, float, str, bool, type(None), torch.dtype}
CONTAINERS = {tuple, list, dict}
shape_and_type = operator.attrgetter("shape", "dtype")
HELD = ("_parameters", "_buffers", "_modules", "_forward_pre_hooks", "_forward_hooks")


class Watch:
    """What a step may depend on beside its inputs: the attributes, parts and parameters of the cell, and their shapes.

    `tensors` are its parameters, then its buffers, in the order of a trace. To look again takes a few microseconds;
    the iterators of nn.Module take longer than a small scan.
    """

    def __init__(self, cell: nn.Module):
        self.values: list[Any] = []  # what stood under `keys` in `owners`, which is to be the same object
        self.owners: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.texts: list[tuple[dict[str, Any], str, str]] = []
        self.tables: list[Any] = []
        for part in cell.modules():
            inside = vars(part)
            for table in (inside, *(inside[name] for name in HELD)):
                self.tables.append(table)
                for key, value in table.items():
                    if table is not inside or key not in MODULE or key == "training":
                        self.look_at(table, key, value)
        step = getattr(type(cell), "step", None)
        if isinstance(step, FunctionType):  # global variables that the step reads
            for key in step.__code__.co_names:
                value = step.__globals__.get(key)
                if type(value) in SIMPLE or type(value) in CONTAINERS:
                    self.look_at(step.__globals__, key, value)
        self.empty = [table for table in self.tables if not table]
        self.tables = [table for table in self.tables if table]
        self.sizes = [len(table) for table in self.tables]
        self.tensors: list[Tensor] = [*cell.parameters(), *cell.buffers()]
        self.names = [name for name, _ in cell.named_parameters()]
        self.kinds = [*map(shape_and_type, self.tensors)]

    def with_others(self, tensors: Mapping[str, Tensor] | None) -> list[Tensor]:
        """`tensors` of the cell, with others in the place of some of its parameters."""
        if not tensors:
            return self.tensors
        return [tensors.get(name, own) for name, own in zip_longest(self.names, self.tensors)]

    def look_at(self, table: dict[str, Any], key: str, value: Any) -> None:
        text = text_of(value)
        if text is None:
            self.values.append(value)
            self.owners.append(table)
            self.keys.append(key)
        else:
            self.texts.append((table, key, text))

    def holds(self) -> bool:
        """Whether nothing of it has changed, but for the numbers in the parameters."""
        return (
            all(map(operator.is_, map(dict.get, self.owners, self.keys), self.values))  # without a line of Python each
            and not any(self.empty)
            and [*map(len, self.tables)] == self.sizes
            and (not self.texts or all(text_of(table.get(key)) == text for table, key, text in self.texts))
            and [*map(shape_and_type, self.tensors)] == self.kinds
        )


def text_of(value: Any) -> str | None:
    """What may change inside a value while it stays the same object, as text; None where nothing may."""
    if type(value) in CONTAINERS:
        return repr(value)
    if type(value).__module__ == "numpy":
        return str(value.tobytes())
    if isinstance(value, Tensor | nn.Module | type) or type(value) in SIMPLE or callable(value):
        return None
    inside = getattr(value, "__dict__", None)
    return repr(inside) if inside and all(type(part) in SIMPLE for part in inside.values()) else None


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
            elif key not in MODULE:
                return None  # a tensor, a function, an object
    return tuple(found)
