"""What a layer can be built of and called with, checked."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from timeloom.core import ShapeError, UsageError
from timeloom.scan import Cell


def checked_share(name: str, value: float) -> float:
    if not isinstance(value, int | float) or not 0 <= value < 1:
        raise UsageError(f"Recurrent: {name} is {value!r}, wanted 0 ≤ {name} < 1")
    return value


def checked_switch(name: str, value: bool) -> bool:
    if not isinstance(value, bool | int):  # a text would be true, whatever it says
        raise UsageError(f"Recurrent: {name} is {value!r}, wanted True or False")
    return bool(value)


def hidden_sizes_of(cell: Cell, num_layers: int | None, hidden_sizes: Sequence[int] | None) -> list[int]:
    """The hidden size of each layer. Raises UsageError."""
    if hidden_sizes is None:
        count = 1 if num_layers is None else num_layers
        if not isinstance(count, int) or count < 1:
            raise UsageError(f"Recurrent: num_layers is {num_layers!r}, wanted a whole number, 1 or more")
        return [cell.hidden_size] * count
    if not isinstance(hidden_sizes, list | tuple):
        raise UsageError(f"Recurrent: hidden_sizes is {hidden_sizes}, wanted a list with one size for each layer")
    sizes = list(hidden_sizes)
    if not sizes or sizes[0] != cell.hidden_size or num_layers not in (None, len(sizes)):
        raise UsageError(
            f"Recurrent: hidden_sizes is {sizes} beside a cell of hidden_size={cell.hidden_size} and "
            f"num_layers={num_layers}.\n"
            "  wanted: one size for each layer, the first that of the cell\n"
            "  Leave num_layers out, and begin hidden_sizes with the cell's."
        )
    return sizes


def checked_resets(resets: Tensor, sizes: Sequence[int]) -> Tensor:
    """The resets, one for each step of each row. Raises ShapeError."""
    if not isinstance(resets, Tensor) or tuple(resets.shape) != tuple(sizes):
        came = tuple(resets.shape) if isinstance(resets, Tensor) else type(resets).__name__
        raise ShapeError(
            "Recurrent: resets do not fit x.\n"
            f"  resets: {came}, wanted a tensor {tuple(sizes)}, as the first two axes of x\n"
            "  Give one truth value for each step of each row: whether a new sequence begins there."
        )
    return resets
