"""Whether a cell still is what it was when its kernel was made: all that its step may read besides its inputs.

What a step reads is found by walking from it: the functions that ran, the names in them, what stands under these names
in modules, objects, classes and closures, and what that holds. Each place is noted with what stood there. To look again
is a few maps over lists, without a line of Python for each place.
"""

from __future__ import annotations

import builtins
import functools
import gc
import operator
import os
import random
import re
import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from itertools import zip_longest
from pathlib import PurePath
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    MethodDescriptorType,
    MethodType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules import module as of_torch

from timeloom.scan.rehearse import Rehearsal, is_theirs, names_in
from timeloom.scan.twin import MODULE

tensor_kind = operator.attrgetter("shape", "dtype", "requires_grad")
HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")
HELD = ("_parameters", "_buffers", "_modules", *HOOKS)
GLOBAL_HOOKS = [
    *(of_torch._global_forward_pre_hooks, of_torch._global_forward_hooks),
    *(of_torch._global_backward_pre_hooks, of_torch._global_backward_hooks),
]
UNCHANGING = (
    *(int, float, complex, str, bytes, bool, type(None), type(...), type(NotImplemented), range, slice),
    *(torch.dtype, torch.device, torch.Size, torch.layout, torch.memory_format, torch.Generator, Tensor),
    *(Enum, Fraction, Decimal, PurePath, re.Pattern, CodeType),
    *(GetSetDescriptorType, MemberDescriptorType, MethodDescriptorType, WrapperDescriptorType),
    *(operator.itemgetter, operator.attrgetter, operator.methodcaller),
    type(vars(NamedTuple("Pair", [("one", int)]))["one"]),
)
OURS = ("torch", "builtins", "abc", "typing", "timeloom.scan", "timeloom.core", "collections", "enum", "numpy")
MOST = 4000  # places; more would take longer to look at than a scan
DYNAMIC = {"getattr", "vars", "__dict__", "hasattr", "attrgetter", "__getattribute__"}
UNFOLLOWED = {"globals", "locals", "eval", "exec", "__import__", "import_module"}
_ABSENT = object()
from_class: Callable[..., Any] = MappingProxyType.get


class Unwatchable(Exception):
    """The step reads something whose changes cannot be seen; the message says what, for a person."""


class Watch:
    """What a step may depend on besides its inputs, and whether it is all as it was.

    `tensors` are the cell's parameters, then its buffers, in the order of a trace. Raises Unwatchable, if `strict`.
    """

    def __init__(self, cell: nn.Module, seen: Rehearsal, strict: bool = True):
        self.strict = strict
        self.in_dicts = Places(dict.get)
        self.in_classes = Places(from_class)
        self.in_objects = Places(getattr)
        self.lists: list[tuple[Any, tuple[Any, ...], str]] = []  # lists, sets, deques, keys and values of dicts
        self.arrays: list[tuple[Any, bytes, str]] = []
        self.tables: list[Any] = []
        self.paths: list[str] = []
        self.classes: dict[int, type] = {}  # whose attributes the table of this number is
        self.reached: dict[int, Any] = {}
        self.walked: set[CodeType] = set()
        self.codes, self.names = seen.codes, seen.names
        if strict and (found := self.names & UNFOLLOWED):
            raise Unwatchable(f"its step calls {min(found)}, so that what it reads cannot be told")
        self.module(cell, "self")
        self.kind(type(cell), type(cell).__name__)
        self.rest()
        if seen.reads_environment:
            self.look(os.environ, "os.environ")
        if any(True for _ in cell.children()):
            self.tables += GLOBAL_HOOKS
            self.paths += ["torch's global hooks"] * len(GLOBAL_HOOKS)
        self.sizes = [len(table) for table in self.tables]
        self.keys = [frozenset(table) for table in self.tables]
        self.tensors: list[Tensor] = [*cell.parameters(), *cell.buffers()]
        self.names_of_parameters = [name for name, _ in cell.named_parameters()]
        self.kinds = [*map(tensor_kind, self.tensors)]
        self.hooked = hooked(cell)

    def with_others(self, tensors: Mapping[str, Tensor] | None) -> list[Tensor]:
        """`tensors` of the cell, with others in the place of some of its parameters."""
        if not tensors:
            return self.tensors
        return [tensors.get(name, own) for name, own in zip_longest(self.names_of_parameters, self.tensors)]

    def holds(self) -> bool:
        """Whether nothing of it has changed, but for the numbers in the parameters."""
        try:
            return (
                self.in_dicts.hold()
                and self.in_classes.hold()
                and self.in_objects.hold()
                and [*map(len, self.tables)] == self.sizes
                and [*map(tensor_kind, self.tensors)] == self.kinds
                and (not self.lists or all(same(one, parts) for one, parts, _ in self.lists))
                and (not self.arrays or all(one.tobytes() == content for one, content, _ in self.arrays))
            )
        except (AttributeError, ValueError, KeyError, RuntimeError):  # gone, or an emptied closure
            return False

    def changed(self) -> str:
        """The first place that is not as it was; "" if all are."""
        for places in (self.in_dicts, self.in_classes, self.in_objects):
            if path := places.changed():
                return path
        found = [path for one, parts, path in self.lists if not same(one, parts)]
        found += [path for one, content, path in self.arrays if one.tobytes() != content]
        found += [p for table, size, p in zip(self.tables, self.sizes, self.paths, strict=True) if len(table) != size]
        return next(iter(found), "" if self.holds() else "the shape of a parameter")

    def restore(self) -> None:
        """Put back what stood in the places that have changed: a look at a step shall leave nothing behind."""
        self.in_dicts.restore(dict.__setitem__)
        self.in_classes.restore(setattr)
        self.in_objects.restore(setattr)
        for number, (table, keys) in enumerate(zip(self.tables, self.keys, strict=True)):
            for key in set(table) - keys:
                if number in self.classes:
                    delattr(self.classes[number], key)
                else:
                    del table[key]
        for one, parts, _ in self.lists:
            if same(one, parts):
                continue
            if isinstance(one, list):
                one[:] = parts
            elif isinstance(one, deque):
                one.clear()
                one.extend(parts)
            elif isinstance(one, dict | set):
                half = len(parts) // 2
                one.clear()
                one.update(zip(parts[:half], parts[half:], strict=True) if isinstance(one, dict) else parts)

    # ------------------------------------------------------------------------------------------------ the walk

    def look(self, value: Any, path: str) -> None:
        """Note what may change inside a value while it stays the same object."""
        if isinstance(value, UNCHANGING) or id(value) in self.reached:
            return
        self.reached[id(value)] = value
        if len(self.reached) > MOST and not self.strict:
            return
        if len(self.reached) > MOST:
            raise Unwatchable(f"its step can read more than {MOST} things ({path}), too many to look at in each call")
        for kinds, way in self.ways():
            if isinstance(value, kinds):
                way(value, path)
                return
        if type(value).__module__ == "numpy":
            if hasattr(value, "tobytes") and hasattr(value, "flags"):
                self.arrays.append((value, value.tobytes(), path))
        elif not type(value).__module__.startswith("torch"):
            self.object(value, path)

    def ways(self) -> Iterable[tuple[Any, Callable[[Any, str], None]]]:
        return (
            (nn.Module, self.module),
            (FunctionType, self.function),
            (MethodType, lambda v, p: self.all_of((v.__func__, v.__self__), p)),
            (staticmethod | classmethod, lambda v, p: self.look(v.__func__, p)),
            (property, lambda v, p: self.look(v.fget, p)),
            (functools.cached_property, lambda v, p: self.look(v.func, p)),
            (functools.partial, lambda v, p: self.all_of((v.func, v.args, v.keywords), p)),
            (BuiltinFunctionType, lambda v, p: self.look(v.__self__, p)),
            (ModuleType, self.python_module),
            (type, self.kind),
            (CellType, self.closure),
            (dict | MappingProxyType, self.table),
            (list | tuple | set | frozenset | deque, self.list),
        )

    def all_of(self, values: Iterable[Any], path: str) -> None:
        for value in values:
            self.look(value, path)

    def module(self, part: nn.Module, path: str) -> None:
        """A module: every attribute, part and parameter by what it is, and what the step names inside, too."""
        self.reached[id(part)] = part
        inside = vars(part)
        for table in (inside, *(inside[name] for name in HELD)):
            self.tables.append(table)
            self.paths.append(path)
            for key, value in list(table.items()):
                if table is inside and key in MODULE and key != "training":
                    continue
                self.in_dicts.note(table, key, value, f"{path}.{key}")
                if isinstance(value, nn.Module):
                    self.module(value, f"{path}.{key}") if id(value) not in self.reached else None
                elif table is inside and (key in self.names or self.names & DYNAMIC):
                    self.look(value, f"{path}.{key}")
        self.kind(type(part), type(part).__name__)

    def function(self, function: Any, path: str) -> None:
        """A function that ran: its code, defaults, closure, and the global variables it names."""
        self.in_objects.note(function, "__code__", function.__code__, path)
        if function.__code__ not in self.codes or not is_theirs(function.__code__.co_filename):
            return
        self.walked.add(function.__code__)
        self.in_objects.note(function, "__defaults__", function.__defaults__, path)
        self.in_objects.note(function, "__kwdefaults__", function.__kwdefaults__, path)
        self.all_of((function.__defaults__, function.__kwdefaults__), f"the defaults of {path}")
        for name, part in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            self.look(part, name)
        if vars(function):
            self.table(vars(function), path)
        for name in set(names_in(function.__code__)):
            if name in function.__globals__:
                value = function.__globals__[name]
                self.in_dicts.note(function.__globals__, name, value, name)
                self.look(value, name)
            elif name in sys.modules and not hasattr(builtins, name):
                self.look(sys.modules[name], name)

    def closure(self, part: Any, path: str) -> None:
        try:
            value = part.cell_contents
        except ValueError:  # nothing in it yet
            return
        self.in_objects.note(part, "cell_contents", value, path)
        self.look(value, path)

    def python_module(self, module: ModuleType, path: str) -> None:
        """A module: what stands in it under names that the step has."""
        if module.__name__.startswith(OURS) or module.__name__ == "math":
            return
        for name in self.names & vars(module).keys():
            value = vars(module)[name]
            self.in_dicts.note(vars(module), name, value, f"{path}.{name}")
            self.look(value, f"{path}.{name}")

    def kind(self, kind: type, path: str) -> None:
        """A class and its bases: methods that ran, and attributes that the step names."""
        for base in kind.__mro__:
            if is_of_a_library(base):
                continue
            inside = vars(base)
            self.classes[len(self.tables)] = base
            self.tables.append(inside)
            self.paths.append(base.__name__)
            for name, value in inside.items():
                code = getattr(getattr(value, "fget", None) or getattr(value, "__func__", value), "__code__", None)
                if name in self.names or code in self.codes or name == "step":
                    self.in_classes.note(inside, name, value, f"{base.__name__}.{name}", base)
                    self.look(value, f"{base.__name__}.{name}")

    def table(self, table: Any, path: str) -> None:
        self.lists.append((table, (*table, *table.values()), path))
        self.all_of((*table, *table.values()), path)
        self.state_of(table, path)

    def list(self, values: Any, path: str) -> None:
        if not isinstance(values, tuple):
            self.lists.append((values, tuple(values), path))
        self.all_of(values, path)
        self.state_of(values, path)

    def state_of(self, value: Any, path: str) -> None:
        """What an instance of a derived class has besides: a list its attributes, a dict its default."""
        self.kind(type(value), type(value).__name__)
        if isinstance(getattr(value, "__dict__", None), dict):
            self.inside(vars(value), path)
        if hasattr(value, "default_factory"):
            self.look(value.default_factory, path)

    def object(self, value: Any, path: str) -> None:
        """Another object: its attributes, in its table or its slots."""
        self.kind(type(value), type(value).__name__)
        slots = [name for base in type(value).__mro__ for name in vars(base).get("__slots__", ())]
        inside = getattr(value, "__dict__", None)
        chance = isinstance(value, random.Random) and value is not getattr(random, "_inst", None)
        if self.strict and (chance or (not isinstance(inside, dict) and not slots)):
            raise Unwatchable(
                f"its step can read {path}, of the type {type(value).__name__}, whose changes cannot be seen; "
                "give what changes by x, the state or a buffer"
            )
        if isinstance(inside, dict):
            self.inside(inside, path)
        for name in slots:
            part = getattr(value, name, _ABSENT)
            if part is not _ABSENT and name not in ("__dict__", "__weakref__"):
                self.in_objects.note(value, name, part, f"{path}.{name}")
                self.look(part, f"{path}.{name}")

    def inside(self, table: dict[str, Any], path: str) -> None:
        self.tables.append(table)
        self.paths.append(path)
        for name, part in list(table.items()):
            self.in_dicts.note(table, name, part, f"{path}.{name}")
            self.look(part, f"{path}.{name}")

    def rest(self) -> None:
        """Functions that ran and were not come by: as the inner ones of decorators, or those called by libraries."""
        while left := self.codes - self.walked - {inner for code in self.walked for inner in codes_in(code)}:
            self.walked |= left
            for function in gc.get_referrers(*left):
                if isinstance(function, FunctionType) and id(function) not in self.reached:
                    self.look(function, function.__name__)


class Places:
    """Owners and keys, and what stood there: the same objects stand there as long as nothing has changed."""

    def __init__(self, get: Callable[..., Any]):
        self.get = get
        self.owners: list[Any] = []
        self.keys: list[str] = []
        self.values: list[Any] = []
        self.paths: list[str] = []
        self.targets: list[Any] = []  # what is written to, to restore

    def note(self, owner: Any, key: str, value: Any, path: str, target: Any = None) -> None:
        self.owners.append(owner)
        self.keys.append(key)
        self.values.append(value)
        self.paths.append(path)
        self.targets.append(owner if target is None else target)

    def hold(self) -> bool:
        return all(map(operator.is_, map(self.get, self.owners, self.keys), self.values))

    def restore(self, put: Callable[[Any, str, Any], None]) -> None:
        for owner, key, value, target in zip(self.owners, self.keys, self.values, self.targets, strict=True):
            try:
                if self.get(owner, key) is not value:
                    put(target, key, value)
            except (AttributeError, TypeError, ValueError):  # of a frozen object, which cannot have changed
                continue

    def changed(self) -> str:
        now = map(self.get, self.owners, self.keys)
        return next((p for p, new, old in zip(self.paths, now, self.values, strict=True) if new is not old), "")


def is_of_a_library(kind: type) -> bool:
    """Whether a class is one of torch's, Python's or the scan's own, and not one made by their help."""
    home = sys.modules.get(kind.__module__)
    return kind.__module__.startswith(OURS) and getattr(home, kind.__name__, None) is kind


def same(value: Any, parts: tuple[Any, ...]) -> bool:
    """Whether a list, set or dict still holds the same objects."""
    now = (*value, *value.values()) if isinstance(value, Mapping) else tuple(value)
    return len(now) == len(parts) and all(map(operator.is_, now, parts))


def codes_in(code: CodeType) -> Iterable[CodeType]:
    for part in code.co_consts:
        if isinstance(part, CodeType):
            yield part
            yield from codes_in(part)


def before_a_look(cell: nn.Module) -> Watch:
    """What functions that the step may run can change, so that it can be put back."""
    seen = Rehearsal(0)
    left: list[Any] = [type(part) for part in cell.modules()]
    reached: set[int] = set()
    while left:
        value = left.pop()
        value = getattr(value, "fget", None) or getattr(value, "__func__", value)
        if id(value) in reached:
            continue
        reached.add(id(value))
        if isinstance(value, type):
            bases = [base for base in value.__mro__ if not is_of_a_library(base)]
            left += [part for base in bases for part in vars(base).values()]
        elif isinstance(value, FunctionType) and is_theirs(value.__code__.co_filename):
            seen.codes.add(value.__code__)
            left += [value.__globals__.get(name) for name in names_in(value.__code__)]
            left += [part.cell_contents for part in value.__closure__ or () if part != CellType()]
    return Watch(cell, seen, strict=False)


def hooked(cell: nn.Module) -> str:
    """Why hooks on parts of the cell, which run in each step, forbid a kernel; "" if there are none."""
    for name, part in cell.named_modules():
        if name and any(vars(part)[hooks] for hooks in HOOKS):
            return f"self.{name} has a hook, which is to run in every step"
    if any(True for _ in cell.children()) and any(GLOBAL_HOOKS):
        return "torch has a global hook on modules, which is to run in every step"
    return ""


def likeness(cell: nn.Module) -> Any:
    """What two cells with the same step have in common: classes, attributes, shapes; None where it cannot be told.

    It can for cells whose every part is this library's or torch's: their steps read nothing but `self`. Another's may
    read a global variable.
    """
    found: list[Any] = []
    numbers: dict[int, int] = {}  # one tensor in two places is not the same as two tensors
    for name, part in cell.named_modules():
        kind, inside = type(part), vars(part)
        if not kind.__module__.startswith(("timeloom.", "torch.nn.")) or any(inside[hooks] for hooks in HOOKS):
            return None
        found.append((name, kind, *codes_of(kind)))
        for key, tensor in (*inside["_parameters"].items(), *inside["_buffers"].items()):
            if tensor is not None:
                number = numbers.setdefault(id(tensor), len(numbers))
                found.append((key, number, tensor.shape, tensor.dtype, tensor.device))
        for key, value in inside.items():
            if isinstance(value, int | float | str | torch.dtype | tuple | list | dict | None):
                if not key.startswith("_"):
                    found.append((key, repr(value)))
            elif key not in MODULE:
                return None  # a tensor, a function, an object
    return tuple(found)


def codes_of(kind: type) -> Iterable[Any]:
    """The methods of a class of ours, which may be patched, and its simple attributes."""
    for base in kind.__mro__:
        if base.__module__.startswith("timeloom.") and not base.__module__.startswith("timeloom.scan"):
            for name, value in vars(base).items():
                if isinstance(value, FunctionType):
                    yield name, value.__code__
                elif isinstance(value, int | float | str | tuple):
                    yield name, repr(value)
