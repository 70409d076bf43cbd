"""The recurrent net of one unit whose error surface has a cliff: the lecture's example of why training explodes."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from timeloom.layers import Recurrent
from timeloom.scan import Cell

STEPS, BEGIN, WANTED = 50, 0.5, 0.7


class OneUnitCell(Cell):
    """One unit that sees nothing but itself.

        h' = w σ(h) + b

    Shapes: x (B, 1), of which only the number of steps counts, h (B, 1) → h' (B, 1). Parameters: 2.
    Source: Pascanu, Mikolov and Bengio 2013, arXiv:1211.5063, figure 6.
    """

    class State(NamedTuple):
        h: Tensor  # (B, 1)

    def __init__(self) -> None:
        super().__init__()
        self.input_size = self.hidden_size = 1
        self.w = nn.Parameter(torch.zeros(1))
        self.b = nn.Parameter(torch.zeros(1))

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        h = self.w * torch.sigmoid(state.h) + self.b
        return h, self.State(h)


class Cliff(nn.Module):
    """The unit, begun at 0.5, shall be at σ(h) = 0.7 after 50 steps."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = Recurrent(OneUnitCell())

    def loss(self) -> Tensor:
        """The squared error after the last step."""
        like = next(self.layer.parameters())
        begin = (OneUnitCell.State(like.new_full((1, 1), BEGIN)),)
        y, _ = self.layer(like.new_zeros(1, STEPS, 1), begin)
        return (torch.sigmoid(y[0, -1, 0]) - WANTED).square()
