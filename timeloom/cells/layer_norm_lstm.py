"""Long short-term memory with layer normalisation."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from timeloom.cells import references
from timeloom.cells.initial import standard
from timeloom.scan import Cell


class LayerNormLSTMCell(Cell):
    """Long short-term memory that normalises both products and the memory, each step by itself.

        a  = N_x(W x) + N_h(U h) + b       N(a) = γ ⊙ (a − mean(a)) / √(var(a) + ε) + β, over all 4H numbers
        i, f, g, o = a in four parts
        c' = σ(f) ⊙ c + σ(i) ⊙ tanh(g)
        h' = σ(o) ⊙ tanh(N_c(c'))

    Shapes: x (B, I), h (B, H), c (B, H) → h' (B, H), c' (B, H). Parameters: 4H(I + H) + 4H + 8H + 2H: N_x and N_h have
    a γ alone, for b stands where their β would.
    Begins with W as Glorot, U orthogonal, γ = 1, β = 0, b = 0 but b_f = 1. Gate order (i, f, g, o). ε is 1e-5.
    Source: Ba, Kiros and Hinton 2016, arXiv:1607.06450, equations 20 to 22.
    """

    gates = ("input", "forget", "candidate", "output")
    sources = (references.LSTM, references.LAYER_NORM)

    class State(NamedTuple):
        h: Tensor  # (B, H) what the outside sees
        c: Tensor  # (B, H) what the cell remembers

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.input = nn.Linear(input_size, 4 * hidden_size, bias=False)
        self.recurrent = nn.Linear(hidden_size, 4 * hidden_size, bias=False)
        self.norm_x = nn.LayerNorm(4 * hidden_size, bias=False)
        self.norm_h = nn.LayerNorm(4 * hidden_size, bias=False)
        self.norm_c = nn.LayerNorm(hidden_size)
        self.bias = nn.Parameter(torch.empty(4 * hidden_size))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        standard(self)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        a = self.norm_x(self.input(x)) + self.norm_h(self.recurrent(state.h)) + self.bias
        i, f, g, o = a.chunk(4, -1)  # each (B, H)
        c = torch.sigmoid(f) * state.c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(self.norm_c(c))
        return h, self.State(h, c)
