"""The conditional random field."""

from __future__ import annotations

from torch import Tensor

from timeloom.chain import forward_cell
from timeloom.scan import Cell
from timeloom.structured.output import ChainOutput, for_each_step


class CRF(ChainOutput):
    """Trains the probability of the whole path: loss = log sum of exp(score) over all paths - score of the right one,
    over all sentences, divided by the number of their steps.

    Source: Lafferty, McCallum and Pereira 2001, Conditional Random Fields; over a recurrent net, Huang, Xu and Yu 2015,
    arXiv:1508.01991.
    """

    def loss(self, emissions: Tensor, tags: Tensor, lengths: Tensor | None = None) -> Tensor:
        chain = self.chain(emissions, lengths)
        return for_each_step(-self.allowed(chain.log_prob(tags)), chain)

    def cells_run(self) -> list[Cell]:
        """The cells that a loss runs: the sum over all paths is a recurrence."""
        return [forward_cell(len(self.start), self.start.dtype, self.start.device)]
