"""Outputs trained by the best wrong path: the structured perceptron and the structured support vector machine."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from timeloom.core import UsageError
from timeloom.structured.output import ChainOutput, Rules, for_each_step, inside_of


class StructuredPerceptron(ChainOutput):
    """loss = score of the best path - score of the right one; zero once the right one is the best.

    Source: Collins 2002, Discriminative Training Methods for Hidden Markov Models.
    """

    def loss(self, emissions: Tensor, tags: Tensor, lengths: Tensor | None = None) -> Tensor:
        chain = self.chain(emissions, lengths)
        return for_each_step(chain.best_path()[1] - self.allowed(chain.score(tags)), chain)


class StructuredSVM(ChainOutput):
    """loss = best of (score + cost) over all paths - score of the right one: at least the cost of the best path.

    The cost of a path is a sum over its steps: `missed` for each word of a chunk that it calls outside, `invented` for
    each outside word that it puts into a chunk, 1 for one chunk's tag in the place of another; 1 and 1 make it the
    number of wrong tags (Hamming). A larger `missed` trains for recall, a larger `invented` for precision: of an F-type
    cost this is what falls apart into steps, which the dynamic program needs (F itself is a ratio of counts over the
    whole path).

    Source: Tsochantaridis et al. 2005, Large Margin Methods for Structured and Interdependent Output Variables, with
    margin rescaling.

    Args:
        outside: The number of the tag for outside, where there is one.
        missed: Cost of a chunk's word that is called outside.
        invented: Cost of an outside word that is put into a chunk.
        factors: (K,) how many times as much each tag's words cost when they are called anything else; 1 without.
    """

    costs: Tensor

    def __init__(
        self,
        tags: int,
        rules: Rules | None = None,
        outside: int | None = None,
        missed: float = 1.0,
        invented: float = 1.0,
        factors: Tensor | None = None,
    ):
        super().__init__(tags, rules)
        if not (0 <= missed < torch.inf and 0 <= invented < torch.inf):
            raise UsageError(f"StructuredSVM: the costs are {missed} and {invented}, wanted finite numbers, 0 or more")
        if outside is None and (missed, invented) != (1.0, 1.0):
            raise UsageError(
                "StructuredSVM: missed and invented are costs of taking one tag, outside, for another and back; "
                "without an outside there are none"
            )
        if outside is not None and not 0 <= outside < tags:
            raise UsageError(f"StructuredSVM: outside is {outside}, wanted one of 0 to {tags - 1}")
        costs = 1 - torch.eye(tags)  # of each right tag (row), called by each other (column)
        if outside is not None:
            costs[:, outside], costs[outside] = missed, invented
            costs[outside, outside] = 0
        if factors is not None:
            known = not factors.is_meta  # a skeleton has no numbers
            if factors.shape != (tags,) or (known and not ((factors >= 0) & (factors < torch.inf)).all()):
                raise UsageError(f"StructuredSVM: factors are {factors.tolist()}, wanted {tags} of 0 or more")
            costs = costs * factors[:, None]
        self.register_buffer("costs", costs, persistent=False)

    def cost(self, tags: Tensor, found: Tensor, lengths: Tensor | None = None) -> Tensor:
        """What the found tags (B, T) cost where the others are right, (B,)."""
        inside = inside_of(tags, lengths)
        costs = self.costs[torch.where(inside, tags, 0), torch.where(inside, found, 0)]
        return torch.where(inside, costs, 0.0).sum(1)

    def loss(self, emissions: Tensor, tags: Tensor, lengths: Tensor | None = None) -> Tensor:
        chain = self.chain(emissions, lengths)
        right = self.allowed(chain.score(tags))
        augmented = chain.with_costs(F.embedding(tags.clamp(0, len(self.costs) - 1), self.costs))
        return for_each_step(augmented.best_path()[1] - right, chain)
