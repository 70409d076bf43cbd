"""How the parameters of a cell begin."""

from __future__ import annotations

from torch import nn

from timeloom.scan import Cell


def uniform_by_width(cell: Cell) -> None:
    """Draw every parameter evenly from ±1/√H, as torch.nn.RNN, LSTM and GRU do."""
    bound = cell.hidden_size**-0.5
    for parameter in cell.parameters():
        nn.init.uniform_(parameter, -bound, bound)
