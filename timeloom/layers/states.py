"""The states of a layer: one State for each cell, given, learned, carried on, and as named tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from timeloom.core import ShapeError, UsageError
from timeloom.scan import Cell


def learnable(cell: Cell) -> tuple[str, ...]:
    """The fields of a cell's state whose beginning can be learned."""
    if cell.learnable is not None:
        return cell.learnable
    return tuple(name for name in cell.State._fields if name not in cell.counters)


def check_states(state: Any, cells: Sequence[Cell]) -> None:
    """Raise a ShapeError unless it is a tuple with one State for each cell."""
    # A bare State of two fields would pass for the states of two cells if only the number were looked at.
    if not isinstance(state, tuple) or len(state) != len(cells) or isinstance(state, cells[0].State):
        came = f"a {type(state).__name__}" + (f" of {len(state)}" if isinstance(state, tuple) else "")
        raise ShapeError(
            "Recurrent: state is not one State for each cell.\n"
            f"  state: {came}, wanted a tuple of {len(cells)} × {type(cells[0]).__name__}.State\n"
            "  Give what an earlier call returned, or None to begin at the initial states."
        )


def named_tensors(state: tuple[Any, ...]) -> dict[str, Tensor]:
    """`{"0.h": ..., "0.c": ..., "1.h": ...}`"""
    return {f"{i}.{name}": getattr(part, name).contiguous() for i, part in enumerate(state) for name in part._fields}


def state_of(tensors: Mapping[str, Tensor], cells: Sequence[Cell]) -> tuple[Any, ...]:
    """The state that `named_tensors` made the tensors of. Raises UsageError where one is missing or too wide."""
    states = []
    for i, cell in enumerate(cells):
        fields = []
        for name, initial in zip(cell.State._fields, cell.initial_state(1), strict=True):
            key = f"{i}.{name}"
            if key not in tensors:
                raise UsageError(f"Recurrent: the state has no tensor '{key}'; it was made by another layer")
            if not isinstance(tensors[key], Tensor) or tensors[key].shape[1:] != initial.shape[1:]:
                came = tuple(tensors[key].shape) if isinstance(tensors[key], Tensor) else repr(tensors[key])
                raise UsageError(
                    f"Recurrent: '{key}' of the state is {came}, wanted "
                    f"(B, {', '.join(map(str, initial.shape[1:]))}); it was made by another layer"
                )
            fields.append(tensors[key])
        states.append(cell.State(*fields))
    return tuple(states)


def detached(state: Any) -> Any:
    """A state that carries its numbers on and no gradient back: between the windows of truncated training.

    None, before the first window, stays None.
    """
    if state is None:
        return None
    if isinstance(state, Tensor):
        return state.detach()
    parts = [detached(part) for part in state]
    return type(state)(*parts) if hasattr(state, "_fields") else type(state)(parts)
