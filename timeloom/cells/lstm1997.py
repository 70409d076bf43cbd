"""The first long short-term memory."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from timeloom.cells import references
from timeloom.cells.initial import standard
from timeloom.scan import Cell


class LSTM1997Cell(Cell):
    """Long short-term memory as it was first: without a forget gate, so that the memory only adds up.

        i  = σ(W_i x + U_i h + b_i)       input gate
        g  = tanh(W_g x + U_g h + b_g)    candidate
        o  = σ(W_o x + U_o h + b_o)       output gate
        c' = c + i ⊙ g
        h' = o ⊙ tanh(c')

    Shapes: x (B, I), h (B, H), c (B, H) → h' (B, H), c' (B, H). Parameters: 3H(I + H) + 3H.
    Begins with W as Glorot, U orthogonal, b = 0. Gate order (i, g, o).
    Source: Hochreiter and Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735, one cell for each memory block. There g is
    4σ(·) − 2 and the memory is read through 2σ(·) − 1, which is tanh of half the number; and only part of the gradient
    flows (through c alone), where here all of it does.
    """

    gates = ("input", "candidate", "output")
    sources = (references.LSTM,)

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
        i, g, o = (self.input(x) + self.recurrent(state.h)).chunk(3, -1)  # each (B, H)
        c = state.c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, self.State(h, c)
