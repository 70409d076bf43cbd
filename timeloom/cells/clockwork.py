"""The clockwork network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from timeloom.cells import references
from timeloom.cells.initial import standard
from timeloom.core import UsageError
from timeloom.scan import Cell


class MaskedLinear(nn.Linear):
    """A product with a matrix of which only the entries where `mask` (out, in) is 1 count."""

    mask: Tensor

    def __init__(self, mask: Tensor):
        super().__init__(mask.shape[1], mask.shape[0], bias=False)
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, input: Tensor) -> Tensor:
        return nn.functional.linear(input, self.weight * self.mask)


class ClockworkCell(Cell):
    """Groups of units, each with a period: a group is computed every so many steps and holds its value between them.

        h'_k = tanh(W x + (U ⊙ M) h + b)_k    if the period of unit k divides t
        h'_k = h_k                            if not
        t'   = t + 1, and 0 again where all periods begin anew

    M is 1 where unit k may read unit j, that is where the period of j is at least that of k: slow groups feed fast
    ones. The first step has t = 0, so that every group reads it.

    Shapes: x (B, I), h (B, H), t (B, 1) → h' (B, H), t' (B, 1). Parameters: H(I + H) + H, of which those of U where M
    is 0 do nothing.
    Begins with W as Glorot, U orthogonal (before the mask), b = 0.
    Source: Koutník et al. 2014, A Clockwork RNN, arXiv:1402.3511. The native loop computes the groups that hold, too,
    and does not use what it gets: here a period saves no arithmetic.

    Args:
        periods: The period of each group; units are shared out evenly, the first groups get what is left over. None
            means 1, 2, 4, 8, ... for as many groups as there are units, at most eight.
    """

    gates = ("hidden",)
    counters = ("t",)
    sources = (references.CLOCKWORK,)
    unit_periods: Tensor

    class State(NamedTuple):
        h: Tensor  # (B, H)
        t: Tensor  # (B, 1) steps so far

    def __init__(self, input_size: int, hidden_size: int, periods: Sequence[int] | None = None, bias: bool = True):
        super().__init__()
        if periods is None:
            periods = [2**group for group in range(min(8, hidden_size))]
        whole = all(isinstance(period, int) for period in periods)
        if not 1 <= len(periods) <= hidden_size or not whole or min(periods) < 1:
            raise UsageError(
                f"ClockworkCell: periods is {list(periods)}, wanted from 1 to hidden_size={hidden_size} whole numbers, "
                "each 1 or more."
            )
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.periods = tuple(periods)
        self.cycle = math.lcm(*periods)  # the clock stays below it, where numbers of few bits still count by one
        self.input = nn.Linear(input_size, hidden_size, bias)
        share, more = divmod(hidden_size, len(periods))
        sizes = torch.tensor([share + (group < more) for group in range(len(periods))])
        of_units = torch.tensor(self.periods, dtype=self.input.weight.dtype).repeat_interleave(sizes)
        self.register_buffer("unit_periods", of_units, persistent=False)
        self.recurrent = MaskedLinear((of_units[None, :] >= of_units[:, None]).to(of_units))
        self.reset_parameters()

    def initial_state(self, batch_size: int) -> State:
        like = self.input.weight
        return self.State(like.new_zeros(batch_size, self.hidden_size), like.new_zeros(batch_size, 1))

    def reset_parameters(self) -> None:
        standard(self)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        due = torch.remainder(state.t, self.unit_periods) == 0  # (B, H)
        new = torch.tanh(self.input(x) + self.recurrent(state.h))
        h = torch.where(due, new, state.h)
        t = state.t + 1
        return h, self.State(h, torch.where(t >= self.cycle, 0.0, t))

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, periods={self.periods}"
