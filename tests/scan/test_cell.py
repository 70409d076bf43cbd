import copy
import pickle
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from tests.catalogue import Entry, build, every_cell, random_state
from tests.tolerances import assert_close
from timeloom.cells import LSTMCell
from timeloom.core import ShapeError
from timeloom.scan import Cell


class DecayCell(Cell):
    """The least a user writes; no parameters."""

    class State(NamedTuple):
        h: Tensor

    def __init__(self, input_size: int, hidden_size: int, rate: float = 0.5):
        super().__init__()
        self.input_size, self.hidden_size, self.rate = input_size, hidden_size, rate

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        h = self.rate * state.h + x.sum(-1, keepdim=True)
        return h, self.State(h)


def test_the_whole_contract_is_a_state_two_sizes_and_a_step() -> None:
    cell = DecayCell(2, 3)
    assert cell.output_size == 3
    h, state = cell(torch.tensor([[1.0, 2.0]]))
    assert h.tolist() == [[3.0, 3.0, 3.0]]
    assert cell(torch.zeros(1, 2), state)[0].tolist() == [[1.5, 1.5, 1.5]]


def test_the_initial_state_takes_the_type_of_the_parameters() -> None:
    assert DecayCell(2, 3).initial_state(4).h.dtype == torch.float32
    state = LSTMCell(2, 3).double().initial_state(4)
    assert (state.c.dtype, state.c.shape, state.c.any().item()) == (torch.float64, (4, 3), False)


@every_cell
def test_like_keeps_everything_but_the_input_size(entry: Entry) -> None:
    cell = build(entry)
    other = cell.like(7)
    assert type(other) is type(cell)
    assert (other.input_size, other.hidden_size) == (7, cell.hidden_size)
    names = dict(cell.named_parameters())
    for name, parameter in other.named_parameters():
        assert parameter.dtype == torch.float64
        assert parameter is not names.pop(name)
    assert names == {}
    assert other(torch.randn(2, 7).double())[0].shape == (2, cell.output_size)
    assert other.extra_repr() == cell.extra_repr().replace("input_size=3", "input_size=7")


def test_like_keeps_options_however_they_were_given() -> None:
    for cell in DecayCell(2, 3, 0.25), DecayCell(hidden_size=3, rate=0.25, input_size=2):
        other = copy.deepcopy(cell).like(5)
        assert (other.input_size, other.hidden_size, other.rate) == (5, 3, 0.25)


def test_like_shares_nothing() -> None:
    class OutputCell(DecayCell):
        def __init__(self, input_size: int, hidden_size: int, output: nn.Linear):
            super().__init__(input_size, hidden_size)
            self.output = output

    cell = OutputCell(2, 3, nn.Linear(3, 3))
    other = cell.like(5)
    assert other.output is not cell.output
    assert torch.equal(other.output.weight, cell.output.weight)


@every_cell
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda cell: pickle.loads(pickle.dumps(cell))])
def test_copies_compute_the_same_and_are_their_own(entry: Entry, duplicate: Any) -> None:
    cell = build(entry)
    x, state = torch.randn(2, 3).double(), random_state(cell, 2)
    other = duplicate(cell)
    assert_close(other(x, state), cell(x, state))
    assert other.like(5).input_size == 5
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    assert all(parameter.any() for parameter in cell.parameters())


@every_cell
def test_a_state_survives_pickling(entry: Entry) -> None:
    state = build(entry).initial_state(2)
    again = pickle.loads(pickle.dumps(state))
    assert type(again) is type(state)
    assert_close(again, state)


def test_a_plain_tuple_is_taken_for_a_state() -> None:
    cell = LSTMCell(2, 3)
    x, state = torch.randn(4, 2), random_state(cell, 4)
    assert_close(cell(x, tuple(state)), cell(x, cell.State(*state)))


def test_autocast_may_choose_the_types() -> None:
    cell = LSTMCell(2, 3)
    with torch.autocast("cpu", torch.bfloat16):
        y, state = cell(torch.randn(4, 2).bfloat16())
        assert cell(y.new_zeros(4, 2), state)[0].isfinite().all()


def test_a_class_without_a_state_is_refused() -> None:
    class NoState(Cell):
        def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
            return x, state

    class EmptyState(NoState):
        class State(NamedTuple):
            pass

    for cell in NoState, EmptyState:
        with pytest.raises(TypeError, match=f"{cell.__name__}: the class has no State with at least one field"):
            cell()


def test_a_class_without_a_step_is_refused() -> None:
    class NoStep(Cell):
        class State(NamedTuple):
            h: Tensor

    with pytest.raises(TypeError, match=r"abstract .*NoStep.* step"):
        NoStep()  # type: ignore[abstract]


def test_like_needs_a_parameter_named_input_size() -> None:
    class Fixed(LSTMCell):
        def __init__(self, hidden_size: int):
            super().__init__(2, hidden_size)

    with pytest.raises(TypeError, match=r"Fixed: no second cell.*\n.*\n  Give __init__ a parameter named input_size"):
        Fixed(3).like(5)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(4, 5), r"LSTMCell: x has 5 features .*\n  x: \(B=4, I=5\), wanted \(B, I=2\)\n  Build"),
        (torch.zeros(2), r"LSTMCell: x has 1 axes, 2 were wanted"),
        (torch.zeros(4, 2).double(), r"x is of another type .*\n  x: torch.float64 on cpu, wanted torch.float32"),
    ],
)
def test_an_input_that_does_not_fit_is_refused(x: Tensor, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        LSTMCell(2, 3)(x)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (torch.zeros(4, 3), r"LSTMCell: state is not a state .*\n  state: \(B=4, H=3\), wanted LSTMCell.State\(h, c\)"),
        ((torch.zeros(4, 3),), r"state: \(\(B=4, H=3\)\), wanted LSTMCell.State\(h, c\)"),
        ((torch.zeros(4, 3), None), r"state: \(\(B=4, H=3\), NoneType\), wanted LSTMCell.State\(h, c\)"),
        ((torch.zeros(4, 3), torch.zeros(4, 2)), r"state.c does not fit .*\n  state.c: \(4, 2\), wanted \(4, 3\)"),
        ((torch.zeros(4, 3), torch.zeros(4, 3).double()), r"state.c is of another type .*\n  state.c: torch.float64"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(state: Any, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        LSTMCell(2, 3)(torch.zeros(4, 2), state)


def returns(result: Any) -> DecayCell:
    cell = DecayCell(2, 3)
    cell.step = lambda x, state: result  # type: ignore[method-assign]
    return cell


@pytest.mark.parametrize(
    ("result", "came"),
    [
        (torch.zeros(4, 3), r"\(B=4, H=3\)"),
        ((torch.zeros(4, 3), torch.zeros(4, 3)), r"\(\(B=4, H=3\), \(B=4, H=3\)\)"),
        ((torch.zeros(4, 1), DecayCell.State(torch.zeros(4, 3))), r"\(\(B=4, H=1\), State\(h=\(B=4, H=3\)\)\)"),
        ((torch.zeros(4, 3), DecayCell.State(torch.zeros(1, 3))), r"\(\(B=4, H=3\), State\(h=\(B=1, H=3\)\)\)"),
    ],
)
def test_a_step_that_breaks_its_promise_is_named(result: Any, came: str) -> None:
    wanted = r"wanted \(\(4, 3\), State\(h=\(B=4, H=3\)\)\)\n  Return"
    with pytest.raises(ShapeError, match=rf"DecayCell.step: .*\n  step\(x, state\) gave {came}, {wanted}"):
        returns(result)(torch.zeros(4, 2))


def test_a_cell_shows_its_sizes() -> None:
    assert "LSTMCell(\n  input_size=2, hidden_size=3\n" in repr(nn.Sequential(LSTMCell(2, 3)).get_submodule("0"))
