"""The gated recurrent unit."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from timeloom.cells import references
from timeloom.cells.initial import uniform_by_width
from timeloom.scan import Cell


class GRUCell(Cell):
    """Gated recurrent unit, reset after the product.

        r  = σ(W_r x + b_r + U_r h + d_r)               reset
        z  = σ(W_z x + b_z + U_z h + d_z)               keep: z = 1 holds the old h
        n  = tanh(W_n x + b_n + r ⊙ (U_n h + d_n))      candidate
        h' = (1 − z) ⊙ n + z ⊙ h

    Shapes: x (B, I), h (B, H) → h' (B, H). Parameters: 3H(I + H) + 6H.
    Source: Cho et al. 2014, arXiv:1406.1078, where r acts on h before the product with U_n. This variant, the gate
    order (r, z, n) and two biases for each gate as in torch.nn.GRU. All begin evenly from ±1/√H.
    """

    gates = ("reset", "keep", "candidate")
    sources = (references.GRU,)

    class State(NamedTuple):
        h: Tensor  # (B, H)

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.input = nn.Linear(input_size, 3 * hidden_size, bias)
        self.recurrent = nn.Linear(hidden_size, 3 * hidden_size, bias)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        uniform_by_width(self)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        x_r, x_z, x_n = self.input(x).chunk(3, -1)  # each (B, H)
        h_r, h_z, h_n = self.recurrent(state.h).chunk(3, -1)  # each (B, H)
        r = torch.sigmoid(x_r + h_r)
        z = torch.sigmoid(x_z + h_z)
        n = torch.tanh(x_n + r * h_n)
        h = (1 - z) * n + z * state.h
        return h, self.State(h)
