"""Tensors in, tensors out: the one way to run a cell over time."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, Literal, overload
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from timeloom.core import ShapeError, UsageError, check_lengths
from timeloom.scan import loop
from timeloom.scan.cell import Cell, check_input, checked_state, checked_step
from timeloom.scan.choose import kernel_for, must_be_plain, tell
from timeloom.scan.operation import run_fused
from timeloom.scan.operator import run_compiled
from timeloom.scan.stream import Stream, step_fused
from timeloom.scan.twin import replaced


class Streams(threading.local):
    """What a thread has prepared for steps that arrive one by one; two threads may step the same cell."""

    def __init__(self) -> None:
        self.of: WeakKeyDictionary[Cell, Stream] = WeakKeyDictionary()


_streams = Streams()


@overload
def scan(
    cell: Cell,
    x: Tensor,
    state: Any = None,
    *,
    lengths: Tensor | Sequence[int] | None = None,
    reverse: bool = False,
    all_states: Literal[False] = False,
    parameters: Mapping[str, Tensor] | None = None,
) -> tuple[Tensor, Any]: ...


@overload
def scan(
    cell: Cell,
    x: Tensor,
    state: Any = None,
    *,
    lengths: Tensor | Sequence[int] | None = None,
    reverse: bool = False,
    all_states: Literal[True],
    parameters: Mapping[str, Tensor] | None = None,
) -> tuple[Tensor, Any, Any]: ...


def scan(
    cell: Cell,
    x: Tensor,
    state: Any = None,
    *,
    lengths: Tensor | Sequence[int] | None = None,
    reverse: bool = False,
    all_states: bool = False,
    parameters: Mapping[str, Tensor] | None = None,
) -> tuple[Tensor, Any] | tuple[Tensor, Any, Any]:
    """Run a cell over a batch of sequences, step after step.

    A sequence's state stops at its own end and its outputs are zero from there on. With `reverse` it is read from its
    last real step to its first; every output still stands at the step it belongs to. What x holds after an end reaches
    no output, state or gradient. The cell's step sees zeros there, and must be finite on them.

    Args:
        cell: The recurrence.
        x: (T, B, I).
        state: The cell's State to begin with, or None for `cell.initial_state(B)`.
        lengths: (B,) integers from 0 to T, or None if every sequence has T steps.
        reverse: Read backwards.
        all_states: Return the state after each step, too.
        parameters: Tensors to use in the place of the cell's parameters of these names, as `functional_call` does:
            weights that are dropped, shared or computed. Gradients flow to them.

    Returns:
        y (T, B, O) and the final State; with `all_states` a third, the State after each step with fields (T, B, ...).

    Raises:
        ShapeError: The arguments do not fit the cell or each other, or the cell's step breaks its promise.
    """
    check_input(cell, x, "T B I")
    steps, batch_size, _ = x.shape
    state = checked_state(cell, state, batch_size)
    if lengths is not None:
        lengths = as_lengths(cell, lengths, x)
        check_lengths(lengths, batch_size=batch_size, steps=steps, owner=type(cell).__name__)
    if parameters:
        check_parameters(cell, parameters)
    exporting = torch.compiler.is_exporting()  # a program for elsewhere, where the kernels of here are not
    if torch.compiler.is_compiling() and not exporting:
        if lengths is None:
            found = run_compiled(cell, x, state, reverse, all_states, parameters)
            if found is not None:
                return found if all_states else found[:2]
        else:
            torch._dynamo.graph_break()  # the rows of a ragged batch are not known before it runs
    found = "" if exporting else kernel_for(cell, x, state, all_states, (parameters or {}).values())
    if isinstance(found, str):
        acting = replaced(cell, parameters) if parameters else cell
        y, final, states = loop.run(acting, x, state, lengths, reverse, all_states)
        tell(cell, found)  # afterwards: what is wrong with the step itself comes as an error, and needs no warning
    else:
        y, final, states = run_fused(*found, cell, x, state, lengths, reverse, all_states, parameters)
    return (y, final, states) if all_states else (y, final)


def step(cell: Cell, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
    """One step as it arrives: x (B, I) and a State → what is emitted (B, O) and the next State.

    What `cell(x, state)` gives, by the kernel where there is one and no gradient is wanted. Raises ShapeError.
    """
    if torch.compiler.is_compiling() or torch.is_grad_enabled():
        return cell(x, state)
    stream = _streams.of.get(cell)
    if stream is not None and stream.fits(x, state) and not must_be_plain() and not torch.is_autocast_enabled("cpu"):
        return stream(x, state)
    check_input(cell, x, "B I")
    state = checked_state(cell, state, x.shape[0])
    found = kernel_for(cell, x, state)
    if isinstance(found, str):
        result = checked_step(cell, x, state)
        tell(cell, found)
        return result
    if Stream.can(*found):
        _streams.of[cell] = Stream(*found, cell, x, state)
    return step_fused(*found, cell, x, state)


def as_lengths(cell: Cell, lengths: Any, x: Tensor) -> Tensor:
    """The lengths as a tensor where x is. Raises ShapeError for what cannot be one."""
    try:
        none = not isinstance(lengths, Tensor) and len(lengths) == 0  # a list without numbers has no type of its own
        return torch.as_tensor(lengths, device=x.device, dtype=torch.int64 if none else None)
    except (TypeError, ValueError, RuntimeError):
        raise ShapeError(
            f"{type(cell).__name__}: lengths are no whole numbers.\n"
            f"  lengths: {str(lengths)[:80]!r}, wanted (B={x.shape[1]},) integers\n"
            "  Give one integer for each sequence."
        ) from None


def check_parameters(cell: Cell, given: Mapping[str, Tensor]) -> None:
    """Raise unless each tensor can stand for the parameter of its name."""
    own = dict(cell.named_parameters())
    for name, tensor in given.items():
        if name not in own:
            raise UsageError(f"{type(cell).__name__}: it has no parameter {name}; it has {', '.join(own)}")
        if tensor.shape != own[name].shape or tensor.dtype != own[name].dtype or tensor.device != own[name].device:
            raise ShapeError(
                f"{type(cell).__name__}: what is given for {name} does not fit.\n"
                f"  {name}: {tuple(tensor.shape)} of {tensor.dtype} on {tensor.device}, wanted "
                f"{tuple(own[name].shape)} of {own[name].dtype} on {own[name].device}\n"
                "  Make it from the parameter whose place it takes."
            )
