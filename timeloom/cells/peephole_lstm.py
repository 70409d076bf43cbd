"""Long short-term memory whose gates see the memory."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from timeloom.cells import references
from timeloom.cells.initial import standard
from timeloom.scan import Cell


class PeepholeLSTMCell(Cell):
    """Long short-term memory with peepholes: every gate sees the memory of its own unit.

        i  = σ(W_i x + U_i h + p_i ⊙ c + b_i)     input gate, sees the memory of before
        f  = σ(W_f x + U_f h + p_f ⊙ c + b_f)     forget gate, sees the memory of before
        g  = tanh(W_g x + U_g h + b_g)            candidate
        c' = f ⊙ c + i ⊙ g
        o  = σ(W_o x + U_o h + p_o ⊙ c' + b_o)    output gate, sees the memory of now
        h' = o ⊙ tanh(c')

    Shapes: x (B, I), h (B, H), c (B, H) → h' (B, H), c' (B, H). Parameters: 4H(I + H) + 4H + 3H.
    Begins with W as Glorot, U orthogonal, p = 0, b = 0 but b_f = 1. Gate order (i, f, g, o).
    Source: Gers and Schmidhuber 2000, Recurrent Nets that Time and Count, doi:10.1109/IJCNN.2000.861302; all of the
    gradient flows, as in Graves and Schmidhuber 2005.
    """

    gates = ("input", "forget", "candidate", "output")
    sources = (references.PEEPHOLE,)

    class State(NamedTuple):
        h: Tensor  # (B, H) what the outside sees
        c: Tensor  # (B, H) what the cell remembers

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.input = nn.Linear(input_size, 4 * hidden_size, bias)
        self.recurrent = nn.Linear(hidden_size, 4 * hidden_size, bias=False)
        self.p_i = nn.Parameter(torch.empty(hidden_size))
        self.p_f = nn.Parameter(torch.empty(hidden_size))
        self.p_o = nn.Parameter(torch.empty(hidden_size))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        standard(self)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        i, f, g, o = (self.input(x) + self.recurrent(state.h)).chunk(4, -1)  # each (B, H)
        i = torch.sigmoid(i + self.p_i * state.c)
        f = torch.sigmoid(f + self.p_f * state.c)
        c = f * state.c + i * torch.tanh(g)
        o = torch.sigmoid(o + self.p_o * c)
        h = o * torch.tanh(c)
        return h, self.State(h, c)
