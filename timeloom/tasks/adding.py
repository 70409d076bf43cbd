"""The adding problem: T pairs of a number and a mark; the answer is the sum of the two marked numbers.

One mark stands in each half, so that the first number must be carried over T/2 steps or more. A constant answer has a
squared error of 0.167. Source: Hochreiter and Schmidhuber 1997; in this form Le et al. 2015, arXiv:1504.00941.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from timeloom.cells import initialise
from timeloom.core import UsageError, check_seed
from timeloom.layers import Recurrent, cell_named


def adding_batch(batch_size: int, T: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """x (B, T, 2) and the sums (B,)."""
    numbers, marks = torch.rand(batch_size, T, generator=generator), torch.zeros(batch_size, T)
    for begin, end in ((0, T // 2), (T // 2, T)):
        marks[torch.arange(batch_size), torch.randint(begin, end, (batch_size,), generator=generator)] = 1
    return torch.stack([numbers, marks], -1), (numbers * marks).sum(1)


class Adder(nn.Module):
    """One recurrent layer, and a linear read-out of its last step."""

    def __init__(self, cell: str, hidden_size: int):
        super().__init__()
        self.layer = Recurrent(cell_named(cell, 2, hidden_size, {}))
        self.read_out = nn.Linear(self.layer.output_size, 1)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, T, 2) → the answers (B,)."""
        return self.answer(self.layer(x)[0])

    def answer(self, emitted: Tensor) -> Tensor:
        """What the layer emitted (B, T, O) → the answers (B,)."""
        return self.read_out(emitted[:, -1])[:, 0]


@dataclass(frozen=True)
class AddingOptions:
    """How to learn it.

    Args:
        steps: Updates, each on a batch that was never seen before.
        length: T.
        hidden_size: Units.
        batch_size: Sequences in a batch.
        learning_rate: Of Adam.
        clip_norm: Longest gradient. null: any length.
        start: How recurrent weights or gates' biases begin, by one of `timeloom.initialise`'s names. null: as the cell
            begins by itself.
        seed: Of weights and data.
    """

    steps: int = 300
    length: int = 100
    hidden_size: int = 32
    batch_size: int = 32
    learning_rate: float = 2e-3
    clip_norm: float | None = 1.0
    start: Literal["orthogonal", "identity", "forget-bias", "chrono"] | None = None
    seed: int = 1

    def __post_init__(self) -> None:
        for name, least in (("steps", 0), ("length", 2), ("hidden_size", 1), ("batch_size", 1)):
            if getattr(self, name) < least:
                raise UsageError(f"{name} is {getattr(self, name)}, wanted {least} or more")
        for name in ("learning_rate", "clip_norm"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise UsageError(f"{name} is {value}, wanted more than 0")
        check_seed(self.seed)


def make_adder(cell: str, options: AddingOptions) -> Adder:
    torch.manual_seed(options.seed)
    adder = Adder(cell, options.hidden_size)
    if options.start is not None:
        initialise(adder, options.start, **({"longest": options.length} if options.start == "chrono" else {}))
    return adder


def learn_adding(adder: Adder, options: AddingOptions) -> Iterator[tuple[float, float]]:
    """Train it. Gives the squared error and the norm of the gradient of every step, and ends where they are numbers no
    more."""
    generator = torch.Generator().manual_seed(options.seed)
    optimizer = torch.optim.Adam(adder.parameters(), lr=options.learning_rate)
    for _ in range(options.steps):
        x, wanted = adding_batch(options.batch_size, options.length, generator)
        loss = (adder(x) - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        norm = float(nn.utils.clip_grad_norm_(adder.parameters(), options.clip_norm or math.inf))
        yield loss.item(), norm
        if not math.isfinite(loss.item()) or not math.isfinite(norm):
            return
        optimizer.step()
