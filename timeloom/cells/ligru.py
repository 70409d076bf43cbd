"""The light gated recurrent unit."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from timeloom.cells import references
from timeloom.cells.initial import standard
from timeloom.scan import Cell


class LiGRUCell(Cell):
    """Gated recurrent unit for speech: no reset gate, rectified, and the input's part normalised.

        z  = σ(N_z(W_z x) + U_z h)       keep: z = 1 holds the old h
        n  = relu(N_n(W_n x) + U_n h)    candidate
        h' = z ⊙ h + (1 − z) ⊙ n         N(a) = γ ⊙ (a − mean(a)) / √(var(a) + ε) + β

    Shapes: x (B, I), h (B, H) → h' (B, H). Parameters: 2H(I + H) + 4H.
    Begins with W as Glorot, U orthogonal, γ = 1, β = 0. Gate order (z, n). ε is 1e-5.
    Source: Ravanelli et al. 2018, Light Gated Recurrent Units for Speech Recognition, arXiv:1803.10225. There N is
    normalisation over the batch; here over the units of one step, so that a sequence does not depend on its company.
    """

    gates = ("keep", "candidate")
    sources = (references.LIGRU,)

    class State(NamedTuple):
        h: Tensor  # (B, H)

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.input = nn.Linear(input_size, 2 * hidden_size, bias=False)
        self.recurrent = nn.Linear(hidden_size, 2 * hidden_size, bias=False)
        self.norm_z = nn.LayerNorm(hidden_size)
        self.norm_n = nn.LayerNorm(hidden_size)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        standard(self)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        x_z, x_n = self.input(x).chunk(2, -1)  # each (B, H)
        h_z, h_n = self.recurrent(state.h).chunk(2, -1)  # each (B, H)
        z = torch.sigmoid(self.norm_z(x_z) + h_z)
        n = torch.relu(self.norm_n(x_n) + h_n)
        h = z * state.h + (1 - z) * n
        return h, self.State(h)
