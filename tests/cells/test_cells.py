"""What each cell computes: its lecture examples, its published form, its parameters."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from tests.catalogue import Entry, build, every_cell
from tests.tolerances import assert_close
from tests.ways import both_ways  # noqa: F401
from timeloom.cells import ElmanCell, GRUCell, LSTMCell
from timeloom.core import UsageError
from timeloom.scan import Cell, scan


@pytest.mark.parametrize(
    ("x", "wanted"),
    [
        ([[1, 1], [1, 1], [2, 2]], [[4, 4], [12, 12], [32, 32]]),
        ([[1, 1], [2, 2], [1, 1]], [[4, 4], [16, 16], [36, 36]]),  # the order of the input matters
    ],
)
def test_the_lecture_example_of_all_ones(x: list[list[float]], wanted: list[list[float]]) -> None:
    cell = ElmanCell(2, 2, nonlinearity="identity", bias=False)
    output = nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        for parameter in (*cell.parameters(), *output.parameters()):
            parameter.fill_(1)
    y, _ = scan(cell, torch.tensor(x, dtype=torch.float32)[:, None])  # (T, B=1, I)
    assert output(y)[:, 0].tolist() == wanted


@pytest.mark.parametrize(
    ("cell", "twin"),
    [
        (ElmanCell(3, 4), nn.RNNCell(3, 4)),
        (ElmanCell(3, 4, nonlinearity="relu"), nn.RNNCell(3, 4, nonlinearity="relu")),
        (LSTMCell(3, 4), nn.LSTMCell(3, 4)),
        (GRUCell(3, 4, bias=False), nn.GRUCell(3, 4, bias=False)),
    ],
    ids=lambda cell: type(cell).__name__,
)
def test_one_step_is_that_of_torch(cell: Cell, twin: nn.Module) -> None:
    cell, twin = cell.double(), twin.double()
    twin.load_state_dict(dict(zip(twin.state_dict(), torch_order(cell), strict=True)))
    x, state = torch.randn(5, 3).double(), [torch.randn(5, 4).double() for _ in cell.State._fields]
    wanted = twin(x, tuple(state) if len(state) > 1 else state[0])
    _, new = cell(x, tuple(state))
    assert_close(tuple(new), wanted if isinstance(wanted, tuple) else (wanted,))


def torch_order(cell: Cell) -> list[torch.Tensor]:
    """weight_ih, weight_hh, bias_ih, bias_hh."""
    parameters = cell.state_dict()
    names = ("input.weight", "recurrent.weight", "input.bias", "recurrent.bias")
    return [parameters[name] for name in names if name in parameters]


def test_a_gru_with_z_one_keeps_the_old_state() -> None:
    cell = GRUCell(2, 1)
    with torch.no_grad():
        cell.input.bias[1] = 100.0  # z, so that its sigmoid is 1
    h = torch.tensor([[0.3]])
    assert torch.equal(cell(torch.randn(1, 2), (h,))[0], h)


@pytest.mark.parametrize(("make", "gates"), [(ElmanCell, 1), (GRUCell, 3), (LSTMCell, 4)])
def test_parameters_are_counted_and_drawn_as_the_docstring_says(make: Callable[[int, int], Cell], gates: int) -> None:
    torch.manual_seed(0)
    parameters = nn.utils.parameters_to_vector(make(30, 40).parameters())
    assert len(parameters) == gates * (40 * (30 + 40) + 2 * 40)
    bound = 1 / math.sqrt(40)
    assert 0.99 * bound < parameters.abs().max() <= bound
    assert abs(parameters.mean()) < 0.05 * bound
    assert abs(parameters.std() - bound / math.sqrt(3)) < 0.05 * bound


@every_cell
def test_a_state_dict_carries_the_cell(entry: Entry) -> None:
    cell, other = build(entry, seed=1), build(entry, seed=2)
    x = torch.randn(4, 2, 3).double()
    if entry.name != "elman-relu":
        assert not torch.equal(scan(cell, x)[0], scan(other, x)[0])
    other.load_state_dict(cell.state_dict())
    assert torch.equal(scan(cell, x)[0], scan(other, x)[0])


def test_like_keeps_the_options_of_the_cells() -> None:
    elman = ElmanCell(2, 3, "relu", bias=False).like(5)
    assert (elman.nonlinearity, elman.input.bias, elman.input.in_features) == ("relu", None, 5)
    for other in LSTMCell(2, 3, bias=False).like(5), GRUCell(2, 3, bias=False).like(5):
        assert other.input.bias is None
        assert other.recurrent.bias is None


def test_a_nonlinearity_nobody_knows_is_refused() -> None:
    message = "ElmanCell: nonlinearity is 'sine', wanted one of tanh, relu, sigmoid, identity"
    with pytest.raises(UsageError, match=message):
        ElmanCell(2, 3, nonlinearity="sine")  # type: ignore[arg-type]
