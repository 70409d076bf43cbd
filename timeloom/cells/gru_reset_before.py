"""The gated recurrent unit in its first form."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from timeloom.cells import references
from timeloom.cells.initial import standard
from timeloom.scan import Cell


class GRUResetBeforeCell(Cell):
    """Gated recurrent unit, reset before the product.

        r  = σ(W_r x + U_r h + b_r)             reset
        z  = σ(W_z x + U_z h + b_z)             keep: z = 1 holds the old h
        n  = tanh(W_n x + U_n (r ⊙ h) + b_n)    candidate
        h' = (1 − z) ⊙ n + z ⊙ h

    Shapes: x (B, I), h (B, H) → h' (B, H). Parameters: 3H(I + H) + 3H.
    Begins with W as Glorot, U orthogonal, b = 0. Gate order (r, z, n).
    Source: Cho et al. 2014, arXiv:1406.1078, with its sign of z; many later texts swap z and 1 − z.
    """

    gates = ("reset", "keep", "candidate")
    recurrent_products = ("recurrent", "recurrent_candidate")
    sources = (references.GRU,)

    class State(NamedTuple):
        h: Tensor  # (B, H)

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.input = nn.Linear(input_size, 3 * hidden_size, bias)
        self.recurrent = nn.Linear(hidden_size, 2 * hidden_size, bias=False)
        self.recurrent_candidate = nn.Linear(hidden_size, hidden_size, bias=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        standard(self)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        x_r, x_z, x_n = self.input(x).chunk(3, -1)  # each (B, H)
        h_r, h_z = self.recurrent(state.h).chunk(2, -1)  # each (B, H)
        r = torch.sigmoid(x_r + h_r)
        z = torch.sigmoid(x_z + h_z)
        n = torch.tanh(x_n + self.recurrent_candidate(r * state.h))
        h = (1 - z) * n + z * state.h
        return h, self.State(h)
