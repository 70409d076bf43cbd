"""The scalar memory of xLSTM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from timeloom.cells import references
from timeloom.cells.initial import standard
from timeloom.core import UsageError
from timeloom.scan import Cell


class SLSTMCell(Cell):
    """Long short-term memory with exponential gates, a normaliser, and a stabiliser that keeps them in range.

        ĩ, f̃, z̃, õ = W x + U h + b
        a  = log f + m                      f = σ(f̃) or exp f̃, m = log of the scale that c and n stand in
        m' = max(a, ĩ)
        c' = exp(a − m') ⊙ c + exp(ĩ − m') ⊙ tanh(z̃)
        n' = exp(a − m') ⊙ n + exp(ĩ − m')
        h' = σ(õ) ⊙ c' / n'

    At the start c = n = 0, and a is ĩ, whatever m is: the stabiliser of an empty memory is minus infinity.

    Shapes: x (B, I), h, c, n, m (B, H) → the same. Parameters: 4H(I + H) + 4H.
    Begins with W as Glorot, U orthogonal, b = 0 but b_f = 1. Gate order (i, f, z, o).
    Source: Beck et al. 2024, xLSTM: Extended Long Short-Term Memory, arXiv:2405.04517, equations 8 to 17, with one
    head, and none of the block around it.

    Args:
        forget_gate: "sigmoid" or "exp", the paper's two. With exp a memory may grow, and its scale with it.
    """

    gates = ("input", "forget", "candidate", "output")
    sources = (references.XLSTM,)
    learnable = ("h",)  # what c and n begin with has a meaning only together, and n = 0 is a case of its own

    class State(NamedTuple):
        h: Tensor  # (B, H) what the outside sees
        c: Tensor  # (B, H) what the cell remembers, times exp(−m)
        n: Tensor  # (B, H) how much it has been given, times exp(−m)
        m: Tensor  # (B, H) nats

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, forget_gate: Literal["sigmoid", "exp"] = "sigmoid"
    ):
        super().__init__()
        if forget_gate not in ("sigmoid", "exp"):
            raise UsageError(f"SLSTMCell: forget_gate is {forget_gate!r}, wanted sigmoid or exp")
        self.forget_gate = forget_gate
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.input = nn.Linear(input_size, 4 * hidden_size, bias)
        self.recurrent = nn.Linear(hidden_size, 4 * hidden_size, bias=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        standard(self)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        i, f, z, o = (self.input(x) + self.recurrent(state.h)).chunk(4, -1)  # each (B, H)
        # n is 0 at the start and never again: from then on one of the two exponentials is 1.
        kept = F.logsigmoid(f) if self.forget_gate == "sigmoid" else f
        a = torch.where(state.n == 0, i, kept + state.m)
        m = torch.maximum(a, i)
        old, new = torch.exp(a - m), torch.exp(i - m)
        c = old * state.c + new * torch.tanh(z)
        n = old * state.n + new
        h = torch.sigmoid(o) * c / n
        return h, self.State(h, c, n, m)

    def held(self, old: State, new: State, shares: Mapping[int, Tensor]) -> State:
        """Zoneout: c and n of two states can be added only once they stand in one scale, the larger of the two."""
        share = shares[self.hidden_size]
        m_old = torch.where(old.n == 0, new.m, old.m)  # an empty memory has no scale
        m = torch.where(share >= 1, m_old, torch.where(share <= 0, new.m, torch.maximum(m_old, new.m)))
        of_old = share * torch.exp((m_old - m).clamp(max=0))
        of_new = (1 - share) * torch.exp((new.m - m).clamp(max=0))
        h = share * old.h + (1 - share) * new.h
        c, n = of_old * old.c + of_new * new.c, of_old * old.n + of_new * new.n
        # A scale that is held step after step would leave less and less in n: then n itself becomes the scale.
        scale = torch.where((n > 0) & (n < 1e-3), n, 1.0)
        return self.State(h, c / scale, n / scale, m + torch.log(scale))

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, forget_gate={self.forget_gate!r}"
