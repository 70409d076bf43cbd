"""The minimal gated unit."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from timeloom.cells import references
from timeloom.cells.initial import standard
from timeloom.scan import Cell


class MGUCell(Cell):
    """Minimal gated unit: one gate that both forgets and resets.

        f  = σ(W_f x + U_f h + b_f)             replace: f = 0 holds the old h
        n  = tanh(W_n x + U_n (f ⊙ h) + b_n)    candidate
        h' = (1 − f) ⊙ h + f ⊙ n

    Shapes: x (B, I), h (B, H) → h' (B, H). Parameters: 2H(I + H) + 2H.
    Begins with W as Glorot, U orthogonal, b = 0. Gate order (f, n).
    Source: Zhou et al. 2016, arXiv:1603.09420, where f is called the forget gate though f = 1 forgets.
    """

    gates = ("replace", "candidate")
    recurrent_products = ("recurrent", "recurrent_candidate")
    sources = (references.MGU,)

    class State(NamedTuple):
        h: Tensor  # (B, H)

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.input = nn.Linear(input_size, 2 * hidden_size, bias)
        self.recurrent = nn.Linear(hidden_size, hidden_size, bias=False)
        self.recurrent_candidate = nn.Linear(hidden_size, hidden_size, bias=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        standard(self)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        x_f, x_n = self.input(x).chunk(2, -1)  # each (B, H)
        f = torch.sigmoid(x_f + self.recurrent(state.h))
        n = torch.tanh(x_n + self.recurrent_candidate(f * state.h))
        h = (1 - f) * state.h + f * n
        return h, self.State(h)
