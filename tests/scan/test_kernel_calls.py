"""Every way a kernel can be called, against the plain loop; `make sanitize` runs these under the sanitizers, too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.catalogue import ENTRIES, AverageCell, Entry, build, every_cell, random_state
from tests.tolerances import assert_close
from timeloom.cells import GRUCell, LSTMCell
from timeloom.layers import Recurrent
from timeloom.scan import Cell, plain_loop, scan, step

WIDTHS = (1, 17, 7, 16, 130)


@pytest.fixture(autouse=True)
def poisoned() -> Iterator[None]:
    """What torch allocates is full of NaN, so a value that is read before it is written shows."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def outcome(
    cell: Cell, x: Tensor, state: tuple[Tensor, ...], lengths: list[int] | None, reverse: bool
) -> tuple[Tensor, ...]:
    """Outputs, final states, states of every step, and the gradients of a mixture of all of them to everything."""
    x = x.detach().requires_grad_()
    state = cell.State(*(field.detach().requires_grad_() for field in state))
    y, last, every = scan(cell, x, state, lengths=lengths, reverse=reverse, all_states=True)
    outputs = (y, *last, *every)
    mixed = [(out * torch.linspace(-1, 2, out.numel(), dtype=out.dtype).view_as(out)).sum() for out in outputs]
    asked = [x, *state, *cell.parameters()]
    return (*outputs, *torch.autograd.grad(sum(mixed, x.new_zeros(())), asked, materialize_grads=True))


def assert_equal_to_the_plain_loop(
    cell: Cell, x: Tensor, state: tuple[Tensor, ...], lengths: list[int] | None, reverse: bool
) -> None:
    fused = outcome(cell, x, state, lengths, reverse)
    with plain_loop():
        assert_close(fused, outcome(cell, x, state, lengths, reverse))


_built: dict[tuple[str, int], Cell] = {}


@every_cell
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_batch(entry: Entry, data: st.DataObject) -> None:
    # Each cell at three widths: a kernel for each takes its time to build.
    widths = (*WIDTHS[:2], WIDTHS[2 + ENTRIES.index(entry) % 3])
    width = max(entry.narrowest, data.draw(st.sampled_from(widths), "H"))
    B, T = data.draw(st.integers(0, 11), "B"), data.draw(st.sampled_from((0, 1, 2, 9, 40)), "T")
    lengths = data.draw(st.none() | st.lists(st.integers(0, T), min_size=B, max_size=B), "lengths")
    if (entry.name, width) not in _built:
        _built[entry.name, width] = build(entry, 5, width)
    cell = _built[entry.name, width]
    torch.manual_seed(data.draw(st.integers(0, 99), "seed"))
    x = torch.randn(T, B, 5, dtype=torch.float64)
    assert_equal_to_the_plain_loop(cell, x, random_state(cell, B), lengths, data.draw(st.booleans(), "reverse"))


@pytest.mark.sanitize
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("make", [LSTMCell, AverageCell])
def test_every_kind_of_call(make: type[Cell], dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    cell = make(5, 37).to(dtype)
    calls = [(1, 1, None), (1, 200, None), (3, 40, [40, 0, 13]), (13, 6, None), (9, 11, [3, 11, 0, 7, 1, 11, 2, 5, 4])]
    for B, T, lengths in calls:
        for reverse in (False, True):
            x, state = torch.randn(T, B, 5, dtype=dtype), random_state(cell, B)
            assert_equal_to_the_plain_loop(cell, x, state, lengths, reverse)
    with torch.no_grad():
        for B in (1, 12):
            x, state = torch.randn(3, B, 5, dtype=dtype), cell.State(*map(torch.detach, random_state(cell, B)))
            wanted, last = scan(cell, x, state)
            for now, y in zip(x, wanted, strict=True):
                out, state = step(cell, now, state)
                assert_close(out, y)
            assert_close(tuple(state), tuple(last))


@pytest.mark.sanitize
def test_units_shared_between_threads() -> None:
    """Wide enough that a batch of few sequences is split by units, with all threads meeting at each stage."""
    torch.manual_seed(0)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for cell in (LSTMCell(6, 300), GRUCell(6, 300)):
            for B, T, lengths in ((1, 30, None), (3, 9, [2, 9, 0])):
                assert_equal_to_the_plain_loop(cell, torch.randn(T, B, 6), random_state(cell, B), lengths, False)
    finally:
        torch.set_num_threads(before)


def test_more_threads_than_there_are_cores() -> None:
    before, cell = torch.get_num_threads(), LSTMCell(6, 200)
    x = torch.randn(20, 2, 6)
    torch.set_num_threads(2)
    wanted = scan(cell, x)[0]
    try:
        for threads in (5, 1):
            torch.set_num_threads(threads)
            assert torch.equal(scan(cell, x)[0], wanted)
    finally:
        torch.set_num_threads(before)


def test_nan_and_infinity_pass_through_as_in_the_plain_loop() -> None:
    cell, x = GRUCell(3, 9), torch.randn(5, 4, 3)
    x[2, 0, 1], x[1, 2, 0], x[3, 3, 2] = float("nan"), float("inf"), float("-inf")
    y = scan(cell, x)[0]
    with plain_loop():
        torch.testing.assert_close(y, scan(cell, x)[0], equal_nan=True, rtol=1e-4, atol=1e-5)


def test_frozen_parameters_and_inputs_get_no_gradient() -> None:
    cell, x = LSTMCell(3, 4), torch.randn(5, 2, 3)
    cell.input.weight.requires_grad_(False)
    scan(cell, x)[0].sum().backward()
    assert cell.input.weight.grad is None
    assert x.grad is None
    wanted = cell.recurrent.weight.grad
    cell.recurrent.weight.grad = None
    with plain_loop():
        scan(cell, x)[0].sum().backward()
    assert wanted is not None
    assert_close(wanted, cell.recurrent.weight.grad)


def test_twice_back_through_one_forward_gives_the_same() -> None:
    cell, x = LSTMCell(3, 4), torch.randn(5, 2, 3)
    total = scan(cell, x)[0].square().sum()
    first = torch.autograd.grad(total, list(cell.parameters()), retain_graph=True)
    assert_close(torch.autograd.grad(total, list(cell.parameters())), first)


def test_streaming_is_the_whole_and_minds_what_it_was_prepared_for() -> None:
    layer, x = Recurrent(LSTMCell(4, 8), num_layers=2), torch.randn(2, 6, 4)
    wanted, _ = layer(x)
    with torch.no_grad():
        for rows in (slice(0, 2), slice(1, 2)):  # another batch size is another preparation
            state, found = None, []
            for t in range(6):
                y, state = layer.step(x[rows, t], state)
                found.append(y)
            assert_close(torch.stack(found, 1), wanted[rows].detach())
        before, _ = layer.step(x[:, 0])
        for parameter in layer.parameters():
            parameter.mul_(0.5)  # the numbers may change
        changed, _ = layer.step(x[:, 0])
        with plain_loop():
            assert_close(changed, layer.step(x[:, 0])[0])
        assert not torch.allclose(before, changed)
        double = layer.double()  # and the parameters themselves
        with plain_loop():
            plain = double.step(x[:, 0].double())[0]
        assert_close(double.step(x[:, 0].double())[0], plain)
