"""The identity-initialised ReLU network."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from timeloom.cells import references
from timeloom.cells.initial import identity
from timeloom.scan import Cell


class IRNNCell(Cell):
    """Rectified units whose recurrence begins as the identity: at first each unit adds up what it reads.

        h' = relu(W x + U h + b)

    Shapes: x (B, I), h (B, H) → h' (B, H). Parameters: H(I + H) + H.
    Begins with U = scale · identity, W from a normal distribution of deviation 0.001, b = 0.
    Source: Le, Jaitly and Hinton 2015, arXiv:1504.00941 (scale 1; 0.01 where long memory harms).
    """

    gates = ("hidden",)
    sources = (references.IRNN,)

    class State(NamedTuple):
        h: Tensor  # (B, H)

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, scale: float = 1.0):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.scale = scale
        self.input = nn.Linear(input_size, hidden_size, bias)
        self.recurrent = nn.Linear(hidden_size, hidden_size, bias=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.normal_(self.input.weight, std=0.001)
        if self.input.bias is not None:
            nn.init.zeros_(self.input.bias)
        identity(self, self.scale)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        h = torch.relu(self.input(x) + self.recurrent(state.h))
        return h, self.State(h)
