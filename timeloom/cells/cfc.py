"""The closed-form continuous-time network."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from timeloom.cells import references
from timeloom.cells.initial import standard
from timeloom.core import UsageError
from timeloom.scan import Cell


class CfCCell(Cell):
    """A liquid time-constant network in closed form: how much time went by decides between two proposals.

        a  = 1.7159 tanh(2/3 (W x + U h + b))       backbone, K units
        f  = tanh(F a + b_f),  g = tanh(G a + b_g)
        s  = σ((A a + b_a) τ + C a + b_c)           τ = time since the step before
        h' = (1 − s) ⊙ f + s ⊙ g

    Shapes: x (B, I), h (B, H) → h' (B, H). Parameters: K(I + H) + K + 4(H·K + H), I less 1 if `timed`.
    Begins with W, F, G, A, C as Glorot, U orthogonal, all b = 0.
    Source: Hasani et al. 2022, Closed-form Continuous-time Neural Networks, arXiv:2106.13898, with a backbone of one
    layer and its 2/3 in full, where the authors' programs have 0.666; C a + c_b, too, is theirs.

    Args:
        backbone_size: K. None means H.
        timed: The last number of x is τ. Without it τ is 1. A layer has then no second direction and no second layer.
    """

    gates = ("backbone",)
    sources = (references.CFC,)

    class State(NamedTuple):
        h: Tensor  # (B, H)

    def __init__(self, input_size: int, hidden_size: int, backbone_size: int | None = None, timed: bool = False):
        super().__init__()
        if timed and input_size < 2:
            raise UsageError("CfCCell: timed needs an input_size of 2 or more, for the last number of x is the time")
        if backbone_size is not None and backbone_size < 1:
            raise UsageError(f"CfCCell: backbone_size is {backbone_size}, wanted 1 or more")
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.backbone_size = hidden_size if backbone_size is None else backbone_size
        self.timed = timed
        self.input = nn.Linear(input_size - timed, self.backbone_size)
        self.recurrent = nn.Linear(hidden_size, self.backbone_size, bias=False)
        self.heads = nn.Linear(self.backbone_size, 4 * hidden_size)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        standard(self)
        with torch.no_grad():
            for head in self.heads.weight.chunk(4):
                nn.init.xavier_uniform_(head)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        features = x[:, :-1] if self.timed else x
        a = 1.7159 * torch.tanh(2 / 3 * (self.input(features) + self.recurrent(state.h)))  # (B, K)
        f, g, rate, phase = self.heads(a).chunk(4, -1)  # each (B, H)
        s = torch.sigmoid(rate * x[:, -1:] + phase if self.timed else rate + phase)
        h = (1 - s) * torch.tanh(f) + s * torch.tanh(g)
        return h, self.State(h)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, backbone_size={self.backbone_size}, timed={self.timed}"
