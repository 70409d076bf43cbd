"""Cells by the names that the command line has for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from timeloom.cells import CELLS
from timeloom.core import UsageError
from timeloom.scan import Cell


def cell_named(name: str, input_size: int, hidden_size: int, options: Mapping[str, Any]) -> Cell:
    """A cell with what it takes besides its sizes. Raises UsageError for a name or an option that there is not."""
    if name not in CELLS:
        raise UsageError(f"there is no cell {name!r}; there are: {', '.join(CELLS)}")
    try:
        return CELLS[name](input_size, hidden_size, **options)
    except TypeError as error:
        raise UsageError(f"cell_options are {dict(options)}, which the cell {name} does not take: {error}") from error
