"""A whole sequence as one vector."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from timeloom.core import Padded, ShapeError, UsageError

Pool = Literal["attention", "max", "mean", "last"]


class Pooling(nn.Module):
    """What a sequence says as a whole: (B, T, H) → (B, H).

        attention    sum_t a_t h_t,  a = softmax_t(v · tanh(W h_t + b))
        max, mean    over the real steps, for each unit
        last         the last step; of an encoder that reads from both ends, each direction's own last

    Source of attention: Yang et al. 2016, Hierarchical Attention Networks for Document Classification.

    Args:
        kind: Which of them.
        size: H.
        bidirectional: Whether the second half of the units has read from the end; only `last` asks.
    """

    def __init__(self, kind: Pool, size: int, bidirectional: bool = False):
        super().__init__()
        if kind not in ("attention", "max", "mean", "last"):
            raise UsageError(f"Pooling: kind is {kind!r}, wanted 'attention', 'max', 'mean' or 'last'")
        self.kind, self.bidirectional = kind, bidirectional
        if kind == "attention":
            self.look = nn.Linear(size, size)
            self.weigh = nn.Linear(size, 1, bias=False)

    def forward(self, encoded: Tensor, lengths: Tensor) -> Tensor:
        """Encodings (B, T, H) of sequences of a step at least, and how long they are (B,)."""
        steps = Padded(encoded, lengths)
        if len(lengths) and int(lengths.min()) < 1:
            raise ShapeError(f"Pooling: sequence {int(lengths.argmin())} has no step, so there is nothing to pool")
        match self.kind:
            case "attention":
                return torch.einsum("bt,bth->bh", self.attention(encoded, lengths), encoded)
            case "max":
                return encoded.masked_fill(~steps.mask()[..., None], -torch.inf).amax(1)
            case "mean":
                return encoded.masked_fill(~steps.mask()[..., None], 0.0).sum(1) / lengths[:, None]
            case _:
                if not self.bidirectional:
                    return steps.last()
                forward, backward = encoded.chunk(2, dim=-1)
                return torch.cat([Padded(forward, lengths).last(), backward[:, 0]], dim=-1)

    def attention(self, encoded: Tensor, lengths: Tensor) -> Tensor:
        """The share of each step (B, T), zero after the end; they sum to 1."""
        scores = self.weigh(torch.tanh(self.look(encoded)))[..., 0]
        return scores.masked_fill(~Padded(encoded, lengths).mask(), -torch.inf).softmax(-1)
