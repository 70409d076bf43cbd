"""Encoded examples."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from timeloom.core import Padded
from timeloom.tasks.classify.ngrams import Grams


@dataclass
class Batch:
    """B texts as numbers (B, T), or series (B, T, D); and which of the L labels each has (B, L), as 0 and 1. Of texts
    whose words are spelt, N different words of K letters at most."""

    content: Padded
    labels: Tensor | None = None
    spellings: Padded | None = None  # (N, K) letters of the different words
    spelling: Tensor | None = None  # (B, T) which of the N a word is
    grams: Grams | None = None

    def to(self, device: torch.device | str) -> Batch:
        there = {field.name: part for field in fields(self) if (part := getattr(self, field.name)) is not None}
        return Batch(**{name: part.to(device) for name, part in there.items()})
