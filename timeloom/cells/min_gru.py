"""The minimal GRU."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from timeloom.cells import references
from timeloom.cells.initial import standard
from timeloom.scan import Cell


class MinGRUCell(Cell):
    """Gated recurrent unit whose gate and candidate see the input alone.

        z  = σ(W_z x + b_z)             replace: z = 0 holds the old h
        h' = (1 − z) ⊙ h + z ⊙ (W_n x + b_n)

    Shapes: x (B, I), h (B, H) → h' (B, H). Parameters: 2H·I + 2H.
    Begins with W as Glorot, b = 0. Gate order (z, n).
    Source: Feng et al. 2024, Were RNNs All We Needed?, arXiv:2410.01201, section 3.1, not its log-space form.
    """

    gates = ("replace", "candidate")
    recurrent_products = ()
    sources = (references.MINIMAL,)

    class State(NamedTuple):
        h: Tensor  # (B, H)

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.input = nn.Linear(input_size, 2 * hidden_size, bias)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        standard(self)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        z, n = self.input(x).chunk(2, -1)  # each (B, H)
        z = torch.sigmoid(z)
        h = (1 - z) * state.h + z * n
        return h, self.State(h)
