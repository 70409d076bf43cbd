"""Two opinions about labels as one."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from timeloom.tasks.classify.learn_ngrams import cross_entropy

SHARE = 0.5  # what the net counts beside n-grams while nothing speaks for more: on few texts it is right less often
TRUST = 1.0  # nats that held-out labels must speak for it before it counts e times as much, or an e-th


class Mixture(nn.Module):
    """a · r + b · n, of the scores of the recurrent net r and of the n-grams n, each less its mean over the labels.

    A net that has learned its texts by heart is far surer of itself than it is right. Before anything else, a and b
    therefore bring both to one spread over held-out texts, the net to `SHARE` of it; held-out labels then say how sure
    the sum may be, and where there are enough of them, which of the two is to be trusted more.

    Args:
        several: Whether each label is a question of its own; then no mean is taken.
    """

    recurrent: Tensor
    ngrams: Tensor

    def __init__(self, several: bool):
        super().__init__()
        self.several = several
        self.register_buffer("recurrent", torch.ones(()))
        self.register_buffer("ngrams", torch.ones(()))

    def forward(self, recurrent: Tensor, ngrams: Tensor) -> Tensor:
        """Scores (B, L) of both → scores (B, L)."""
        return self.recurrent * self.centred(recurrent) + self.ngrams * self.centred(ngrams)

    def centred(self, scores: Tensor) -> Tensor:
        return scores if self.several else scores - scores.mean(-1, keepdim=True)

    def fit(self, recurrent: Tensor, ngrams: Tensor, labels: Tensor) -> None:
        """Find a and b from the scores (N, L) of held-out texts and their labels, as 0 and 1."""
        with torch.inference_mode(False), torch.enable_grad():
            both = [self.centred(scores.detach().clone().double()) for scores in (recurrent, ngrams)]
            spreads = torch.stack([scores.square().mean().sqrt().clamp(min=1e-6) for scores in both])
            spreads[0] /= SHARE
            even = [scores / spread for scores, spread in zip(both, spreads, strict=True)]
            given = labels.detach().clone().double()
            logs = torch.zeros(2, dtype=torch.float64, requires_grad=True)
            solver = torch.optim.LBFGS([logs], max_iter=100, line_search_fn="strong_wolfe")

            def cost() -> Tensor:
                solver.zero_grad()
                scores = logs[0].exp() * even[0] + logs[1].exp() * even[1]
                loss = cross_entropy(scores, given, self.several)
                # The second term keeps a sum that is always right from being infinitely sure.
                loss = loss + TRUST * (logs[0] - logs[1]).square() + 0.01 * logs.square().sum()
                loss.backward()
                return loss

            solver.step(cost)
            shares = logs.detach().exp() / spreads
        self.recurrent.fill_(float(shares[0]))
        self.ngrams.fill_(float(shares[1]))
