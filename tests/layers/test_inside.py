"""Gates, gradients and eigenvalues against what is known of them."""

from __future__ import annotations

import pytest
import torch

from tests.tolerances import assert_close
from timeloom import ElmanCell, GRUCell, LSTMCell, Recurrent
from timeloom.core import UsageError
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
    [norms] = gradient_flow(layer, lambda: layer(x)[0][:, -1].square().sum())
    h, states = torch.zeros(3, 4, dtype=torch.float64), []
    for step in x.unbind(1):
        _, state = layer.cells[0].step(step, GRUCell.State(h))
        h = state.h
        states.append(h)
    gradients = torch.autograd.grad(states[-1].square().sum(), states)
    assert_close(norms["h"], torch.stack([gradient.norm() for gradient in gradients]))


def test_gradients_of_every_cell_are_in_the_order_of_time() -> None:
    torch.manual_seed(0)
    layer, x = Recurrent(ElmanCell(2, 4), num_layers=2, bidirectional=True).double(), torch.randn(1, 6, 2).double()
    flows = gradient_flow(layer, lambda: layer(x, lengths=[5])[0][0, 1].sum())
    assert len(flows) == 4
    for number, flow in enumerate(flows):
        reached = [t for t, norm in enumerate(flow["h"].tolist()) if norm > 0]
        # In the upper layer, forwards from the loss at step 1 back to 0, backwards from there on to the end.
        assert reached == {0: [0, 1, 2, 3, 4], 1: [0, 1, 2, 3, 4], 2: [0, 1], 3: [1, 2, 3, 4]}[number]
    assert "step" not in vars(layer.cells[0])


def test_a_flow_that_cannot_be_is_said() -> None:
    layer, x = Recurrent(ElmanCell(2, 4), memory="sqrt"), torch.randn(1, 6, 2)
    with pytest.raises(UsageError, match="give one with memory='full'"):
        gradient_flow(layer, lambda: layer(x)[0].sum())
    other = Recurrent(ElmanCell(2, 4))
    with pytest.raises(UsageError, match="the loss did not run the layer"):
        gradient_flow(other, lambda: layer(x)[0].sum())
    with pytest.raises(UsageError, match="its weights are held"):
        gradient_flow(other.requires_grad_(False), lambda: other(x)[0].sum())


def test_eigenvalues_of_a_linear_step_are_those_of_its_matrix() -> None:
    cell = ElmanCell(2, 3).double()
    with torch.no_grad():
        cell.recurrent.weight.copy_(torch.diag(torch.tensor([0.5, -0.2, 1.5], dtype=torch.float64)))
        for parameter in (cell.input.weight, cell.input.bias, cell.recurrent.bias):
            parameter.zero_()
    found = step_eigenvalues(cell, torch.zeros(2, dtype=torch.float64), cell.initial_state(1))
    assert_close(found.real.sort().values, torch.tensor([-0.2, 0.5, 1.5], dtype=torch.float64))  # tanh' = 1 at 0
    assert not found.imag.any()
