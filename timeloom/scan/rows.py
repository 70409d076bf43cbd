"""How a kernel has a batch in memory: real steps only, one after another, in each the longest sequence first."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class Ragged:
    """What is to be known where sequences differ in length. Sequences are meant in their falling order."""

    order: Tensor  # (B,) where the caller has each sequence
    actives: Tensor  # (T,) how many sequences have each step
    starts: Tensor  # (T,) the first row of each step
    step: Tensor  # (rows,) the step of each row
    sequence: Tensor  # (rows,) its sequence


@dataclass(frozen=True)
class Rows:
    """The rows of a batch: `count` of them, T · B where every sequence has T steps."""

    T: int  # as the caller's tensors have them
    B: int
    steps: int  # of the longest sequence
    count: int
    ragged: Ragged | None = None

    def packed(self, x: Tensor) -> Tensor:
        """x (T, B, w) as rows (count, w)."""
        if self.ragged is None:
            return x.reshape(self.T * self.B, x.shape[2])
        return x[self.ragged.step, self.places]

    def padded(self, y: Tensor) -> Tensor:
        """Rows (count, w) as (T, B, w), zeros where there is none."""
        if self.ragged is None:
            return y.reshape(self.T, self.B, y.shape[1])
        out = y.new_zeros(self.T * self.B, y.shape[1])
        out[self.ragged.step * self.B + self.places] = y
        return out.view(self.T, self.B, y.shape[1])

    def before(self, states: Tensor, reverse: bool) -> Tensor:
        """The states that each row began with, of an array that has B rows more."""
        return states[self.B :] if reverse else self.earlier(states)

    def after(self, states: Tensor, reverse: bool) -> Tensor:
        """The states that each row made."""
        return self.earlier(states) if reverse else states[self.B :]

    def earlier(self, states: Tensor) -> Tensor:
        if self.ragged is None:
            return states[: self.count]
        return states[self.boundary]

    @cached_property
    def places(self) -> Tensor:
        """(count,) where the caller has each row's sequence."""
        assert self.ragged is not None
        return self.ragged.order[self.ragged.sequence]

    @cached_property
    def boundary(self) -> Tensor:
        """(count,) where an array of states has the one between each row's step and the step before."""
        assert self.ragged is not None
        first = torch.cat([self.ragged.starts.new_tensor([-self.B]), self.ragged.starts[:-1]]) + self.B
        return first[self.ragged.step] + self.ragged.sequence


def rows_of(T: int, B: int, lengths: Tensor | None) -> Rows:
    """The rows of a batch (T, B) with `lengths` (B,), integers from 0 to T, or whole sequences."""
    if lengths is None or bool((lengths == T).all()):
        return Rows(T, B, T, T * B)
    falling, order = lengths.long().sort(descending=True, stable=True)
    steps = int(falling[0])
    real = falling > torch.arange(steps)[:, None]  # (T, B)
    actives = real.sum(1)
    starts = actives.cumsum(0) - actives
    step, sequence = real.nonzero(as_tuple=True)
    return Rows(T, B, steps, len(step), Ragged(order, actives, starts, step, sequence))
