"""Sums over all rows, which the loop back gathers as it goes: gradients of biases and of units' own weights."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from tests.tolerances import assert_close
from timeloom.scan import Cell, explain, plain_loop, scan


class LeakyCell(Cell):
    """Three pieces of a row with a weight and a bias each, and a scale for the whole sequence."""

    class State(NamedTuple):
        h: Tensor  # (B, 3 H)

    def __init__(self, width: int):
        super().__init__()
        self.input_size, self.hidden_size = width, 3 * width
        self.weight, self.bias = nn.Parameter(torch.ones(3 * width)), nn.Parameter(torch.zeros(3 * width))
        self.scale = nn.Parameter(torch.ones(1))

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, State]:
        h = 0.5 * state.h + self.weight * torch.cat([x, self.scale * x, -x], -1) + self.bias
        return h, self.State(h)


def gradients(cell: Cell, x: Tensor, lengths: list[int] | None = None) -> list[Tensor]:
    return list(torch.autograd.grad(scan(cell, x, lengths=lengths)[0].mul(0.1).sum(), list(cell.parameters())))


def test_explain_shows_them_in_the_loop() -> None:
    text = explain(LeakyCell(5))
    inside = text[text.index("in the loop back") : text.index("after the loop back")]
    assert inside.count("= sum(") == 2  # of the scale all numbers are summed, over the row as well: not in the loop


def test_little_is_rounded_off_in_a_long_sum() -> None:
    """One number after another, 100,000 times 0.2 is wrong in the fourth place."""
    cell, x = LeakyCell(3), torch.ones(100_000, 1, 3)
    exact = gradients(LeakyCell(3).double(), x.double())
    one_by_one = torch.full((100_000,), 0.2).numpy().cumsum()[-1]
    assert abs(one_by_one / 20_000 - 1) > 1e-5
    for found, wanted in zip(gradients(cell, x), exact, strict=True):
        torch.testing.assert_close(found.double(), wanted, rtol=3e-6, atol=0)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize(
    ("B", "width", "lengths"), [(1, 600, None), (5, 300, None), (9, 40, [7, 1, 0, 30, 2, 9, 3, 8, 4])]
)
def test_they_are_whole_however_the_work_is_shared(threads: int, B: int, width: int, lengths: list[int] | None) -> None:
    torch.manual_seed(0)
    cell, x = LeakyCell(width).double(), torch.randn(30, B, width, dtype=torch.float64)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = gradients(cell, x, lengths)
        assert all(map(torch.equal, found, gradients(cell, x, lengths)))
    finally:
        torch.set_num_threads(before)
    with plain_loop():
        for one, wanted in zip(found, gradients(cell, x, lengths), strict=True):
            assert_close(one, wanted)
