"""What a scan means, for every cell."""

from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests import oracles
from tests.catalogue import Entry, build, every_cell, random_state
from tests.tolerances import assert_close
from tests.ways import both_ways  # noqa: F401
from timeloom.cells import GRUCell
from timeloom.core import Padded, ShapeError, UsageError
from timeloom.scan import Cell, plain_loop, scan

directions = pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
lengths_lists = st.lists(st.integers(0, 5), min_size=1, max_size=4)


def noise(*sizes: int) -> Tensor:
    return torch.randn(*sizes, dtype=torch.float64)


def gradients(cell: Cell, outputs: tuple[Tensor, ...], inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Gradients to `inputs` and to the cell's parameters of a fixed mixture of all outputs."""
    total = sum((output * torch.linspace(1, 2, output.numel()).view_as(output)).sum() for output in outputs)
    assert isinstance(total, Tensor)
    return torch.autograd.grad(total, [*inputs, *cell.parameters()], materialize_grads=True)


@every_cell
@directions
@settings(deadline=None, max_examples=15)
@given(lengths=lengths_lists)
def test_equal_to_the_equations_in_numpy(entry: Entry, reverse: bool, lengths: list[int]) -> None:
    cell = build(entry)
    T, B = max(lengths), len(lengths)
    x, state = noise(T, B, 3), random_state(cell, B)
    y, final = scan(cell, x, state, lengths=torch.tensor(lengths), reverse=reverse)
    parameters = {name: parameter.detach().numpy() for name, parameter in cell.named_parameters()}
    for b, length in enumerate(lengths):
        begin = tuple(field[b].detach().numpy() for field in state)
        if length == 0:
            assert_close(tuple(field[b] for field in final), tuple(field[b] for field in state))
        else:
            sequence = x[:length, b].numpy()
            emissions, end = oracles.run(entry.oracle, parameters, sequence[::-1] if reverse else sequence, begin)
            assert_close(y[:length, b], torch.from_numpy((emissions[::-1] if reverse else emissions).copy()))
            assert_close(tuple(field[b] for field in final), tuple(torch.from_numpy(field) for field in end))
        assert not y[length:, b].any()


@every_cell
@directions
@pytest.mark.parametrize("filling", [float("nan"), float("inf"), 1e300])
def test_alone_is_as_in_company_whatever_the_padding(entry: Entry, reverse: bool, filling: float) -> None:
    cell = build(entry)
    lengths = [3, 0, 5, 1]
    padded = Padded.from_list([noise(length, 3) for length in lengths], padding_value=filling)
    x = padded.data.transpose(0, 1).requires_grad_()
    state = random_state(cell, 4)
    y, final = scan(cell, x, state, lengths=lengths, reverse=reverse)
    together = gradients(cell, (y.sum(0).sum(0), *(field.sum(0) for field in final)), (x, *state))

    summed = [torch.zeros_like(parameter) for parameter in cell.parameters()]
    for b, length in enumerate(lengths):
        alone_x = x[:length, b : b + 1].detach().requires_grad_()
        alone_state = tuple(field[b : b + 1].detach().requires_grad_() for field in state)
        alone_y, alone_final = scan(cell, alone_x, alone_state, reverse=reverse)
        assert_close(y[:length, b : b + 1], alone_y)
        assert_close(tuple(field[b : b + 1] for field in final), alone_final)
        outputs = (alone_y.sum(0).sum(0), *(field.sum(0) for field in alone_final))
        alone = gradients(cell, outputs, (alone_x, *alone_state))
        assert_close(together[0][:length, b : b + 1], alone[0])
        for whole, part in zip(together[1 : 1 + len(state)], alone[1:], strict=False):
            assert_close(whole[b : b + 1], part)
        assert not together[0][length:, b].any()
        for total, part in zip(summed, alone[1 + len(state) :], strict=True):
            total += part
    assert_close(together[1 + len(state) :], tuple(summed))


@every_cell
@settings(deadline=None, max_examples=15)
@given(lengths=lengths_lists)
def test_reverse_is_forward_between_two_flips(entry: Entry, lengths: list[int]) -> None:
    cell = build(entry)
    padded = Padded(noise(len(lengths), max(lengths), 3), torch.tensor(lengths))
    state = random_state(cell, len(lengths))
    y, final = scan(cell, padded.data.transpose(0, 1), state, lengths=lengths, reverse=True)
    flipped = padded.reverse().data.transpose(0, 1)
    forward, forward_final = scan(cell, flipped, state, lengths=lengths)
    assert_close(y.transpose(0, 1), Padded(forward.transpose(0, 1), padded.lengths).reverse().data)
    assert_close(final, forward_final)


@every_cell
@directions
def test_all_gradients_by_finite_differences(entry: Entry, reverse: bool) -> None:
    cell = build(entry, input_size=2, hidden_size=2)
    x, state = noise(3, 2, 2).requires_grad_(), random_state(cell, 2)

    def function(x: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        # gradcheck moves its inputs in place, and the parameters among them are the cell's own.
        y, final = scan(cell, x, rest[: len(state)], lengths=[3, 1], reverse=reverse)
        return y, *final

    assert torch.autograd.gradcheck(function, (x, *state, *cell.parameters()))


@every_cell
@directions
def test_all_states_are_what_shorter_scans_end_in(entry: Entry, reverse: bool) -> None:
    cell = build(entry)
    x, lengths = noise(4, 2, 3), [4, 2]
    y, final, states = scan(cell, x, lengths=lengths, reverse=reverse, all_states=True)
    assert_close((y, final), scan(cell, x, lengths=lengths, reverse=reverse))
    for t in range(4):
        shorter = x[t:] if reverse else x[: t + 1]
        inside = [max(length - t, 0) if reverse else min(length, t + 1) for length in lengths]
        _, end = scan(cell, shorter, lengths=inside, reverse=reverse)
        assert_close(tuple(field[t] for field in states), end)
    assert_close(tuple(field[0 if reverse else -1] for field in states), final)


@every_cell
@pytest.mark.parametrize("lengths", [None, [0, 0]])
def test_no_steps_leave_the_state_as_it_was(entry: Entry, lengths: list[int] | None) -> None:
    cell = build(entry)
    state = random_state(cell, 2)
    y, final, states = scan(cell, noise(0, 2, 3), state, lengths=lengths, all_states=True)
    assert y.shape == (0, 2, cell.output_size)
    assert_close(final, state)
    assert [field.shape for field in states] == [(0, *field.shape) for field in state]


@every_cell
@directions
def test_an_empty_batch(entry: Entry, reverse: bool) -> None:
    cell = build(entry)
    for lengths in None, torch.zeros(0, dtype=torch.long):
        y, final = scan(cell, noise(4, 0, 3), lengths=lengths, reverse=reverse)
        assert y.shape == (4, 0, cell.output_size)
        assert [field.shape for field in final] == [field.shape for field in cell.initial_state(0)]
        assert not any(gradient.any() for gradient in gradients(cell, (y,), ()))


@every_cell
@directions
def test_one_step_is_one_step(entry: Entry, reverse: bool) -> None:
    cell = build(entry)
    x, state = noise(1, 2, 3), random_state(cell, 2)
    y, final = scan(cell, x, state, reverse=reverse)
    emitted, new = cell.step(x[0], state)
    assert_close((y[0], final), (emitted, new))


def test_a_state_field_of_any_rank() -> None:
    class CountCell(Cell):
        class State(NamedTuple):
            steps: Tensor  # (B,)
            products: Tensor  # (B, I, I)

        def __init__(self) -> None:
            super().__init__()
            self.input_size, self.hidden_size = 2, 2

        def initial_state(self, batch_size: int) -> State:
            return self.State(torch.zeros(batch_size), torch.zeros(batch_size, 2, 2))

        def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
            return x, self.State(state.steps + 1, state.products + x[:, :, None] * x[:, None, :])

    x = torch.randn(5, 2, 2)
    with plain_loop():  # a kernel's states are (B, width)
        _, final = scan(CountCell(), x, lengths=[2, 5])
    assert final.steps.tolist() == [2, 5]
    torch.testing.assert_close(final.products[0], x[:2, 0].T @ x[:2, 0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": noise(4, 2, 5)}, r"GRUCell: x has 5 features .*\n  x: \(T=4, B=2, I=5\), wanted \(T, B, I=3\)"),
        ({"x": noise(4, 3)}, r"GRUCell: x has 2 axes, 3 were wanted"),
        ({"x": torch.zeros(4, 2, 3)}, r"GRUCell: x is of another type"),
        ({"lengths": [1, 5]}, r"GRUCell: lengths lie between 1 and 5, but the batch has 4 steps"),
        ({"lengths": [1]}, r"GRUCell: lengths do not fit the batch.\n  lengths: \(1,\)"),
        ({"state": (noise(3, 4),)}, r"GRUCell: state.h does not fit .*\n  state.h: \(3, 4\), wanted \(2, 4\)"),
    ],
)
def test_what_does_not_fit_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        scan(GRUCell(3, 4).double(), **{"x": noise(4, 2, 3), **arguments})


@pytest.mark.parametrize("lengths", [5, "abc", ["a", "b"], [1, None]])
def test_lengths_that_are_no_numbers_are_refused(lengths: Any) -> None:
    with pytest.raises(ShapeError, match=r"GRUCell: lengths are no whole numbers.*\n.*wanted \(B=2,\) integers"):
        scan(GRUCell(3, 4), torch.randn(5, 2, 3), lengths=lengths)


@pytest.mark.parametrize("x", [None, [[0.0]], np.zeros((5, 2, 3))])
def test_an_x_that_is_no_tensor_is_refused(x: Any) -> None:
    with pytest.raises(ShapeError, match=f"GRUCell: x is a {type(x).__name__}, wanted a tensor \\(T, B, I\\)"):
        scan(GRUCell(3, 4), x)


def test_other_tensors_may_stand_for_parameters() -> None:
    cell, x = GRUCell(3, 4).double(), torch.randn(5, 2, 3, dtype=torch.float64)
    other = GRUCell(3, 4).double()
    others = {name: (2 * p).detach().requires_grad_() for name, p in other.named_parameters() if "recurrent" in name}
    y, _ = scan(cell, x, parameters=others)
    found = torch.autograd.grad(y.sum(), list(others.values()))
    cell.load_state_dict({**cell.state_dict(), **others})
    wanted, _ = scan(cell, x)
    assert_close(y, wanted)
    own = [cell.get_parameter(name) for name in others]
    assert_close(found, torch.autograd.grad(wanted.sum(), own))
    with pytest.raises(UsageError, match=r"GRUCell: it has no parameter weight; it has input.weight"):
        scan(cell, x, parameters={"weight": x})
    with pytest.raises(ShapeError, match=r"what is given for input.weight does not fit.\n  input.weight: \(5, 2, 3\)"):
        scan(cell, x, parameters={"input.weight": x})
