"""Long short-term memory."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from timeloom.cells.initial import uniform_by_width
from timeloom.scan import Cell


class LSTMCell(Cell):
    """Long short-term memory with a forget gate and without peepholes.

        i  = σ(W_i x + b_i + U_i h + d_i)       input gate
        f  = σ(W_f x + b_f + U_f h + d_f)       forget gate
        g  = tanh(W_g x + b_g + U_g h + d_g)    candidate
        o  = σ(W_o x + b_o + U_o h + d_o)       output gate
        c' = f ⊙ c + i ⊙ g
        h' = o ⊙ tanh(c')

    Shapes: x (B, I), h (B, H), c (B, H) → h' (B, H), c' (B, H). Parameters: 4H(I + H) + 8H.
    Source: Hochreiter and Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735; forget gate: Gers, Schmidhuber and Cummins
    2000, doi:10.1162/089976600300015015. Gate order (i, f, g, o) and two biases for each gate as in torch.nn.LSTM.
    """

    class State(NamedTuple):
        h: Tensor  # (B, H) what the outside sees
        c: Tensor  # (B, H) what the cell remembers

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.input = nn.Linear(input_size, 4 * hidden_size, bias)
        self.recurrent = nn.Linear(hidden_size, 4 * hidden_size, bias)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        uniform_by_width(self)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        i, f, g, o = (self.input(x) + self.recurrent(state.h)).chunk(4, -1)  # each (B, H)
        c = torch.sigmoid(f) * state.c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, self.State(h, c)
