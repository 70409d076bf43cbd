"""The doctor sees what is there, once, and nothing where all is well."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from timeloom import ElmanCell, IRNNCell, LSTMCell, Recurrent
from timeloom.layers import Doctor


def examined(
    layer: Recurrent,
    loss: Callable[[Tensor], Tensor],
    T: int = 30,
    scale: float = 1.0,
    lengths: list[int] | None = None,
) -> list[str]:
    """What is said of one step of training."""
    torch.manual_seed(0)
    net = nn.ModuleDict({"encoder": layer})
    doctor = Doctor(net)
    x = (scale * torch.randn(4, T, layer.input_size)).requires_grad_()
    doctor.before()
    y, _ = layer(x, lengths=lengths)
    loss(y).backward()
    return doctor.after(1.0)


def last(y: Tensor) -> Tensor:
    return y[:, -1].square().sum()


def test_a_healthy_layer_is_left_in_peace() -> None:
    torch.manual_seed(0)
    assert examined(Recurrent(LSTMCell(3, 8)), lambda y: y.square().sum()) == []


def test_a_gradient_that_never_arrives() -> None:
    torch.manual_seed(0)
    cell = ElmanCell(3, 8)
    with torch.no_grad():
        cell.recurrent.weight.mul_(0.1)
    (said,) = examined(Recurrent(cell), last)
    assert said.startswith("the gradient vanishes in encoder: of 30 steps the first third gets")
    assert examined(Recurrent(cell), lambda y: y.square().sum()) == [], "every step has a loss of its own"
    assert examined(Recurrent(cell), last, T=6) == [], "too short to say"
    assert examined(Recurrent(cell), last, lengths=[30, 5, 30, 8]), "a short one among them hides nothing"
    assert examined(Recurrent(cell, batch_first=False), lambda y: y[-1].square().sum(), T=30) == [], "4 steps of 30"


def test_dead_units() -> None:
    torch.manual_seed(0)
    cell = IRNNCell(3, 8)
    with torch.no_grad():
        cell.input.bias[:6] = -100.0
    found = examined(Recurrent(cell), lambda y: y.square().sum())
    assert any(said.startswith("75 % of the units of relu(") and "are dead" in said for said in found)


def test_saturated_gates_by_their_names_in_the_source() -> None:
    torch.manual_seed(0)
    found = examined(Recurrent(LSTMCell(3, 8)), lambda y: y.square().sum(), scale=100.0)
    assert any("of the gate sigmoid(f) in encoder are below 0.05 or above 0.95" in said for said in found)


def test_a_saturated_gate_of_the_layer_that_reads_backwards() -> None:
    torch.manual_seed(0)
    layer = Recurrent(LSTMCell(3, 8), bidirectional=True)
    backward = layer.cells[1]
    assert isinstance(backward, LSTMCell)
    with torch.no_grad():
        backward.input.bias.add_(50.0)
    assert any("of the gate sigmoid(f)" in said for said in examined(layer, lambda y: y.square().sum()))


def test_an_explosion_in_the_first_steps() -> None:
    doctor = Doctor(nn.Linear(1, 1))
    said = []
    for norm in [1.0] * 5 + [1e6]:
        doctor.before()
        said += doctor.after(norm)
    assert len(said) == 1


def test_an_explosion_is_said_once() -> None:
    doctor = Doctor(nn.Linear(1, 1))
    said = []
    for norm in [1.0] * 30 + [99.0, 500.0, 1.0, 900.0]:
        doctor.before()
        said += doctor.after(norm)
    assert len(said) == 1
    assert "exploded, 32 steps after the start: 500 long, where 1 is usual" in said[0]


def test_it_looks_at_one_step_in_fifty_and_leaves_no_hook() -> None:
    layer = Recurrent(LSTMCell(3, 8))
    doctor = Doctor(layer)
    hooks = []
    for _ in range(101):
        doctor.before()
        hooks.append(len(layer._forward_pre_hooks))
        doctor.after(1.0)
        assert not layer._forward_pre_hooks
    assert hooks.count(1) == 3
