"""The clockwork network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

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

        h'_k = tanh(W x + (U ⊙ M) h + b)_k    if t_k is 0
        h'_k = h_k                            if not
        t'_k = t_k + 1, and 0 again where that is the period of unit k

    M is 1 where unit k may read unit j, that is where the period of j is at least that of k: slow groups feed fast
    ones. The first step has t = 0, so that every group reads it. Each unit has a clock of its own, which stays below
    its period, so that numbers of few bits count as well: periods to 128 in bfloat16, to 1024 in float16.

    Shapes: x (B, I), h (B, H), t (B, H) → h' (B, H), t' (B, H). Parameters: H(I + H) + H, of which those of U where M
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
        t: Tensor  # (B, H) steps since the unit's period began

    def __init__(self, input_size: int, hidden_size: int, periods: Sequence[int] | None = None, bias: bool = True):
        super().__init__()
        if periods is None:
            periods = [2**group for group in range(min(8, hidden_size))]
        if not isinstance(periods, Sequence):
            raise UsageError(f"ClockworkCell: periods is {periods!r}, wanted a list of whole numbers")
        whole = all(isinstance(period, int) for period in periods)
        if not 1 <= len(periods) <= hidden_size or not whole or min(periods) < 1:
            raise UsageError(
                f"ClockworkCell: periods is {list(periods)}, wanted from 1 to hidden_size={hidden_size} whole numbers, "
                "each 1 or more."
            )
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.periods = tuple(periods)
        self.input = nn.Linear(input_size, hidden_size, bias)
        share, more = divmod(hidden_size, len(periods))
        sizes = torch.tensor([share + (group < more) for group in range(len(periods))])
        self._of_units = torch.tensor(self.periods).repeat_interleave(sizes, output_size=hidden_size)
        of_units = self._of_units.to(self.input.weight)
        self.register_buffer("unit_periods", of_units, persistent=False)
        self.recurrent = MaskedLinear((of_units[None, :] >= of_units[:, None]).to(of_units))
        self.reset_parameters()

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        cell = super()._apply(fn, recurse)
        self.unit_periods.copy_(self._of_units)  # a type of few bits may have rounded them, and another follow it
        return cell

    def initial_state(self, batch_size: int) -> State:
        dtype = self.input.weight.dtype
        if max(self.periods) > 1 / torch.finfo(dtype).eps:
            raise UsageError(f"ClockworkCell: {dtype} cannot count to the longest period, {max(self.periods)}")
        return self.State(self._zeros(batch_size, self.hidden_size), self._zeros(batch_size, self.hidden_size))

    def reset_parameters(self) -> None:
        standard(self)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        new = torch.tanh(self.input(x) + self.recurrent(state.h))
        h = torch.where(state.t < 0.5, new, state.h)  # t is 0, or 1 and more
        t = state.t + 1
        return h, self.State(h, torch.where(t > self.unit_periods - 0.5, 0.0, t))

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, periods={self.periods}"
