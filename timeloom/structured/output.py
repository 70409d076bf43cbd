"""What all outputs over a chain have: learned transitions, what a tag scheme forbids, and decoding."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from timeloom.chain import Chain
from timeloom.core import UsageError, step_mask
from timeloom.data.tags import OUTSIDE, find_scheme, is_open, may_follow, split_tag


class Rules(NamedTuple):
    """What may be: True where a tag may follow another (K, K), begin a sentence (K,), end one (K,)."""

    transitions: Tensor
    start: Tensor
    end: Tensor


def tag_rules(tags: Sequence[str], scheme: str = "bio") -> Rules:
    """What a tag scheme allows: no I-x but after B-x or I-x, and the like. Raises DataError for a tag of another,
    UsageError for a scheme that there is not."""
    rules = find_scheme(scheme)
    split = [split_tag(tag, rules.letters) for tag in tags]
    return Rules(
        torch.tensor([[may_follow(before, after, scheme) for after in split] for before in split]),
        torch.tensor([may_follow(OUTSIDE, tag, scheme) for tag in split]),
        torch.tensor([not is_open(tag, rules) for tag in split]),
    )


class ChainOutput(nn.Module, ABC):
    """Scores for going from tag to tag, beside those that a network gives each tag at each step.

    Args:
        tags: K.
        rules: What may be; all may without. What may not scores -inf, in training as in decoding.
    """

    def __init__(self, tags: int, rules: Rules | None = None):
        super().__init__()
        if not isinstance(tags, int) or tags < 1:
            raise UsageError(f"{type(self).__name__}: tags is {tags!r}, wanted how many there are, 1 or more")
        self.transitions = nn.Parameter(torch.zeros(tags, tags))
        self.start = nn.Parameter(torch.zeros(tags))
        self.end = nn.Parameter(torch.zeros(tags))
        given = Rules(torch.ones(tags, tags), torch.ones(tags), torch.ones(tags)) if rules is None else rules
        for name, allowed in given._asdict().items():
            if allowed.shape != getattr(self, name).shape:
                raise UsageError(
                    f"{type(self).__name__}: rules.{name} are {tuple(allowed.shape)}, wanted "
                    f"{tuple(getattr(self, name).shape)} for {tags} tags"
                )
            self.register_buffer(f"may_{name}", allowed.bool(), persistent=False)

    def chain(self, emissions: Tensor, lengths: Tensor | None = None) -> Chain:
        """The chain over emissions (B, T, K), of the weights' type or half of it. Raises as `Chain` does."""
        return Chain(self.at_least_ours(emissions), *self.scores(), lengths=lengths)

    def at_least_ours(self, emissions: Tensor) -> Tensor:
        """Emissions that autocast made, in the type of the weights; others as they are."""
        lower = torch.promote_types(emissions.dtype, self.transitions.dtype) == self.transitions.dtype
        return emissions.to(self.transitions.dtype) if lower else emissions

    def scores(self) -> tuple[Tensor, Tensor, Tensor]:
        """Of going from tag to tag (K, K), of beginning (K,) and of ending with each; -inf for what may not be."""
        transitions, start, end = (
            torch.where(self.get_buffer(f"may_{name}"), getattr(self, name), -torch.inf)
            for name in ("transitions", "start", "end")
        )
        return transitions, start, end

    @abstractmethod
    def loss(self, emissions: Tensor, tags: Tensor, lengths: Tensor | None = None) -> Tensor:
        """What training makes small, for emissions (B, T, K) and the right tags (B, T): the sum over the sentences
        divided by the number of all their steps, so that it is as large as a cross-entropy of each tag.

        Raises UsageError where the right tags are forbidden, or none of 0 to K - 1.
        """

    def allowed(self, score: Tensor) -> Tensor:
        """The scores (B,) of the right tags. Raises UsageError, which names the sentence, where they are forbidden."""
        if (score == -torch.inf).any():
            b = int((score == -torch.inf).nonzero()[0])
            raise UsageError(
                f"{type(self).__name__}: the right tags of sentence {b} (counted from 0) are forbidden by the rules.\n"
                "  Bring the tags to the scheme that the rules were made for."
            )
        return score

    def extra_repr(self) -> str:
        forbidden = int((~self.get_buffer("may_transitions")).sum())
        return f"tags={len(self.start)}, forbidden={forbidden}"


def inside_of(tags: Tensor, lengths: Tensor | None) -> Tensor:
    """True at the real steps of tags (B, T)."""
    return step_mask(tags.new_full((len(tags),), tags.shape[1]) if lengths is None else lengths, tags.shape[1])


def for_each_step(total: Tensor, chain: Chain) -> Tensor:
    """The sum over sentences (B,) for each step, so that the loss has the size of a cross-entropy."""
    return total.sum() / chain.lengths.sum().clamp(min=1)
