"""A network's posteriors in a hidden Markov model: the hybrid of speech recognition, for any tags."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from timeloom.chain import Chain
from timeloom.core import UsageError
from timeloom.structured.counts import counts_of
from timeloom.structured.emissions import Posteriors
from timeloom.structured.output import ChainOutput, Rules, inside_of


class HMMHybrid(ChainOutput):
    """The network is trained step by step (cross-entropy); which tag follows which is counted, not learned.

    Decoding finds the tags that maximise p(tags) · Π_t p(tag_t | x) / p(tag_t), where p(tags) is a Markov chain. A
    network that sees the neighbouring words has learned some of that chain already, and it then counts twice: the
    textbook's independence of the observations does not hold for it.

    Source: Bourlard and Morgan 1994, Connectionist Speech Recognition.

    Args:
        tags: K.
        rules: What may be; all may without.
        smoothing: Added to every count of what may be.
    """

    priors: Tensor

    def __init__(self, tags: int, rules: Rules | None = None, smoothing: float = 0.1):
        super().__init__(tags, rules)
        if not smoothing > 0:
            raise UsageError(f"HMMHybrid: smoothing is {smoothing}, wanted more than 0")
        self.smoothing = smoothing
        self.requires_grad_(False)
        self.register_buffer("priors", torch.full((tags,), 1 / tags))

    @torch.no_grad()
    def count(self, paths: Sequence[Tensor]) -> None:
        """Take the priors, and which tag begins, follows and ends, from the right tags of sentences, each (T,)."""
        counts = counts_of(paths, len(self.start), "HMMHybrid.count")
        # What may not be is not smoothed, so that leaving a tag for one that may follow, or ending, is certain.
        start, transitions, end = (
            torch.where(self.get_buffer(f"may_{name}"), counted + self.smoothing, 0.0)
            for name, counted in (("start", counts.start), ("transitions", counts.transitions), ("end", counts.end))
        )
        left = transitions.sum(1) + end  # how often each tag was left, or was the last
        for name, shares in (
            ("start", start / start.sum()),
            ("transitions", transitions / left[:, None]),
            ("end", end / left),
        ):  # finite where nothing may be: `scores` forbids it anyhow, and every weight of a model is a number
            getattr(self, name).copy_(torch.where(shares > 0, shares, 1.0).log())
        of_tag = torch.cat(list(paths)).bincount(minlength=len(start)) + self.smoothing
        self.priors.copy_(of_tag / of_tag.sum())

    def chain(self, emissions: Tensor, lengths: Tensor | None = None) -> Chain:
        posteriors = self.at_least_ours(emissions).log_softmax(-1)
        return super().chain(Posteriors(self.priors).log_prob(posteriors), lengths)

    def loss(self, emissions: Tensor, tags: Tensor, lengths: Tensor | None = None) -> Tensor:
        chain = self.chain(emissions, lengths)
        self.allowed(chain.score(tags))
        inside = inside_of(tags, chain.lengths)
        total = F.cross_entropy(self.at_least_ours(emissions)[inside], tags[inside].long(), reduction="sum")
        return total / chain.lengths.sum().clamp(min=1)
