"""Segments that are read again on the way back: the numbers of the whole, and less kept."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from tests.tolerances import assert_close
from timeloom import ClockworkCell, GRUCell, LSTMCell, Recurrent, SCRNCell
from timeloom.core import UsageError
from timeloom.layers import segments
from timeloom.layers.segments import bytes_kept, segment_length
from timeloom.scan import plain_loop

T, B = 23, 3


def made(memory: Any, cell: Any = LSTMCell, **options: Any) -> tuple[Recurrent, Tensor]:
    torch.manual_seed(0)
    layer = Recurrent(cell(4, 6), memory=memory, **options).double()
    return layer, torch.randn(B, T, 4, dtype=torch.float64, requires_grad=True)


def outcome(memory: Any, lengths: list[int] | None = None, **options: Any) -> tuple[Tensor, ...]:
    """y, final states, states after every step, and the gradients of all of it."""
    layer, x = made(memory, **options)
    torch.manual_seed(1)
    resets = torch.zeros(B, T, dtype=torch.bool)
    resets[1, 7] = True
    y, state, every = layer(x, lengths=lengths, resets=resets, all_states=True)
    fields = [field for part in (*state, *every) for field in part if field.requires_grad]
    loss = y.sin().sum() + sum(field.cos().sum() for field in fields)
    return y, *fields, *torch.autograd.grad(loss, [x, *layer.parameters()])


@pytest.mark.parametrize("memory", ["sqrt", 26_000, 40_000])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"lengths": [T, 4, 0]},
        {"lengths": [9, T, 1], "bidirectional": True, "num_layers": 2},
        {"recurrent_dropout": 0.3, "weight_dropout": 0.2, "locked_dropout": 0.2, "zoneout": 0.1},
        {"cell": ClockworkCell},
        {"cell": SCRNCell, "learn_initial_state": True},
    ],
    ids=lambda options: "-".join(options) or "plain",
)
def test_the_numbers_are_those_of_the_whole(memory: Any, options: dict[str, Any]) -> None:
    assert_close(outcome(memory, **options), outcome("full", **options))


class NoisyCell(GRUCell):
    """Draws in its step, which the compiler leaves to the plain loop."""

    def step(self, x: Tensor, state: GRUCell.State) -> tuple[Tensor, GRUCell.State]:
        h = torch.nn.functional.dropout(state.h, 0.5)
        return super().step(x, self.State(h))


@pytest.mark.filterwarnings("ignore:NoisyCell runs in the plain loop")
def test_what_a_step_draws_is_drawn_again() -> None:
    found = []
    for memory in ("full", "sqrt"):
        layer, x = made(memory, NoisyCell)
        torch.manual_seed(5)
        y, _ = layer(x)
        found.append((y, *torch.autograd.grad(y.square().sum(), [x, *layer.parameters()])))
    assert_close(found[1], found[0])


def test_the_plain_loop_is_read_again_as_well() -> None:
    with plain_loop():
        assert_close(outcome("sqrt"), outcome("full"))


def kept(layer: Recurrent, x: Tensor) -> int:
    """Bytes that autograd keeps of one call."""
    layer(x)  # traced before anybody looks on
    found: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        found[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with saved_tensors_hooks(note, lambda tensor: tensor):
        y, _ = layer(x)
    del y
    own = {parameter.untyped_storage().data_ptr() for parameter in layer.parameters()}
    return sum(size for place, size in found.items() if place not in {*own, x.untyped_storage().data_ptr()})


@pytest.mark.parametrize("cell", [LSTMCell, GRUCell])
def test_less_is_kept_and_a_budget_holds(cell: Any) -> None:
    x = torch.randn(2, 400, 8)
    whole = kept(Recurrent(cell(8, 16)), x)
    assert kept(Recurrent(cell(8, 16), memory="sqrt"), x) < whole / 10
    assert whole <= kept(Recurrent(cell(8, 16), memory=3 * whole), x) < 1.02 * whole, "some steps to see what one keeps"


@pytest.mark.parametrize("cell", [LSTMCell, GRUCell])
@pytest.mark.parametrize("share", [0.1, 0.4, 1.5])
def test_segments_are_as_long_as_a_budget_allows(cell: Any, share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = Recurrent(cell(8, 16)), torch.randn(2, 400, 8)
    turned = x.transpose(0, 1)
    states = 4 * 2 * 16 * len(cell.State._fields)
    budget = int(share * bytes_kept(layer.cells[0], turned, None, None))

    def needed(length: int) -> float:
        """What is kept of a segment, its gradients, and the states where all begin."""
        return 2 * bytes_kept(layer.cells[0], turned[:length], None, None) + states * 400 / length

    length = segment_length(layer.cells[0], turned, None, None, budget)
    assert needed(length) <= budget < needed(length + 4)
    read: list[int] = []
    own = segments.scan_of

    def noted(cell: Any, x: Tensor, *more: Any) -> Any:
        read.append(len(x))
        return own(cell, x, *more)

    monkeypatch.setattr(segments, "scan_of", noted)
    layer.memory = budget
    layer(x)
    assert read[-1 - 399 // length : -1] == [length] * (399 // length)


def test_what_a_scan_keeps_grows_with_its_steps() -> None:
    cell, x = LSTMCell(4, 8), torch.randn(20, 2, 4)
    Recurrent(cell)(x.transpose(0, 1))
    one, two = (bytes_kept(cell, x[:steps], None, None) for steps in (10, 20))
    assert one < two < 2.2 * one


@pytest.mark.parametrize("memory", ["half", 0, -5, True, 1.5, None])
def test_what_is_no_budget_is_refused(memory: Any) -> None:
    with pytest.raises(UsageError, match="wanted 'full', 'sqrt' or a number of bytes"):
        Recurrent(LSTMCell(4, 6), memory=memory)


def test_a_budget_too_small_says_what_is_wanted() -> None:
    layer, x = made(100)
    with pytest.raises(UsageError, match=r"memory is 100 bytes, and LSTMCell over 23 steps of 3 sequences wants \d+"):
        layer(x)
    wanted = 0
    try:
        layer(x)
    except UsageError as error:
        wanted = int(str(error).split("wants ")[1].split()[0])
    layer.memory = wanted
    layer(x)[0].sum().backward()
    assert x.grad is not None
