"""The simple recurrent unit."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from timeloom.cells import references
from timeloom.cells.elementwise import Elementwise
from timeloom.cells.initial import standard
from timeloom.scan import Cell


class SRUCell(Cell):
    """Simple recurrent unit: a light recurrence inside a highway, all products ahead of the loop.

        f  = σ(W_f x + v_f ⊙ c + b_f)          forget gate
        r  = σ(W_r x + v_r ⊙ c + b_r)          highway gate
        c' = f ⊙ c + (1 − f) ⊙ (W x)
        h  = r ⊙ c' + (1 − r) ⊙ α x            α x stands for P x where I ≠ H

    Shapes: x (B, I), c (B, H) → h (B, H), c' (B, H). Parameters: 3H·I + 4H, and H·I more where I ≠ H.
    Begins with W, P as Glorot, v evenly from ±1, b_f = 0, b_r = `highway_bias`.
    Source: Lei et al. 2018, Simple Recurrent Units for Highly Parallelizable Recurrence, arXiv:1709.02755, where
    α = √(1 + 2 exp(b_r)) keeps the size of h.
    """

    gates = ("candidate", "forget", "highway")
    recurrent_products = ("v_f", "v_r")
    sources = (references.SRU,)

    class State(NamedTuple):
        c: Tensor  # (B, H)

    def __init__(self, input_size: int, hidden_size: int, highway_bias: float = 0.0):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.highway_bias = highway_bias
        self.alpha = (1 + 2 * math.exp(highway_bias)) ** 0.5
        self.input = nn.Linear(input_size, 3 * hidden_size, bias=False)
        self.skip = nn.Linear(input_size, hidden_size, bias=False) if input_size != hidden_size else None
        self.v_f = Elementwise(hidden_size)
        self.v_r = Elementwise(hidden_size)
        self.b_f = nn.Parameter(torch.empty(hidden_size))
        self.b_r = nn.Parameter(torch.empty(hidden_size))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        standard(self)
        nn.init.uniform_(self.v_f.weight, -1, 1)
        nn.init.uniform_(self.v_r.weight, -1, 1)
        nn.init.zeros_(self.b_f)
        nn.init.constant_(self.b_r, self.highway_bias)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        candidate, f, r = self.input(x).chunk(3, -1)  # each (B, H)
        f = torch.sigmoid(f + self.v_f(state.c) + self.b_f)
        r = torch.sigmoid(r + self.v_r(state.c) + self.b_r)
        c = f * state.c + (1 - f) * candidate
        h = r * c + (1 - r) * (self.alpha * x if self.skip is None else self.skip(x))
        return h, self.State(c)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, highway_bias={self.highway_bias}"
