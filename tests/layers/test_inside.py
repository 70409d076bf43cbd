"""Gates, gradients and eigenvalues against what is known of them."""

from __future__ import annotations

import pytest
import torch

from tests.tolerances import assert_close
from timeloom import ElmanCell, GRUCell, LSTMCell, Recurrent
from timeloom.layers import gates_over_time, gradient_flow, saturated, step_eigenvalues


@pytest.mark.parametrize("reverse", [False, True])
def test_gates_are_those_of_the_equations(reverse: bool) -> None:
    torch.manual_seed(0)
    cell, x = LSTMCell(3, 5).double(), torch.randn(7, 3, dtype=torch.float64)
    values, kinds = gates_over_time(cell, x, reverse)
    assert kinds == {
        "sigmoid(f)": "sigmoid",
        "sigmoid(i)": "sigmoid",
        "tanh(g)": "tanh",
        "sigmoid(o)": "sigmoid",
        "tanh(c)": "tanh",
    }
    h = c = torch.zeros(1, 5, dtype=torch.float64)
    for t in reversed(range(7)) if reverse else range(7):
        i, f, g, o = (cell.input(x[t : t + 1]) + cell.recurrent(h)).chunk(4, -1)
        assert_close(values["sigmoid(f)"][t], torch.sigmoid(f)[0].detach())
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        assert_close(values["tanh(c)"][t], torch.tanh(c)[0].detach())


def test_shares_of_saturated_values_by_hand() -> None:
    assert saturated(torch.tensor([0.01, 0.5, 0.97, 0.94]), "sigmoid") == 0.5
    assert saturated(torch.tensor([-0.96, 0.5, 0.96, 0.0]), "tanh") == 0.5
    assert saturated(torch.tensor([0.0, 0.5, 0.0, 0.0]), "relu") == 0.75


def test_gradients_by_states_are_those_of_a_loop_by_hand() -> None:
    torch.manual_seed(0)
    layer, x = Recurrent(GRUCell(2, 4)).double(), torch.randn(3, 6, 2, dtype=torch.float64)
    norms = gradient_flow(layer, x, lambda y: y[:, -1].square().sum())["h"]
    h, states = torch.zeros(3, 4, dtype=torch.float64), []
    for step in x.unbind(1):
        _, state = layer.cells[0].step(step, GRUCell.State(h))
        h = state.h
        states.append(h)
    gradients = torch.autograd.grad(states[-1].square().sum(), states)
    assert_close(norms, torch.stack([gradient.norm() for gradient in gradients]))


def test_eigenvalues_of_a_linear_step_are_those_of_its_matrix() -> None:
    cell = ElmanCell(2, 3).double()
    with torch.no_grad():
        cell.recurrent.weight.copy_(torch.diag(torch.tensor([0.5, -0.2, 1.5], dtype=torch.float64)))
        for parameter in (cell.input.weight, cell.input.bias, cell.recurrent.bias):
            parameter.zero_()
    found = step_eigenvalues(cell, torch.zeros(2, dtype=torch.float64), cell.initial_state(1))
    assert_close(found.real.sort().values, torch.tensor([-0.2, 0.5, 1.5], dtype=torch.float64))  # tanh' = 1 at 0
    assert not found.imag.any()
