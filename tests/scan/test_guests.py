"""Scans in other people's programs: tensors that are no plain ones, transforms of torch, derivatives of derivatives."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.testing._internal.two_tensor import TwoTensor

from tests.tolerances import assert_close
from timeloom.cells import GRUCell, LSTMCell
from timeloom.layers import Recurrent
from timeloom.scan import Cell, plain_loop, scan, step


def quietly(*args: Any, **kwargs: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return scan(*args, **kwargs)


def test_two_tensors_in_one_take_the_plain_loop() -> None:
    cell, one, other = GRUCell(3, 4), torch.randn(5, 2, 3), torch.randn(5, 2, 3)
    y = quietly(cell, TwoTensor(one, other))[0]
    assert isinstance(y, TwoTensor)
    assert_close(y.a, scan(cell, one)[0])
    assert_close(y.b, scan(cell, other)[0])


def test_a_weight_that_is_two_tensors_takes_the_plain_loop() -> None:
    cell, x = GRUCell(3, 4), torch.randn(5, 2, 3)
    wanted = scan(cell, x)[0].detach()
    weight = cell.recurrent.weight.detach()
    cell.recurrent.weight = nn.Parameter(TwoTensor(weight, weight))
    y = quietly(cell, x)[0].detach()
    assert_close(y.a if isinstance(y, TwoTensor) else y, wanted)


def negated(shape: tuple[int, ...]) -> Tensor:
    view = torch.randn(*shape, dtype=torch.complex128).conj().imag
    assert view.is_neg()
    return view


def test_signs_that_are_pending() -> None:
    cell, x = LSTMCell(3, 4).double(), negated((5, 2, 3))
    state = cell.State(negated((2, 4)), negated((2, 4)))
    with plain_loop():
        wanted = scan(cell, x, state)
    assert_close(scan(cell, x, state), wanted)
    with torch.no_grad():
        assert_close(step(cell, x[0], state), (wanted[0][0], cell(x[0], state)[1]))
    grad = negated((5, 2, 4))
    found = [torch.autograd.grad(scan(cell, x, state)[0], [*cell.parameters()], grad)]
    with plain_loop():
        found.append(torch.autograd.grad(scan(cell, x, state)[0], [*cell.parameters()], grad))
    assert_close(*map(tuple, found))


@pytest.mark.parametrize("kind", [LSTMCell, GRUCell])
@pytest.mark.parametrize("lengths", [None, [3, 1]])
@pytest.mark.parametrize("reverse", [False, True])
def test_second_derivatives(kind: type[Cell], lengths: list[int] | None, reverse: bool) -> None:
    cell, x = kind(2, 2).double(), torch.randn(3, 2, 2, dtype=torch.float64, requires_grad=True)
    initial = [torch.randn(2, 2, dtype=torch.float64, requires_grad=True) for _ in cell.State._fields]

    def loss(x: Tensor, *rest: Tensor) -> Tensor:
        state, weights = cell.State(*rest[: len(initial)]), rest[len(initial) :]
        named = dict(zip(dict(cell.named_parameters()), weights, strict=True))
        y, last = scan(cell, x, state, lengths=lengths, reverse=reverse, parameters=named)
        return y.square().sum() + last[0].sin().sum()

    inputs = (x, *initial, *cell.parameters())
    assert torch.autograd.gradgradcheck(loss, inputs)


def test_batched_gradients() -> None:
    cell, x = GRUCell(2, 3).double(), torch.randn(4, 2, 2, dtype=torch.float64, requires_grad=True)
    jacobians = [
        torch.autograd.functional.jacobian(lambda x: scan(cell, x)[0].sum((0, 1)), x, vectorize=vectorize)
        for vectorize in (True, False)
    ]
    assert_close(*jacobians)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch's own, at its first dual number
def test_forward_mode() -> None:
    cell, x, tangent = GRUCell(2, 3).double(), torch.randn(4, 2, 2).double(), torch.randn(4, 2, 2).double()
    with forward_ad.dual_level():
        found = forward_ad.unpack_dual(scan(cell, forward_ad.make_dual(x, tangent))[0]).tangent
    wanted = torch.func.jvp(lambda x: scan(cell, x)[0], (x,), (tangent,))[1]
    assert found is not None
    assert_close(found, wanted)


def test_export_with_a_free_batch() -> None:
    layer = Recurrent(GRUCell(3, 4)).eval()
    batch = torch.export.Dim("batch", min=2)
    program = torch.export.export(layer, (torch.randn(3, 5, 3),), dynamic_shapes=({0: batch},))
    x = torch.randn(7, 5, 3)
    assert_close(program.module()(x)[0], layer(x)[0])
