"""The recursion over any semiring, step by step in torch: what the quick ways must equal, and where they do not reach.

It is exact for any scores, can be differentiated any number of times, runs on any device, and costs a (B, K, K) tensor
a step.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor


class Semiring(Protocol):
    """How paths that meet in a tag are put together."""

    def first(self, scores: Tensor) -> Tensor:
        """Scores of the tags of the first step (B, K) → what is carried, (B, K, ...)."""
        ...

    def advance(self, carried: Tensor, transitions: Tensor) -> Tensor:
        """What is carried and transitions (B or 1, K, K) → the same one step on, without that step's emissions."""
        ...


class LogSum:
    """All paths: log of the sum of their exponentials."""

    def first(self, scores: Tensor) -> Tensor:
        return scores

    def advance(self, carried: Tensor, transitions: Tensor) -> Tensor:
        return log_sum(carried.unsqueeze(-1) + transitions, 1)


class Best:
    """The k best paths, in order, and where each came from: `origins`, one (B, K, k) a step, as `tag * k + rank`."""

    def __init__(self, k: int = 1):
        self.k = k
        self.origins: list[Tensor] = []

    def first(self, scores: Tensor) -> Tensor:
        others = scores.new_full((*scores.shape, self.k - 1), -torch.inf)
        return torch.cat([scores.unsqueeze(-1), others], -1)

    def advance(self, carried: Tensor, transitions: Tensor) -> Tensor:
        candidates = (carried.unsqueeze(-1) + transitions.unsqueeze(-2)).flatten(1, 2)  # (B, K * k, K)
        values, origins = highest(candidates, self.k)
        self.origins.append(origins.transpose(1, 2))
        return values.transpose(1, 2)


def highest(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest along the second axis and their places; of equals, the one with the smaller place first."""
    if k == 1:  # argmax gives the first of equals
        places = scores.argmax(1, keepdim=True)
        return scores.gather(1, places), places
    # A stable sort of all would do, and is slow. topk is quick and takes any of equals, so it is given
    # none where that matters: all that are above the k-th, and of those equal to it the first.
    least = scores.topk(k, 1).values[:, -1:]
    place = torch.arange(scores.shape[1], device=scores.device).view(-1, *[1] * (scores.dim() - 2))
    rank = torch.where(scores > least, 1, torch.where(scores == least, -place, -(2**31)))
    chosen = rank.topk(k, 1).indices.sort(1).values
    values, order = scores.gather(1, chosen).sort(dim=1, descending=True, stable=True)
    return values, chosen.gather(1, order)


def fold(
    semiring: Semiring, emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, lengths: Tensor
) -> tuple[Tensor, Tensor]:
    """What is carried at each sequence's last step, its end scores added: (B, K, ...), less a number (B,) beside it.

    The largest of what is carried is brought to 0 at each step, so that long sequences lose no digits.

    Args:
        semiring: How paths that meet are put together.
        emissions: (B, T, K), T ≥ 1.
        transitions: (K, K) from row to column; or (B, K, K), each sequence's own; or (B, T - 1, K, K), each step's own.
        start: (K,) or (B, K).
        end: (K,) or (B, K).
        lengths: (B,)
    """
    first, *others = emissions.unbind(1)  # once for all steps, so that the way back writes each gradient once
    carried, total = lowered(semiring.first(first + start))
    spread = (slice(None), slice(None), *[None] * (carried.dim() - 2))
    of_all = transitions.unsqueeze(0) if transitions.dim() == 2 else transitions
    of_each = transitions.unbind(1) if transitions.dim() == 4 else [of_all] * len(others)
    for t, (emitted, of_step) in enumerate(zip(others, of_each, strict=True), start=1):
        further, by = lowered(semiring.advance(carried, of_step) + emitted[spread])
        inside = t < lengths
        carried = torch.where(inside[:, None][spread], further, carried)
        total = total + torch.where(inside, by, 0.0)
    return carried + end.expand(len(carried), -1)[spread], total


def lowered(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Scores (B, K, ...) less their largest, and that (B,); as they are where all are -inf."""
    most = largest(scores.flatten(1), 1)
    return scores - most.view(-1, *[1] * (scores.dim() - 1)), most


def largest(scores: Tensor, axis: int, keepdim: bool = False) -> Tensor:
    """The largest score along an axis, to be taken from the others; 0 where all are -inf. It has no gradient."""
    most = scores.detach().amax(axis, keepdim)
    return torch.where(most == -torch.inf, 0.0, most)


def all_paths(emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, lengths: Tensor) -> Tensor:
    """log of the sum over all paths, (B,); arguments as for `fold`."""
    final, total = fold(LogSum(), emissions, transitions, start, end, lengths)
    return log_sum(final, -1) + total


def log_sum(values: Tensor, axis: int) -> Tensor:
    """torch.logsumexp whose gradient is zero, not NaN, where there is nothing to sum."""
    nothing = (values == -torch.inf).all(axis, keepdim=True)
    total = torch.logsumexp(torch.where(nothing, 0.0, values), axis)
    return torch.where(nothing.squeeze(axis), -torch.inf, total)


def best_paths(
    k: int, emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, lengths: Tensor
) -> tuple[Tensor, Tensor]:
    """The paths (B, k, T), -1 after each end, and their scores (B, k), best first; arguments as for `fold`.

    Where a sequence has fewer than k paths that nothing forbids, the scores of the others are -inf and their tags -1.
    """
    best = Best(k)
    final, total = fold(best, emissions, transitions, start, end, lengths)
    steps = emissions.shape[1]
    scores, at = highest(final.flatten(1), k)  # each (B, k)
    path = at.new_full((len(final), k, steps), -1)
    there = scores > -torch.inf
    for t in range(steps - 1, -1, -1):
        inside = (t < lengths)[:, None]
        path[:, :, t] = torch.where(inside & there, at // k, -1)
        if t > 0:
            origin = best.origins[t - 1].flatten(1).gather(1, at)
            at = torch.where(inside, origin, at)
    return path, scores + total[:, None]
