"""The cross-entropy that never holds all its scores: equal to the one that does."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from tests.tolerances import assert_close
from timeloom.layers import large_cross_entropy


@pytest.mark.parametrize("rows", [1, 255, 256, 600])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_to_torch_with_its_gradients(rows: int, dtype: torch.dtype) -> None:
    torch.manual_seed(rows)
    x, weight, bias = (torch.randn(shape, dtype=dtype, requires_grad=True) for shape in ((rows, 7), (40, 7), (40,)))
    targets = torch.randint(40, (rows,))
    found = large_cross_entropy(x, weight, bias, targets)
    wanted = F.cross_entropy(F.linear(x, weight, bias), targets)
    assert_close(found, wanted)
    for mine, theirs in zip(
        torch.autograd.grad(2 * found, (x, weight, bias)),
        torch.autograd.grad(2 * wanted, (x, weight, bias)),
        strict=True,
    ):
        assert_close(mine, theirs)


def test_finite_differences() -> None:
    torch.manual_seed(0)
    inputs = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in ((4, 3), (6, 3), (6,))]
    targets = torch.tensor([0, 5, 2, 2])
    assert torch.autograd.gradcheck(lambda x, w, b: large_cross_entropy(x, w, b, targets), inputs)


def test_hopeless_targets_cost_what_they_should() -> None:
    x = torch.ones(1, 1)
    weight = torch.tensor([[500.0], [-500.0]])
    assert float(large_cross_entropy(x, weight, torch.zeros(2), torch.tensor([1]))) == 1000.0
