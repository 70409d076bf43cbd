"""Encoded sentences."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from timeloom.core import Padded


@dataclass
class Batch:
    """B sentences of T words at most, with N different words of L letters at most."""

    words: Padded  # (B, T) ids
    tags: Tensor | None = None  # (B, T) ids, NO_TAG where there is none
    labels: Tensor | None = None  # (B,) ids of the sentences' labels, NO_TAG where there is none
    spellings: Padded | None = None  # (N, L) letter ids of the different words
    spelling: Tensor | None = None  # (B, T) which of the N a word is
    cases: Tensor | None = None  # (B, T) how each word is written
    features: Tensor | None = None  # (B, T, F) ids of further features of each word

    def to(self, device: torch.device | str) -> Batch:
        there = {field.name: part for field in fields(self) if (part := getattr(self, field.name)) is not None}
        return Batch(**{name: part.to(device) for name, part in there.items()})
