"""The independently recurrent network."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from timeloom.cells import references
from timeloom.cells.initial import standard
from timeloom.scan import Cell


class IndRNNCell(Cell):
    """Units that remember each for itself: the recurrence is a vector, not a matrix.

        h' = relu(W x + u ⊙ h + b)

    Shapes: x (B, I), h (B, H) → h' (B, H). Parameters: H·I + 2H.
    Begins with W as Glorot, u evenly from 0 to 1, b = 0. Several layers on one another are what makes it able.
    Source: Li et al. 2018, Independently Recurrent Neural Network, arXiv:1803.04831.
    """

    gates = ("hidden",)
    recurrent_products = ()
    sources = (references.INDRNN,)

    class State(NamedTuple):
        h: Tensor  # (B, H)

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.input = nn.Linear(input_size, hidden_size, bias)
        self.u = nn.Parameter(torch.empty(hidden_size))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        standard(self)
        nn.init.uniform_(self.u, 0, 1)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        h = torch.relu(self.input(x) + self.u * state.h)
        return h, self.State(h)
