"""Just another network: an LSTM with a forget gate alone."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from timeloom.cells import references
from timeloom.cells.initial import standard
from timeloom.scan import Cell


class JANETCell(Cell):
    """Long short-term memory with nothing but a forget gate.

        s  = W_f x + U_f h + b_f
        g  = tanh(W_g x + U_g h + b_g)               candidate
        h' = σ(s) ⊙ h + (1 − σ(s − β)) ⊙ g

    Shapes: x (B, I), h (B, H) → h' (B, H). Parameters: 2H(I + H) + 2H.
    Begins with W as Glorot, U orthogonal, b = 0 but b_f = 1; the paper has b_f from `chrono`. Gate order (f, g).
    Source: van der Westhuizen and Lasenby 2018, The Unreasonable Effectiveness of the Forget Gate, arXiv:1804.04849.
    The memory c is also what is emitted, so it is called h here.
    """

    gates = ("forget", "candidate")
    sources = (references.JANET,)

    class State(NamedTuple):
        h: Tensor  # (B, H)

    def __init__(self, input_size: int, hidden_size: int, beta: float = 1.0, bias: bool = True):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.beta = beta
        self.input = nn.Linear(input_size, 2 * hidden_size, bias)
        self.recurrent = nn.Linear(hidden_size, 2 * hidden_size, bias=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        standard(self)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        s, g = (self.input(x) + self.recurrent(state.h)).chunk(2, -1)  # each (B, H)
        h = torch.sigmoid(s) * state.h + (1 - torch.sigmoid(s - self.beta)) * torch.tanh(g)
        return h, self.State(h)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, beta={self.beta}"
