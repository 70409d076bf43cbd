"""A recurrence that is a vector: each unit reads itself alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Elementwise(nn.Module):
    """w ⊙ h, for h (B, H), with every weight within ± `most`, if that is given."""

    def __init__(self, size: int, most: float | None = None):
        super().__init__()
        self.most = most
        self.weight = nn.Parameter(torch.empty(size))

    def forward(self, state: Tensor) -> Tensor:
        weight = self.weight if self.most is None else self.weight.clamp(-self.most, self.most)
        return weight * state

    def extra_repr(self) -> str:
        return f"{len(self.weight)}" + (f", most={self.most:.4g}" if self.most is not None else "")
