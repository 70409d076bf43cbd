"""Long short-term memory."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from timeloom.cells import references
from timeloom.cells.initial import uniform_by_width
from timeloom.core import UsageError
from timeloom.scan import Cell


class LSTMCell(Cell):
    """Long short-term memory with a forget gate and without peepholes.

        i  = σ(W_i x + b_i + U_i h + d_i)       input gate
        f  = σ(W_f x + b_f + U_f h + d_f)       forget gate
        g  = tanh(W_g x + b_g + U_g h + d_g)    candidate
        o  = σ(W_o x + b_o + U_o h + d_o)       output gate
        c' = f ⊙ c + i ⊙ g
        h' = o ⊙ tanh(c')                       P (o ⊙ tanh(c')) with `proj_size`

    Shapes: x (B, I), h (B, H), c (B, H) → h' (B, H), c' (B, H). Parameters: 4H(I + H) + 8H. With proj_size R, h is
    (B, R) and there are 4H(I + R) + 8H + R·H.
    Source: Hochreiter and Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735; forget gate: Gers, Schmidhuber and Cummins
    2000, doi:10.1162/089976600300015015; projection: Sak, Senior and Beaufays 2014, arXiv:1402.1128. Gate order
    (i, f, g, o) and two biases for each gate as in torch.nn.LSTM. All begin evenly from ±1/√H.

    Args:
        proj_size: Width R of h, which a projection without bias makes of the H units; 0 for none.
    """

    gates = ("input", "forget", "candidate", "output")
    sources = (references.LSTM, references.FORGET)

    class State(NamedTuple):
        h: Tensor  # (B, H) or (B, R) what the outside sees
        c: Tensor  # (B, H) what the cell remembers

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, proj_size: int = 0):
        super().__init__()
        if proj_size and not 0 < proj_size < hidden_size:
            raise UsageError(
                f"LSTMCell: proj_size is {proj_size}, wanted 0 for none, or less than hidden_size={hidden_size}"
            )
        if proj_size:
            self.sources = (*self.sources, references.PROJECTION)
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.input = nn.Linear(input_size, 4 * hidden_size, bias)
        self.recurrent = nn.Linear(proj_size or hidden_size, 4 * hidden_size, bias)
        self.projection = nn.Linear(hidden_size, proj_size, bias=False) if proj_size else None
        self.reset_parameters()

    @property
    def output_size(self) -> int:
        return self.recurrent.in_features

    def initial_state(self, batch_size: int) -> State:
        return self.State(self._zeros(batch_size, self.output_size), self._zeros(batch_size, self.hidden_size))

    def reset_parameters(self) -> None:
        uniform_by_width(self)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        i, f, g, o = (self.input(x) + self.recurrent(state.h)).chunk(4, -1)  # each (B, H)
        c = torch.sigmoid(f) * state.c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        if self.projection is not None:
            h = self.projection(h)  # (B, R)
        return h, self.State(h, c)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}" + (f", proj_size={self.output_size}" if self.projection is not None else "")
