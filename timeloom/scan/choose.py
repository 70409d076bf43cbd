"""Which way a cell runs: its kernel where there is one, else the plain loop and one warning that says why."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch._C._functorch import peek_interpreter_stack  # pyright: ignore[reportMissingImports, reportMissingModuleSource]
from torch.utils._python_dispatch import _get_current_dispatch_mode

from timeloom.scan.build import CannotBuild
from timeloom.scan.cell import Cell
from timeloom.scan.fused import Fused
from timeloom.scan.plan import NotFusable
from timeloom.scan.trace import NotTraceable

PLAIN: ContextVar[bool] = ContextVar("plain", default=False)
_kernels: WeakKeyDictionary[Cell, dict[Any, Fused | str]] = WeakKeyDictionary()
_told: set[tuple[type, str]] = set()


@contextlib.contextmanager
def plain_loop() -> Iterator[None]:
    """Inside, every scan takes the plain loop: to compare with, to debug a step in, or for second derivatives."""
    token = PLAIN.set(True)
    try:
        yield
    finally:
        PLAIN.reset(token)


def kernel_for(cell: Cell, x: Tensor, all_states: bool) -> Fused | None:
    """The kernel that `scan` may use for this call; None for the plain loop."""
    if torch.compiler.is_compiling():
        torch._dynamo.graph_break()  # and the compiled code goes on after the scan
    if PLAIN.get() or x.device.type != "cpu" or x.numel() == 0 or is_watched():
        return None
    if x.dtype not in (torch.float32, torch.float64) or torch.is_autocast_enabled("cpu"):
        return None
    found = kernel_or_reason(cell, x.dtype, all_states)
    if isinstance(found, Fused):
        return found
    if (type(cell), found) not in _told:
        _told.add((type(cell), found))
        warnings.warn(f"{type(cell).__name__} runs in the plain loop, which is slower: {found}", stacklevel=4)
    return None


def kernel_or_reason(cell: Cell, dtype: torch.dtype, all_states: bool) -> Fused | str:
    """The cell's kernel, built now if need be, or why there is none."""
    kernels = _kernels.setdefault(cell, {})
    key = (dtype, all_states, fingerprint(cell))
    if key not in kernels:
        try:
            fused = Fused(cell, dtype, all_states)
            _ = fused.library
            kernels[key] = fused
        except (NotTraceable, NotFusable, CannotBuild) as error:
            kernels[key] = str(error)
    return kernels[key]


def is_watched() -> bool:
    """Whether a tracer or a functional transform looks on, which must see the steps themselves."""
    return _get_current_dispatch_mode() is not None or peek_interpreter_stack() is not None


def fingerprint(cell: Cell) -> tuple[Any, ...]:
    """What a step may depend on beside its inputs and parameters: the plain attributes of the cell and its parts."""
    simple = (int, float, str, bool, type(None), torch.dtype)
    return tuple(
        (name, key, value if isinstance(value, simple) else repr(value))
        for name, module in cell.named_modules()
        for key, value in vars(module).items()
        if not key.startswith("_") and isinstance(value, (*simple, tuple, list, dict))
    ) + tuple(tensor.shape for tensor in cell.parameters())
