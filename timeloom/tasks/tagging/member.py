"""A member of a tagger: from vectors of words to scores of tags and labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from timeloom.data import tag_parts
from timeloom.layers import Pooling, Recurrent, SharedLinear, cell_named
from timeloom.tasks.tagging.options import TaggerOptions


class Scores(NamedTuple):
    """What a member makes of B sentences. What stands after a sentence's end means nothing."""

    tags: Tensor  # (B, T, K)
    labels: Tensor | None  # (B, L)


class Member(nn.Module):
    """Recurrent encoder → dropout → a linear score for every tag, and where there are labels one for each of them, from
    the pooled encoding.

    Args:
        options: Of the tagger.
        input_size: Numbers that stand for a word.
        tags: The K tags.
        labels: L, 0 where none are learned.
        plain: Whether tags are no chunks.
    """

    def __init__(self, options: TaggerOptions, input_size: int, tags: Sequence[str], labels: int, plain: bool = False):
        super().__init__()
        self.dropout = options.dropout
        self.encoder = Recurrent(
            cell_named(options.cell, input_size, options.hidden_size, options.cell_options),
            options.num_layers,
            options.bidirectional,
            dropout=options.dropout,
            recurrent_dropout=options.recurrent_dropout,
        )
        size = self.encoder.output_size
        self.output = (
            SharedLinear(size, [tag_parts(tag, plain) for tag in tags])
            if options.shared_tags
            else nn.Linear(size, len(tags))
        )
        self.pooling = Pooling(options.label_pooling, size, options.bidirectional) if labels else None
        self.label_output = nn.Linear(size, labels) if labels else None

    def forward(self, vectors: Tensor, lengths: Tensor) -> Scores:
        """Vectors of words (B, T, W) of sentences of these lengths (B,) → scores."""
        encoded, _ = self.encoder(vectors, lengths=lengths)
        encoded = F.dropout(encoded, self.dropout, self.training)  # (B, T, H)
        if self.pooling is None or self.label_output is None:
            return Scores(self.output(encoded), None)
        return Scores(self.output(encoded), self.label_output(self.pooling(encoded, lengths)))
