"""The structurally constrained recurrent network."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from timeloom.cells import references
from timeloom.cells.initial import standard
from timeloom.core import UsageError
from timeloom.scan import Cell


class SCRNCell(Cell):
    """A slow context beside a fast hidden layer: the context is a running mean of a projection of the input.

        s' = (1 − α) ⊙ B x + α ⊙ s
        h' = σ(P s' + A x + R h + b)

    It emits h' and s' side by side, H + S numbers, for the read-out sees both.

    Shapes: x (B, I), h (B, H), s (B, S) → h' (B, H), s' (B, S). Parameters: S·I + H(S + I + H) + H, and S if α is
    learned.
    Begins with A, B, P as Glorot, R orthogonal, b = 0.
    Source: Mikolov et al. 2014, Learning Longer Memory in Recurrent Neural Networks, arXiv:1412.7753, which has no b
    (`bias=False`) and α = 0.95.

    Args:
        context_size: S. None means 40 for 100 hidden units, as in the paper, and in this proportion else.
        alpha: α, or where a learned one begins.
        learn_alpha: Learn α, one for each context unit, as the logistic function of a parameter.
    """

    gates = ("hidden",)
    emits = ("h", "s")
    sources = (references.SCRN,)

    class State(NamedTuple):
        h: Tensor  # (B, H) fast
        s: Tensor  # (B, S) slow

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        context_size: int | None = None,
        alpha: float = 0.95,
        learn_alpha: bool = False,
        bias: bool = True,
    ):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.context_size = max(1, round(0.4 * hidden_size)) if context_size is None else context_size
        if not 0 <= alpha <= 1 or (learn_alpha and alpha in (0, 1)):
            wanted = "0 < alpha < 1 where it is learned" if learn_alpha else "0 ≤ alpha ≤ 1"
            raise UsageError(f"SCRNCell: alpha is {alpha}, wanted {wanted}")
        if self.context_size < 1:
            raise UsageError(f"SCRNCell: context_size is {context_size}, wanted 1 or more")
        self.alpha = alpha
        self.input = nn.Linear(input_size, hidden_size, bias)
        self.context = nn.Linear(input_size, self.context_size, bias=False)
        self.from_context = nn.Linear(self.context_size, hidden_size, bias=False)
        self.recurrent = nn.Linear(hidden_size, hidden_size, bias=False)
        self.logit_alpha = nn.Parameter(torch.empty(self.context_size)) if learn_alpha else None
        self.reset_parameters()

    @property
    def output_size(self) -> int:
        return self.hidden_size + self.context_size

    def initial_state(self, batch_size: int) -> State:
        return self.State(self._zeros(batch_size, self.hidden_size), self._zeros(batch_size, self.context_size))

    def reset_parameters(self) -> None:
        standard(self)
        if self.logit_alpha is not None:
            nn.init.constant_(self.logit_alpha, math.log(self.alpha / (1 - self.alpha)))

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        alpha = self.alpha if self.logit_alpha is None else torch.sigmoid(self.logit_alpha)
        s = (1 - alpha) * self.context(x) + alpha * state.s
        h = torch.sigmoid(self.from_context(s) + self.input(x) + self.recurrent(state.h))
        return torch.cat([h, s], -1), self.State(h, s)

    def extra_repr(self) -> str:
        learned = self.logit_alpha is not None
        return f"{super().extra_repr()}, context_size={self.context_size}, alpha={self.alpha}, learn_alpha={learned}"
