"""The scores of n-grams from labelled texts: counts, and a logistic regression solved to its end."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from timeloom.tasks.classify.ngrams import LARGEST, Grams, NGrams, frequent_grams, product

STRENGTHS = (3.0, 10.0, 30.0)  # by how much weights may cost less than a wrong label, from strict to loose
ROUNDS = 100


def learn_ngrams(
    train: Sequence[Sequence[str]],
    labels: Tensor,
    valid: Sequence[Sequence[str]],
    valid_labels: Tensor,
    several: bool,
    most: int,
) -> NGrams:
    """Find the scores by which n-grams tell the labels (N, L) of the texts of train, as 0 and 1.

    The weights are those of least cross-entropy plus |w|² / 2C, C the one of `STRENGTHS` that foretells the labels of
    valid best. At most `most` n-grams are kept, the most frequent, and fewer where there are many labels.
    """
    seen = frequent_grams(train, min(most, max(1, LARGEST // labels.shape[1])))
    found = NGrams(len(seen), labels.shape[1])
    found.hashes = torch.tensor(list(seen), dtype=torch.long)
    found.idf = torch.tensor([math.log((1 + len(train)) / (1 + count)) + 1 for count in seen.values()])
    grams, held_out = (Grams.of([found.encode(words) for words in texts]) for texts in (train, valid))
    solver = Solver(grams, len(seen), labels, several)
    best, weight, bias = math.inf, found.weight, found.bias
    for strength in STRENGTHS:
        weight, bias = solver.solve(strength, weight, bias)
        loss = float(cross_entropy(product(held_out, weight) + bias, valid_labels, several))
        if loss < best:
            best, found.weight, found.bias = loss, weight, bias
    return found


class Solver:
    """The weights of least cost for texts as n-grams, by L-BFGS.

    Args:
        grams: Of B texts.
        size: How many n-grams there are.
        labels: Of the texts (B, L), as 0 and 1.
        several: Whether each label is a question of its own.
    """

    def __init__(self, grams: Grams, size: int, labels: Tensor, several: bool):
        lengths = torch.diff(grams.begins, append=torch.tensor([len(grams.rows)]))
        text_of = torch.repeat_interleave(torch.arange(len(labels)), lengths)
        order = torch.argsort(grams.rows, stable=True)
        counts = torch.bincount(grams.rows, minlength=size)
        self.texts = grams  # what stands in each text, and below the texts that each n-gram stands in
        self.grams = Grams(text_of[order], grams.values[order], counts.cumsum(0) - counts)
        self.known = 1.0 if several else labels.sum(-1, keepdim=True)
        self.labels, self.several = labels, several

    def solve(self, strength: float, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Weights (size, L) and bias (L,) of least cross-entropy + |w|² / 2 strength, from where these stand."""
        weight, bias = weight.clone(), bias.clone()
        solver = torch.optim.LBFGS(
            [weight, bias],
            max_iter=ROUNDS,
            history_size=10,
            line_search_fn="strong_wolfe",
            tolerance_grad=1e-3,
            tolerance_change=1e-9 * len(self.labels),
        )

        def cost() -> Tensor:
            scores = product(self.texts, weight) + bias
            wrong = (scores.sigmoid() if self.several else scores.softmax(-1)) * self.known - self.labels
            weight.grad, bias.grad = product(self.grams, wrong) + weight / strength, wrong.sum(0)
            return cross_entropy(scores, self.labels, self.several) + weight.square().sum() / (2 * strength)

        solver.step(cost)
        return weight, bias


def cross_entropy(scores: Tensor, labels: Tensor, several: bool) -> Tensor:
    """Of labels (B, L) as 0 and 1, summed, in nats; of one label, texts without a known one count for nothing."""
    if several:
        return F.binary_cross_entropy_with_logits(scores, labels, reduction="sum")
    return -(scores.log_softmax(-1) * labels).sum()
