"""Counts and probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from timeloom.core import UsageError


class Counts(NamedTuple):
    """How often each state begins a path (K,), follows another (K, K), and ends one (K,)."""

    start: Tensor
    transitions: Tensor
    end: Tensor


def counts_of(paths: Sequence[Tensor], states: int, owner: str) -> Counts:
    """Count paths, each the states (T,) of a sequence; empty ones count nothing."""
    check_sequences(paths, f"{owner}: states")
    zeros = partial(torch.zeros, dtype=torch.float64)  # float32 stops counting at 2**24
    counts = Counts(zeros(states), zeros(states, states), zeros(states))
    for number, path in enumerate(paths):
        if len(path) and not 0 <= int(path.min()) <= int(path.max()) < states:
            raise UsageError(
                f"{owner}: path {number} has states between {int(path.min())} and {int(path.max())}, "
                f"wanted 0 to {states - 1}"
            )
        if len(path):
            counts.start[path[0]] += 1
            counts.end[path[-1]] += 1
            counts.transitions.index_put_((path[:-1], path[1:]), zeros(len(path) - 1) + 1, accumulate=True)
    if not counts.start.any():
        raise UsageError(f"{owner}: there is no path to count, at least one with a step was wanted")
    return counts


def normalised(counts: Tensor, otherwise: Tensor) -> Tensor:
    """Counts (..., K) as shares that sum to 1; where there are none, what stood there before."""
    total = counts.sum(-1, keepdim=True)
    return torch.where(total > 0, counts / torch.where(total > 0, total, 1.0), otherwise.to(counts))


def check_smoothing(smoothing: float, owner: str) -> None:
    """Raise a UsageError unless a count can be smoothed by so much."""
    if not 0 <= smoothing < torch.inf:
        raise UsageError(f"{owner}: smoothing is {smoothing}, wanted a finite number, 0 or more")


def check_rows(probabilities: Tensor, what: str, axes: int) -> None:
    """Raise a UsageError unless these are probabilities that sum to 1 in their last axis."""
    if not isinstance(probabilities, Tensor):
        raise UsageError(f"{what} are a {type(probabilities).__name__}, wanted a tensor, as torch.tensor makes one")
    sums = probabilities.sum(-1)
    if probabilities.dim() != axes or not (probabilities >= 0).all() or not torch.allclose(sums, torch.ones_like(sums)):
        raise UsageError(
            f"{what} {tuple(probabilities.shape)} are no probabilities; wanted {axes} "
            f"{'axis' if axes == 1 else 'axes'}, none below 0, and a sum of 1 in the last"
        )


def check_sequences(sequences: Sequence[Tensor], what: str) -> None:
    """Raise a UsageError unless these are several sequences, each a tensor with its steps along the first axis."""
    if isinstance(sequences, Tensor) or not all(isinstance(steps, Tensor) and steps.dim() for steps in sequences):
        raise UsageError(f"{what} are not a list of tensors; wanted one tensor (T, ...) for each sequence")
