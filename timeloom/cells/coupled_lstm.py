"""Long short-term memory that writes exactly where it forgets."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from timeloom.cells import references
from timeloom.cells.initial import standard
from timeloom.scan import Cell


class CoupledLSTMCell(Cell):
    """Long short-term memory with one gate for writing and forgetting: the input gate is 1 − f.

        f  = σ(W_f x + U_f h + b_f)       forget gate
        g  = tanh(W_g x + U_g h + b_g)    candidate
        o  = σ(W_o x + U_o h + b_o)       output gate
        c' = f ⊙ c + (1 − f) ⊙ g
        h' = o ⊙ tanh(c')

    Shapes: x (B, I), h (B, H), c (B, H) → h' (B, H), c' (B, H). Parameters: 3H(I + H) + 3H.
    Begins with W as Glorot, U orthogonal, b = 0 but b_f = 1. Gate order (f, g, o).
    Source: Greff et al. 2017, LSTM: A Search Space Odyssey, arXiv:1503.04069 (there CIFG), without its peepholes.
    """

    gates = ("forget", "candidate", "output")
    sources = (references.COUPLED,)

    class State(NamedTuple):
        h: Tensor  # (B, H) what the outside sees
        c: Tensor  # (B, H) what the cell remembers

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.input = nn.Linear(input_size, 3 * hidden_size, bias)
        self.recurrent = nn.Linear(hidden_size, 3 * hidden_size, bias=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        standard(self)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        f, g, o = (self.input(x) + self.recurrent(state.h)).chunk(3, -1)  # each (B, H)
        f = torch.sigmoid(f)
        c = f * state.c + (1 - f) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, self.State(h, c)
