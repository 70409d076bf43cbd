"""Recurrent as an object: streaming, dropout, copies, widths, and what it refuses."""

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.catalogue import Entry, build, every_stack
from tests.tolerances import assert_close
from tests.ways import both_ways  # noqa: F401
from timeloom.cells import ElmanCell, GRUCell, LSTMCell
from timeloom.core import Padded, ShapeError, UsageError
from timeloom.layers import Recurrent


@every_stack
@pytest.mark.parametrize("num_layers", [1, 3])
def test_step_after_step_is_the_whole(entry: Entry, num_layers: int) -> None:
    layer = Recurrent(build(entry), num_layers)
    x = torch.randn(2, 6, 3).double()
    wanted, wanted_final = layer(x)
    state, emitted = None, []
    for x_t in x.unbind(1):
        y, state = layer.step(x_t, state)
        emitted.append(y)
    assert_close(torch.stack(emitted, 1), wanted)
    assert_close(state, wanted_final)


@every_stack
def test_a_carried_state_joins_two_halves(entry: Entry) -> None:
    layer = Recurrent(build(entry), 2)
    x = torch.randn(2, 6, 3).double()
    first, state = layer(x[:, :4])
    second, final = layer(x[:, 4:], state)
    assert_close((torch.cat([first, second], 1), final), layer(x))


@every_stack
@pytest.mark.parametrize("bidirectional", [False, True])
def test_widths_follow_the_cell(entry: Entry, bidirectional: bool) -> None:
    cell = build(entry)
    layer = Recurrent(cell, 2, bidirectional)
    assert layer.cells[0] is cell
    assert layer.input_size == 3
    assert layer.output_size == cell.output_size * (1 + bidirectional)
    assert layer(torch.randn(2, 5, 3).double())[0].shape == (2, 5, layer.output_size)
    assert_close(layer(torch.zeros(2, 0, 3).double())[1], layer.initial_state(2))


def test_the_two_directions_see_the_two_sides() -> None:
    layer = Recurrent(GRUCell(1, 1), bidirectional=True)
    x = torch.zeros(1, 5, 1)
    changed = x.clone()
    changed[0, 2] = 1
    differs = layer(x)[0] != layer(changed)[0]
    assert differs[0, :, 0].tolist() == [False, False, True, True, True]
    assert differs[0, :, 1].tolist() == [True, True, True, False, False]


def test_dropout_acts_between_layers_in_training_only() -> None:
    torch.manual_seed(0)
    layer = Recurrent(ElmanCell(3, 50), 2, dropout=0.5)
    plain = Recurrent(ElmanCell(3, 50), 2)
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(2, 5, 3)
    assert not torch.equal(layer(x)[0], layer(x)[0])
    assert layer(x)[0].all()  # nothing is dropped from what the last layer emits
    assert torch.equal(layer(x)[1][0].h, plain(x)[1][0].h)  # nor from what the first one reads
    assert torch.equal(layer.eval()(x)[0], plain(x)[0])
    layer.train().dropout = 1 - 1e-9
    silent = Recurrent(layer.cells[1])(torch.zeros(2, 5, 50))[0]
    assert_close(layer(x)[0], silent)
    assert_close(layer.step(x[:, 0])[0], silent[:, 0])


@every_stack
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_copies_compute_the_same(entry: Entry, duplicate: Any) -> None:
    layer = Recurrent(build(entry), 2, bidirectional=True)
    x = torch.randn(2, 5, 3).double()
    assert_close(duplicate(layer)(x), layer(x))


def test_it_shows_what_it_is() -> None:
    text = repr(Recurrent(LSTMCell(3, 4), 2, dropout=0.1))
    assert "num_layers=2, bidirectional=False, dropout=0.1, batch_first=True" in text
    assert "input_size=3, hidden_size=4" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cell": LSTMCell}, r"Recurrent: cell is <class .*LSTMCell'>, wanted an instance"),
        ({"num_layers": 0}, "Recurrent: num_layers is 0, wanted a whole number, 1 or more"),
        ({"dropout": 1.0}, "Recurrent: dropout is 1.0, wanted 0 ≤ dropout < 1"),
        ({"dropout": -0.1}, "Recurrent: dropout is -0.1"),
    ],
)
def test_options_that_make_no_sense_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Recurrent(**{"cell": GRUCell(3, 4), **arguments})


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(2, 5, 7), r"Recurrent: x has 7 .*\n  x: \(B=2, T=5, I=7\), wanted \(B, T, I=3\)\n  Build"),
        (torch.zeros(5, 3), r"Recurrent: x has 2 axes, 3 were wanted"),
        (Padded(torch.zeros(2, 5, 7), torch.tensor([5, 1])), r"x: \(B=2, T=5, I=7\), wanted \(B, T, I=3\)"),
    ],
)
def test_an_input_that_does_not_fit_is_refused(x: Tensor | Padded, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        Recurrent(GRUCell(3, 4))(x)
    with pytest.raises(ShapeError, match=r"x: \(T=2, B=5, I=7\), wanted \(T, B, I=3\)"):
        Recurrent(GRUCell(3, 4), batch_first=False)(torch.zeros(2, 5, 7))
    with pytest.raises(ShapeError, match=r"x: \(B=2, I=7\), wanted \(B, I=3\)"):
        Recurrent(GRUCell(3, 4)).step(torch.zeros(2, 7))


def lstm_state(batch_size: int = 2) -> Any:
    return LSTMCell(3, 4).initial_state(batch_size)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (
            lstm_state(),
            r"Recurrent: state is .*\n  state: a State of 2, wanted a tuple of 2 × LSTMCell.State\n  Give",
        ),
        (torch.zeros(2, 2, 4), r"state: a Tensor, wanted a tuple of 2"),
        ((lstm_state(),), r"state: a tuple of 1, wanted a tuple of 2"),
        ((lstm_state(), lstm_state(3)), r"LSTMCell: state.h does not fit .*\n  state.h: \(3, 4\), wanted \(2, 4\)"),
        ((torch.zeros(2, 2, 4), torch.zeros(2, 2, 4)), r"LSTMCell: state is not a state of this cell"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(state: Any, message: str) -> None:
    layer = Recurrent(LSTMCell(3, 4), 2)
    with pytest.raises(ShapeError, match=message):
        layer(torch.zeros(2, 5, 3), state)
    with pytest.raises(ShapeError, match=message):
        layer.step(torch.zeros(2, 3), state)


def test_lengths_come_once() -> None:
    padded = Padded(torch.zeros(2, 5, 3), torch.tensor([5, 1]))
    for x in padded, padded.pack():
        with pytest.raises(UsageError, match=f"lengths came beside a {type(x).__name__}, which has its own"):
            Recurrent(GRUCell(3, 4))(x, lengths=padded.lengths)


def test_streaming_cannot_know_the_future() -> None:
    with pytest.raises(UsageError, match=r"Recurrent.step: the layer is bidirectional"):
        Recurrent(GRUCell(3, 4), bidirectional=True).step(torch.zeros(2, 3))
