"""Cross-entropy over a large vocabulary without its table of scores."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

ROWS = 256  # at a time: their scores over 10,000 symbols are 10 MB, which stay in the cache


def large_cross_entropy(x: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    """The mean over rows of −log softmax(x Wᵀ + b)[target], in nats.

    Equal to `F.cross_entropy(F.linear(x, weight, bias), targets)`, but the scores, N · V of them, are never in memory
    together: each block of rows goes from scores to its share of the gradients while it is in the cache. Off the CPU,
    and under autocast, it is that very call.

    Args:
        x: (N, H), N > 0.
        weight: (V, H).
        bias: (V,).
        targets: (N,) from 0 to V - 1.
    """
    if x.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
        return F.cross_entropy(F.linear(x, weight, bias), targets)
    result = LargeCrossEntropy.apply(x, weight, bias, targets)
    assert isinstance(result, Tensor)
    return result


class LargeCrossEntropy(torch.autograd.Function):
    """The gradients are made on the way forward: they want the same scores, and the mean's own gradient only scales
    them."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
        count = len(x)
        wanted = any(ctx.needs_input_grad)
        of_x, of_weight, of_bias = torch.empty_like(x), torch.zeros_like(weight), torch.zeros_like(bias)
        scores, chances = x.new_empty(2, min(ROWS, count), len(weight))
        nats = x.new_zeros((), dtype=torch.float64)
        for at in range(0, count, ROWS):
            rows, target = x[at : at + ROWS], targets[at : at + ROWS, None]
            score, chance = scores[: len(rows)], chances[: len(rows)]
            torch.addmm(bias, rows, weight.t(), out=score)
            top, where = score.max(-1, keepdim=True)
            torch.softmax(score, -1, out=chance)
            # The likeliest symbol has at least 1/V, so that this logarithm is exact where that of the target is not.
            normaliser = top - chance.gather(1, where).log()
            nats += (normaliser - score.gather(1, target)).sum(dtype=torch.float64)
            if wanted:
                chance.scatter_add_(1, target, chance.new_full((len(rows), 1), -1.0))
                torch.mm(chance, weight, out=of_x[at : at + ROWS])
                of_weight.addmm_(chance.t(), rows)
                of_bias += chance.sum(0)
        if wanted:
            ctx.save_for_backward(*(part.div_(count) for part in (of_x, of_weight, of_bias)))
        return (nats / count).to(x.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return *(part * gradients[0] for part in ctx.saved_tensors), None
