"""Truncated back-propagation through time: which steps are read, scored and carried on from, window by window."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, overload

import numpy as np
import torch
from numpy.typing import NDArray

from timeloom.core import UsageError
from timeloom.data.batching import seed_of


@dataclass(frozen=True)
class WindowOptions:
    """How far time reaches in training on streams of any length.

    Args:
        window: Steps between two updates of the weights; gradients go back to the window's beginning.
        window_jitter: How much the windows' lengths vary around that, from epoch to epoch, as a share of it.
        gradient_reach: How many steps before its window's beginning gradients go back, besides; these are read again.
        state_reach: Steps after which the state begins anew. null: it is carried through the whole stream.
    """

    window: int = 35
    window_jitter: float = 0.0
    gradient_reach: int = 0
    state_reach: int | None = None

    def __post_init__(self) -> None:
        if self.window < 1:
            raise UsageError(f"window is {self.window}, wanted 1 or more")
        if not 0 <= self.window_jitter < 1:
            raise UsageError(f"window_jitter is {self.window_jitter}, wanted 0 ≤ window_jitter < 1")
        if self.gradient_reach < 0:
            raise UsageError(f"gradient_reach is {self.gradient_reach}, wanted 0 or more")
        if self.state_reach is not None and self.state_reach < 1:
            raise UsageError(f"state_reach is {self.state_reach}, wanted 1 or more, or null")


class Window(NamedTuple):
    """Steps of a stream: read from `read`, scored from `start` to `stop`; the state before step `carry` goes on."""

    read: int
    start: int
    stop: int
    carry: int
    fresh: bool  # begins in the initial state


class Windows(Sequence[Window]):
    """The windows of an epoch, as numbers: a long text has millions of them."""

    def __init__(self, numbers: NDArray[np.int64]):
        self._numbers = numbers  # (windows, 5)

    def __len__(self) -> int:
        return len(self._numbers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Windows) and np.array_equal(self._numbers, other._numbers)

    __hash__ = None  # type: ignore[assignment]

    @overload
    def __getitem__(self, index: int) -> Window: ...

    @overload
    def __getitem__(self, index: slice) -> Windows: ...

    def __getitem__(self, index: int | slice) -> Window | Windows:
        if isinstance(index, slice):
            return Windows(self._numbers[index])
        read, start, stop, carry, fresh = self._numbers[index].tolist()
        return Window(read, start, stop, carry, bool(fresh))


def plan_windows(steps: int, options: WindowOptions, *, seed: int, epoch: int) -> Windows:
    """The windows over a stream of some steps, in order: every step is scored once, and every epoch has as many.

    A pure function, so that a run that resumes gets what it would have had.
    """
    count = max(1, math.ceil(steps / options.window))
    edges = torch.arange(count + 1, dtype=torch.float64) * (steps / count)
    if options.window_jitter:
        # Each inner edge moves by up to half of the jitter either way: lengths vary by the whole of it.
        generator = torch.Generator().manual_seed(seed_of(seed, epoch))
        shifts = torch.rand(count - 1, generator=generator, dtype=torch.float64) - 0.5
        edges[1:-1] += shifts * options.window_jitter * (steps / count)
    cuts = edges.round().long().numpy()
    order = np.arange(count + 1)  # rounding must leave every window a step: cuts rise by one at least
    cuts -= order
    cuts[1:] = np.minimum.accumulate(cuts[:0:-1])[::-1]
    cuts[:-1] = np.maximum.accumulate(cuts[:-1])
    cuts += order
    windows = np.empty((count, 5), np.int64)
    fresh_at = carried = 0
    for number in range(count):
        start, stop = int(cuts[number]), int(cuts[number + 1])
        fresh = number == 0 or (options.state_reach is not None and start - fresh_at >= options.state_reach)
        if fresh:
            fresh_at = carried = start
        carry = max(fresh_at, stop - options.gradient_reach, carried)
        windows[number] = carried, start, stop, carry, carried == fresh_at
        carried = carry
    return Windows(windows)
