"""The independently recurrent network."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from timeloom.cells import references
from timeloom.cells.elementwise import Elementwise
from timeloom.cells.initial import standard
from timeloom.core import UsageError
from timeloom.scan import Cell


class IndRNNCell(Cell):
    """Units that remember each for itself: the recurrence is a vector, not a matrix.

        h' = relu(W x + u ⊙ h + b)

    Shapes: x (B, I), h (B, H) → h' (B, H). Parameters: H·I + 2H.
    Begins with W as Glorot, u evenly from 0 to 1, b = 0. Several layers on one another are what makes it able.
    Source: Li et al. 2018, Independently Recurrent Neural Network, arXiv:1803.04831, which bounds u as `longest` does.

    Args:
        longest: Steps of the longest sequence. u then stays within ±2^(1/longest), so that no unit grows to more than
            double over it. None: no bound, and a unit may explode.
    """

    gates = ("hidden",)
    sources = (references.INDRNN,)

    class State(NamedTuple):
        h: Tensor  # (B, H)

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, longest: int | None = None):
        super().__init__()
        if longest is not None and longest < 1:
            raise UsageError(f"IndRNNCell: longest is {longest}, wanted 1 or more steps, or None")
        self.longest = longest
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.input = nn.Linear(input_size, hidden_size, bias)
        self.recurrent = Elementwise(hidden_size, None if longest is None else 2 ** (1 / longest))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        standard(self)
        nn.init.uniform_(self.recurrent.weight, 0, 1)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        h = torch.relu(self.input(x) + self.recurrent(state.h))
        return h, self.State(h)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, longest={self.longest}"
